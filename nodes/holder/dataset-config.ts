import { z } from 'zod'
import { DatasetError } from './dataset-error.ts'

/** What stands for "no value" in a CSV unless the dataset says otherwise. */
const DEFAULT_MISSING_TEXTS = ['', '?', 'NA', 'N/A', 'NaN', 'nan', 'NULL', 'null']

const fileOptions = {
  /** Relative to the directory of the configuration file. */
  path: z.string().min(1),
  /** By the file's extension unless told: .csv, .tsv (also .gz, .zst), .parquet. */
  format: z.enum(['csv', 'parquet']).optional(),
  /** CSV only: one character; a comma unless told, a tab for .tsv. Never guessed: a wrong guess shifts columns. */
  delimiter: z.string().length(1).optional(),
  /** CSV only. */
  decimalSeparator: z.enum(['.', ',']).default('.'),
  /** CSV only: texts that mean "no value". */
  missingTexts: z.array(z.string().max(40)).max(40).default(DEFAULT_MISSING_TEXTS),
}

const fileSchema = z.strictObject(fileOptions)
/** A file, or its path alone. */
const tableFileSchema = z.union([
  fileSchema,
  z
    .string()
    .transform((path) => ({ path }))
    .pipe(fileSchema),
])

const datasetNameSchema = z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/, 'a–z, 0–9, "_", "." and "-"')
const tableNameSchema = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, 'an SQL name: letters, digits and "_"')

/**
 * A dataset in a holder's configuration file: one CSV or Parquet file, or an SQL query over named ones. The query is
 * the operator's own; it should end in ORDER BY when it joins or groups, because the order of the records decides which
 * of them are held out.
 */
export const datasetConfigSchema = z.union([
  z.strictObject({ name: datasetNameSchema, ...fileOptions }),
  z.strictObject({
    name: datasetNameSchema,
    sql: z.string().min(1).max(100_000),
    tables: z.record(tableNameSchema, tableFileSchema),
  }),
])

export type DatasetConfig = z.output<typeof datasetConfigSchema>
export type DatasetConfigInput = z.input<typeof datasetConfigSchema>
/** One file that DuckDB may read. */
export type TableFile = z.output<typeof tableFileSchema>

/** @throws DatasetError `dataset-config-invalid`: names every wrong field */
export function parseDatasetConfig(input: unknown): DatasetConfig {
  const result = datasetConfigSchema.safeParse(input)
  if (result.success) return result.data
  throw new DatasetError(
    'dataset-config-invalid',
    `a dataset of the configuration is not valid; give it {name, path} or {name, sql, tables}:\n${z.prettifyError(result.error)}`,
  )
}
