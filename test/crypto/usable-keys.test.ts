import { createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/crypto/digest.ts'
import { boxKeyFromSeed, sealBox } from '../../src/crypto/sealed-box.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { isUsableBoxKey, isUsableStatementKey } from '../../src/crypto/usable-keys.ts'

const P = 2n ** 255n - 19n
const hex = (value: bigint) => toHex(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse())
const numberOf = (key: string) => BigInt(`0x${Buffer.from(fromHex(key)).reverse().toString('hex')}`)

/** The points of small order as libsodium lists them (`has_small_order`), little-endian; the sign bit of Ed25519 is 0. */
const LOW_ORDER_U = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
]
const SMALL_ORDER_POINTS = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
]
const withTopBit = (key: string) => hex(numberOf(key) | (1n << 255n))

describe('a usable box key', () => {
  it('is every key that a seed gives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (seed) => {
        expect(isUsableBoxKey((await boxKeyFromSeed(seed)).publicKey)).toBe(true)
      }),
      { numRuns: 20 },
    )
  })

  it('is no point of low order: every sender would come to the same secret', () => {
    const { privateKey } = generateKeyPairSync('x25519')
    for (const u of LOW_ORDER_U) {
      expect(isUsableBoxKey(u)).toBe(false)
      const der = Buffer.concat([fromHex('302a300506032b656e032100'), fromHex(u)])
      // OpenSSL refuses the secret 0 instead of giving it (RFC 7748 §6.1).
      expect(() =>
        diffieHellman({ privateKey, publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }) }),
      ).toThrow()
    }
  })

  it('has one encoding: others of the same key open the same boxes, and would pass for another key', async () => {
    const key = await boxKeyFromSeed(new Uint8Array(32).fill(7))
    const other = withTopBit(key.publicKey)
    expect(other).not.toBe(key.publicKey)
    const derived = (text: string) => {
      const der = Buffer.concat([fromHex('302a300506032b656e032100'), fromHex(text)])
      return createPublicKey({ key: der, format: 'der', type: 'spki' })
    }
    const { privateKey } = generateKeyPairSync('x25519')
    const secrets = [key.publicKey, other].map((text) => diffieHellman({ privateKey, publicKey: derived(text) }))
    expect(secrets[0]).toEqual(secrets[1])
    expect(isUsableBoxKey(other)).toBe(false)
    for (let u = P; u < 2n ** 255n; u++) expect(isUsableBoxKey(hex(u))).toBe(false)
    expect(await sealBox(key.publicKey, new Uint8Array(1), new Uint8Array(0))).toHaveLength(49)
  })
})

describe('a usable statement key', () => {
  it('is every key that a seed gives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        expect(isUsableStatementKey(statementKeyFromSeed(seed).publicKey)).toBe(true)
      }),
      { numRuns: 20 },
    )
  })

  it('is no point of small order: RFC 8032 lets anybody sign under one', () => {
    for (const point of SMALL_ORDER_POINTS) {
      // 8·A = 0, so that with R = S·B the equation S·B = R + h·A holds whenever 8 divides h: for every eighth message, or
      // for all. OpenSSL 3.5 refuses such a key itself; a member that verifies in another language may not.
      expect(timesEight(numberOf(point))).toEqual([0n, 1n])
      expect(isUsableStatementKey(point)).toBe(false)
      expect(isUsableStatementKey(withTopBit(point))).toBe(false)
    }
  })

  it('is a point in its one encoding', () => {
    for (let y = P; y < 2n ** 255n; y++) expect(isUsableStatementKey(hex(y))).toBe(false)
    // About half of all numbers are no y of a point: 2 is the first (RFC 8032 §5.1.3, step 3).
    expect([3n, 4n, 5n, 6n].map((y) => isUsableStatementKey(hex(y)))).toEqual([3n, 4n, 5n, 6n].map((y) => isOnCurve(y)))
    expect(isUsableStatementKey(hex(2n))).toBe(false)
  })
})

const mod = (value: bigint) => ((value % P) + P) % P
const pow = (base: bigint, exponent: bigint): bigint =>
  exponent === 0n ? 1n : mod(pow(mod(base * base), exponent >> 1n) * (exponent & 1n ? base : 1n))
const inverse = (value: bigint) => pow(mod(value), P - 2n)
const D = mod(-121665n * inverse(121666n))

/** By root taking instead of Euler's criterion: x² = (y² − 1)/(d·y² + 1). */
function rootOf(y: bigint): bigint | undefined {
  const square = mod((y * y - 1n) * inverse(D * y * y + 1n))
  const root = pow(square, (P + 3n) / 8n)
  return [root, mod(root * pow(2n, (P - 1n) / 4n))].find((x) => mod(x * x - square) === 0n)
}

const isOnCurve = (y: bigint) => rootOf(y) !== undefined

/** Three doublings on −x² + y² = 1 + d·x²·y². */
function timesEight(y: bigint): [bigint, bigint] {
  let point: [bigint, bigint] = [rootOf(y)!, y]
  for (let i = 0; i < 3; i++) {
    const [px, py] = point
    const product = D * px * px * py * py
    point = [mod(2n * px * py * inverse(1n + product)), mod((py * py + px * px) * inverse(1n - product))]
  }
  return point
}
