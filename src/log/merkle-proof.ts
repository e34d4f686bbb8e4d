import { LogError } from './log-error.ts'
import { EMPTY_ROOT, nodeHash } from './merkle-hash.ts'

/**
 * Where proofs take their hashes from. A proof made from a reader that lies does not verify, so a reader of a stranger's
 * tiles needs no trust.
 */
export interface HashReader {
  /**
   * The root of the perfect subtree over entries [index·2^height, (index + 1)·2^height), 32 bytes; asked only for
   * subtrees that lie wholly in the tree.
   * @throws LogError `tile-missing`, `malformed-tile`
   */
  hash(height: number, index: number): Promise<Uint8Array>
}

/** The largest tree that this implementation counts exactly; the formats go to 2^63 − 1. */
export const LOG_SIZE_MAX = Number.MAX_SAFE_INTEGER

/** MTH(D[0:size]), the root of the tree of `size` entries (RFC 6962 §2.1). */
export function rootFromReader(reader: HashReader, size: number): Promise<Uint8Array> {
  requireWithin(size, LOG_SIZE_MAX, 'tree size')
  return size === 0 ? Promise.resolve(EMPTY_ROOT) : rangeRoot(reader, 0, size)
}

/**
 * The audit path of entry `index` in the tree of `size` entries: PATH(index, D[0:size]) of RFC 6962 §2.1.1, nearest
 * sibling first; at most 53 hashes.
 * @throws LogError `out-of-range` unless 0 ≤ index < size; what the reader throws
 */
export async function proveInclusion(reader: HashReader, index: number, size: number): Promise<Uint8Array[]> {
  requireWithin(size, LOG_SIZE_MAX, 'tree size')
  requireWithin(index, size - 1, 'entry index')
  const path: Uint8Array[] = []
  let [start, end] = [0, size]
  while (end - start > 1) {
    const middle = start + splitPoint(end - start)
    const left = index < middle
    path.push(await (left ? rangeRoot(reader, middle, end) : rangeRoot(reader, start, middle)))
    ;[start, end] = left ? [start, middle] : [middle, end]
  }
  return path.reverse()
}

/**
 * The proof that the tree of `oldSize` entries is a prefix of the tree of `newSize`: PROOF(oldSize, D[0:newSize]) of
 * RFC 6962 §2.1.2. Empty when the sizes are equal or the old tree is (tlog-witness, add-checkpoint).
 * @throws LogError `out-of-range` unless 0 ≤ oldSize ≤ newSize; what the reader throws
 */
export async function proveConsistency(reader: HashReader, oldSize: number, newSize: number): Promise<Uint8Array[]> {
  requireWithin(newSize, LOG_SIZE_MAX, 'tree size')
  requireWithin(oldSize, newSize, 'old tree size')
  if (oldSize === 0 || oldSize === newSize) return []
  const path: Uint8Array[] = []
  let [start, end] = [0, newSize]
  while (end !== oldSize) {
    const middle = start + splitPoint(end - start)
    const left = oldSize <= middle
    path.push(await (left ? rangeRoot(reader, middle, end) : rangeRoot(reader, start, middle)))
    ;[start, end] = left ? [start, middle] : [middle, end]
  }
  // The old tree's own root is known to the verifier; any other complete subtree is not (SUBPROOF's flag b).
  if (start > 0) path.push(await rangeRoot(reader, start, end))
  return path.reverse()
}

/** MTH(D[start:end]) for a range that the recursion of RFC 6962 §2.1 reaches. */
async function rangeRoot(reader: HashReader, start: number, end: number): Promise<Uint8Array> {
  const count = end - start
  const split = count === 1 ? 1 : splitPoint(count)
  // Below a complete subtree no split is needed: the reader has its root, or makes it from one tile.
  if (count === 1 || split * 2 === count) return reader.hash(Math.log2(count), start / count)
  return nodeHash(await rangeRoot(reader, start, start + split), await rangeRoot(reader, start + split, end))
}

/** The largest power of two smaller than n, n ≥ 2 (RFC 6962 §2.1). Bit operators would stop at 2^31. */
function splitPoint(n: number): number {
  let split = 1
  while (split * 2 < n) split *= 2
  return split
}

/** @throws LogError `out-of-range` unless the value is a whole number in 0…max */
export function requireWithin(value: number, max: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > max) {
    throw new LogError('out-of-range', `The ${name} ${value} is not in 0…${max}: ask for what the tree holds.`)
  }
}
