import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addShare,
  evaluateThrough,
  packShare,
  recoverSecret,
  SHARE_MODULUS,
  shareBytes,
  splitKey,
  unpackShare,
} from '../../src/crypto/key-shares.ts'
import { seededRandomness } from '../../src/crypto/randomness.ts'
import { chiSquare, chiSquareLimit } from '../support/chi-square.ts'

const randomness = (seed: number) => seededRandomness(new Uint8Array(32).fill(seed))
const secret = Int32Array.from([0, 1, -1, 93, -93, 33_554_429, -33_554_429])

/** All ways to take `size` of `count` points. */
function subsets(count: number, size: number): number[][] {
  if (size === 0) return [[]]
  return Array.from({ length: count }, (_, first) =>
    subsets(count - first - 1, size - 1).map((rest) => [first, ...rest.map((i) => i + first + 1)]),
  ).flat()
}

describe('key shares', () => {
  it('recover the secret from any t of k, for every threshold up to nine members', () => {
    for (let k = 1; k <= 9; k++) {
      for (let t = 1; t <= k; t++) {
        const shares = splitKey(secret, t, k, randomness(t))
        for (const quorum of subsets(k, t)) {
          const points = quorum.map((i) => ({ point: i + 1, share: shares[i] }))
          expect(recoverSecret(points)).toEqual(secret)
        }
      }
    }
  })

  it('add up to shares of the sum', () => {
    const other = Int32Array.from(secret, (value, i) => (i % 2 === 0 ? 7 : -7) + (Math.abs(value) > 1000 ? -value : 0))
    const [a, b] = [splitKey(secret, 3, 5, randomness(1)), splitKey(other, 3, 5, randomness(2))]
    for (const [i, share] of a.entries()) addShare(share, b[i])
    const points = [4, 1, 3].map((i) => ({ point: i + 1, share: a[i] }))
    expect(recoverSecret(points)).toEqual(secret.map((value, i) => value + other[i]))
  })

  it('all lie on one polynomial of degree t − 1', () => {
    const shares = splitKey(secret, 3, 6, randomness(3))
    const quorum = [0, 2, 5].map((i) => ({ point: i + 1, share: shares[i] }))
    for (const [i, share] of shares.entries()) expect(evaluateThrough(quorum, i + 1)).toEqual(share)
  })

  it('give the residues and bytes of the vectors', () => {
    const { modulus, cases } = JSON.parse(readFileSync(new URL('../vectors/key-shares.json', import.meta.url), 'utf8'))
    expect(SHARE_MODULUS).toBe(modulus)
    for (const { threshold, members, seed, secret, coefficients, shares, packed } of cases) {
      const made = splitKey(Int32Array.from(secret), threshold, members, seededRandomness(Buffer.from(seed, 'hex')))
      expect(made.map((share) => [...share])).toEqual(shares)
      expect(made.map((share) => Buffer.from(packShare(share)).toString('hex'))).toEqual(packed)
      expect(shares).toEqual(
        Array.from({ length: members }, (_, m) => secret.map((s: number, i: number) => at(m + 1, s, coefficients[i]))),
      )
    }
    expect(cases.length).toBeGreaterThan(1)
  })

  it('are drawn from residues only: a draw at p or above is drawn again, so that none is likelier than another', () => {
    const words = [SHARE_MODULUS, 2 ** 26 - 1, 0xffff_ffff, SHARE_MODULUS - 1]
    let next = 0
    const source = { fill: (bytes: Uint8Array) => new DataView(bytes.buffer).setUint32(0, words[next++], true) }
    const [first] = splitKey(Int32Array.of(0), 2, 2, source)
    expect([...first]).toEqual([SHARE_MODULUS - 1])
    expect(next).toBe(words.length)
  })

  it('refuse an impossible threshold by name', () => {
    for (const [t, k] of [
      [0, 3],
      [4, 3],
      [1.5, 3],
      [2, SHARE_MODULUS],
    ]) {
      expect(() => splitKey(secret, t, k, randomness(6))).toThrow(expect.objectContaining({ code: 'bad-threshold' }))
    }
  })

  it('pack at 26 bits and come back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: SHARE_MODULUS - 1 }), { minLength: 1, maxLength: 70 }),
        (values) => {
          const packed = packShare(Uint32Array.from(values))
          expect(packed.length).toBe(Math.ceil((values.length * 26) / 8))
          expect([...unpackShare(packed, values.length)]).toEqual(values)
        },
      ),
    )
  })

  it('are refused truncated, oversized, outside the field or with padding', () => {
    const packed = packShare(new Uint32Array(2048))
    const refusal = expect.objectContaining({ code: 'bad-share' })
    expect(() => unpackShare(packed.subarray(1), 2048)).toThrow(refusal)
    expect(() => unpackShare(new Uint8Array(packed.length + 1), 2048)).toThrow(refusal)
    expect(() => unpackShare(new Uint8Array(packed.length).fill(255), 2048)).toThrow(refusal)
    const padded = new Uint8Array(shareBytes(3))
    padded[padded.length - 1] = 0x80
    expect(() => unpackShare(padded, 3)).toThrow(refusal)
  })
})

describe('t − 1 key shares', () => {
  const draws = 40_000
  const bins = 8
  const limit = chiSquareLimit(bins ** 2)
  const bin = (residue: number) => Math.floor((residue / SHARE_MODULUS) * bins)

  /** Pearson's statistic of two views together, in bins by bins cells: neither they nor their relation may say anything. */
  function statistic(first: Uint32Array, second: Uint32Array): number {
    const counts = new Uint32Array(bins ** 2)
    for (const [i, residue] of first.entries()) counts[bin(residue) * bins + bin(second[i])]++
    return chiSquare(counts)
  }

  it.each([0, 1, -93, 33_554_429])('of the secret %i are jointly uniform', (value) => {
    const shares = splitKey(new Int32Array(draws).fill(value), 3, 5, randomness(4))
    for (const [a, b] of subsets(5, 2)) expect(statistic(shares[a], shares[b])).toBeLessThan(limit)
  })

  it('stop being so with one more, or when the polynomials are drawn from too few values', () => {
    const secrets = new Int32Array(draws).fill(5)
    const [first, second, third] = splitKey(secrets, 3, 5, randomness(4))
    const line = [first, second].map((share, i) => ({ point: i + 1, share }))
    const withThird = evaluateThrough([...line, { point: 3, share: third }], 0)
    expect(statistic(first, withThird)).toBeGreaterThan(100 * limit)
    const even = randomness(4)
    const tooFew = splitKey(secrets, 3, 5, {
      fill: (bytes) => {
        even.fill(bytes)
        // 25 of 26 bits: each coefficient of a polynomial takes half of the values it should.
        for (let i = 3; i < bytes.length; i += 4) bytes[i] &= 0xfd
      },
    })
    expect(statistic(tooFew[0], tooFew[1])).toBeGreaterThan(10 * limit)
  })

  it('fit every secret there is', () => {
    const [first, second] = splitKey(Int32Array.from([5]), 3, 5, randomness(5))
    const known = [first, second].map((share, i) => ({ point: i + 1, share }))
    fc.assert(
      fc.property(fc.integer({ min: -33_554_429, max: 33_554_429 }), (guess) => {
        const residue = Uint32Array.from([guess < 0 ? guess + SHARE_MODULUS : guess])
        const share = evaluateThrough([...known, { point: 0, share: residue }], 3)
        expect([...recoverSecret([...known, { point: 3, share }])]).toEqual([guess])
      }),
    )
  })
})

/** The value at `x` of secret + c_1 x + c_2 x² + …, in big integers. */
function at(x: number, secret: number, coefficients: readonly number[]): number {
  const modulus = BigInt(SHARE_MODULUS)
  const sum = coefficients.reduce((y, c, i) => y + BigInt(c) * BigInt(x) ** BigInt(i + 1), BigInt(secret))
  return Number(((sum % modulus) + modulus) % modulus)
}
