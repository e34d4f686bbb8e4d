import { CryptoError } from './crypto-error.ts'
import { sha256 } from './digest.ts'
import { drawResidues, inverse, SHARE_MODULUS } from './key-shares.ts'
import { type Randomness, seededRandomness } from './randomness.ts'
import { RING_DEGREE } from './ring-constants.ts'

/**
 * The check, before anything opens, that a contributor's shares lie on one polynomial (docs/adr/0010-consistent-shares.md).
 * Each member publishes three random combinations of the numbers in its share. Combinations of shares are shares of the
 * combined numbers, so they lie on a polynomial of degree below t when the shares do. When the shares do not, whether in the
 * key or in the blinding, a repetition misses it with probability at most 1/p, as its challenge was not known when the
 * shares were dealt: below 2^-77 for all three. One blinding value a repetition makes what is published uniform, whatever
 * the key. It does so once: under a second challenge the difference of two answers is a plain combination of the key.
 */

/** Blinding values beside the key in what is shared. */
export const SHARE_CHECK_REPETITIONS = 3

/** Numbers that a contributor shares: the key's coefficients, then the blinding. */
export const SHARED_NUMBERS = RING_DEGREE + SHARE_CHECK_REPETITIONS

const CHALLENGE_DOMAIN = Buffer.from('sluice/share-challenge/v1')
const DIGEST_BYTES = 32

/** Residues are cut in two for products that can be added up 2048 times within the 53 bits of a double. */
const HALF_BITS = 13
const HALF_MASK = 2 ** HALF_BITS - 1

/**
 * What a contributor shares instead of the bare key, as `splitKey` takes it.
 *
 * @param key the one-time key's 2048 signed coefficients; copied
 * @param randomness 256-bit source of the blinding
 * @returns SHARED_NUMBERS signed numbers below p/2 in magnitude: the key, then blinding uniform in the field. Secret; erase
 * it once it is split.
 * @throws CryptoError `parameters-out-of-range`
 */
export function drawSharedNumbers(key: Int32Array, randomness: Randomness): Int32Array {
  if (key.length !== RING_DEGREE) {
    throw new CryptoError('parameters-out-of-range', `A one-time key has ${RING_DEGREE} coefficients.`)
  }
  const numbers = new Int32Array(SHARED_NUMBERS)
  numbers.set(key)
  const blinding = drawResidues(SHARE_CHECK_REPETITIONS, randomness)
  for (const [r, residue] of blinding.entries()) {
    numbers[RING_DEGREE + r] = residue > SHARE_MODULUS / 2 ? residue - SHARE_MODULUS : residue
  }
  blinding.fill(0)
  return numbers
}

/** χ: for each repetition 2048 residues of F_p, one for each coefficient of a key. Public. */
export type ShareChallenge = readonly Uint32Array[]

/**
 * Expands the challenge, which must not be known before all shares are dealt: from the statement that lists them.
 *
 * The 3 × 2048 residues, repetition by repetition, are `drawResidues` of the AES-256-CTR keystream, from counter block
 * zero, under SHA-256("sluice/share-challenge/v1" || digest). Known answers: test/vectors/share-check.json.
 *
 * @param digest of the candidates statement, 32 bytes. Public.
 * @throws CryptoError `digest-not-256-bits`
 */
export function expandShareChallenge(digest: Uint8Array): ShareChallenge {
  if (digest.length !== DIGEST_BYTES) {
    throw new CryptoError(
      'digest-not-256-bits',
      `A statement's digest has ${DIGEST_BYTES} bytes, not ${digest.length}.`,
    )
  }
  const stream = seededRandomness(sha256(CHALLENGE_DOMAIN, digest))
  const residues = drawResidues(SHARE_CHECK_REPETITIONS * RING_DEGREE, stream)
  return Array.from({ length: SHARE_CHECK_REPETITIONS }, (_, r) =>
    residues.subarray(r * RING_DEGREE, (r + 1) * RING_DEGREE),
  )
}

/**
 * What a member publishes of one contributor's share: blinding_r + Σ_k χ_{r,k} · share_k mod p, for r = 1, 2, 3.
 *
 * @param share SHARED_NUMBERS residues. Secret to the member.
 * @returns three residues. Uniform, and so safe to publish, for one challenge a share: refuse to answer a second.
 * @throws CryptoError `bad-share` for another length
 */
export function combineShare(share: Uint32Array, challenge: ShareChallenge): Uint32Array {
  if (share.length !== SHARED_NUMBERS) {
    throw new CryptoError('bad-share', `A share of a key and its blinding has ${SHARED_NUMBERS} numbers.`)
  }
  return Uint32Array.from(challenge, (weights, r) => {
    // share < 2^26 and a half < 2^13: 2048 products stay below 2^50, exact without a division in the loop.
    let low = 0
    let high = 0
    for (let k = 0; k < RING_DEGREE; k++) {
      low += share[k] * (weights[k] & HALF_MASK)
      high += share[k] * (weights[k] >>> HALF_BITS)
    }
    return (share[RING_DEGREE + r] + low + (high % SHARE_MODULUS) * 2 ** HALF_BITS) % SHARE_MODULUS
  })
}

/** What members' combinations say about one contributor. */
export interface ShareAgreement {
  /** Evaluation points, ascending, that are off the polynomial with which the most points agree. */
  readonly off: readonly number[]
  /** Whether no other polynomial has as many: without that, `off` is one reading of several and accuses nobody. */
  readonly unique: boolean
}

/** One member's combinations for one contributor, with its evaluation point, 1 ≤ point < p. */
export interface CombinationPoint {
  readonly point: number
  /** Residues below p; as many for every member. */
  readonly values: Uint32Array
}

/**
 * Which members' combinations for one contributor do not lie on one polynomial of degree below `threshold`. A pure function
 * of what was published, whatever the order of `points`. With no more than t points nothing can be off. Every subset of t
 * points is tried in the worst case (15 members: tens of milliseconds); the first settles it when all points agree.
 *
 * @param points of distinct members. Public.
 * @throws CryptoError `parameters-out-of-range` when a point is there twice | `bad-threshold` below 1
 */
export function findOffPoints(points: readonly CombinationPoint[], threshold: number): ShareAgreement {
  if (!Number.isInteger(threshold) || threshold < 1) throw new CryptoError('bad-threshold', 'A threshold is 1 or more.')
  if (new Set(points.map(({ point }) => point)).size !== points.length) {
    throw new CryptoError('parameters-out-of-range', 'Each member has one point: take one answer of each.')
  }
  if (points.length <= threshold) return { off: [], unique: true }
  const sorted = points.toSorted((a, b) => a.point - b.point)
  const inverses = inverseDifferences(sorted)
  let most: readonly number[] = []
  let unique = true
  for (const quorum of subsets(sorted.length, threshold)) {
    const agreeing = agreeingWith(sorted, quorum, inverses)
    // A polynomial counts once: for the first t points on it.
    if (agreeing.length < most.length || agreeing[threshold - 1] !== quorum[threshold - 1]) continue
    unique = agreeing.length > most.length
    if (unique) most = agreeing
    // Two polynomials share at most t − 1 points: there is no room for another with as many.
    if (2 * agreeing.length > sorted.length + threshold - 1) break
  }
  const off = sorted.filter((_, i) => !most.includes(i)).map(({ point }) => point)
  return { off, unique }
}

/** Entry [i][j], j < i, is 1 / (x_i − x_j). */
function inverseDifferences(points: readonly CombinationPoint[]): number[][] {
  return points.map(({ point }, i) => points.slice(0, i).map((other) => inverse(point - other.point)))
}

/** All ways to take `size` of the indices 0 … count − 1, each ascending, in lexicographic order. One array, reused. */
function* subsets(count: number, size: number): Generator<readonly number[], void> {
  const chosen = Array.from({ length: size }, (_, i) => i)
  for (;;) {
    yield chosen
    let i = size - 1
    while (i >= 0 && chosen[i] === count - size + i) i--
    if (i < 0) return
    chosen[i]++
    for (let j = i + 1; j < size; j++) chosen[j] = chosen[j - 1] + 1
  }
}

/** Indices, ascending, of the points on the polynomial through `quorum` (Newton's divided differences, value by value). */
function agreeingWith(
  points: readonly CombinationPoint[],
  quorum: readonly number[],
  inverses: readonly (readonly number[])[],
): number[] {
  let agreeing = points.map((_, i) => i)
  for (let r = 0; r < points[0].values.length; r++) {
    const divided = quorum.map((i) => points[i].values[r])
    for (let order = 1; order < quorum.length; order++) {
      for (let j = quorum.length - 1; j >= order; j--) {
        const difference = divided[j] - divided[j - 1] + SHARE_MODULUS
        divided[j] = (difference * inverses[quorum[j]][quorum[j - order]]) % SHARE_MODULUS
      }
    }
    agreeing = agreeing.filter((i) => {
      let y = 0
      for (let j = quorum.length - 1; j >= 0; j--) {
        const difference = points[i].point - points[quorum[j]].point
        y = (y * (difference < 0 ? difference + SHARE_MODULUS : difference) + divided[j]) % SHARE_MODULUS
      }
      return y === points[i].values[r]
    })
  }
  return agreeing
}
