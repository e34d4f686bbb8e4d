import { sha256 } from '../crypto/digest.ts'

/** Bytes of a Merkle tree hash: SHA-256 (RFC 6962 §2.1). */
export const HASH_BYTES = 32

/** The prefixes that keep a leaf from passing for a node and the other way round (RFC 6962 §2.1). */
const LEAF_PREFIX = Uint8Array.of(0)
const NODE_PREFIX = Uint8Array.of(1)

/** The root of the empty tree, SHA-256 of nothing (RFC 6962 §2.1). */
export const EMPTY_ROOT: Uint8Array = sha256()

/** MTH({d}) = SHA-256(0x00 ‖ d), 32 bytes (RFC 6962 §2.1). */
export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(LEAF_PREFIX, entry)
}

/** SHA-256(0x01 ‖ left ‖ right), 32 bytes (RFC 6962 §2.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(NODE_PREFIX, left, right)
}

/** The root over 2^k hashes of one height, k ≥ 0. */
export function perfectRoot(hashes: readonly Uint8Array[]): Uint8Array {
  let row = hashes
  while (row.length > 1) {
    row = Array.from({ length: row.length / 2 }, (_, i) => nodeHash(row[2 * i], row[2 * i + 1]))
  }
  return row[0]
}

/** Byte equality. Everything hashed here is public, so the comparison need not take constant time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
