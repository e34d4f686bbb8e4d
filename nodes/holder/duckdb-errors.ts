/**
 * From DuckDB's errors to ours, without a word of theirs: DuckDB quotes the line or the value it stumbled over. What is
 * taken over is the kind of error, line numbers and counts, by patterns that match nothing else.
 */
import { DatasetError } from './dataset-error.ts'

/** An error while a file was read. */
export function fileReadError(error: unknown, file: { readonly path: string; readonly format: string }): DatasetError {
  const message = messageOf(error)
  if (message.startsWith('Out of Memory Error')) return memoryExceeded(file.path)
  if (file.format === 'parquet') {
    return new DatasetError(
      'parquet-malformed',
      `${file.path} cannot be read as Parquet: write it again, or say format: csv if it is text`,
    )
  }
  const line = /^Invalid Input Error: CSV Error on Line: (\d+)\b/.exec(message)?.[1]
  const place = line ? ` (line ${line})` : ''
  return new DatasetError('csv-malformed', `${file.path} cannot be read as CSV${place}: ${csvAdvice(message)}`)
}

function csvAdvice(message: string): string {
  // The quoted line may hold these words too; then the advice is beside the point, but nothing leaks.
  const fields = /^Expected Number of Columns: (\d+) Found: (\d+)$/m.exec(message)
  if (fields) return `expected ${fields[1]} fields and found ${fields[2]}; quote fields that hold the delimiter`
  if (/Invalid unicode|not utf-8/i.test(message)) return 'it is not UTF-8; export it in that encoding'
  if (/unterminated quote/i.test(message)) return 'a quote is opened and not closed; double the quotes inside of fields'
  return 'check that it is text in UTF-8 (not a spreadsheet), that every line has the same number of fields, that quotes are closed and doubled inside of fields, and that the delimiter is right'
}

const SQL_KINDS: readonly (readonly [prefix: string, what: string])[] = [
  ['Binder Error', 'a column, type or function that does not fit'],
  ['Catalog Error', 'an unknown table or function; the tables are those listed under tables'],
  ['Permission Error', 'a file or setting that is not open to it; list every file under tables'],
]

export function isSyntaxError(error: unknown): boolean {
  return messageOf(error).includes('Parser Error')
}

/** An error while a dataset's own SQL was parsed. */
export function sqlSyntaxError(error: unknown, dataset: string, sql: string): DatasetError {
  return sqlInvalid(dataset, 'a syntax error', sqlPlace(messageOf(error), sql))
}

function sqlInvalid(dataset: string, what: string, place: string): DatasetError {
  return new DatasetError('sql-invalid', `the sql of dataset ${dataset} has ${what}${place}: correct it and try again`)
}

/** An error while a dataset's own SQL was prepared or run. */
export function sqlError(error: unknown, dataset: string, sql: string): DatasetError {
  const message = messageOf(error)
  if (message.startsWith('Out of Memory Error')) return memoryExceeded(`the sql of dataset ${dataset}`)
  const place = sqlPlace(message, sql)
  const kind = SQL_KINDS.find(([prefix]) => message.startsWith(prefix))
  if (kind) return sqlInvalid(dataset, kind[1], place)
  const advice = message.startsWith('Conversion Error')
    ? 'a value does not fit the type it is cast to; use TRY_CAST, which gives NULL instead'
    : 'run it by hand over the same files to see why'
  return new DatasetError('sql-failed', `the sql of dataset ${dataset} stopped while it ran${place}: ${advice}`)
}

/**
 * Where in the operator's SQL, by DuckDB's caret: "LINE 2: where x = 'y" and a caret below. DuckDB shortens long lines
 * with "..."; then the line alone is told.
 */
function sqlPlace(message: string, sql: string): string {
  const found = /^LINE (\d+): (.*)\n( *)\^/m.exec(message)
  if (!found) return ''
  const [, line, excerpt, indent] = found
  const column = indent.length - `LINE ${line}: `.length + 1
  const isWhole = sql.split('\n')[Number(line) - 1] === excerpt
  return ` at line ${line}${isWhole && column > 0 ? `, column ${column}` : ''}`
}

/** An error while a query of ours ran over the loaded records. */
export function recordsReadError(error: unknown, dataset: string): DatasetError {
  const message = messageOf(error)
  if (message.startsWith('Out of Memory Error')) return memoryExceeded(`dataset ${dataset}`)
  return new DatasetError(
    'sql-failed',
    `dataset ${dataset} could not be read to its end: check that its file was not changed or damaged, and open it again`,
  )
}

function memoryExceeded(what: string): DatasetError {
  return new DatasetError(
    'dataset-memory-exceeded',
    `${what} needs more memory than the holder node gives to DuckDB: raise memoryLimitMb, convert the file to Parquet, or select fewer columns`,
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}
