import { createHash } from 'node:crypto'

/*
 * RFC 6962 §2.1 word for word: recursion over lists, no tiles, no edges. Slow, and shares no code with src/log. Ranges
 * are remembered by their place, so that a tree of a few hundred entries stays cheap.
 */

const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()

export class ReferenceTree {
  readonly #leaves: readonly Uint8Array[]
  readonly #known = new Map<string, Uint8Array>()

  constructor(entries: readonly Uint8Array[]) {
    this.#leaves = entries.map((entry) => sha256(Uint8Array.of(0), entry))
  }

  leaf(index: number): Uint8Array {
    return this.#leaves[index]
  }

  /** MTH(D[start:end]). */
  mth(start: number, end: number): Uint8Array {
    if (start === end) return sha256()
    if (end - start === 1) return this.#leaves[start]
    const key = `${start}:${end}`
    const known = this.#known.get(key)
    if (known) return known
    const middle = start + split(end - start)
    const hash = sha256(Uint8Array.of(1), this.mth(start, middle), this.mth(middle, end))
    this.#known.set(key, hash)
    return hash
  }

  /** PATH(m, D[start:end]). */
  path(m: number, start: number, end: number): Uint8Array[] {
    const n = end - start
    if (n === 1) return []
    const k = split(n)
    return m < k
      ? [...this.path(m, start, start + k), this.mth(start + k, end)]
      : [...this.path(m - k, start + k, end), this.mth(start, start + k)]
  }

  /** PROOF(m, D[n]), 0 < m ≤ n. */
  proof(m: number, n: number): Uint8Array[] {
    return this.#subproof(m, 0, n, true)
  }

  #subproof(m: number, start: number, end: number, b: boolean): Uint8Array[] {
    const n = end - start
    if (m === n) return b ? [] : [this.mth(start, end)]
    const k = split(n)
    return m <= k
      ? [...this.#subproof(m, start, start + k, b), this.mth(start + k, end)]
      : [...this.#subproof(m - k, start + k, end, false), this.mth(start, start + k)]
  }
}

/** The largest power of two smaller than n. */
function split(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}
