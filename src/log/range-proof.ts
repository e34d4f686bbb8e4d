import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { EMPTY_ROOT, equalBytes, HASH_BYTES, leafHash, nodeHash } from './merkle-hash.ts'
import { requireWithin } from './merkle-proof.ts'
import { hashReaderOf, type LogReader, readEntries } from './tile-reader.ts'
import type { TreeHead } from './verify-proof.ts'

/**
 * All entries from `start` to the end of a tree, and what stands before them as hashes: who verifies it has seen
 * everything that was logged since `start`, and so knows what was *not* (docs/adr/0009).
 */
export interface LogRange {
  /** Position of the first entry; counts from 0. The tree's size when there are no entries. */
  readonly start: number
  /** Roots of the complete subtrees of [0, start), largest first, 32 bytes each: one for every bit set in `start`. */
  readonly before: readonly Uint8Array[]
  readonly entries: readonly Uint8Array[]
}

/** A complete subtree: `width` leaves, a power of two. */
interface Subtree {
  readonly width: number
  readonly root: Uint8Array
}

/**
 * The range of the entries [start, size) of the tree of `size` entries.
 * @throws LogError `out-of-range` unless 0 ≤ start ≤ size; `tile-missing`, `malformed-tile`, `malformed-bundle`; what the
 * reader throws
 */
export async function proveRange(reader: Pick<LogReader, 'readTile'>, start: number, size: number): Promise<LogRange> {
  requireWithin(size, Number.MAX_SAFE_INTEGER, 'tree size')
  requireWithin(start, size, 'start of the range')
  const hashes = hashReaderOf(reader, size)
  const before: Uint8Array[] = []
  let done = 0
  for (const width of completeWidths(start)) {
    before.push(await hashes.hash(Math.log2(width), done / width))
    done += width
  }
  return { start, before, entries: await readEntries(reader, start, size, size) }
}

/**
 * Whether exactly these entries stand at [start, size) of this tree: the last of them is the last of the tree, and none
 * is left out. An entry belongs to its position, because the shape of a tree follows from its size (RFC 6962 §2.1).
 *
 * Refusals: `proof-length` when a range of this start and tree has not this form; `root-mismatch`.
 */
export function verifyRange(range: LogRange, head: TreeHead): Verdict<true, 'proof-length' | 'root-mismatch'> {
  const { start, before, entries } = range
  const widths = Number.isSafeInteger(start) && start >= 0 ? completeWidths(start) : []
  const wellFormed = before.length === widths.length && before.every((hash) => hash.length === HASH_BYTES)
  if (!wellFormed || start + entries.length !== head.size) {
    const reason = `The range from ${start} has not the form that a tree of ${head.size} needs: ask for it again.`
    return refused('proof-length', reason)
  }
  const subtrees: Subtree[] = before.map((root, i) => ({ width: widths[i], root }))
  for (const entry of entries) addLeaf(subtrees, leafHash(entry))
  if (equalBytes(rootOf(subtrees), head.root)) return accepted(true)
  const reason = `The entries from ${start} are not those of the tree of ${head.size}: do not rely on them.`
  return refused('root-mismatch', reason)
}

/** Widths of the complete subtrees that make up the first `size` leaves, largest first. Bit operators would stop at 2^31. */
function completeWidths(size: number): number[] {
  const widths: number[] = []
  for (let rest = size, width = 1; rest > 0; rest = Math.floor(rest / 2), width *= 2) {
    if (rest % 2 === 1) widths.unshift(width)
  }
  return widths
}

/** Puts a leaf at the end; subtrees of one width join as they come to stand side by side. */
function addLeaf(subtrees: Subtree[], leaf: Uint8Array): void {
  let added: Subtree = { width: 1, root: leaf }
  while (subtrees.at(-1)?.width === added.width) {
    const left = subtrees.pop()!
    added = { width: 2 * added.width, root: nodeHash(left.root, added.root) }
  }
  subtrees.push(added)
}

/** The root over complete subtrees of falling widths, joined from the right (RFC 6962 §2.1). */
function rootOf(subtrees: readonly Subtree[]): Uint8Array {
  const roots = subtrees.map(({ root }) => root)
  return roots.length === 0 ? EMPTY_ROOT : roots.reduceRight((right, left) => nodeHash(left, right))
}
