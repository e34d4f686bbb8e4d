import { SluiceError } from '../../src/sluice-error.ts'

/** Why a holder's dataset cannot be opened or does not serve a job. */
export type DatasetErrorCode =
  /** The entry of the holder's configuration is not a dataset. */
  | 'dataset-config-invalid'
  | 'file-not-found'
  /** It exists, but is a directory or not readable by this process. */
  | 'file-not-readable'
  /** Neither CSV nor Parquet by its name. */
  | 'file-format-unknown'
  /** Broken quoting, lines of different lengths, another encoding, binary content. */
  | 'csv-malformed'
  /** The first line holds values, not column names. */
  | 'csv-without-header'
  | 'parquet-malformed'
  /** More than one statement, or one that is not a query. */
  | 'sql-not-a-query'
  /** A syntax error, an unknown table or column. */
  | 'sql-invalid'
  /** The query is sound but stopped on the data. */
  | 'sql-failed'
  /** The job names a column that the dataset does not have. */
  | 'column-missing'
  /** The column's values are not of the kind the job expects. */
  | 'column-type-mismatch'
  | 'dataset-empty'
  | 'records-too-few'
  | 'dataset-memory-exceeded'
  | 'dataset-closed'

/**
 * Every error that opening and reading a holder's datasets throws on purpose. A message may name files, columns and
 * counts of records. It never holds a value of a record, and no error carries DuckDB's own message or a `cause`:
 * DuckDB quotes the line or value it stumbled over.
 */
export class DatasetError extends SluiceError<DatasetErrorCode> {}
