import { SIGMA_TENTHS } from './payload-parameters.ts'
import type { Randomness } from './randomness.ts'

/**
 * The discrete Gaussian over the integers, P(k) proportional to exp(-k^2 / (2 sigma^2)) with sigma = 6.7, by inversion.
 *
 * The cumulative table has 144 bits after the point, computed in big integers, so a draw is as good as exact: see
 * `SAMPLER_DISTANCE_LOG2`. It is refined lazily. Sixteen random bits pick a cell of a direct table; the cell decides
 * alone unless a step of the cumulative function lies inside it (one draw in a thousand), and then 128 more bits are drawn
 * and compared exactly. Nothing is rounded between the table and the outcome.
 *
 * Not constant time: a refined draw takes longer, and the table's cache lines depend on the outcome. Accepted because
 * samples are drawn by the holder inside its own process, in bulk (hundreds of thousands at a time) and ahead of the
 * moment when anything is sent; whoever can time single table accesses there can read the holder's data as well.
 *
 * Source: inversion sampling as in Peikert, "An Efficient and Parallel Gaussian Sampler for Lattices" (CRYPTO 2010),
 * section 4.1.
 */

/** Largest magnitude drawn: floor(14 sigma). The ideal distribution has less than 2^-144 of its mass beyond. */
export const GAUSSIAN_TAIL = Math.floor((14 * SIGMA_TENTHS) / 10)

const HEAD_BITS = 16
const REFINEMENT_WORDS = 4
const TABLE_BITS = HEAD_BITS + 32 * REFINEMENT_WORDS

/** Working precision of the table's computation, in bits after the point. */
const WORKING_BITS = 320

/** No outcome is this number, so it can mark a cell that does not decide alone. */
const UNDECIDED = -128

/** Refinement draws taken from the source at a time: 64 draws of 16 bytes. */
const REFINEMENT_POOL_WORDS = 256

/** Samples whose first 16 bits are drawn together. */
const BATCH = 8192

const OUTCOMES = 2 * GAUSSIAN_TAIL + 1

/**
 * The cumulative function, `cumulative[i]` = P(outcome <= i - GAUSSIAN_TAIL) in units of 2^-144, rounded to nearest; the
 * last entry is exactly 2^144. Exported for the tests, which recompute the distance from ideal.
 */
export const GAUSSIAN_CUMULATIVE: readonly bigint[] = cumulativeTable()

/**
 * log2 of an upper bound on the statistical distance between a draw and the ideal discrete Gaussian:
 * half the sum of the table's rounding errors (187 outcomes, each off by at most 2^-144) plus the tail that is cut off
 * (below 2^-144), in all below 2^-137. A contribution of 2^27 coefficients is within 2^-110 of one drawn ideally.
 */
export const SAMPLER_DISTANCE_LOG2 = -137

/** For each value of the first 16 bits the outcome, or UNDECIDED. */
const HEAD_TABLE = headTable()

/** Steps of the cumulative function as words, most significant first: 16 bits, then four times 32. */
const STEPS = stepWords()

/**
 * Draws `out.length` samples. Uses 2 bytes of `randomness` for each, and 1 KiB more at a time for the refined ones.
 * The samples are secret; so is what was drawn, which is erased.
 */
export function drawGaussian(out: Int8Array, randomness: Randomness): void {
  const heads = new Uint16Array(Math.min(out.length, BATCH))
  const pending = new Uint16Array(heads.length)
  const refinements = refinementSource(randomness)
  for (let start = 0; start < out.length; start += BATCH) {
    const batch = out.subarray(start, start + BATCH)
    randomness.fill(new Uint8Array(heads.buffer, 0, 2 * batch.length))
    const undecided = lookUp(heads, batch, pending)
    for (let k = 0; k < undecided; k++) batch[pending[k]] = refine(heads[pending[k]], refinements.draw())
  }
  heads.fill(0)
  refinements.erase()
}

/**
 * Fills `batch` from the direct table, and `pending` with the positions that it leaves open; gives their number.
 * Four at a time, which is also what keeps V8 from inlining the loop early and leaving it half optimised.
 */
function lookUp(heads: Uint16Array, batch: Int8Array, pending: Uint16Array): number {
  const table = HEAD_TABLE
  let undecided = 0
  let i = 0
  for (const end = batch.length - 3; i < end; i += 4) {
    const first = table[heads[i]]
    const second = table[heads[i + 1]]
    const third = table[heads[i + 2]]
    const fourth = table[heads[i + 3]]
    batch[i] = first
    batch[i + 1] = second
    batch[i + 2] = third
    batch[i + 3] = fourth
    if (first === UNDECIDED) pending[undecided++] = i
    if (second === UNDECIDED) pending[undecided++] = i + 1
    if (third === UNDECIDED) pending[undecided++] = i + 2
    if (fourth === UNDECIDED) pending[undecided++] = i + 3
  }
  for (; i < batch.length; i++) {
    batch[i] = table[heads[i]]
    if (batch[i] === UNDECIDED) pending[undecided++] = i
  }
  return undecided
}

/** Decides a draw whose first 16 bits were `head`, given 128 more: the number of steps at or below the whole draw. */
function refine(head: number, words: Uint32Array): number {
  let least = 0
  for (let most = OUTCOMES - 1; least < most; ) {
    const middle = (least + most) >> 1
    if (stepIsAtMost(STEPS[middle], head, words)) least = middle + 1
    else most = middle
  }
  return least - GAUSSIAN_TAIL
}

function stepIsAtMost(step: readonly number[], head: number, words: Uint32Array): boolean {
  if (step[0] !== head) return step[0] < head
  for (let i = 0; i < REFINEMENT_WORDS; i++) {
    if (step[i + 1] !== words[i]) return step[i + 1] < words[i]
  }
  return true
}

function refinementSource(randomness: Randomness): { draw(): Uint32Array; erase(): void } {
  const pool = new Uint32Array(REFINEMENT_POOL_WORDS)
  let used = REFINEMENT_POOL_WORDS
  return {
    draw: () => {
      if (used === REFINEMENT_POOL_WORDS) {
        randomness.fill(new Uint8Array(pool.buffer))
        used = 0
      }
      used += REFINEMENT_WORDS
      return pool.subarray(used - REFINEMENT_WORDS, used)
    },
    erase: () => {
      pool.fill(0)
    },
  }
}

function cumulativeTable(): bigint[] {
  const weights = gaussianWeights()
  const total = weights.reduce((sum, weight) => sum + weight, 0n)
  let sum = 0n
  return weights.map((weight) => {
    sum += weight
    return ((sum << BigInt(TABLE_BITS + 1)) / total + 1n) >> 1n
  })
}

/** exp(-k^2 / (2 sigma^2)) for k = -TAIL … TAIL, in units of 2^-320, each within 2^-300. */
function gaussianWeights(): bigint[] {
  // With b = exp(-1 / (2 sigma^2)): weight(k + 1) = weight(k) * b^(2k + 1), two multiplications a step.
  const base = exponential(100n, 2n * BigInt(SIGMA_TENTHS) ** 2n)
  const square = multiplyFixed(base, base)
  const half = [1n << BigInt(WORKING_BITS)]
  for (let ratio = base; half.length <= GAUSSIAN_TAIL; ratio = multiplyFixed(ratio, square)) {
    half.push(multiplyFixed(half.at(-1)!, ratio))
  }
  return [...half.slice(1).reverse(), ...half]
}

/** exp(-numerator / denominator) by its power series, in units of 2^-320; the argument must be below 1. */
function exponential(numerator: bigint, denominator: bigint): bigint {
  let sum = 0n
  let term = 1n << BigInt(WORKING_BITS)
  for (let i = 1n; term !== 0n; i++) {
    sum += term
    term = (-term * numerator) / (denominator * i)
  }
  return sum
}

function multiplyFixed(a: bigint, b: bigint): bigint {
  return (a * b) >> BigInt(WORKING_BITS)
}

function stepWords(): (readonly number[])[] {
  return GAUSSIAN_CUMULATIVE.map((step) => {
    const words = Array.from({ length: REFINEMENT_WORDS }, (_, i) =>
      Number((step >> BigInt(32 * (REFINEMENT_WORDS - 1 - i))) & 0xffffffffn),
    )
    return [Number(step >> BigInt(TABLE_BITS - HEAD_BITS)), ...words]
  })
}

function headTable(): Int8Array {
  const table = new Int8Array(2 ** HEAD_BITS)
  const shift = BigInt(TABLE_BITS - HEAD_BITS)
  let steps = 0
  for (let head = 0; head < table.length; head++) {
    // Steps at or below the first draw of the cell, then those at or below its last.
    while (GAUSSIAN_CUMULATIVE[steps] <= BigInt(head) << shift) steps++
    const decided = GAUSSIAN_CUMULATIVE[steps] >= BigInt(head + 1) << shift
    table[head] = decided ? steps - GAUSSIAN_TAIL : UNDECIDED
  }
  return table
}
