import { LogError } from './log-error.ts'
import { HASH_BYTES } from './merkle-hash.ts'

/** The bytes of a hash tile: its hashes one after the other (tlog-tiles, Merkle Tree). */
export function encodeHashTile(hashes: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(hashes))
}

/**
 * The `width` hashes of a tile, as views of its bytes; 32 bytes each.
 * @throws LogError `malformed-tile` unless there are exactly that many
 */
export function decodeHashTile(bytes: Uint8Array, width: number): Uint8Array[] {
  if (bytes.length !== width * HASH_BYTES) {
    const reason = `A tile of ${width} hashes has ${width * HASH_BYTES} bytes, not ${bytes.length}: fetch it again.`
    throw new LogError('malformed-tile', reason)
  }
  return Array.from({ length: width }, (_, i) => bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES))
}
