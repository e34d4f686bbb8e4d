import fc from 'fast-check'
import { type FeatureSchema, parseFeatureSchema, type RecordTable } from '../../src/learning/feature-schema.ts'

/** One feature of each kind. */
export const schema: FeatureSchema = parseFeatureSchema({
  features: [
    { kind: 'numeric', name: 'pressure', column: 'bp', low: 60, high: 260, missingIndicator: true },
    { kind: 'categorical', name: 'pain', column: 'cp', values: ['a', 'b', 'c'] },
    { kind: 'boolean', name: 'sugar', column: 'fbs' },
    { kind: 'numeric', name: 'depression', column: 'st', low: -5, high: 10 },
  ],
  label: { name: 'disease', column: 'num', positiveWhen: { greaterThan: 0 } },
})

/** One record: NaN and -1 are missing. */
export type Row = readonly [pressure: number, pain: number, sugar: number, depression: number, label: number]

export function tableOf(rows: readonly Row[]): RecordTable {
  const column = (i: number) => rows.map((row) => row[i])
  return {
    exampleCount: rows.length,
    columns: [
      { kind: 'numeric', values: Float64Array.from(column(0)) },
      { kind: 'categorical', values: Int16Array.from(column(1)) },
      { kind: 'boolean', values: Int8Array.from(column(2)) },
      { kind: 'numeric', values: Float64Array.from(column(3)) },
    ],
    labels: Uint8Array.from(column(4)),
  }
}

const number = (min: number, max: number) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.double({ min, max, noNaN: true }) },
    { weight: 1, arbitrary: fc.constant(Number.NaN) },
  )

/** Rows with missing values and values outside of the bounds. */
export const rowArbitrary: fc.Arbitrary<Row> = fc.tuple(
  number(0, 400),
  fc.integer({ min: -1, max: 2 }),
  fc.integer({ min: -1, max: 1 }),
  number(-10, 20),
  fc.integer({ min: 0, max: 1 }),
)
