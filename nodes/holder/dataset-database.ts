/**
 * An in-memory DuckDB that can read the files of one dataset and nothing else: no other file, no network, no
 * extension, no spilling to disk, and a configuration that SQL cannot change.
 *
 * Why not trust the operator's own SQL: it is copied from a wiki, or generated; and a feature schema, whose names end
 * up in queries, comes from a stranger. The walls make a mistake in quoting a failed query instead of a leak.
 */
import { access, constants, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type DuckDBConnection, DuckDBInstance, StatementType } from '@duckdb/node-api'
import type { DatasetConfig, TableFile } from './dataset-config.ts'
import { DatasetError } from './dataset-error.ts'
import { fileReadError, isSyntaxError, sqlError, sqlSyntaxError } from './duckdb-errors.ts'

/** The relation that every query of a dataset reads. */
export const RECORDS = '"records"'

export type DatasetDatabaseOptions = {
  /** Relative paths start here: the directory of the holder's configuration. */
  readonly baseDirectory: string
  /** DuckDB's share of memory, in MiB. CSV and SQL results are held in it. */
  readonly memoryLimitMb: number
}

export type DatasetDatabase = {
  readonly connection: DuckDBConnection
  close(): void
}

type ResolvedFile = TableFile & { readonly table: string; readonly path: string; readonly format: 'csv' | 'parquet' }

/**
 * Opens the database and loads {@link RECORDS}. A CSV file or an SQL result is copied into memory once, so that one
 * session sees one state of the file; Parquet is read where it lies.
 *
 * @throws DatasetError as openDataset says
 */
export async function openDatasetDatabase(
  config: DatasetConfig,
  options: DatasetDatabaseOptions,
): Promise<DatasetDatabase> {
  const tables = 'sql' in config ? Object.entries(config.tables) : ([['records', config]] as [string, TableFile][])
  const files = await Promise.all(tables.map(([table, file]) => resolveFile(table, file, options.baseDirectory)))
  const instance = await DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    memory_limit: `${options.memoryLimitMb}MiB`,
    // No spill: records would lie in a temporary file.
    temp_directory: '',
    // One thread and insertion order: the held-out records must be the same ones in every round.
    threads: '1',
    preserve_insertion_order: 'true',
  })
  try {
    const connection = await instance.connect()
    await closeTheWalls(connection, files)
    for (const file of files) await loadFile(connection, file)
    if ('sql' in config) await loadQuery(connection, config.name, config.sql)
    return { connection, close: () => closeAll(connection, instance) }
  } catch (error) {
    instance.closeSync()
    throw error
  }
}

function closeAll(connection: DuckDBConnection, instance: DuckDBInstance): void {
  connection.closeSync()
  instance.closeSync()
}

async function closeTheWalls(connection: DuckDBConnection, files: readonly ResolvedFile[]): Promise<void> {
  await connection.run(`SET allowed_paths = [${files.map((file) => quoteText(file.path)).join(', ')}]`)
  await connection.run('SET enable_external_access = false')
  // Last: from here on no statement can open the walls again.
  await connection.run('SET lock_configuration = true')
}

async function resolveFile(table: string, file: TableFile, baseDirectory: string): Promise<ResolvedFile> {
  const path = resolve(baseDirectory, file.path)
  const status = await stat(path).catch(() => undefined)
  if (!status) {
    throw new DatasetError(
      'file-not-found',
      `there is no file ${path}: correct the path in the dataset's configuration`,
    )
  }
  const isReadable = await access(path, constants.R_OK).then(
    () => true,
    () => false,
  )
  if (!status.isFile() || !isReadable) {
    throw new DatasetError(
      'file-not-readable',
      `${path} is not a file that the holder node may read: name a file, and give this process read permission`,
    )
  }
  if (status.size === 0) throw new DatasetError('dataset-empty', `${path} is empty: export the dataset again`)
  return { ...file, table, path, format: file.format ?? formatOf(path) }
}

function formatOf(path: string): 'csv' | 'parquet' {
  if (/\.(csv|tsv)(\.gz|\.zst)?$/i.test(path)) return 'csv'
  if (/\.parquet$/i.test(path)) return 'parquet'
  throw new DatasetError(
    'file-format-unknown',
    `${path} is neither .csv, .tsv nor .parquet by its name: add format: csv or format: parquet to the dataset`,
  )
}

async function loadFile(connection: DuckDBConnection, file: ResolvedFile): Promise<void> {
  const table = quoteName(file.table)
  const statement =
    file.format === 'csv'
      ? `CREATE TABLE ${table} AS SELECT * FROM ${readCsv(file)}`
      : `CREATE VIEW ${table} AS SELECT * FROM read_parquet(${quoteText(file.path)})`
  try {
    await connection.run(statement)
  } catch (error) {
    throw fileReadError(error, file)
  }
  if (file.format === 'csv') checkHeader(await columnNames(connection, table), file)
}

function readCsv(file: ResolvedFile): string {
  // The dialect is told, never sniffed: DuckDB's sniffer drops lines and quotes to make a broken file fit. Types are
  // sniffed over all lines, so that one stray text makes a column text, and is counted, instead of failing the file.
  return `read_csv(${[
    quoteText(file.path),
    'header = true',
    'sample_size = -1',
    `delim = ${quoteText(delimiterOf(file))}`,
    `quote = '"'`,
    `escape = '"'`,
    `comment = ''`,
    'skip = 0',
    'strict_mode = true',
    'null_padding = false',
    'ignore_errors = false',
    `decimal_separator = ${quoteText(file.decimalSeparator)}`,
    `nullstr = [${file.missingTexts.map(quoteText).join(', ')}]`,
  ].join(', ')})`
}

function delimiterOf(file: ResolvedFile): string {
  return file.delimiter ?? (/\.tsv(\.gz|\.zst)?$/i.test(file.path) ? '\t' : ',')
}

async function columnNames(connection: DuckDBConnection, table: string): Promise<string[]> {
  return (await connection.run(`SELECT * FROM ${table} LIMIT 0`)).columnNames()
}

function checkHeader(names: readonly string[], file: ResolvedFile): void {
  const other = names.length === 1 ? /[;\t|,]/.exec(names[0])?.[0] : undefined
  if (other) {
    throw new DatasetError(
      'csv-malformed',
      `${file.path} has one column only; its fields seem to be separated by ${JSON.stringify(other)}: set delimiter: ${JSON.stringify(other)}`,
    )
  }
  // Some names may be numbers (years, codes); when half of them are, they are the first record.
  const numberCount = names.filter((name) => name.trim() !== '' && Number.isFinite(Number(name))).length
  if (numberCount >= names.length / 2) {
    throw new DatasetError(
      'csv-without-header',
      `${numberCount} of the ${names.length} column names of ${file.path} are numbers: its first line must hold the column names`,
    )
  }
}

async function loadQuery(connection: DuckDBConnection, dataset: string, sql: string): Promise<void> {
  const statements = await connection.extractStatements(sql).catch((error: unknown) => {
    // Nothing but comments is no syntax error to DuckDB; it fails without one.
    throw isSyntaxError(error) ? sqlSyntaxError(error, dataset, sql) : notAQuery(dataset)
  })
  if (statements.count !== 1) throw notAQuery(dataset)
  try {
    const prepared = await statements.prepare(0)
    if (prepared.statementType !== StatementType.SELECT) throw notAQuery(dataset)
    await connection.run(`CREATE TABLE ${RECORDS} AS ${sql}`)
  } catch (error) {
    throw error instanceof DatasetError ? error : sqlError(error, dataset, sql)
  }
}

function notAQuery(dataset: string): DatasetError {
  return new DatasetError(
    'sql-not-a-query',
    `the sql of dataset ${dataset} must be one SELECT statement and nothing else`,
  )
}

/** An SQL name, whatever it holds. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** An SQL text literal, whatever it holds. DuckDB knows no backslash escapes. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
