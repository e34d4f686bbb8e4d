import { fromHex } from './digest.ts'
import type { BoxPublicKey } from './sealed-box.ts'
import type { StatementPublicKey } from './statement-key.ts'

/** The field of both curves: p = 2^255 − 19. */
const P = 2n ** 255n - 19n
/** d of edwards25519 (RFC 8032 §5.1). */
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n

/** u of the X25519 points whose product with any scalar is 0: orders 1, 2, 4 and 8 on the curve and its twist (RFC 7748 §6.1). */
const LOW_ORDER_U = new Set([
  0n,
  1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  P - 1n,
])

/** y of the edwards25519 points of order 1, 2, 4 and 8. */
const SMALL_ORDER_Y = new Set([
  1n,
  P - 1n,
  0n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
])

/**
 * Whether shares may be sealed to this key. Refused are a u of p or more and one with its top bit set, which X25519 reads as
 * another number (RFC 7748 §5), so that one key would have several names; and points of low order, whose shared secret
 * everybody knows.
 */
export function isUsableBoxKey(publicKey: BoxPublicKey): boolean {
  const u = littleEndian(fromHex(publicKey))
  return u < P && !LOW_ORDER_U.has(u)
}

/**
 * Whether signatures under this key are its owner's: a point of edwards25519 in its one encoding (RFC 8032 §5.1.3), and not
 * of small order, for which anybody can make signatures (OpenSSL refuses to verify under one; others do not).
 */
export function isUsableStatementKey(publicKey: StatementPublicKey): boolean {
  const encoded = littleEndian(fromHex(publicKey))
  const y = encoded & (2n ** 255n - 1n)
  if (y >= P || SMALL_ORDER_Y.has(y)) return false
  // x² = (y² − 1) / (d·y² + 1) has a root exactly when numerator × denominator has one (Euler's criterion).
  const square = ((y * y - 1n) * (D * y * y + 1n)) % P
  return power(square, (P - 1n) / 2n) === 1n
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let square = ((base % P) + P) % P, bits = exponent; bits > 0n; bits >>= 1n) {
    if (bits & 1n) result = (result * square) % P
    square = (square * square) % P
  }
  return result
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}
