/**
 * From an open dataset to the typed columns of a feature schema. Two queries: one that counts what does not fit, so
 * that an error can say how much of it there is without showing any of it, and one that reads.
 *
 * Column names and values of the schema come from a stranger (the researcher): each is quoted, and names are looked up
 * among the dataset's own first.
 */
import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api'
import type { Feature, FeatureColumn, FeatureSchema, RecordTable } from '../../src/learning/feature-schema.ts'
import { findColumns, type ResolvedColumn } from './column-lookup.ts'
import { RECORDS } from './dataset-database.ts'
import { DatasetError } from './dataset-error.ts'
import { recordsReadError } from './duckdb-errors.ts'
import { featureExpression, labelExpression, type ValueExpression } from './record-expressions.ts'

/** Fewest labelled records that a job gets to see: below it, sums would speak of few people. */
const MIN_RECORDS = 10

/** What a feature of the schema met in the labelled records. For the operator of this holder; never leaves the node. */
export type FeatureReport = {
  readonly name: string
  readonly presentCount: number
  readonly missingCount: number
  /** Categorical: values that the schema does not list, counted as missing. */
  readonly unknownValueCount: number
  /** Numeric: values outside of the public bounds, which will be clipped. */
  readonly outOfBoundsCount: number
}

export type ExtractedRecords = {
  /** Plaintext records. */
  readonly table: RecordTable
  /** Records without a label: left out of the table. */
  readonly unlabelledCount: number
  readonly features: readonly FeatureReport[]
}

/**
 * Reads the labelled records of a dataset, in its order.
 *
 * @throws DatasetError `column-missing`, `column-type-mismatch`, `records-too-few`, `dataset-memory-exceeded`
 */
export async function extractRecords(
  connection: DuckDBConnection,
  dataset: { readonly name: string; readonly columns: readonly { readonly name: string; readonly type: string }[] },
  schema: FeatureSchema,
): Promise<ExtractedRecords> {
  const { featureColumns, labelColumn } = findColumns(dataset, schema)
  const label = labelExpression(schema.label.positiveWhen, labelColumn)
  const features = schema.features.map((feature, i) => featureExpression(feature, featureColumns[i]))
  try {
    const counts = await countMisfits(connection, label, features)
    checkLabel(counts, dataset.name, labelColumn)
    const reports = schema.features.map((feature, i) =>
      checkFeature(feature, featureColumns[i], counts.features[i], {
        name: dataset.name,
        labelledCount: counts.labelledCount,
      }),
    )
    const table = await readTable(connection, schema, label, features, counts.labelledCount)
    return { table, unlabelledCount: counts.recordCount - counts.labelledCount, features: reports }
  } catch (error) {
    throw error instanceof DatasetError ? error : recordsReadError(error, dataset.name)
  }
}

type FeatureCounts = {
  /** Among all records: a value of another type is wrong whether or not its record has a label. */
  readonly wrongTypeCount: number
  /** The rest among labelled records. */
  readonly presentCount: number
  readonly unknownValueCount: number
  readonly outOfBoundsCount: number
}

type MisfitCounts = {
  readonly recordCount: number
  readonly labelledCount: number
  readonly wrongLabelCount: number
  readonly features: readonly FeatureCounts[]
}

async function countMisfits(
  connection: DuckDBConnection,
  label: ValueExpression,
  features: readonly ValueExpression[],
): Promise<MisfitCounts> {
  const count = (condition: string) => `count(*) FILTER (WHERE ${condition})`
  const isLabelled = `(${label.value}) IS NOT NULL`
  const columns = [
    'count(*)',
    count(isLabelled),
    count(label.isWrongType),
    ...features.flatMap((feature) => [
      count(feature.isWrongType),
      count(`${isLabelled} AND (${feature.value}) IS NOT NULL`),
      count(`${isLabelled} AND (${feature.isUnknown})`),
      count(`${isLabelled} AND (${feature.isOutOfBounds})`),
    ]),
  ]
  const result = await connection.runAndReadAll(`SELECT ${columns.join(',\n')} FROM ${RECORDS}`)
  const [recordCount, labelledCount, wrongLabelCount, ...rest] = result.getRows()[0].map(Number)
  return {
    recordCount,
    labelledCount,
    wrongLabelCount,
    features: features.map((_, i) => {
      const [wrongTypeCount, presentCount, unknownValueCount, outOfBoundsCount] = rest.slice(4 * i, 4 * i + 4)
      return { wrongTypeCount, presentCount, unknownValueCount, outOfBoundsCount }
    }),
  }
}

function checkLabel(counts: MisfitCounts, dataset: string, column: ResolvedColumn): void {
  if (counts.wrongLabelCount > 0) throw wrongType(dataset, column, 'numbers, for the label', counts.wrongLabelCount)
  if (counts.labelledCount < MIN_RECORDS) {
    throw new DatasetError(
      'records-too-few',
      `dataset ${dataset} has ${counts.labelledCount} records with a label in column ${column.name}; a job needs at least ${MIN_RECORDS}: add records or do not take part`,
    )
  }
}

function checkFeature(
  feature: Feature,
  column: ResolvedColumn,
  counts: FeatureCounts,
  { name: dataset, labelledCount }: { readonly name: string; readonly labelledCount: number },
): FeatureReport {
  const { wrongTypeCount, presentCount, unknownValueCount, outOfBoundsCount } = counts
  if (wrongTypeCount > 0) {
    const wanted = { numeric: 'numbers', boolean: 'true or false (or 1 and 0)', categorical: 'single values' }
    throw wrongType(dataset, column, wanted[feature.kind], wrongTypeCount)
  }
  const missingCount = labelledCount - presentCount
  return { name: feature.name, presentCount, missingCount, unknownValueCount, outOfBoundsCount }
}

/**
 * The features whose values lie mostly outside of the job's bounds: another unit, probably. For the operator alone. It is
 * no refusal, because a refusal is seen by the researcher, and with bounds of its choice one could ask where the median of
 * a column lies, a bit a job.
 */
export function suspectUnits(reports: readonly FeatureReport[]): readonly FeatureReport[] {
  return reports.filter(({ presentCount, outOfBoundsCount }) => outOfBoundsCount > presentCount / 2)
}

function wrongType(dataset: string, column: ResolvedColumn, wanted: string, wrongCount: number): DatasetError {
  return new DatasetError(
    'column-type-mismatch',
    `column ${column.name} of dataset ${dataset} should hold ${wanted}, but ${wrongCount} records hold something else (the column's type is ${column.type}): correct them, or cast them in the dataset's sql`,
  )
}

async function readTable(
  connection: DuckDBConnection,
  schema: FeatureSchema,
  label: ValueExpression,
  features: readonly ValueExpression[],
  exampleCount: number,
): Promise<RecordTable> {
  const columns = schema.features.map((feature) => emptyColumn(feature, exampleCount))
  const labels = new Uint8Array(exampleCount)
  const values = [label, ...features].map(({ value }, i) => `(${value}) AS v${i}`)
  const result = await connection.stream(
    `SELECT * FROM (SELECT ${values.join(',\n')} FROM ${RECORDS}) WHERE v0 IS NOT NULL`,
  )
  let at = 0
  for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    copyValues(chunk, 0, labels, at, 0)
    for (const [i, column] of columns.entries()) {
      copyValues(chunk, i + 1, column.values, at, column.kind === 'numeric' ? Number.NaN : -1)
    }
    at += chunk.rowCount
  }
  return { exampleCount, columns, labels }
}

function emptyColumn(feature: Feature, length: number): FeatureColumn {
  switch (feature.kind) {
    case 'numeric':
      return { kind: 'numeric', values: new Float64Array(length) }
    case 'categorical':
      return { kind: 'categorical', values: new Int16Array(length) }
    case 'boolean':
      return { kind: 'boolean', values: new Int8Array(length) }
  }
}

function copyValues(
  chunk: DuckDBDataChunk,
  columnIndex: number,
  target: Float64Array | Int16Array | Int8Array | Uint8Array,
  at: number,
  missing: number,
): void {
  const vector = chunk.getColumnVector(columnIndex)
  for (let row = 0; row < chunk.rowCount; row++) {
    const value = vector.getItem(row) as number | null
    target[at + row] = value ?? missing
  }
}
