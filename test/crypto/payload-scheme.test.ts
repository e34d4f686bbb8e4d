import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drawGaussian } from '../../src/crypto/discrete-gaussian.ts'
import { createKeyAdditiveScheme } from '../../src/crypto/key-additive-scheme.ts'
import { drawOneTimeKey, type OneTimeKey } from '../../src/crypto/one-time-key.ts'
import { chunkGeometry, type PayloadParameters, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { checkChunk, type PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { seededRandomness } from '../../src/crypto/randomness.ts'
import { createRing } from '../../src/crypto/ring.ts'
import { modulo, packReference, shiftResidue, unpackReference } from './reference.ts'

let scheme: PayloadScheme

beforeAll(async () => {
  scheme = await createPayloadScheme()
})

afterAll(() => scheme.dispose())

const planDigest = createHash('sha256').update('a plan').digest()
const randomness = seededRandomness(new Uint8Array(32).fill(11))

/** All chunks of one contribution. */
function protectVector(parameters: PayloadParameters, key: OneTimeKey, values: Uint32Array): Uint8Array[] {
  const protector = scheme.createProtector(parameters, planDigest, key)
  return Array.from({ length: parameters.chunkCount }, (_, index) => {
    const { firstValue, valueCount } = chunkGeometry(parameters, index)
    return protector.preparePad(index).protect(values.subarray(firstValue, firstValue + valueCount))
  })
}

function sumOfKeys(keys: readonly OneTimeKey[]): Int32Array {
  const sum = new Int32Array(2048)
  for (const { coefficients } of keys) for (const [i, coefficient] of coefficients.entries()) sum[i] += coefficient
  return sum
}

function openChunk(
  parameters: PayloadParameters,
  contributions: readonly Uint8Array[],
  keySum: Int32Array,
  options: { readonly chunkIndex?: number; readonly planDigest?: Uint8Array } = {},
): Float64Array {
  const accumulator = scheme.createAccumulator(parameters, options.planDigest ?? planDigest, options.chunkIndex ?? 0)
  for (const contribution of contributions) accumulator.add(contribution)
  const prepared = scheme.prepareKeySum(keySum)
  try {
    return accumulator.open(prepared)
  } finally {
    prepared.dispose()
  }
}

/** Protects every vector under a key of its own, and opens the sum of all. */
function roundTrip(parameters: PayloadParameters, vectors: readonly Uint32Array[]): number[] {
  const keys = vectors.map(() => drawOneTimeKey(randomness))
  const contributions = vectors.map((values, i) => protectVector(parameters, keys[i], values))
  const keySum = sumOfKeys(keys)
  const opened: number[] = []
  for (let chunkIndex = 0; chunkIndex < parameters.chunkCount; chunkIndex++) {
    const chunks = contributions.map((contribution) => contribution[chunkIndex])
    for (const sum of openChunk(parameters, chunks, keySum, { chunkIndex })) opened.push(sum)
  }
  return opened
}

function plainSum(vectors: readonly Uint32Array[]): number[] {
  const sums = new Array<number>(vectors[0].length).fill(0)
  for (const values of vectors) for (let i = 0; i < values.length; i++) sums[i] += values[i]
  return sums
}

function uniformValues(length: number, precisionBits: number): Uint32Array {
  const values = new Uint32Array(length)
  randomness.fill(new Uint8Array(values.buffer))
  return values.map((value) => value >>> (32 - precisionBits))
}

describe('a protected sum', () => {
  it.each([
    [2, 16],
    [2, 32],
    [3, 8],
    [3, 16],
    [16, 8],
    [16, 16],
    [16, 32],
    [1000, 16],
    [1000, 1],
  ])('of %i worst-case contributions of %i bits is exact', (contributors, precisionBits) => {
    const parameters = payloadParameters({ precisionBits, maxContributors: contributors, length: 23 })
    const worst = new Uint32Array(23).fill(2 ** precisionBits - 1)
    const opened = roundTrip(parameters, new Array<Uint32Array>(contributors).fill(worst))
    expect(opened).toEqual(new Array(23).fill(contributors * (2 ** precisionBits - 1)))
  })

  it('carries nothing from a full lane into an empty neighbour, whichever lane is full', () => {
    for (const precisionBits of [1, 8, 11, 16, 32]) {
      for (const contributors of [2, 3, 8, 16]) {
        const { lanes } = payloadParameters({ precisionBits, maxContributors: contributors, length: 1 })
        const parameters = payloadParameters({ precisionBits, maxContributors: contributors, length: 3 * lanes })
        for (let full = 0; full < lanes; full++) {
          const values = Uint32Array.from({ length: 3 * lanes }, (_, i) =>
            i % lanes === full ? 2 ** precisionBits - 1 : 0,
          )
          const vectors = new Array<Uint32Array>(contributors).fill(values)
          expect(roundTrip(parameters, vectors)).toEqual(plainSum(vectors))
        }
      }
    }
  })

  it.each([1, 2, 3, 2047, 2048, 2049, 4095, 4096, 4097, 65_535, 65_536, 65_537, 131_073])(
    'of vectors of %i values, at the borders of coefficients, polynomials and chunks, is exact',
    (length) => {
      const parameters = payloadParameters({ precisionBits: 16, maxContributors: 3, length })
      const vectors = [uniformValues(length, 16), uniformValues(length, 16), uniformValues(length, 16)]
      const opened = roundTrip(parameters, vectors)
      expect(opened.length).toBe(length)
      // Deep equality of the test library takes seconds at these sizes.
      const bytesOf = (sums: number[]): Buffer => Buffer.from(Float64Array.from(sums).buffer)
      expect(bytesOf(opened).equals(bytesOf(plainSum(vectors)))).toBe(true)
    },
  )

  it('is exact for any precision, cohort, length and values, when fewer contribute than the plan allows too', () => {
    const request = fc
      .record({
        precisionBits: fc.integer({ min: 1, max: 32 }),
        maxContributors: fc.integer({ min: 2, max: 64 }),
        length: fc.integer({ min: 1, max: 400 }),
      })
      .chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.array(
            fc.array(fc.integer({ min: 0, max: 2 ** shape.precisionBits - 1 }), {
              minLength: shape.length,
              maxLength: shape.length,
            }),
            { minLength: 1, maxLength: Math.min(5, shape.maxContributors) },
          ),
        ),
      )
    fc.assert(
      fc.property(request, ([shape, rows]) => {
        const vectors = rows.map((row) => Uint32Array.from(row))
        expect(roundTrip(payloadParameters(shape), vectors)).toEqual(plainSum(vectors))
      }),
      { numRuns: 60 },
    )
  })

  it('does not depend on how polynomials reach SEAL', async () => {
    const parameters = payloadParameters({ precisionBits: 16, maxContributors: 3, length: 5000 })
    const values = uniformValues(5000, 16)
    const serialised = await createKeyAdditiveScheme(await createRing('serialised'))
    const [direct, other] = [scheme, serialised].map((one) => {
      const key = drawOneTimeKey(seededRandomness(new Uint8Array(32).fill(5)))
      return one.createProtector(parameters, planDigest, key).preparePad(0).protect(values)
    })
    expect(other).toEqual(direct)
    serialised.dispose()
  })

  it('can be opened repeatedly, added to afterwards, and expanded ahead with the same result', () => {
    const parameters = payloadParameters({ precisionBits: 8, maxContributors: 40, length: 3000 })
    const keys = Array.from({ length: 40 }, () => drawOneTimeKey(randomness))
    const vectors = keys.map(() => uniformValues(3000, 8))
    const accumulator = scheme.createAccumulator(parameters, planDigest, 0)
    for (const [i, key] of keys.entries()) {
      accumulator.add(protectVector(parameters, key, vectors[i])[0])
      expect(accumulator.contributorCount).toBe(i + 1)
      if (i !== 1 && i !== 39) continue
      const keySum = scheme.prepareKeySum(sumOfKeys(keys.slice(0, i + 1)))
      const first = accumulator.open(keySum)
      expect([...first]).toEqual(plainSum(vectors.slice(0, i + 1)))
      accumulator.expandAhead()
      expect(accumulator.open(keySum)).toEqual(first)
      keySum.dispose()
      expect(() => accumulator.open(keySum)).toThrow(expect.objectContaining({ code: 'already-disposed' }))
    }
  })
})

describe('a packed sum', () => {
  const parameters = payloadParameters({ precisionBits: 16, maxContributors: 40, length: 65_637 })
  const { coefficientCount } = chunkGeometry(parameters, 2)
  const keys = Array.from({ length: 3 }, () => drawOneTimeKey(randomness))
  const worst = new Uint32Array(parameters.length).fill(65_535)
  let chunks: Uint8Array[]

  beforeAll(() => {
    chunks = keys.map((key) => protectVector(parameters, key, worst)[2])
  })

  function accumulatorOf(contributions: readonly Uint8Array[]) {
    const accumulator = scheme.createAccumulator(parameters, planDigest, 2)
    for (const bytes of contributions) accumulator.add(bytes)
    return accumulator
  }

  it('is the sum modulo q in the form of a contribution, and the sum goes on afterwards', () => {
    const accumulator = accumulatorOf(chunks.slice(0, 2))
    const unpacked = chunks.map((bytes) => unpackReference(bytes, coefficientCount))
    const sumOf = (count: number) =>
      unpacked[0].map((_, k) => modulo(unpacked.slice(0, count).reduce((sum, residues) => sum + residues[k], 0n)))
    expect(accumulator.pack()).toEqual(packReference(sumOf(2)))
    accumulator.add(chunks[2])
    const packed = accumulator.pack()
    expect(packed).toEqual(packReference(sumOf(3)))
    expect(accumulator.pack()).toEqual(packed)
    checkChunk(parameters, 2, packed)
  })

  it('opens elsewhere to the same sums, of more contributions than are added without a reduction, too', () => {
    const many = Array.from({ length: 40 }, () => drawOneTimeKey(randomness))
    const small = payloadParameters({ precisionBits: 16, maxContributors: 40, length: 9 })
    const all = scheme.createAccumulator(small, planDigest, 0)
    for (const key of many) all.add(protectVector(small, key, worst.subarray(0, 9))[0])
    const copy = scheme.createAccumulator(small, planDigest, 0)
    copy.addSum(all.pack(), 40)
    expect(copy.contributorCount).toBe(40)
    const keySum = scheme.prepareKeySum(sumOfKeys(many))
    expect([...copy.open(keySum)]).toEqual(new Array(9).fill(40 * 65_535))
    expect(all.open(keySum)).toEqual(copy.open(keySum))
    keySum.dispose()
  })

  it('is opened within the bounds of as many contributors as it is said to have', () => {
    const packed = accumulatorOf(chunks).pack()
    const three = scheme.prepareKeySum(sumOfKeys(keys))
    const asOne = scheme.createAccumulator(parameters, planDigest, 2)
    asOne.addSum(packed, 1)
    expect(() => asOne.open(three)).toThrow(expect.objectContaining({ code: 'sum-out-of-bounds' }))
    const spoilt = scheme.createAccumulator(parameters, planDigest, 2)
    spoilt.addSum(shiftResidue(packed, coefficientCount, 0, 2n ** BigInt(parameters.deltaBits - 1)), 3)
    expect(() => spoilt.open(three)).toThrow(expect.objectContaining({ code: 'noise-out-of-bounds' }))
    three.dispose()
  })

  it('counts against the limit of the plan, is refused malformed, and is not made of nothing', () => {
    const packed = accumulatorOf(chunks).pack()
    const accumulator = accumulatorOf(chunks)
    const refusal = (code: string) => expect.objectContaining({ code })
    expect(() => accumulator.addSum(packed, 38)).toThrow(refusal('too-many-contributors'))
    for (const count of [0, -1, 1.5, Number.NaN]) {
      expect(() => accumulator.addSum(packed, count)).toThrow(refusal('parameters-out-of-range'))
    }
    expect(() => accumulator.addSum(packed.subarray(1), 3)).toThrow(refusal('wrong-length'))
    expect(accumulator.contributorCount).toBe(3)
    expect(accumulator.pack()).toEqual(packed)
    expect(() => accumulatorOf([]).pack()).toThrow(refusal('nothing-to-open'))
  })
})

describe('protection', () => {
  const parameters = payloadParameters({ precisionBits: 12, maxContributors: 4, length: 100 })
  const values = new Uint32Array(100).fill(4095)

  it('refuses values above the precision, wherever they stand, and consumes nothing', () => {
    const pad = scheme.createProtector(parameters, planDigest, drawOneTimeKey(randomness)).preparePad(0)
    for (const at of [0, 1, 50, 98, 99]) {
      for (const excess of [4096, 4097, 2 ** 31, 2 ** 32 - 1]) {
        const over = values.slice()
        over[at] = excess
        expect(() => pad.protect(over)).toThrow(expect.objectContaining({ code: 'value-out-of-bounds' }))
      }
    }
    expect(pad.protect(values).length).toBe(chunkGeometry(parameters, 0).bytes)
  })

  it('names the position and not the value of what it refuses', () => {
    const pad = scheme.createProtector(parameters, planDigest, drawOneTimeKey(randomness)).preparePad(0)
    const over = values.slice()
    over[73] = 987_654
    expect(() => pad.protect(over)).toThrow(/Value 73 /)
    expect(() => pad.protect(over)).not.toThrow(/987654/)
  })

  it('refuses another number of values than the chunk holds', () => {
    const pad = scheme.createProtector(parameters, planDigest, drawOneTimeKey(randomness)).preparePad(0)
    for (const length of [0, 99, 101]) {
      expect(() => pad.protect(new Uint32Array(length))).toThrow(expect.objectContaining({ code: 'wrong-value-count' }))
    }
  })

  it('uses a pad once, and gives each chunk one pad', () => {
    const key = drawOneTimeKey(randomness)
    const protector = scheme.createProtector(parameters, planDigest, key)
    const pad = protector.preparePad(0)
    pad.protect(values)
    const refusal = expect.objectContaining({ code: 'pad-already-used' })
    expect(() => pad.protect(values)).toThrow(refusal)
    expect(() => protector.preparePad(0)).toThrow(refusal)
    expect(() => scheme.createProtector(parameters, planDigest, key).preparePad(0)).toThrow(refusal)
  })

  it('does not give a pad back when it was disposed of unused', () => {
    const protector = scheme.createProtector(parameters, planDigest, drawOneTimeKey(randomness))
    const pad = protector.preparePad(0)
    pad.dispose()
    const refusal = expect.objectContaining({ code: 'pad-already-used' })
    expect(() => pad.protect(values)).toThrow(refusal)
    expect(() => protector.preparePad(0)).toThrow(refusal)
  })

  it('holds a key to one plan', () => {
    const key = drawOneTimeKey(randomness)
    scheme.createProtector(parameters, planDigest, key)
    const otherDigest = createHash('sha256').update('another plan').digest()
    expect(() => scheme.createProtector(parameters, otherDigest, key)).toThrow(
      expect.objectContaining({ code: 'key-bound-to-another-plan' }),
    )
  })

  it('erases a key when it is disposed of', () => {
    const key = drawOneTimeKey(randomness)
    const protector = scheme.createProtector(parameters, planDigest, key)
    key.dispose()
    expect(key.coefficients.every((coefficient) => coefficient === 0)).toBe(true)
    expect(key.noiseSeed.every((byte) => byte === 0)).toBe(true)
    const refusal = expect.objectContaining({ code: 'already-disposed' })
    expect(() => protector.preparePad(0)).toThrow(refusal)
    expect(() => scheme.createProtector(parameters, planDigest, key)).toThrow(refusal)
  })

  it('would give away the difference of two vectors if a pad were used twice', () => {
    // What the guards prevent, done with a clone of the key: the masks cancel, and nobody's key is needed.
    const clone = (): OneTimeKey => drawOneTimeKey(seededRandomness(new Uint8Array(32).fill(9)))
    const { coefficientCount, deltaBits, laneBits, lanes } = parameters
    const larger = uniformValues(100, 12)
    const smaller = larger.map((value) => value >>> 1)
    const [a, b] = [larger, smaller].map((vector) =>
      unpackReference(protectVector(parameters, clone(), vector)[0], coefficientCount),
    )
    const stolen = Array.from(larger, (_, i) => {
      const difference = modulo(a[Math.floor(i / lanes)] - b[Math.floor(i / lanes)])
      return Number((difference >> BigInt(deltaBits + (i % lanes) * laneBits)) % 2n ** BigInt(laneBits))
    })
    expect(stolen).toEqual(Array.from(larger, (value, i) => value - smaller[i]))
  })
})

describe('opening', () => {
  const parameters = payloadParameters({ precisionBits: 16, maxContributors: 3, length: 5000 })
  const { coefficientCount, deltaBits } = parameters
  const delta = 2 ** deltaBits
  const keys = [0, 1, 2].map(() => drawOneTimeKey(randomness))
  const vectors = keys.map(() => uniformValues(5000, 16))
  const noise = new Array<number>(coefficientCount).fill(0)
  const contributions: Uint8Array[] = []

  beforeAll(() => {
    for (const [i, key] of keys.entries()) {
      const errors = new Int8Array(coefficientCount)
      drawGaussian(errors, key.errorRandomness(0))
      for (const [c, error] of errors.entries()) noise[c] += error
      contributions.push(protectVector(parameters, key, vectors[i])[0])
    }
  })

  /** The contributions, with the first one changed so that the noise of the sum at `coefficient` is `wanted`. */
  function withNoise(coefficient: number, wanted: number): Uint8Array[] {
    const offset = BigInt(wanted - noise[coefficient])
    return [shiftResidue(contributions[0], coefficientCount, coefficient, offset), ...contributions.slice(1)]
  }

  it('is exact with noise just inside the bound, and detects noise just outside, on either side', () => {
    const bound = (3 * delta) / 8
    for (const coefficient of [0, 1, 2047, 2048, coefficientCount - 1]) {
      for (const sign of [-1, 1]) {
        const inside = withNoise(coefficient, sign * (bound - 1))
        expect([...openChunk(parameters, inside, sumOfKeys(keys))]).toEqual(plainSum(vectors))
        for (const excess of [bound, bound + 1, delta / 2 - 1, delta / 2, delta - bound]) {
          const outside = withNoise(coefficient, sign * excess)
          expect(() => openChunk(parameters, outside, sumOfKeys(keys))).toThrow(
            expect.objectContaining({ code: 'noise-out-of-bounds' }),
          )
        }
      }
    }
  })

  it('detects noise below zero in an empty sum, where it wraps around q', () => {
    const empty = payloadParameters({ precisionBits: 16, maxContributors: 2, length: 2 })
    const key = drawOneTimeKey(randomness)
    const errors = new Int8Array(1)
    drawGaussian(errors, key.errorRandomness(0))
    const [bytes] = protectVector(empty, key, new Uint32Array(2))
    const room = 2 ** empty.deltaBits
    const open = (wanted: number): number[] => {
      const shifted = shiftResidue(bytes, 1, 0, BigInt(wanted - errors[0]))
      return [...openChunk(empty, [shifted], key.coefficients)]
    }
    expect(open((-3 * room) / 8 + 1)).toEqual([0, 0])
    expect(() => open((-3 * room) / 8)).toThrow(expect.objectContaining({ code: 'noise-out-of-bounds' }))
    expect(() => open(-room)).toThrow(expect.objectContaining({ code: 'sum-out-of-bounds' }))
  })

  it('refuses a lane above what the contributors can have sent, though the plan would allow more of them', () => {
    const two = contributions.slice(0, 2)
    const twoKeys = sumOfKeys(keys.slice(0, 2))
    const sums = plainSum(vectors.slice(0, 2))
    for (const value of [0, 1, 4999]) {
      const [coefficient, lane] = [Math.floor(value / parameters.lanes), value % parameters.lanes]
      const raise = (by: number): Uint8Array[] => {
        const offset = BigInt(by) << BigInt(deltaBits + lane * parameters.laneBits)
        return [shiftResidue(two[0], coefficientCount, coefficient, offset), two[1]]
      }
      const most = 2 * 65_535 - sums[value]
      const expected = sums.map((sum, i) => (i === value ? sum + most : sum))
      expect([...openChunk(parameters, raise(most), twoKeys)]).toEqual(expected)
      expect(() => openChunk(parameters, raise(most + 1), twoKeys)).toThrow(
        expect.objectContaining({ code: 'sum-out-of-bounds' }),
      )
    }
  })

  it('refuses anything in a lane past the end of the vector', () => {
    const odd = payloadParameters({ precisionBits: 16, maxContributors: 3, length: 7 })
    const key = drawOneTimeKey(randomness)
    const [bytes] = protectVector(odd, key, new Uint32Array(7).fill(65_535))
    const mauled = shiftResidue(bytes, odd.coefficientCount, 3, 1n << BigInt(odd.deltaBits + odd.laneBits))
    expect(() => openChunk(odd, [mauled], key.coefficients)).toThrow(
      expect.objectContaining({ code: 'sum-out-of-bounds' }),
    )
  })

  it('refuses anything above the topmost lane', () => {
    const top = deltaBits + parameters.lanes * parameters.laneBits
    expect(top).toBeLessThan(53)
    for (const bit of [top, 53]) {
      const mauled = [shiftResidue(contributions[0], coefficientCount, 7, 1n << BigInt(bit)), ...contributions.slice(1)]
      expect(() => openChunk(parameters, mauled, sumOfKeys(keys))).toThrow(
        expect.objectContaining({ code: 'sum-out-of-bounds' }),
      )
    }
  })

  it('starts every sum from nothing, also in memory that a dropped sum gave back', () => {
    const full = payloadParameters({ precisionBits: 16, maxContributors: 3, length: 65_536 })
    const key = drawOneTimeKey(randomness)
    const values = uniformValues(65_536, 16)
    const [bytes] = protectVector(full, key, values)
    const prepared = scheme.prepareKeySum(key.coefficients)
    for (let round = 0; round < 2; round++) {
      const accumulator = scheme.createAccumulator(full, planDigest, 0)
      accumulator.add(bytes)
      expect(Buffer.from(accumulator.open(prepared).buffer).equals(Buffer.from(Float64Array.from(values).buffer))).toBe(
        true,
      )
      accumulator.dispose()
      accumulator.dispose()
      const refusal = expect.objectContaining({ code: 'already-disposed' })
      expect(() => accumulator.add(bytes)).toThrow(refusal)
      expect(() => accumulator.open(prepared)).toThrow(refusal)
    }
    prepared.dispose()
  })

  it('does not open with a key sum that is wrong in one coefficient, lacks a contributor, or is of another set', () => {
    const off = sumOfKeys(keys)
    off[1234] += 1
    for (const keySum of [
      off,
      sumOfKeys(keys.slice(1)),
      new Int32Array(2048),
      sumOfKeys([keys[0], keys[0], keys[1]]),
    ]) {
      expect(() => openChunk(parameters, contributions, keySum)).toThrow(
        expect.objectContaining({ code: 'noise-out-of-bounds' }),
      )
    }
  })

  it('does not open as the sum of another plan, or as another chunk', () => {
    const otherDigest = createHash('sha256').update('another plan').digest()
    const refusal = expect.objectContaining({ code: 'noise-out-of-bounds' })
    expect(() => openChunk(parameters, contributions, sumOfKeys(keys), { planDigest: otherDigest })).toThrow(refusal)
    const long = payloadParameters({ precisionBits: 16, maxContributors: 3, length: 65_536 + 5000 })
    expect(() => openChunk(long, contributions, sumOfKeys(keys), { chunkIndex: 1 })).toThrow(refusal)
  })

  it('refuses key sums that these contributors cannot have', () => {
    const refusal = expect.objectContaining({ code: 'key-sum-implausible' })
    const keySum = sumOfKeys(keys)
    keySum[5] = 2 ** 20
    expect(() => scheme.prepareKeySum(keySum)).toThrow(refusal)
    expect(() => scheme.prepareKeySum(new Int32Array(2047))).toThrow(refusal)
    // Within the bound of the largest cohort a plan can have, beyond that of these three.
    keySum[5] = 1000
    expect(() => openChunk(parameters, contributions, keySum)).toThrow(refusal)
  })

  it('refuses to open nothing, and to add more contributors than the plan allows', () => {
    expect(() => openChunk(parameters, [], new Int32Array(2048))).toThrow(
      expect.objectContaining({ code: 'nothing-to-open' }),
    )
    const accumulator = scheme.createAccumulator(parameters, planDigest, 0)
    for (const contribution of contributions) accumulator.add(contribution)
    expect(() => accumulator.add(contributions[0])).toThrow(expect.objectContaining({ code: 'too-many-contributors' }))
  })

  it('refuses malformed contributions and still opens the others', () => {
    const accumulator = scheme.createAccumulator(parameters, planDigest, 0)
    const notCanonical = contributions[2].slice()
    notCanonical.fill(255, -20, -1)
    notCanonical.fill(255, 0, 7)
    const malformed: [Uint8Array, string][] = [
      [contributions[0].subarray(1), 'wrong-length'],
      [new Uint8Array(contributions[0].length + 1), 'wrong-length'],
      [new Uint8Array(0), 'wrong-length'],
      [notCanonical, 'residue-not-canonical'],
    ]
    for (const contribution of contributions) {
      for (const [bytes, code] of malformed) {
        expect(() => accumulator.add(bytes)).toThrow(expect.objectContaining({ code }))
        expect(() => checkChunk(parameters, 0, bytes)).toThrow(expect.objectContaining({ code }))
      }
      checkChunk(parameters, 0, contribution)
      accumulator.add(contribution)
    }
    expect(accumulator.contributorCount).toBe(3)
    expect([...accumulator.open(scheme.prepareKeySum(sumOfKeys(keys)))]).toEqual(plainSum(vectors))
  })
})

describe('a one-time key', () => {
  it('is determined by its randomness, and differs with it', () => {
    const draw = (seed: number): OneTimeKey => drawOneTimeKey(seededRandomness(new Uint8Array(32).fill(seed)))
    expect(draw(1).coefficients).toEqual(draw(1).coefficients)
    expect(draw(1).noiseSeed).toEqual(draw(1).noiseSeed)
    expect(draw(1).coefficients).not.toEqual(draw(2).coefficients)
    expect(draw(1).noiseSeed).not.toEqual(draw(2).noiseSeed)
  })

  it('has errors of its own for every chunk', () => {
    const key = drawOneTimeKey(randomness)
    const errors = [0, 1, 65_536, 2 ** 32 - 1].map((chunkIndex) => {
      const bytes = new Uint8Array(32)
      key.errorRandomness(chunkIndex).fill(bytes)
      return Buffer.from(bytes).toString('hex')
    })
    expect(new Set(errors).size).toBe(4)
  })
})
