import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseFeatureSchema } from '../../src/learning/feature-schema.ts'
import {
  type FederatedStatistics,
  type NumericStatistics,
  parseFederatedStatistics,
} from '../../src/learning/federated-statistics.ts'
import { type HoldoutSplit, holdoutSplit } from '../../src/learning/holdout-split.ts'
import {
  federatedStatistics,
  momentErrorBounds,
  statisticsSegments,
  statisticsVector,
} from '../../src/learning/statistics.ts'
import type { Segment } from '../../src/protocol/segments.ts'
import { type Row, rowArbitrary, schema, tableOf } from './tabular-fixtures.ts'

const maxExamples = 1000
const seed = new Uint8Array(32)

function splitOf(rows: readonly Row[]): HoldoutSplit {
  return holdoutSplit({ labels: tableOf(rows).labels, seed })
}

function vectorOf(rows: readonly Row[], split = splitOf(rows)) {
  return statisticsVector(tableOf(rows), schema, { split, maxExamples })
}

function addUp(vectors: readonly ReadonlyMap<string, Float64Array>[]): Map<string, Float64Array> {
  const sums = new Map<string, Float64Array>()
  for (const vector of vectors) {
    for (const [name, values] of vector)
      sums.set(
        name,
        values.map((value, i) => value + (sums.get(name)?.[i] ?? 0)),
      )
  }
  return sums
}

/** Rounds up or down at the caller's whim: the worst that a stochastic quantiser can do. */
function quantised(
  vector: ReadonlyMap<string, Float64Array>,
  segments: readonly Segment[],
  precisionBits: number,
  isUp: () => boolean,
): Map<string, Float64Array> {
  return new Map(
    segments.map(({ name, low, high }) => {
      const step = (high - low) / (2 ** precisionBits - 1)
      const round = (value: number) => {
        const steps = (value - low) / step
        return low + step * (isUp() ? Math.ceil(steps) : Math.floor(steps))
      }
      return [name, (vector.get(name) as Float64Array).map(round)]
    }),
  )
}

function numeric(statistics: FederatedStatistics, index: number): NumericStatistics {
  return statistics.features[index] as NumericStatistics
}

function moments(values: readonly number[]): { mean: number; variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length }
}

const clip = (low: number, high: number) => (value: number) => Math.min(high, Math.max(low, value))
const hospitals = fc.array(fc.array(rowArbitrary, { minLength: 5, maxLength: 60 }), { minLength: 2, maxLength: 6 })

describe('statistics of a tabular job', () => {
  it('lays out the same segments at every holder: counts with a step of 1, sums up to the most records', () => {
    expect(statisticsSegments(schema, { maxExamples, precisionBits: 20 })).toEqual([
      { name: 'example-count', length: 1, low: 0, high: 2 ** 20 - 1 },
      { name: 'positive-count', length: 1, low: 0, high: 2 ** 20 - 1 },
      { name: 'missing-count', length: 4, low: 0, high: 2 ** 20 - 1 },
      { name: 'training-example-count', length: 1, low: 0, high: 2 ** 20 - 1 },
      { name: 'training-present-count', length: 4, low: 0, high: 2 ** 20 - 1 },
      { name: 'training-value-count', length: 4, low: 0, high: 2 ** 20 - 1 },
      { name: 'training-sum', length: 2, low: 0, high: 1000 },
      { name: 'training-square-sum', length: 2, low: 0, high: 1000 },
    ])
  })

  it('fills every segment, within its bounds, whatever the records', () => {
    const segments = statisticsSegments(schema, { maxExamples, precisionBits: 32 })
    fc.assert(
      fc.property(fc.array(rowArbitrary, { maxLength: 80 }), (rows) => {
        const vector = vectorOf(rows)
        expect([...vector.keys()]).toEqual(segments.map(({ name }) => name))
        for (const { name, length, low, high } of segments) {
          const values = vector.get(name as Parameters<typeof vector.get>[0]) as Float64Array
          expect(values.length).toBe(length)
          for (const value of values) expect(value >= low && value <= high).toBe(true)
        }
      }),
    )
  })

  it('gives the mean and population variance of all holders’ training records together, values clipped', () => {
    fc.assert(
      fc.property(hospitals, (all) => {
        const statistics = federatedStatistics(addUp(all.map((rows) => vectorOf(rows))), schema)
        const pooled = all.flatMap((rows) => Array.from(splitOf(rows).training, (record) => rows[record]))
        const values = pooled.map((row) => row[0]).filter((value) => !Number.isNaN(value))
        fc.pre(values.length > 0)
        const expected = moments(values.map(clip(60, 260)))
        expect(numeric(statistics, 0).presentCount).toBe(values.length)
        expect(numeric(statistics, 0).mean).toBeCloseTo(expected.mean, 8)
        expect(numeric(statistics, 0).variance).toBeCloseTo(expected.variance, 5)
      }),
    )
  })

  it('stays within the stated error when every sum is rounded the worst way', () => {
    const bits = fc.constantFrom(16, 20, 32)
    fc.assert(
      fc.property(hospitals, bits, fc.infiniteStream(fc.boolean()), (all, precisionBits, coin) => {
        const rounding = { maxExamples, precisionBits, contributorCount: all.length }
        const segments = statisticsSegments(schema, rounding)
        const vectors = all.map((rows) => vectorOf(rows))
        const isUp = () => coin.next().value as boolean
        const rounded = addUp(vectors.map((vector) => quantised(vector, segments, precisionBits, isUp)))
        const exact = federatedStatistics(addUp(vectors), schema)
        const opened = federatedStatistics(rounded, schema, rounding)
        for (const [index, range] of [
          [0, 200],
          [3, 15],
        ]) {
          const { presentCount } = numeric(exact, index)
          if (presentCount === 0) continue
          const bounds = momentErrorBounds(presentCount, rounding)
          const meanError = Math.abs(numeric(opened, index).mean - numeric(exact, index).mean) / range
          const varianceError = Math.abs(numeric(opened, index).variance - numeric(exact, index).variance) / range ** 2
          expect(meanError).toBeLessThanOrEqual(bounds.mean + 1e-12)
          // Twice: a variance that does not stand out from the bound is reported as 0.
          expect(varianceError).toBeLessThanOrEqual(2 * bounds.variance + 1e-12)
        }
        expect(opened.features.map((feature) => feature.presentCount)).toEqual(
          exact.features.map((feature) => feature.presentCount),
        )
      }),
    )
  })

  it('learns nothing about held-out records but how many there are, how many are positive and what they lack', () => {
    const rows: Row[] = Array.from({ length: 20 }, (_, i) => [100 + i, 1, 1, 2, i % 2])
    const { holdout } = splitOf(rows)
    const changed = rows.map((row, i): Row => (holdout.includes(i) ? [250, 0, 0, 9, row[4]] : row))
    expect(holdout.length).toBe(4)
    expect(vectorOf(changed)).toEqual(vectorOf(rows))
  })

  it('counts missing values over all records and frequencies over the training records that have the value', () => {
    const rows: Row[] = [
      [100, 0, 1, Number.NaN, 1],
      [120, 0, -1, Number.NaN, 1],
      [Number.NaN, 2, 0, 1, 0],
      [110, -1, 1, 1, 0],
    ]
    const split = { training: Uint32Array.of(0, 1, 2), holdout: Uint32Array.of(3) }
    expect(federatedStatistics(vectorOf(rows, split), schema)).toEqual({
      exampleCount: 4,
      positiveCount: 2,
      trainingExampleCount: 3,
      features: [
        {
          kind: 'numeric',
          name: 'pressure',
          missingCount: 1,
          presentCount: 2,
          mean: expect.closeTo(110, 9),
          variance: expect.closeTo(100, 9),
          standardDeviation: expect.closeTo(10, 9),
        },
        { kind: 'categorical', name: 'pain', missingCount: 1, presentCount: 3, frequencies: [2 / 3, 0, 1 / 3] },
        { kind: 'boolean', name: 'sugar', missingCount: 1, presentCount: 2, frequency: 0.5 },
        {
          kind: 'numeric',
          name: 'depression',
          missingCount: 2,
          presentCount: 1,
          mean: expect.closeTo(1, 9),
          variance: 0,
          standardDeviation: 0,
        },
      ],
    })
  })

  it('has an answer for a feature that nobody has', () => {
    const rows: Row[] = Array.from({ length: 10 }, (_, i) => [Number.NaN, -1, -1, 1, i % 2])
    const { features } = federatedStatistics(vectorOf(rows), schema)
    expect(features[0]).toMatchObject({
      presentCount: 0,
      missingCount: 10,
      mean: 160,
      variance: 0,
      standardDeviation: 0,
    })
    expect(features[1]).toMatchObject({ presentCount: 0, frequencies: [0, 0, 0] })
    expect(features[2]).toMatchObject({ presentCount: 0, frequency: 0 })
  })

  it('reports no spread where quantisation alone could have made it', () => {
    const rows: Row[] = Array.from({ length: 10 }, (_, i) => [137, 0, 0, 1.234, i % 2])
    const rounding = { maxExamples, precisionBits: 16, contributorCount: 1 }
    const segments = statisticsSegments(schema, rounding)
    for (const isUp of [true, false]) {
      const rounded = quantised(vectorOf(rows), segments, 16, () => isUp)
      expect(numeric(federatedStatistics(rounded, schema, rounding), 0).standardDeviation).toBe(0)
    }
  })

  it('works for a schema without numbers, and leaves their segments out', () => {
    const flags = parseFeatureSchema({
      features: [{ kind: 'boolean', name: 'sugar', column: 'fbs' }],
      label: schema.label,
    })
    const names = statisticsSegments(flags, { maxExamples, precisionBits: 16 }).map(({ name }) => name)
    expect(names).not.toContain('training-sum')
    const table = {
      exampleCount: 2,
      columns: [{ kind: 'boolean' as const, values: Int8Array.of(1, 1) }],
      labels: Uint8Array.of(0, 1),
    }
    const split = { training: Uint32Array.of(0, 1), holdout: new Uint32Array() }
    const vector = statisticsVector(table, flags, { split, maxExamples })
    expect([...vector.keys()]).toEqual(names)
    expect(federatedStatistics(vector, flags).features[0]).toMatchObject({ frequency: 1 })
  })

  it('refuses more records than the job’s bound, instead of a clipped sum', () => {
    const rows: Row[] = Array.from({ length: 11 }, () => [100, 0, 0, 1, 0])
    expect(() => statisticsVector(tableOf(rows), schema, { split: splitOf(rows), maxExamples: 10 })).toThrow(
      expect.objectContaining({ code: 'examples-too-many' }),
    )
  })

  it.each([
    { maxExamples: 300, precisionBits: 8 },
    { maxExamples: 0, precisionBits: 16 },
    { maxExamples: 1.5, precisionBits: 16 },
    { maxExamples: 10, precisionBits: 33 },
  ])('refuses a quantiser that cannot carry the counts: %o', (options) => {
    expect(() => statisticsSegments(schema, options)).toThrow(
      expect.objectContaining({ code: 'statistics-options-invalid' }),
    )
  })

  it('refuses sums of another schema, counts that are not whole, and a federation without a record', () => {
    const rows: Row[] = [[100, 0, 0, 1, 0]]
    const replaced = (name: string, values: number[]) => new Map([...vectorOf(rows), [name, Float64Array.from(values)]])
    const mismatch = expect.objectContaining({ code: 'statistics-mismatch' })
    expect(() => federatedStatistics(replaced('training-sum', [1]), schema)).toThrow(mismatch)
    expect(() => federatedStatistics(replaced('training-sum', [Number.NaN, 1]), schema)).toThrow(mismatch)
    expect(() => federatedStatistics(replaced('example-count', [1.5]), schema)).toThrow(mismatch)
    expect(() => federatedStatistics(replaced('example-count', [-1]), schema)).toThrow(mismatch)
    expect(() => federatedStatistics(new Map(), schema)).toThrow(mismatch)
    expect(() => federatedStatistics(vectorOf([]), schema)).toThrow(
      expect.objectContaining({ code: 'statistics-empty' }),
    )
  })

  it('keeps mean and variance possible when a holder lies within its range', () => {
    const lie = new Map([...vectorOf([[100, 0, 0, 1, 0]]), ['training-sum', Float64Array.of(900, 0)]])
    const { features } = federatedStatistics(lie, schema)
    expect(features[0]).toMatchObject({ mean: 260, variance: 0 })
  })
})

describe('federated statistics from the wire', () => {
  const statistics = federatedStatistics(
    vectorOf([
      [100, 0, 1, 1, 1],
      [140, 1, 0, 3, 0],
    ]),
    schema,
  )

  it('come back unchanged through JSON', () => {
    expect(parseFederatedStatistics(JSON.parse(JSON.stringify(statistics)), schema)).toEqual(statistics)
  })

  const changed = (index: number, change: object) => ({
    ...statistics,
    features: statistics.features.map((feature, i) => (i === index ? { ...feature, ...change } : feature)),
  })

  it.each([
    ['another feature', changed(0, { name: 'pulse' })],
    ['another kind', changed(2, { kind: 'categorical', frequencies: [1], frequency: undefined })],
    ['another number of values', changed(1, { frequencies: [1] })],
    ['a mean outside of the public bounds', changed(0, { mean: 261 })],
    ['a deviation that no values within the bounds have', changed(0, { standardDeviation: 101 })],
    ['a number that is not finite', changed(0, { mean: Number.NaN })],
    ['a feature too few', { ...statistics, features: statistics.features.slice(1) }],
    ['no training record', { ...statistics, trainingExampleCount: 0 }],
    ['an unknown key', { ...statistics, extra: 1 }],
  ])('are refused with %s', (_, input) => {
    expect(() => parseFederatedStatistics(input, schema)).toThrow(
      expect.objectContaining({ code: 'statistics-mismatch' }),
    )
  })
})
