import { CryptoError } from './crypto-error.ts'
import type { PayloadParameters } from './payload-parameters.ts'
import { LIMB_BITS, LIMB_MASK } from './ring-constants.ts'

/**
 * Values to and from the lanes of coefficients. Value `k` of a chunk sits in coefficient `floor(k / lanes)`, lane
 * `k mod lanes`; lane `l` starts at bit `deltaBits + l * laneBits` of the residue. One pass for each lane: within a pass
 * all shifts are constants, and a lane lies in the low limb, in the high limb, or across both.
 *
 * The loops stand in the function that picks one: V8 inlines small functions early and then leaves them half optimised.
 */

// An imported constant is not folded into the machine code; one of the same module is.
const BITS = LIMB_BITS
const MASK = LIMB_MASK

/**
 * Refuses values that do not fit `precisionBits`: in a sum they would carry into the next lane.
 *
 * @throws CryptoError `value-out-of-bounds`, naming the position and never the value
 */
export function checkValues(values: Uint32Array, precisionBits: number): void {
  if (precisionBits === 32) return
  let seen = 0
  let i = 0
  for (const end = values.length - 3; i < end; i += 4) {
    seen |= values[i] | values[i + 1] | values[i + 2] | values[i + 3]
  }
  for (; i < values.length; i++) seen |= values[i]
  if (seen >>> precisionBits === 0) return
  const position = values.findIndex((value) => value >>> precisionBits !== 0)
  throw new CryptoError(
    'value-out-of-bounds',
    `Value ${position} of this chunk has more than ${precisionBits} bits: clip and quantise the update first.`,
  )
}

/**
 * Adds Delta times the message, which holds `values` in its lanes, to `limbs`; carries are left to the reduction.
 *
 * @param values checked by `checkValues`
 * @param limbs 2 for each coefficient, reduced
 */
export function addMessage(values: Uint32Array, parameters: PayloadParameters, limbs: Uint32Array): void {
  const { lanes, laneBits, deltaBits, precisionBits } = parameters
  const count = values.length
  for (let lane = 0; lane < lanes; lane++) {
    const bit = deltaBits + lane * laneBits
    const left = bit % BITS
    const right = BITS - left
    if (bit >= BITS) {
      for (let v = lane, i = 1; v < count; v += lanes, i += 2) limbs[i] += values[v] << left
    } else if (bit + precisionBits <= BITS) {
      for (let v = lane, i = 0; v < count; v += lanes, i += 2) limbs[i] += values[v] << left
    } else {
      for (let v = lane, i = 0; v < count; v += lanes, i += 2) {
        const value = values[v]
        limbs[i] += (value << left) & MASK
        limbs[i + 1] += value >>> right
      }
    }
  }
}

/**
 * Reads summed values out of unmasked residues. A lane above `contributorCount` times the largest value is an error, and
 * so is anything in a lane past the end of the vector: what a wrong key leaves must pass here as well as by its noise.
 *
 * @param limbs 2 for each coefficient, reduced: message times Delta, plus noise below Delta
 * @param sums out: one for each value; exact integers below 2^48
 * @throws CryptoError `sum-out-of-bounds`; `sums` is then meaningless
 */
export function readSums(
  limbs: Uint32Array,
  parameters: PayloadParameters,
  contributorCount: number,
  sums: Float64Array,
): void {
  const largest = contributorCount * (2 ** parameters.precisionBits - 1)
  if (readLanes(limbs, parameters, sums) > largest || unusedLaneHolds(limbs, parameters, sums.length)) {
    throw new CryptoError(
      'sum-out-of-bounds',
      'An opened lane is above what its contributors can have sent: the key sum is wrong, or a contributor did not ' +
        'follow the plan. Leave the suspects out and run the round again.',
    )
  }
}

/** Fills `sums`; gives the largest. */
function readLanes(limbs: Uint32Array, parameters: PayloadParameters, sums: Float64Array): number {
  const { lanes, laneBits, deltaBits } = parameters
  const count = sums.length
  let most = 0
  for (let lane = 0; lane < lanes; lane++) {
    const bit = deltaBits + lane * laneBits
    // The topmost lane reads to the end of the residue, so that nothing above it goes unseen.
    const end = lane === lanes - 1 ? 2 * BITS : bit + laneBits
    const right = bit % BITS
    if (bit >= BITS || end <= BITS) {
      const mask = 2 ** (end - bit) - 1
      for (let v = lane, i = bit >= BITS ? 1 : 0; v < count; v += lanes, i += 2) {
        const sum = (limbs[i] >>> right) & mask
        sums[v] = sum
        if (sum > most) most = sum
      }
    } else {
      const scale = 2 ** (BITS - right)
      const mask = 2 ** (end - BITS) - 1
      for (let v = lane, i = 0; v < count; v += lanes, i += 2) {
        // A sum may have more than 32 bits, hence the product in doubles; it is exact.
        const sum = (limbs[i] >>> right) + (limbs[i + 1] & mask) * scale
        sums[v] = sum
        if (sum > most) most = sum
      }
    }
  }
  return most
}

/** The last coefficient may have lanes past the end of the vector; whoever adds to them did not follow the plan. */
function unusedLaneHolds(limbs: Uint32Array, parameters: PayloadParameters, valueCount: number): boolean {
  const used = valueCount % parameters.lanes
  if (used === 0) return false
  const residue = limbs[limbs.length - 2] + limbs[limbs.length - 1] * 2 ** BITS
  return residue >= 2 ** (parameters.deltaBits + used * parameters.laneBits)
}
