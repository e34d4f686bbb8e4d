/** Finds the columns that a feature schema names among those of a dataset. */
import type { FeatureSchema } from '../../src/learning/feature-schema.ts'
import { DatasetError } from './dataset-error.ts'

/** A column of the dataset, by the dataset's own spelling. */
export type ResolvedColumn = { readonly name: string; readonly type: string }

/** How many column names an error lists. */
const LISTED_COLUMNS = 40

/**
 * Exact names first, then without regard to case, as SQL does.
 *
 * @throws DatasetError `column-missing`: names every missing column with its nearest neighbour, and what exists. When
 *   not one column of the schema is there, nothing is listed: the "names" may be the first record of a file without a
 *   header.
 */
export function findColumns(
  dataset: { readonly name: string; readonly columns: readonly ResolvedColumn[] },
  schema: FeatureSchema,
): { featureColumns: ResolvedColumn[]; labelColumn: ResolvedColumn } {
  const wanted = [...schema.features.map((feature) => feature.column), schema.label.column]
  const found = wanted.map(
    (name) =>
      dataset.columns.find((column) => column.name === name) ??
      dataset.columns.find((column) => column.name.toLowerCase() === name.toLowerCase()),
  )
  const missing = [...new Set(wanted.filter((_, i) => !found[i]))]
  if (missing.length > 0) throw columnMissing(dataset, missing, missing.length === new Set(wanted).size)
  const columns = found as ResolvedColumn[]
  return { featureColumns: columns.slice(0, -1), labelColumn: columns[columns.length - 1] }
}

function columnMissing(
  { name, columns }: { readonly name: string; readonly columns: readonly ResolvedColumn[] },
  missing: readonly string[],
  isNoneFound: boolean,
): DatasetError {
  if (isNoneFound) {
    return new DatasetError(
      'column-missing',
      `dataset ${name} has none of the ${missing.length} columns of the job (${missing.join(', ')}) among its ${columns.length}: check that it is the right dataset and that its first line holds the column names`,
    )
  }
  const names = columns.map((column) => column.name)
  const asked = missing.map((column) => {
    const nearest = nearestName(column, names)
    return nearest ? `${column} (did you mean ${nearest}?)` : column
  })
  const listed = names.slice(0, LISTED_COLUMNS).join(', ')
  const more = names.length > LISTED_COLUMNS ? `, and ${names.length - LISTED_COLUMNS} more` : ''
  return new DatasetError(
    'column-missing',
    `dataset ${name} has no column ${asked.join(', ')}; rename it in the dataset's sql. Its columns: ${listed}${more}`,
  )
}

/** The most similar name, unless more than a third of it would have to change. 'chol' is close to 'cholesterol'. */
function nearestName(wanted: string, names: readonly string[]): string | undefined {
  const key = (name: string) => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')
  const [best] = names
    .map((name) => ({ name, distance: nameDistance(key(wanted), key(name)) }))
    .sort((a, b) => a.distance - b.distance)
  return best && best.distance <= Math.max(1, Math.floor(wanted.length / 3)) ? best.name : undefined
}

function nameDistance(a: string, b: string): number {
  const isAbbreviation = Math.min(a.length, b.length) >= 3 && (a.startsWith(b) || b.startsWith(a))
  return isAbbreviation ? 1 : editDistance(a, b)
}

/** Levenshtein's distance, row by row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}
