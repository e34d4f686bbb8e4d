import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  chunkGeometry,
  isPlausibleKeySum,
  packedBytes,
  payloadParameters,
} from '../../src/crypto/payload-parameters.ts'
import { RING_MODULUS } from '../../src/crypto/ring-constants.ts'

const anyRequest = fc.record({
  precisionBits: fc.integer({ min: 1, max: 32 }),
  maxContributors: fc.integer({ min: 2, max: 65_536 }),
  length: fc.integer({ min: 1, max: 10_000_000 }),
})

function fitsOneLane({ precisionBits, maxContributors }: { precisionBits: number; maxContributors: number }): boolean {
  try {
    payloadParameters({ precisionBits, maxContributors, length: 1 })
    return true
  } catch {
    return false
  }
}

describe('payload parameters', () => {
  it.each([
    // precisionBits, maxContributors → deltaBits, laneBits, lanes
    [16, 10, 10, 20, 2],
    [16, 32, 11, 21, 2],
    [16, 3, 9, 18, 2],
    [16, 100, 11, 23, 1],
    [8, 8, 10, 11, 4],
    [8, 4, 9, 10, 4],
    [8, 10, 10, 12, 3],
    [32, 1000, 13, 42, 0],
  ])(
    '%i bits from %i contributors: Delta 2^%i, lanes of %i bits, %i of them',
    (precisionBits, n, delta, lane, lanes) => {
      if (lanes === 0) {
        expect(delta + lane).toBeGreaterThan(54)
        expect(() => payloadParameters({ precisionBits, maxContributors: n, length: 1 })).toThrow(
          expect.objectContaining({ code: 'no-lane-fits' }),
        )
      } else {
        const parameters = payloadParameters({ precisionBits, maxContributors: n, length: 1 })
        expect(parameters).toMatchObject({ deltaBits: delta, laneBits: lane, lanes })
      }
    },
  )

  it('leave room for the largest sums and the noise, and for no further lane', () => {
    fc.assert(
      fc.property(anyRequest.filter(fitsOneLane), (request) => {
        const { deltaBits, laneBits, lanes } = payloadParameters(request)
        const largestSum = BigInt(request.maxContributors) * (2n ** BigInt(request.precisionBits) - 1n)
        expect(largestSum < 2n ** BigInt(laneBits)).toBe(true)
        const delta = 2n ** BigInt(deltaBits)
        const largest = (count: number): bigint => {
          let message = 0n
          for (let lane = 0; lane < count; lane++) message += largestSum << BigInt(lane * laneBits)
          return message * delta
        }
        expect(largest(lanes) + delta < RING_MODULUS).toBe(true)
        const oneMoreFits = deltaBits + (lanes + 1) * laneBits <= 54 && largest(lanes + 1) + delta < RING_MODULUS
        expect(oneMoreFits).toBe(false)
        // Delta is the smallest power of two that is at least 2 * 14 * 6.7 * sqrt(n).
        const room = (28 * 6.7) ** 2 * request.maxContributors
        expect(Number(delta) ** 2).toBeGreaterThanOrEqual(room * (1 - 1e-12))
        expect((Number(delta) / 2) ** 2).toBeLessThan(room)
      }),
    )
  })

  it('cut a vector into chunks without gap or overlap, and count its bytes', () => {
    fc.assert(
      fc.property(anyRequest.filter(fitsOneLane), (request) => {
        const parameters = payloadParameters(request)
        let [value, polynomial, coefficients, bytes] = [0, 0, 0, 0]
        for (let index = 0; index < parameters.chunkCount; index++) {
          const chunk = chunkGeometry(parameters, index)
          expect(chunk).toMatchObject({ index, firstValue: value, firstPolynomial: polynomial })
          expect(chunk.coefficientCount).toBe(Math.ceil(chunk.valueCount / parameters.lanes))
          expect(chunk.polynomialCount).toBe(Math.ceil(chunk.coefficientCount / 2048))
          expect(chunk.bytes).toBe(Math.ceil((chunk.coefficientCount * 54) / 8))
          value += chunk.valueCount
          polynomial += chunk.polynomialCount
          coefficients += chunk.coefficientCount
          bytes += chunk.bytes
        }
        expect(value).toBe(request.length)
        expect(polynomial).toBe(parameters.polynomialCount)
        expect(coefficients).toBe(parameters.coefficientCount)
        expect(bytes).toBe(parameters.ciphertextBytes)
      }),
      { numRuns: 60 },
    )
  })

  it('let only the coefficients that carry values travel', () => {
    const bytes = (length: number): number =>
      payloadParameters({ precisionBits: 16, maxContributors: 10, length }).ciphertextBytes
    expect([1, 2, 3, 5, 2047, 2048, 2049].map(bytes)).toEqual([7, 7, 14, 21, 6912, 6912, 6919])
  })

  it('refuse what is out of range, by name', () => {
    const good = { precisionBits: 16, maxContributors: 10, length: 100 }
    for (const bad of [
      { precisionBits: 0 },
      { precisionBits: 33 },
      { precisionBits: 7.5 },
      { maxContributors: 1 },
      { maxContributors: 65_537 },
      { maxContributors: Number.NaN },
      { length: 0 },
      { length: -1 },
      { length: 1.5 },
      { length: 2 ** 53 },
      { length: Number.POSITIVE_INFINITY },
    ]) {
      expect(() => payloadParameters({ ...good, ...bad })).toThrow(
        expect.objectContaining({ code: 'parameters-out-of-range' }),
      )
    }
    const parameters = payloadParameters(good)
    for (const index of [-1, 1, 0.5, Number.NaN]) {
      expect(() => chunkGeometry(parameters, index)).toThrow(expect.objectContaining({ code: 'chunk-out-of-range' }))
    }
  })

  it('count bytes exactly up to the longest vectors', () => {
    expect(packedBytes(2 ** 50)).toBe((2 ** 50 / 4) * 27)
    expect([0, 1, 2, 3, 4, 5].map(packedBytes)).toEqual([0, 7, 14, 21, 27, 34])
  })
})

describe('the plausibility of a key sum', () => {
  it('is a bound of 14 sigma sqrt(n) on each coefficient, on either side', () => {
    for (const [contributors, bound] of [
      [1, 93],
      [4, 187],
      [10, 296],
    ]) {
      for (const sign of [-1, 1]) {
        const keySum = new Int32Array(2048)
        keySum[2047] = sign * bound
        expect(isPlausibleKeySum(keySum, contributors)).toBe(true)
        keySum[2047] += sign
        expect(isPlausibleKeySum(keySum, contributors)).toBe(false)
      }
    }
  })

  it('is denied to any other number of coefficients', () => {
    expect(isPlausibleKeySum(new Int32Array(2047), 10)).toBe(false)
    expect(isPlausibleKeySum(new Int32Array(0), 10)).toBe(false)
  })
})
