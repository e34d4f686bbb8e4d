import { CryptoError } from './crypto-error.ts'
import { RING_DEGREE } from './ring-constants.ts'

/** Bytes of an encoded key sum: 16 bits suffice, as the most contributors that a plan allows reach 24,012. */
export const KEY_SUM_BYTES = 2 * RING_DEGREE

/**
 * A sum of one-time keys as bytes: 2048 signed 16-bit integers, little-endian. For the holders of the round alone: with the
 * sum of ciphertexts it opens the sum.
 *
 * @throws CryptoError `key-sum-implausible` for another number of coefficients, or one beyond 16 bits
 */
export function encodeKeySum(keySum: Int32Array): Uint8Array {
  if (keySum.length !== RING_DEGREE || keySum.some((coefficient) => (coefficient << 16) >> 16 !== coefficient)) {
    throw new CryptoError('key-sum-implausible', 'No contributors can have this key sum. Check the share sums.')
  }
  const bytes = new Uint8Array(KEY_SUM_BYTES)
  const view = new DataView(bytes.buffer)
  for (const [i, coefficient] of keySum.entries()) view.setInt16(2 * i, coefficient, true)
  return bytes
}

/**
 * The inverse of {@link encodeKeySum}. Whether so many contributors can have such a sum is checked when it opens.
 *
 * @returns 2048 signed coefficients
 * @throws CryptoError `wrong-length`
 */
export function decodeKeySum(bytes: Uint8Array): Int32Array {
  if (bytes.length !== KEY_SUM_BYTES) {
    throw new CryptoError('wrong-length', `A key sum takes exactly ${KEY_SUM_BYTES} bytes, not ${bytes.length}.`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Int32Array.from({ length: RING_DEGREE }, (_, i) => view.getInt16(2 * i, true))
}
