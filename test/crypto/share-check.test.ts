import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf, sha256 } from '../../src/crypto/digest.ts'
import { evaluateThrough, recoverSecret, SHARE_MODULUS, splitKey } from '../../src/crypto/key-shares.ts'
import { seededRandomness } from '../../src/crypto/randomness.ts'
import { RING_DEGREE } from '../../src/crypto/ring-constants.ts'
import {
  combineShare,
  drawSharedNumbers,
  expandShareChallenge,
  findOffPoints,
  SHARE_CHECK_REPETITIONS,
  SHARED_NUMBERS,
  type ShareChallenge,
} from '../../src/crypto/share-check.ts'
import { chiSquare, chiSquareLimit } from '../support/chi-square.ts'

const vectors = JSON.parse(readFileSync(new URL('../vectors/share-check.json', import.meta.url), 'utf8'))
const randomness = (text: string) => seededRandomness(sha256(Buffer.from(text)))
const key = Int32Array.from({ length: RING_DEGREE }, (_, k) => ((k * k) % 187) - 93)
const challenge = expandShareChallenge(sha256(Buffer.from('candidates')))
const modulo = (value: number) => ((value % SHARE_MODULUS) + SHARE_MODULUS) % SHARE_MODULUS

/** What each member publishes when the shares are combined under `challenge`. */
function combinations(shares: readonly Uint32Array[], under: ShareChallenge) {
  return shares.map((share, i) => ({ point: i + 1, values: combineShare(share, under) }))
}

function deal(threshold: number, members: number, seed: string): Uint32Array[] {
  const random = randomness(seed)
  return splitKey(drawSharedNumbers(key, random), threshold, members, random)
}

describe('the share check', () => {
  it('expands and combines to the known answers', () => {
    expect(vectors.modulus).toBe(SHARE_MODULUS)
    for (const { digest, first, last, sha256: hash, combination, combinationOfLargest } of vectors.challenges) {
      const expanded = expandShareChallenge(Buffer.from(digest, 'hex'))
      expect(expanded.map((residues) => [...residues.subarray(0, 3)])).toEqual(first)
      expect(expanded.map((residues) => residues.at(-1))).toEqual(last)
      const bytes = expanded.map((residues) => new Uint8Array(residues.slice().buffer))
      expect(digestOf(...bytes)).toBe(hash)
      const share = Uint32Array.from(
        { length: SHARED_NUMBERS },
        (_, k) => (k * k * 32749 + k * 977 + 1) % SHARE_MODULUS,
      )
      expect([...combineShare(share, expanded)]).toEqual(combination)
      expect([...combineShare(share.fill(SHARE_MODULUS - 1), expanded)]).toEqual(combinationOfLargest)
    }
    expect(vectors.challenges.some(({ redrawn }: { redrawn: number }) => redrawn > 0)).toBe(true)
  })

  it('finds the points that the known answers call off, in whatever order they come', () => {
    for (const { threshold, points, off, unique } of vectors.agreements) {
      const given = points.map(({ point, values }: { point: number; values: number[] }) => ({
        point,
        values: Uint32Array.from(values),
      }))
      expect(findOffPoints(given, threshold)).toEqual({ off, unique })
      expect(findOffPoints(given.toReversed(), threshold)).toEqual({ off, unique })
    }
  })

  it('leaves the key in front of its blinding, and finds nothing off in honest shares', () => {
    for (const [threshold, members] of [
      [2, 2],
      [3, 4],
      [5, 7],
      [10, 15],
    ]) {
      const shares = deal(threshold, members, `${threshold}`)
      const points = shares.slice(0, threshold).map((share, i) => ({ point: i + 1, share }))
      expect(recoverSecret(points).subarray(0, RING_DEGREE)).toEqual(key)
      expect(findOffPoints(combinations(shares, challenge), threshold)).toEqual({ off: [], unique: true })
    }
  })

  it('names the member whose share is off by one in one number, whichever of key and blinding', () => {
    const shares = deal(5, 7, 'off by one')
    fc.assert(
      fc.property(fc.nat(SHARED_NUMBERS - 1), fc.nat(6), (number, member) => {
        const spoilt = shares.map((share) => share.slice())
        spoilt[member][number] = modulo(spoilt[member][number] + 1)
        expect(findOffPoints(combinations(spoilt, challenge), 5)).toEqual({ off: [member + 1], unique: true })
      }),
      { numRuns: 30, examples: [[SHARED_NUMBERS - 1, 0]] },
    )
  })

  it('finds as many liars as leave one polynomial with the most points, and accuses nobody beyond', () => {
    const honest = combinations(deal(5, 15, 'liars'), challenge)
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(14), { maxLength: 9 }), fc.nat(2), (liars, repetition) => {
        const points = honest.map(({ point, values }, i) => {
          const told = values.slice()
          // A different offset each: liars on a polynomial of their own are the next test.
          if (liars.includes(i)) told[repetition] = modulo(told[repetition] + 2 ** (i + 3) + 5)
          return { point, values: told }
        })
        const off = liars.map((i) => i + 1).sort((a, b) => a - b)
        expect(findOffPoints(points, 5)).toEqual({ off, unique: true })
      }),
      { numRuns: 12 },
    )
  })

  it('does not settle between two polynomials with as many points', () => {
    const [ours, theirs] = ['ours', 'theirs'].map((seed) => combinations(deal(3, 8, seed), challenge))
    const split = [...ours.slice(0, 4), ...theirs.slice(4)]
    expect(findOffPoints(split, 3)).toEqual({ off: [5, 6, 7, 8], unique: false })
    expect(findOffPoints([...split.slice(0, 4), ...split.slice(5)], 3)).toEqual({ off: [6, 7, 8], unique: true })
  })

  it('finds nothing off with no more than t points, which all lie on some polynomial', () => {
    const points = combinations(deal(3, 3, 'a'), challenge)
    points[0].values[0] = modulo(points[0].values[0] + 1)
    expect(findOffPoints(points, 3)).toEqual({ off: [], unique: true })
    expect(findOffPoints([], 3)).toEqual({ off: [], unique: true })
  })

  it('refuses by name what it cannot judge', () => {
    const refusal = (code: string) => expect.objectContaining({ code })
    const [a, b] = combinations(deal(2, 3, 'a'), challenge)
    expect(() => findOffPoints([a, b, a], 2)).toThrow(refusal('parameters-out-of-range'))
    expect(() => findOffPoints([a, b], 0)).toThrow(refusal('bad-threshold'))
    expect(() => expandShareChallenge(new Uint8Array(31))).toThrow(refusal('digest-not-256-bits'))
    expect(() => combineShare(new Uint32Array(RING_DEGREE), challenge)).toThrow(refusal('bad-share'))
    expect(() => drawSharedNumbers(key.subarray(1), randomness('a'))).toThrow(refusal('parameters-out-of-range'))
  })
})

describe('a contributor who deals shares off the polynomial', () => {
  /** One coefficient of one member's share off by one, and that member's blinding bent so that `guess` sees nothing. */
  function dealCheating(guess: ShareChallenge): Uint32Array[] {
    const shares = deal(3, 5, 'cheat')
    const victim = shares[1]
    victim[7] = modulo(victim[7] + 1)
    for (const [r, weights] of guess.entries()) {
      victim[RING_DEGREE + r] = modulo(victim[RING_DEGREE + r] - weights[7])
    }
    return shares
  }

  it('passes under a challenge that it could know, and spoils the sum unseen', () => {
    const shares = dealCheating(challenge)
    expect(findOffPoints(combinations(shares, challenge), 3)).toEqual({ off: [], unique: true })
    const secretOf = (members: readonly number[]) =>
      recoverSecret(members.map((i) => ({ point: i + 1, share: shares[i] }))).subarray(0, RING_DEGREE)
    expect(secretOf([0, 2, 3])).toEqual(key)
    expect(secretOf([0, 1, 2])).not.toEqual(key)
  })

  it('is found under a challenge that was fixed after the shares', () => {
    const shares = dealCheating(challenge)
    const fixedLater = expandShareChallenge(sha256(...shares.map((share) => new Uint8Array(share.buffer))))
    expect(findOffPoints(combinations(shares, fixedLater), 3)).toEqual({ off: [2], unique: true })
  })
})

describe('what members publish of one contributor', () => {
  const bins = 16
  const limit = chiSquareLimit(bins)

  /** All that any t members' combinations say: their value at zero (the key's) and the first share. */
  function published(numbers: Int32Array, seed: string): number[][] {
    const points = combinations(splitKey(numbers, 2, 2, randomness(seed)), challenge)
    const atZero = evaluateThrough(
      points.map(({ point, values }) => ({ point, share: values })),
      0,
    )
    return [[...atZero], [...points[0].values]]
  }

  it('is uniform given the key, and without the blinding is a combination of the key', () => {
    const counts = Array.from({ length: 2 * SHARE_CHECK_REPETITIONS }, () => new Uint32Array(bins))
    for (let run = 0; run < 1500; run++) {
      const numbers = drawSharedNumbers(key, randomness(`blinding ${run}`))
      for (const [i, value] of published(numbers, `split ${run}`).flat().entries()) {
        counts[i][Math.floor((value / SHARE_MODULUS) * bins)]++
      }
    }
    for (const count of counts) expect(chiSquare(count)).toBeLessThan(limit)
    const unblinded = Int32Array.of(...key, 0, 0, 0)
    expect(published(unblinded, 'split 1')[0]).toEqual(published(unblinded, 'split 2')[0])
    expect(published(unblinded, 'split 1')[0]).toEqual(combinationOfKey(challenge))
  })

  it('gives a combination of the key away once a second challenge is answered', () => {
    const second = expandShareChallenge(sha256(Buffer.from('other candidates')))
    const quorum = deal(3, 5, 'twice').slice(0, 3)
    const [first, again] = [challenge, second].map((under) =>
      evaluateThrough(
        combinations(quorum, under).map(({ point, values }) => ({ point, share: values })),
        0,
      ),
    )
    const [ofFirst, ofSecond] = [combinationOfKey(challenge), combinationOfKey(second)]
    expect([...first].map((value, r) => modulo(value - again[r]))).toEqual(
      ofFirst.map((value, r) => modulo(value - ofSecond[r])),
    )
    expect([...first]).not.toEqual(ofFirst)
  })

  /** Σ_k χ_{r,k} · key_k mod p, in big integers. */
  function combinationOfKey(under: ShareChallenge): number[] {
    return under.map((weights) => {
      const sum = weights.reduce((total, weight, k) => total + BigInt(weight) * BigInt(key[k]), 0n)
      return modulo(Number(sum % BigInt(SHARE_MODULUS)))
    })
  }
})
