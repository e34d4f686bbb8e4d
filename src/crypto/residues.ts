import { LIMB_BITS, LIMB_MASK, MODULUS_GAP, MODULUS_LOW_LIMB } from './ring-constants.ts'

/**
 * Addition modulo q on residues held as pairs of 27-bit limbs (low, high). Products are SEAL's (ring.ts); sums are here.
 *
 * Whether a random sum reaches q is a coin toss, so nothing below branches on it: q = 2^54 - GAP, hence x >= q exactly
 * when x + GAP has bit 54, and that bit, spread to a mask, selects the subtraction. All is in 32-bit integers; a limb that
 * has been added to may use bit 31, so carries are taken with `>>>`, except where a limb can be negative.
 */

// V8 folds a constant of the same module into the machine code, but not an imported one: a third of the time of a loop.
const BITS = LIMB_BITS
const MASK = LIMB_MASK
const GAP = MODULUS_GAP
const LOW = MODULUS_LOW_LIMB

/** Most unreduced additions into one limb: 31 additions to a reduced limb stay below 2^32. */
export const ADDITIONS_BEFORE_REDUCTION = 31

/**
 * The products' coefficients as SEAL gives them (pairs of 32-bit words) plus small errors, as reduced limbs.
 *
 * @param words 2 for each coefficient, may go on past the last one used; read only
 * @param errors one for each coefficient
 * @param limbs out: 2 for each coefficient
 */
export function addErrors(words: Uint32Array, errors: Int8Array, limbs: Uint32Array): void {
  let atEnds = 0
  for (let i = 0; i < limbs.length; i += 2) {
    const word = words[i]
    const low = (word & MASK) + errors[i >> 1]
    const high = ((word >>> BITS) | (words[i + 1] << 5)) + (low >> BITS)
    limbs[i] = low & MASK
    limbs[i + 1] = high
    // A high limb of -1 or from MASK on sets a bit above the limb: only there can the sum have left [0, q).
    atEnds |= high | (high + 1)
  }
  if (atEnds >>> BITS !== 0) wrapAtEnds(limbs)
}

/** Brings residues that are off by less than 2^8 beyond either end back into [0, q): one chunk in 2,000 needs it. */
function wrapAtEnds(limbs: Uint32Array): void {
  for (let i = 0; i < limbs.length; i += 2) {
    const high = limbs[i + 1] | 0
    if (high >= 0 && high < MASK) continue
    const isAbove = high > MASK || (high === MASK && limbs[i] >= LOW)
    // Adding q to x < 0 and subtracting it from x >= q are both an addition modulo 2^54.
    const low = limbs[i] + (high < 0 ? LOW : isAbove ? GAP : 0)
    limbs[i] = low & MASK
    limbs[i + 1] = (high + (high < 0 ? MASK : 0) + (low >>> BITS)) & MASK
  }
}

/** Carries and reduces, in place, residues below 2q whose limbs are below 2^28: a mask plus a message. */
export function reduceOnce(limbs: Uint32Array): void {
  for (let i = 0; i < limbs.length; i += 2) {
    let low = limbs[i] | 0
    const high = limbs[i + 1] | 0
    const reaches = (high + ((low + GAP) >>> BITS)) >>> BITS
    low += GAP & -reaches
    limbs[i] = low & MASK
    limbs[i + 1] = (high + (low >>> BITS)) & MASK
  }
}

/** Carries and reduces, in place, limbs up to 2^32 - 2^5: up to 31 additions to a reduced residue. */
export function reduceSums(limbs: Uint32Array): void {
  for (let i = 0; i < limbs.length; i += 2) {
    let low = limbs[i] | 0
    let high = (limbs[i + 1] + (low >>> BITS)) | 0
    // What stands above bit 54 comes back as that many times GAP, below 2^22.
    low = ((low & MASK) + Math.imul(high >>> BITS, GAP)) | 0
    high = (high & MASK) + (low >>> BITS)
    low &= MASK
    const reaches = (high + ((low + GAP) >>> BITS)) >>> BITS
    low += GAP & -reaches
    limbs[i] = low & MASK
    limbs[i + 1] = (high + (low >>> BITS)) & MASK
  }
}

/**
 * Takes the mask a*S off reduced sums and rounds: what stays is (message * Delta + noise + Delta / 2) mod q.
 *
 * Noise at 3/8 Delta or beyond counts as an error although up to 1/2 it would still decode: an honest sum, of deviation
 * sigma * sqrt(n), gets there with probability below 2^-80 for a coefficient (10.5 deviations), while what is opened with
 * a wrong key is uniform and passes with probability 3/4 for each coefficient.
 *
 * @param sums reduced limbs; read only
 * @param words the products' coefficients as SEAL gives them, may go on past the last one used; read only
 * @param deltaBits log2 of Delta, 4 to 26
 * @param limbs out, reduced
 * @returns whether the noise of every coefficient is below 3/8 Delta
 */
export function unmask(sums: Uint32Array, words: Uint32Array, deltaBits: number, limbs: Uint32Array): boolean {
  const half = 1 << (deltaBits - 1)
  // residue & noiseMask is noise + Delta / 2: accepted strictly between 1/8 and 7/8 of Delta.
  const noiseMask = (1 << deltaBits) - 1
  const least = (half >> 2) + 1
  const most = 7 * (half >> 2) - 1
  let smallest = half
  let largest = half
  for (let i = 0; i < limbs.length; i += 2) {
    const word = words[i]
    // sum + half + (q - product) is in (0, 2q + half): the low limb may be negative, the whole is not.
    let low = (sums[i] | 0) + half + LOW - (word & MASK)
    let high = (sums[i + 1] | 0) + MASK - ((word >>> BITS) | (words[i + 1] << 5)) + (low >> BITS)
    low = (low & MASK) + Math.imul(high >>> BITS, GAP)
    high = (high & MASK) + (low >>> BITS)
    low &= MASK
    const reaches = (high + ((low + GAP) >>> BITS)) >>> BITS
    low += GAP & -reaches
    limbs[i] = low & MASK
    limbs[i + 1] = (high + (low >>> BITS)) & MASK
    const noise = low & noiseMask
    if (noise < smallest) smallest = noise
    if (noise > largest) largest = noise
  }
  return smallest >= least && largest <= most
}
