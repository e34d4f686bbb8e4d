import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { KEY_SUM_BYTES } from '../crypto/key-sum-encoding.ts'

/*
 * The opening of a published round (docs/adr/0011): the sum of the contributors' one-time keys, encoded, then the sum of
 * their ciphertexts, packed in chunks as one contribution is. For the holders of the round and the coordinator: it says the
 * sum, and nothing smaller.
 */

/** Bytes of the key sum at the beginning of an opening. */
export const OPENING_KEY_BYTES: number = KEY_SUM_BYTES

/**
 * The digest by which a publication names its opening: SHA-256(domain ‖ digest of the key sum's bytes ‖ digest of the
 * ciphertexts' sum, as that of a payload).
 */
export function openingDigest(keySum: Uint8Array, sum: Digest): Digest {
  return digestOf(Buffer.from('sluice/v1/opening\0'), fromHex(digestOf(keySum)), fromHex(sum))
}
