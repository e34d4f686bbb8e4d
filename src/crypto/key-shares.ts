import { CryptoError } from './crypto-error.ts'
import type { Randomness } from './randomness.ts'

/**
 * Shamir's secret sharing (CACM 1979) of one-time keys, coefficient by coefficient over F_p. Shares of different keys
 * add up to shares of the sum of the keys, so that a committee answers for a whole set of contributors with one vector.
 *
 * p is the largest prime below 2^26: a product of two residues stays below 2^53, exact in a double (docs/adr/0004).
 */
export const SHARE_MODULUS = 67_108_859

const SHARE_BITS = 26
const DRAW_MASK = 2 ** SHARE_BITS - 1

/** Bytes of a packed share of `length` coefficients: 26 bits each, little-endian bit order, zero padding. */
export function shareBytes(length: number): number {
  return Math.ceil((length * SHARE_BITS) / 8)
}

/**
 * Splits `secret` into `members` shares, any `threshold` of which recover it and any `threshold − 1` of which are
 * uniformly random. Share i belongs to the evaluation point i + 1.
 *
 * @param secret signed coefficients, |c| < p/2.
 * @param randomness 256-bit source; draws are rejected above p, so that coefficients are exactly uniform.
 * @returns `members` vectors of residues in [0, p). Each is secret to the member it is sealed to.
 * @throws CryptoError `bad-threshold` unless 1 ≤ threshold ≤ members < p.
 */
export function splitKey(
  secret: Int32Array,
  threshold: number,
  members: number,
  randomness: Randomness,
): Uint32Array[] {
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > members || members >= SHARE_MODULUS) {
    throw new CryptoError('bad-threshold', `A threshold of ${threshold} among ${members} members is not possible.`)
  }
  const coefficients = drawResidues(secret.length * (threshold - 1), randomness)
  const shares = Array.from({ length: members }, () => new Uint32Array(secret.length))
  for (let i = 0; i < secret.length; i++) {
    const constant = secret[i] < 0 ? secret[i] + SHARE_MODULUS : secret[i]
    for (let point = 1; point <= members; point++) {
      let y = 0
      for (let c = threshold - 2; c >= 0; c--) {
        y = ((y + coefficients[i * (threshold - 1) + c]) * point) % SHARE_MODULUS
      }
      shares[point - 1][i] = (y + constant) % SHARE_MODULUS
    }
  }
  coefficients.fill(0)
  return shares
}

/** Adds `share` into `sum`, both residues in [0, p) of one length. What a committee member does with its shares. */
export function addShare(sum: Uint32Array, share: Uint32Array): void {
  for (let i = 0; i < sum.length; i++) {
    const s = sum[i] + share[i]
    sum[i] = s >= SHARE_MODULUS ? s - SHARE_MODULUS : s
  }
}

/** A share (or sum of shares) with its evaluation point, 1 ≤ point < p. */
export interface SharePoint {
  readonly point: number
  readonly share: Uint32Array
}

/**
 * The secret of the polynomial through exactly these points, as signed coefficients in (−p/2, p/2). It is the shared
 * value only if all the points are right: see `keySumCandidates` in the protocol for how a wrong one is found.
 */
export function recoverSecret(points: readonly SharePoint[]): Int32Array {
  const residues = evaluateThrough(points, 0)
  return Int32Array.from(residues, (r) => (r > SHARE_MODULUS / 2 ? r - SHARE_MODULUS : r))
}

/** The value at `at` of the lowest-degree polynomial through the points (Lagrange); residues in [0, p). */
export function evaluateThrough(points: readonly SharePoint[], at: number): Uint32Array {
  const weights = points.map(({ point }) => lagrangeWeight(point, points, at))
  const result = new Uint32Array(points[0].share.length)
  for (let i = 0; i < result.length; i++) {
    let sum = 0
    for (let j = 0; j < points.length; j++) sum = (sum + points[j].share[i] * weights[j]) % SHARE_MODULUS
    result[i] = sum
  }
  return result
}

function lagrangeWeight(point: number, points: readonly SharePoint[], at: number): number {
  let numerator = 1
  let denominator = 1
  for (const other of points) {
    if (other.point === point) continue
    numerator = (numerator * modulo(at - other.point)) % SHARE_MODULUS
    denominator = (denominator * modulo(point - other.point)) % SHARE_MODULUS
  }
  return (numerator * inverse(denominator)) % SHARE_MODULUS
}

function modulo(value: number): number {
  return ((value % SHARE_MODULUS) + SHARE_MODULUS) % SHARE_MODULUS
}

/** The inverse of a residue other than zero, by Fermat: a^(p−2) mod p. */
export function inverse(value: number): number {
  let result = 1
  let base = value
  for (let exponent = SHARE_MODULUS - 2; exponent > 0; exponent = Math.floor(exponent / 2)) {
    if (exponent % 2 === 1) result = (result * base) % SHARE_MODULUS
    base = (base * base) % SHARE_MODULUS
  }
  return result
}

/**
 * `count` residues, exactly uniform: number i is the low 26 bits of the i-th 32-bit little-endian word of the stream; those
 * at p and above (5 of 2^26) are replaced, in order, by what follows after the first `count` words, rejected alike.
 */
export function drawResidues(count: number, randomness: Randomness): Uint32Array {
  const residues = new Uint32Array(count)
  randomness.fill(new Uint8Array(residues.buffer))
  const redraw = new Uint32Array(1)
  for (let i = 0; i < count; i++) {
    residues[i] &= DRAW_MASK
    while (residues[i] >= SHARE_MODULUS) {
      randomness.fill(new Uint8Array(redraw.buffer))
      residues[i] = redraw[0] & DRAW_MASK
    }
  }
  return residues
}

/** Packs residues in [0, p) at 26 bits, little-endian bit order. */
export function packShare(share: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(shareBytes(share.length))
  let held = 0
  let heldBits = 0
  let at = 0
  for (const residue of share) {
    // held < 2^8 and residue < 2^26, so the sum stays exact: held + residue · 2^heldBits < 2^34.
    held += residue * 2 ** heldBits
    heldBits += SHARE_BITS
    while (heldBits >= 8) {
      bytes[at++] = held % 256
      held = Math.floor(held / 256)
      heldBits -= 8
    }
  }
  if (heldBits > 0) bytes[at] = held
  return bytes
}

/**
 * The inverse of {@link packShare} for `length` residues; the length is checked before anything is allocated.
 * @throws CryptoError `bad-share` for a wrong length, a residue ≥ p or non-zero padding.
 */
export function unpackShare(bytes: Uint8Array, length: number): Uint32Array {
  if (bytes.length !== shareBytes(length)) {
    throw new CryptoError('bad-share', `A share of ${length} coefficients has ${shareBytes(length)} bytes.`)
  }
  const share = new Uint32Array(length)
  let held = 0
  let heldBits = 0
  let at = 0
  for (let i = 0; i < length; i++) {
    while (heldBits < SHARE_BITS) {
      held += bytes[at++] * 2 ** heldBits
      heldBits += 8
    }
    share[i] = held % 2 ** SHARE_BITS
    held = Math.floor(held / 2 ** SHARE_BITS)
    heldBits -= SHARE_BITS
    if (share[i] >= SHARE_MODULUS) throw new CryptoError('bad-share', 'A share holds a number outside its field.')
  }
  if (held !== 0) throw new CryptoError('bad-share', 'A share ends in non-zero padding.')
  return share
}
