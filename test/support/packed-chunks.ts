import { packResidues, unpackToWords } from '../../src/crypto/packing.ts'
import type { PayloadParameters } from '../../src/crypto/payload-parameters.ts'
import { LIMB_BITS, RING_DEGREE, RING_MODULUS } from '../../src/crypto/ring-constants.ts'

/** A ciphertext of one polynomial as numbers, for those who do with it what they like. */

export function unpackChunk({ coefficientCount }: PayloadParameters, chunk: Uint8Array): bigint[] {
  const words = new Uint32Array(2 * RING_DEGREE)
  unpackToWords(chunk, coefficientCount, words)
  return [...new BigUint64Array(words.buffer).subarray(0, coefficientCount)]
}

export function packChunk(coefficients: readonly bigint[]): Uint8Array {
  const limb = BigInt(LIMB_BITS)
  const limbs = coefficients.flatMap((c) => [Number(BigInt.asUintN(LIMB_BITS, c)), Number(c >> limb)])
  return packResidues(Uint32Array.from(limbs), coefficients.length)
}

export function modulo(value: bigint): bigint {
  return ((value % RING_MODULUS) + RING_MODULUS) % RING_MODULUS
}
