import { CryptoError } from './crypto-error.ts'
import { POLYNOMIALS_PER_LOAD, RESIDUE_BITS, RING_DEGREE } from './ring-constants.ts'

/**
 * Width of the discrete Gaussian for keys and errors is sigma = 6.7, written as tenths so that the bounds that follow
 * from it are decided in integers.
 */
export const SIGMA_TENTHS = 67

/** How many standard deviations of a sum are taken as its bound: beyond 14 lies less than 2^-143 of the mass. */
const BOUND_IN_SIGMAS = 14

/** What a plan may ask for. */
export const PRECISION_BITS_LIMIT = 32
export const CONTRIBUTORS_LIMIT = 65_536

/** A full chunk is what SEAL takes at one go: 16 polynomials, 32,768 coefficients, 216 KiB on the wire. */
export const POLYNOMIALS_PER_CHUNK = POLYNOMIALS_PER_LOAD
export const COEFFICIENTS_PER_CHUNK = POLYNOMIALS_PER_CHUNK * RING_DEGREE

/**
 * How one vector travels. All numbers are integers, public, and follow from the plan alone; every party computes the same.
 *
 * Value `k` of the vector sits in coefficient `floor(k / lanes)`, lane `k mod lanes`; coefficient `c` sits in polynomial
 * `floor(c / 2048)`, chunk `floor(c / 32768)`. Lane `l` of a coefficient starts at bit `deltaBits + l * laneBits`.
 */
export interface PayloadParameters {
  /** Bits of one quantised value, 1 to 32: values are below 2^precisionBits. */
  readonly precisionBits: number
  /** Most contributors that one sum may have, 2 to 65,536. */
  readonly maxContributors: number
  /** Values in the vector, at least 1. */
  readonly length: number
  /** Delta = 2^deltaBits: the room below the lanes in which the summed noise lives. */
  readonly deltaBits: number
  /** Bits of one lane: precisionBits + ceil(log2(maxContributors)), so that no sum carries into the next. */
  readonly laneBits: number
  /** Values that share a coefficient, at least 1. */
  readonly lanes: number
  /** Coefficients that carry values, and so travel. */
  readonly coefficientCount: number
  readonly polynomialCount: number
  readonly chunkCount: number
  /** Values in every chunk but the last. */
  readonly valuesPerChunk: number
  /** Bytes of one contribution on the wire, all chunks together. */
  readonly ciphertextBytes: number
}

/** Where one chunk sits in the vector, and its size on the wire. Counts are integers; `bytes` is exact. */
export interface ChunkGeometry {
  readonly index: number
  readonly firstValue: number
  readonly valueCount: number
  readonly firstPolynomial: number
  readonly polynomialCount: number
  readonly coefficientCount: number
  readonly bytes: number
}

/**
 * Fixes how a vector of `length` values of `precisionBits` bits travels, when up to `maxContributors` are summed.
 *
 * Security does not depend on the choice: N = 2048, log2 q = 54 and sigma = 6.7 are fixed. They stand in the 128-bit row
 * of the HomomorphicEncryption.org standard (2018, table 1: N = 2048 allows 54 bits); for the margin once the sum of keys
 * is known (Hint-RLWE at sigma' = 3.35) see docs/adr/0003-payload-parameters.md.
 *
 * @throws CryptoError `parameters-out-of-range` | `no-lane-fits`
 */
export function payloadParameters(request: {
  readonly precisionBits: number
  readonly maxContributors: number
  readonly length: number
}): PayloadParameters {
  const { precisionBits, maxContributors, length } = request
  requireInteger('precisionBits', precisionBits, 1, PRECISION_BITS_LIMIT)
  requireInteger('maxContributors', maxContributors, 2, CONTRIBUTORS_LIMIT)
  requireInteger('length', length, 1, Number.MAX_SAFE_INTEGER)
  const deltaBits = noiseRoomBits(maxContributors)
  const laneBits = precisionBits + ceilLog2(maxContributors)
  // Nothing wraps modulo q even when the lanes fill all 54 bits: a lane's largest sum is at least n below 2^laneBits, so the
  // largest message leaves n * Delta >= 2^21 below 2^54, and q is only 77,823 below it.
  const lanes = Math.floor((RESIDUE_BITS - deltaBits) / laneBits)
  if (lanes === 0) {
    throw new CryptoError(
      'no-lane-fits',
      `${precisionBits} bits from up to ${maxContributors} contributors need ${laneBits} bits; ` +
        `${RESIDUE_BITS - deltaBits} are there. Ask for fewer bits, or sum in groups of fewer contributors.`,
    )
  }
  const coefficientCount = Math.ceil(length / lanes)
  const chunkCount = Math.ceil(coefficientCount / COEFFICIENTS_PER_CHUNK)
  const lastCoefficients = coefficientCount - (chunkCount - 1) * COEFFICIENTS_PER_CHUNK
  return Object.freeze({
    precisionBits,
    maxContributors,
    length,
    deltaBits,
    laneBits,
    lanes,
    coefficientCount,
    polynomialCount: Math.ceil(coefficientCount / RING_DEGREE),
    chunkCount,
    valuesPerChunk: COEFFICIENTS_PER_CHUNK * lanes,
    ciphertextBytes: (chunkCount - 1) * packedBytes(COEFFICIENTS_PER_CHUNK) + packedBytes(lastCoefficients),
  })
}

/**
 * Where chunk `index` sits.
 *
 * @throws CryptoError `chunk-out-of-range`
 */
export function chunkGeometry(parameters: PayloadParameters, index: number): ChunkGeometry {
  if (!Number.isInteger(index) || index < 0 || index >= parameters.chunkCount) {
    throw new CryptoError(
      'chunk-out-of-range',
      `This vector has chunks 0 to ${parameters.chunkCount - 1}, no ${index}.`,
    )
  }
  const firstCoefficient = index * COEFFICIENTS_PER_CHUNK
  const coefficientCount = Math.min(COEFFICIENTS_PER_CHUNK, parameters.coefficientCount - firstCoefficient)
  const firstValue = index * parameters.valuesPerChunk
  return {
    index,
    firstValue,
    valueCount: Math.min(parameters.valuesPerChunk, parameters.length - firstValue),
    firstPolynomial: index * POLYNOMIALS_PER_CHUNK,
    polynomialCount: Math.ceil(coefficientCount / RING_DEGREE),
    coefficientCount,
    bytes: packedBytes(coefficientCount),
  }
}

/**
 * Refuses any number of values but the chunk's own.
 *
 * @throws CryptoError `wrong-value-count`
 */
export function requireValueCount(chunk: ChunkGeometry, count: number): void {
  if (count === chunk.valueCount) return
  throw new CryptoError('wrong-value-count', `Chunk ${chunk.index} holds ${chunk.valueCount} values, not ${count}.`)
}

/** Bytes that `coefficientCount` residues of 54 bits take on the wire, the last byte padded with zero bits. */
export function packedBytes(coefficientCount: number): number {
  // Split before multiplying: the product alone would leave the safe integers for the longest vectors.
  return Math.floor(coefficientCount / 4) * 27 + Math.ceil(((coefficientCount % 4) * RESIDUE_BITS) / 8)
}

/**
 * Whether `keySum` can be the sum of `contributorCount` one-time keys: 2048 coefficients, each within
 * 14 * sigma * sqrt(n). Honest sums fail with probability below 2^-131 in all; a wrong interpolation passes with
 * probability below (188 * sqrt(n) / p)^2048 for shares modulo p.
 */
export function isPlausibleKeySum(keySum: Int32Array, contributorCount: number): boolean {
  if (keySum.length !== RING_DEGREE) return false
  const bound = Math.floor(Math.sqrt(((BOUND_IN_SIGMAS * SIGMA_TENTHS) ** 2 * contributorCount) / 100))
  return keySum.every((coefficient) => coefficient >= -bound && coefficient <= bound)
}

/** log2 of the smallest power of two that is at least 2 * 14 * sigma * sqrt(n). */
function noiseRoomBits(contributorCount: number): number {
  const squaredTimes100 = (2 * BOUND_IN_SIGMAS * SIGMA_TENTHS) ** 2 * contributorCount
  let bits = 0
  while (4 ** bits * 100 < squaredTimes100) bits++
  return bits
}

function ceilLog2(count: number): number {
  return 32 - Math.clz32(count - 1)
}

function requireInteger(name: string, value: number, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new CryptoError('parameters-out-of-range', `${name} must be a whole number from ${least} to ${most}.`)
  }
}
