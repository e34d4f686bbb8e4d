import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { RING_DEGREE } from '../crypto/ring-constants.ts'

/*
 * The opening of a published round (docs/adr/0011): the sum of the contributors' one-time keys, 2048 × int16 little-endian,
 * then the sum of their ciphertexts, packed in chunks as one contribution is. For the holders of the round and the
 * coordinator: it says the sum, and nothing smaller.
 */

/** Bytes of the key sum at the beginning of an opening. */
export const OPENING_KEY_BYTES = 2 * RING_DEGREE

/**
 * The digest by which a publication names its opening: SHA-256(domain ‖ digest of the key sum's bytes ‖ digests of the
 * chunks, in order), so that neither side needs the whole at once.
 */
export function openingDigest(keySum: Uint8Array, chunkDigests: readonly Digest[]): Digest {
  const domain = Buffer.from('sluice/v1/opening\0')
  return digestOf(domain, fromHex(digestOf(keySum)), ...chunkDigests.map(fromHex))
}
