import { DuckDBTypeId } from '@duckdb/node-api'
import type { FeatureSchema } from '../../src/learning/feature-schema.ts'
import type { DatasetConfig } from './dataset-config.ts'
import { type DatasetDatabase, openDatasetDatabase, RECORDS } from './dataset-database.ts'
import { DatasetError } from './dataset-error.ts'
import { recordsReadError } from './duckdb-errors.ts'
import { type ExtractedRecords, extractRecords } from './record-extraction.ts'

/** A column as DuckDB sees it. Names and types are for the operator and, by policy, for the catalogue. */
export type DatasetColumn = {
  readonly name: string
  /** DuckDB's name of the type, such as BIGINT, DOUBLE, VARCHAR, DECIMAL(9,2). */
  readonly type: string
}

export type OpenDatasetOptions = {
  /** Relative paths start here: the directory of the holder's configuration. */
  readonly baseDirectory: string
  /** What DuckDB may take, in MiB; 1024 unless told. */
  readonly memoryLimitMb?: number
}

/** An open dataset of this holder. Close it: it holds its records in memory. */
export type Dataset = {
  readonly name: string
  readonly columns: readonly DatasetColumn[]
  readonly recordCount: number
  /**
   * Reads the labelled records that a job's schema asks for, in the dataset's order: the same in every call.
   *
   * @throws DatasetError `column-missing`, `column-type-mismatch`, `records-too-few`,
   *   `dataset-memory-exceeded`, `dataset-closed`
   */
  readRecords(schema: FeatureSchema): Promise<ExtractedRecords>
  /** Idempotent. */
  close(): void
  [Symbol.dispose](): void
}

/**
 * Opens a dataset of the holder's configuration (parseDatasetConfig). Reads the files that the configuration names and
 * nothing else; never writes, never reaches the network.
 *
 * @throws DatasetError `file-*`, `csv-*`, `parquet-malformed`, `sql-*`, `dataset-empty`, `dataset-memory-exceeded`
 */
export async function openDataset(config: DatasetConfig, options: OpenDatasetOptions): Promise<Dataset> {
  const { baseDirectory, memoryLimitMb = 1024 } = options
  const database = await openDatasetDatabase(config, { baseDirectory, memoryLimitMb })
  try {
    const { columns, recordCount } = await describeRecords(database, config.name)
    return new DuckDbDataset(config.name, columns, recordCount, database)
  } catch (error) {
    database.close()
    throw error
  }
}

async function describeRecords(
  { connection }: DatasetDatabase,
  name: string,
): Promise<{ columns: DatasetColumn[]; recordCount: number }> {
  try {
    const empty = await connection.run(`SELECT * FROM ${RECORDS} LIMIT 0`)
    const types = empty.columnTypes()
    const columns = empty.columnNames().map((column, i) => ({
      name: column,
      // An ENUM's full type lists its values, which are data.
      type: types[i].typeId === DuckDBTypeId.ENUM ? 'ENUM' : String(types[i]),
    }))
    const counted = await connection.runAndReadAll(`SELECT count(*) FROM ${RECORDS}`)
    const recordCount = Number(counted.getRows()[0][0])
    if (recordCount === 0) {
      throw new DatasetError(
        'dataset-empty',
        `dataset ${name} has no records: check the export or the WHERE of its sql`,
      )
    }
    return { columns, recordCount }
  } catch (error) {
    throw error instanceof DatasetError ? error : recordsReadError(error, name)
  }
}

class DuckDbDataset implements Dataset {
  readonly name: string
  readonly columns: readonly DatasetColumn[]
  readonly recordCount: number
  #database: DatasetDatabase | undefined

  constructor(name: string, columns: readonly DatasetColumn[], recordCount: number, database: DatasetDatabase) {
    this.name = name
    this.columns = columns
    this.recordCount = recordCount
    this.#database = database
  }

  async readRecords(schema: FeatureSchema): Promise<ExtractedRecords> {
    if (!this.#database) throw new DatasetError('dataset-closed', `dataset ${this.name} is closed: open it again`)
    return extractRecords(this.#database.connection, this, schema)
  }

  close(): void {
    this.#database?.close()
    this.#database = undefined
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
