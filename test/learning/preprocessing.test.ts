import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inputWidth } from '../../src/learning/feature-schema.ts'
import { encodeExamples } from '../../src/learning/preprocessing.ts'
import { federatedStatistics, statisticsVector } from '../../src/learning/statistics.ts'
import { type Row, rowArbitrary, schema, tableOf } from './tabular-fixtures.ts'

function statisticsOf(rows: readonly Row[]) {
  const split = { training: Uint32Array.from(rows.keys()), holdout: new Uint32Array() }
  return federatedStatistics(statisticsVector(tableOf(rows), schema, { split, maxExamples: 1000 }), schema)
}

const rows: Row[] = [
  [100, 0, 1, 0, 1],
  [140, 2, 0, 2, 0],
]
/** pressure: mean 120, deviation 20; sugar: half; depression: mean 1, deviation 1. */
const statistics = statisticsOf(rows)

function encoded(row: Row): number[] {
  return [...encodeExamples(tableOf([row]), Uint32Array.of(0), schema, statistics).features]
}

describe('preprocessing', () => {
  it('standardises numbers, spreads categories, passes booleans', () => {
    expect(encoded([140, 1, 1, 0, 1])).toEqual([1, 0, 0, 1, 0, 1, -1])
  })

  it('imputes a missing number with the mean, a boolean with the share of true, a category with zeros, and marks what asks for it', () => {
    expect(encoded([Number.NaN, -1, -1, Number.NaN, 0])).toEqual([0, 1, 0, 0, 0, 0.5, 0])
  })

  it('clips a number to its public bounds before it is standardised', () => {
    expect(encoded([1e9, 0, 0, -1e9, 0])).toEqual([7, 0, 1, 0, 0, 0, -6])
  })

  it('encodes the asked-for records in the asked-for order, with their labels', () => {
    const examples = encodeExamples(tableOf(rows), Uint32Array.of(1, 0, 1), schema, statistics)
    expect([...examples.labels]).toEqual([0, 1, 0])
    expect(examples.exampleCount).toBe(3)
    expect([0, 1, 2].map((row) => examples.features[row * inputWidth(schema)])).toEqual([1, -1, 1])
  })

  it('gives zeros for a number that nobody has, and for one without spread', () => {
    const flat: Row[] = [
      [Number.NaN, 0, 0, 3, 0],
      [Number.NaN, 0, 0, 3, 1],
    ]
    const { features } = encodeExamples(tableOf([[200, 0, 0, 9, 0]]), Uint32Array.of(0), schema, statisticsOf(flat))
    expect([features[0], features[6]]).toEqual([0, 0])
  })

  it('has mean 0 and variance 1 over the records that the statistics are of', () => {
    fc.assert(
      fc.property(fc.array(rowArbitrary, { minLength: 2, maxLength: 60 }), (anyRows) => {
        const own = statisticsOf(anyRows)
        const pressure = own.features[0]
        fc.pre(pressure.kind === 'numeric' && pressure.standardDeviation > 1)
        const { features, exampleCount } = encodeExamples(
          tableOf(anyRows),
          Uint32Array.from(anyRows.keys()),
          schema,
          own,
        )
        expect(features.every(Number.isFinite)).toBe(true)
        const present = Array.from({ length: exampleCount }, (_, i) => i).filter((i) => !Number.isNaN(anyRows[i][0]))
        const values = present.map((i) => features[i * inputWidth(schema)])
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length
        const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
        expect(mean).toBeCloseTo(0, 4)
        expect(variance).toBeCloseTo(1, 4)
      }),
    )
  })
})
