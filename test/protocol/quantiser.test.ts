import { describe, expect, it } from 'vitest'
import { dequantiseSums, quantise } from '../../src/protocol/quantiser.ts'
import { checkSegment, countSegment, quantisationStep, type VectorLayout } from '../../src/protocol/segments.ts'
import { randomnessOf } from '../support/round-fixtures.ts'

const update = (length: number) => ({ name: 'update', length, low: -0.5, high: 0.5 })
const layoutOf = (precisionBits: number, ...segments: VectorLayout['segments']): VectorLayout => ({
  precisionBits,
  segments: [...segments, checkSegment(precisionBits)],
})
const one = (name: string, values: ArrayLike<number>) => new Map([[name, values]])

describe('the quantiser', () => {
  it('is unbiased: the mean over many roundings is the value', () => {
    const count = 200_000
    const layout = layoutOf(8, update(count))
    const step = quantisationStep(layout.segments[0], 8)
    for (const value of [-0.3712, 0.0001, 0.25 * step, 0.4999]) {
      const lanes = quantise(layout, one('update', new Float32Array(count).fill(value)), randomnessOf('rounding'))
      let sum = 0
      for (let i = 0; i < count; i++) sum += lanes[i]
      const mean = -0.5 + (step * sum) / count
      // The deviation of the mean is at most half a step over the root of the count; five of them.
      expect(Math.abs(mean - Math.fround(value))).toBeLessThan((5 * step) / (2 * Math.sqrt(count)))
    }
  })

  it('rounds to a neighbour and no further', () => {
    const layout = layoutOf(8, update(1000))
    const step = quantisationStep(layout.segments[0], 8)
    const values = Float64Array.from({ length: 1000 }, (_, i) => -0.5 + i / 1001)
    const lanes = quantise(layout, one('update', values), randomnessOf('neighbours'))
    for (let i = 0; i < 1000; i++) expect(Math.abs(-0.5 + lanes[i] * step - values[i])).toBeLessThan(step)
  })

  it('clips to the bounds, and gives lanes of the plan’s bits only', () => {
    const layout = layoutOf(16, update(4))
    const lanes = quantise(layout, one('update', [-7, -0.5, 0.5, 1e30]), randomnessOf('clip'))
    expect([...lanes.subarray(0, 4)]).toEqual([0, 0, 65_535, 65_535])
    expect(lanes.subarray(4).every((lane) => lane === 0)).toBe(true)
  })

  it('passes counts exactly, up to the largest', () => {
    for (const bits of [16, 32]) {
      const counts = [0, 1, 2, 1000, 65_534, 65_535, 2 ** bits - 1]
      const layout = layoutOf(bits, countSegment('counts', counts.length, bits))
      const lanes = quantise(layout, one('counts', counts), randomnessOf('counts'))
      expect([...lanes.subarray(0, counts.length)]).toEqual(counts)
      const sums = Float64Array.from(lanes, (lane) => 3 * lane)
      expect([...dequantiseSums(layout, sums, 3).get('counts')!]).toEqual(counts.map((value) => 3 * value))
    }
  })

  it('gives the same counts in stretches as in one piece, across segments', () => {
    const layout = layoutOf(16, countSegment('a', 7, 16), countSegment('b', 40_000, 16), countSegment('c', 3, 16))
    const values = new Map(
      layout.segments
        .slice(0, 3)
        .map(({ name, length }) => [name, Float64Array.from({ length }, (_, i) => (i * 7919) % 65_536)]),
    )
    const whole = quantise(layout, values, randomnessOf('whole'))
    for (const size of [1, 5, 16_384, 20_001]) {
      for (let first = 0; first < whole.length; first += Math.max(size, 4999)) {
        const count = Math.min(size, whole.length - first)
        expect(quantise(layout, values, randomnessOf('part'), first, count)).toEqual(
          whole.subarray(first, first + count),
        )
      }
    }
  })

  it('draws anew for each stretch: where a value lies between two steps, the stretches may round otherwise', () => {
    const layout = layoutOf(8, update(40_000))
    const values = one('update', new Float32Array(40_000).fill(0.1234))
    const whole = quantise(layout, values, randomnessOf('stretch'))
    const parts = randomnessOf('stretch')
    const first = quantise(layout, values, parts, 0, 20_000)
    const second = quantise(layout, values, parts, 20_000, 20_064)
    // Blocks of 16,384 values take their randomness at once: the first is the same, and every value is at most one step off.
    expect(first.subarray(0, 16_384)).toEqual(whole.subarray(0, 16_384))
    const pieced = Uint32Array.from([...first, ...second])
    expect(pieced.length).toBe(whole.length)
    expect(pieced.every((lane, i) => Math.abs(lane - whole[i]) <= 1)).toBe(true)
  })

  it('refuses a stretch that leaves the vector, rather than fill it up with zeros', () => {
    const layout = layoutOf(16, update(3))
    for (const [first, count] of [
      [0, 68],
      [67, 1],
      [-1, 2],
      [0, -1],
      [Number.NaN, 1],
    ]) {
      expect(() => quantise(layout, one('update', [0, 0, 0]), randomnessOf('stretch'), first, count)).toThrow(
        expect.objectContaining({ code: 'value-count-mismatch' }),
      )
    }
    expect(quantise(layout, one('update', [0, 0, 0]), randomnessOf('stretch'), 67, 0)).toHaveLength(0)
  })

  it('names the segment, never the value, when something is not a number', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const attempt = () => quantise(layoutOf(16, update(3)), one('update', [0.125, bad, 0.25]), randomnessOf('bad'))
      expect(attempt).toThrow(expect.objectContaining({ code: 'value-not-finite' }))
      expect(attempt).toThrow(/update/)
      expect(attempt).not.toThrow(/0\.125|NaN|Infinity/)
    }
  })

  it('refuses values that are missing or of another length', () => {
    const layout = layoutOf(16, update(3))
    for (const values of [new Map(), one('update', [1]), one('other', [1, 2, 3])]) {
      expect(() => quantise(layout, values, randomnessOf('missing'))).toThrow(
        expect.objectContaining({ code: 'value-count-mismatch' }),
      )
    }
  })

  it('cannot be made to smuggle anything through the check', () => {
    const values = new Map([
      ['update', [0, 0, 0]],
      ['check', new Array(64).fill(5)],
    ])
    const lanes = quantise(layoutOf(16, update(3)), values, randomnessOf('smuggle'))
    expect(lanes.subarray(3).every((lane) => lane === 0)).toBe(true)
  })
})

describe('opened sums', () => {
  it('with anything in the check are refused, whole', () => {
    const layout = layoutOf(16, update(2))
    for (const position of [2, 40, 65]) {
      const sums = new Float64Array(66)
      sums[position] = 1
      expect(() => dequantiseSums(layout, sums, 2)).toThrow(expect.objectContaining({ code: 'check-not-zero' }))
    }
  })

  it('become values in place: what is returned are views of the sums', () => {
    const layout = layoutOf(16, countSegment('counts', 2, 16), update(1))
    const sums = new Float64Array(67)
    sums.set([70_000, 3, 2 * 65_535])
    const values = dequantiseSums(layout, sums, 2)
    expect(values.get('counts')!.buffer).toBe(sums.buffer)
    expect([...values.get('counts')!]).toEqual([70_000, 3])
    expect(values.get('update')![0]).toBeCloseTo(1, 12)
  })

  it('of another length are refused', () => {
    expect(() => dequantiseSums(layoutOf(16, update(2)), new Float64Array(67), 2)).toThrow(
      expect.objectContaining({ code: 'value-count-mismatch' }),
    )
  })
})
