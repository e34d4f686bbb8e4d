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

  it('say nothing below the threshold: t − 1 of them are uniform whatever the secret is', () => {
    const draws = 40_000
    const bins = 32
    for (const value of [0, 93]) {
      const shares = splitKey(new Int32Array(draws).fill(value), 3, 5, randomness(4))
      // Each single share, and a linear combination of two, as an adversary with two shares might look at.
      const combined = shares[0].map((x, i) => (x + 3 * shares[1][i]) % SHARE_MODULUS)
      for (const view of [shares[0], shares[4], combined]) {
        const counts = new Array(bins).fill(0)
        for (const residue of view) counts[Math.floor((residue / SHARE_MODULUS) * bins)]++
        const chiSquare = counts.reduce((sum, count) => sum + (count - draws / bins) ** 2 / (draws / bins), 0)
        // 31 degrees of freedom: above 70 by chance with probability below 1e-4; the seed is fixed.
        expect(chiSquare).toBeLessThan(70)
      }
    }
    // And the same two shares fit every other secret: interpolating them with any value at zero gives a valid third share.
    const [first, second] = splitKey(Int32Array.from([5]), 3, 5, randomness(5))
    for (const guess of [0, 5, 77, 123_456]) {
      const line = [
        { point: 1, share: first },
        { point: 2, share: second },
        { point: SHARE_MODULUS - 1, share: Uint32Array.from([guess]) },
      ]
      expect(evaluateThrough(line, 3)[0]).toBeLessThan(SHARE_MODULUS)
    }
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
