import { toHex } from '../crypto/digest.ts'
import { EMPTY_ROOT, HASH_BYTES, nodeHash } from '../log/merkle-hash.ts'

/** Roots in one piece of memory. */
const PAGE_ROOTS = 4096

/**
 * The heads of every tree that a log has been, while it is read from its beginning: a plan names one of them (docs/adr/0009).
 * Memory: 32 bytes an entry.
 */
export class LogPast {
  /** Complete subtrees, of falling widths (RFC 6962 §2.1). */
  readonly #subtrees: { readonly width: number; readonly root: Uint8Array }[] = []
  readonly #pages: Uint8Array[] = []
  #size = -1

  constructor() {
    this.#note(EMPTY_ROOT)
  }

  /** The next entry. @param leaf its leaf hash, 32 bytes */
  add(leaf: Uint8Array): void {
    let added = { width: 1, root: leaf }
    while (this.#subtrees.at(-1)?.width === added.width) {
      const left = this.#subtrees.pop()!
      added = { width: 2 * added.width, root: nodeHash(left.root, added.root) }
    }
    this.#subtrees.push(added)
    this.#note(this.#subtrees.map(({ root }) => root).reduceRight((right, left) => nodeHash(left, right)))
  }

  #note(root: Uint8Array): void {
    this.#size++
    if (this.#size % PAGE_ROOTS === 0) this.#pages.push(new Uint8Array(PAGE_ROOTS * HASH_BYTES))
    this.#pages.at(-1)!.set(root, (this.#size % PAGE_ROOTS) * HASH_BYTES)
  }

  /** Whether the tree of so many entries had this root, hexadecimal; false for a tree that is still to come. */
  had({ size, root }: { readonly size: number; readonly root: string }): boolean {
    if (size > this.#size) return false
    const offset = (size % PAGE_ROOTS) * HASH_BYTES
    return toHex(this.#pages[Math.floor(size / PAGE_ROOTS)].subarray(offset, offset + HASH_BYTES)) === root
  }
}
