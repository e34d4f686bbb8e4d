import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll } from 'vitest'
import { type DatasetConfigInput, parseDatasetConfig } from '../../nodes/holder/dataset-config.ts'
import { DatasetError, type DatasetErrorCode } from '../../nodes/holder/dataset-error.ts'
import { type Dataset, openDataset } from '../../nodes/holder/datasets.ts'
import { type FeatureSchema, parseFeatureSchema } from '../../src/learning/feature-schema.ts'

/** A directory of this test file's own, removed afterwards. */
export function temporaryDirectory(): {
  path(name?: string): string
  write(name: string, content: string | Uint8Array): string
} {
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-datasets-'))
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  return {
    path: (name = '.') => join(directory, name),
    write: (name, content) => {
      writeFileSync(join(directory, name), content)
      return name
    },
  }
}

/** The value that no error may show. */
export const SECRET = 'Zerlina-4711'

export const schema: FeatureSchema = parseFeatureSchema({
  features: [
    { kind: 'numeric', name: 'age', column: 'age', low: 18, high: 100, unit: 'years' },
    { kind: 'numeric', name: 'cholesterol', column: 'chol', low: 50, high: 700, missingWhen: { equals: [0] } },
    { kind: 'categorical', name: 'sex', column: 'sex', values: ['Female', 'Male'] },
    { kind: 'boolean', name: 'sugar', column: 'fbs' },
  ],
  label: { name: 'disease', column: 'num', positiveWhen: { greaterThan: 0 } },
})

export const HEADER = 'age,chol,sex,fbs,num'

/** Twelve sound lines, in order of age. */
export const SOUND_LINES = Array.from(
  { length: 12 },
  (_, i) => `${40 + i},${200 + i},${i % 2 ? 'Male' : 'Female'},${i % 3 ? 'FALSE' : 'TRUE'},${i % 4}`,
)

export function csv(lines: readonly string[] = SOUND_LINES, header = HEADER): string {
  return `${[header, ...lines].join('\n')}\n`
}

export function open(config: DatasetConfigInput, baseDirectory: string, memoryLimitMb = 256): Promise<Dataset> {
  return openDataset(parseDatasetConfig(config), { baseDirectory, memoryLimitMb })
}

/** Writes a Parquet file by a DuckDB of the test's own. */
export async function writeParquet(path: string, query: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(`COPY (${query}) TO '${path}' (FORMAT parquet)`)
  connection.closeSync()
  instance.closeSync()
}

/** What `action` refused with. Also holds every refusal to the rule that no value of a record is in it. */
export async function refusal(action: () => Promise<unknown>): Promise<{ code: DatasetErrorCode; message: string }> {
  const error = await action().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof DatasetError)) throw new Error('expected a DatasetError', { cause: error })
  const { code, message, stack = '', cause } = error
  if (cause !== undefined) throw new Error('a DatasetError has a cause')
  if (`${message}${stack}`.includes(SECRET)) throw new Error('a DatasetError shows a value of a record')
  return { code, message }
}
