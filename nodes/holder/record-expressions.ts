/**
 * The SQL that reads one column as a feature or a label. All literals are quoted texts that DuckDB casts: a number of
 * the schema is never pasted into SQL as such.
 */
import type { Feature, NumericFeature, PositiveWhen } from '../../src/learning/feature-schema.ts'
import type { ResolvedColumn } from './column-lookup.ts'
import { quoteName, quoteText } from './dataset-database.ts'

/** SQL over one record. The conditions may be NULL, which counts as false. */
export type ValueExpression = {
  /** A DOUBLE, or an INTEGER (category index, 0 or 1); NULL where missing. */
  readonly value: string
  /** Present, but not of the kind that was asked for. */
  readonly isWrongType: string
  readonly isUnknown: string
  readonly isOutOfBounds: string
}

const NEVER = 'false'
const NUMBER_TYPE = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\s?\d+\)|BIGNUM|VARINT)$/
const NESTED_TYPE = /(\[\d*\]$)|^(STRUCT|MAP|UNION|BLOB|BIT|GEOMETRY)\b/

/** The value of a feature, as the columns of a RecordTable hold it. */
export function featureExpression(feature: Feature, column: ResolvedColumn): ValueExpression {
  switch (feature.kind) {
    case 'numeric':
      return numericFeatureExpression(feature, column)
    case 'boolean':
      return booleanExpression(column)
    case 'categorical':
      return categoricalExpression(feature.values, column)
  }
}

function numericFeatureExpression(feature: NumericFeature, column: ResolvedColumn): ValueExpression {
  const number = numberExpression(column)
  const missing = feature.missingWhen?.equals ?? []
  const value =
    missing.length === 0
      ? number.value
      : `CASE WHEN (${number.value}) NOT IN (${missing.map(double).join(', ')}) THEN ${number.value} END`
  return {
    ...number,
    value,
    isOutOfBounds: `(${value}) NOT BETWEEN ${double(feature.low)} AND ${double(feature.high)}`,
  }
}

/** A finite DOUBLE; NaN and infinity are missing. Text counts when it reads as a number. */
function numberExpression({ name, type }: ResolvedColumn): ValueExpression {
  const column = quoteName(name)
  const isText = isTextType(type)
  if (!isText && !NUMBER_TYPE.test(type) && type !== 'BOOLEAN') return allWrong(column)
  const cast = isText ? `TRY_CAST(${text(column)} AS DOUBLE)` : `TRY_CAST(${column} AS DOUBLE)`
  return {
    value: `CASE WHEN isfinite(${cast}) THEN ${cast} END`,
    isWrongType: `${column} IS NOT NULL AND ${cast} IS NULL`,
    isUnknown: NEVER,
    isOutOfBounds: NEVER,
  }
}

function booleanExpression({ name, type }: ResolvedColumn): ValueExpression {
  const column = quoteName(name)
  const isNumber = NUMBER_TYPE.test(type)
  if (!isNumber && !isTextType(type) && type !== 'BOOLEAN') return allWrong(column)
  // A number is a truth value only as 0 or 1; a cast would take any other for true.
  const value = isNumber
    ? `CASE WHEN ${column} IN (0, 1) THEN CAST(${column} AS INTEGER) END`
    : `CAST(TRY_CAST(${type === 'BOOLEAN' ? column : text(column)} AS BOOLEAN) AS INTEGER)`
  return {
    value,
    isWrongType: `${column} IS NOT NULL AND (${value}) IS NULL`,
    isUnknown: NEVER,
    isOutOfBounds: NEVER,
  }
}

function categoricalExpression(values: readonly string[], { name, type }: ResolvedColumn): ValueExpression {
  const column = quoteName(name)
  if (NESTED_TYPE.test(type)) return allWrong(column)
  const { subject, literal } = comparison(column, type)
  const cases = values.map((value, i) => `WHEN ${subject} = ${literal(value)} THEN ${i}`)
  const value = `CAST(CASE ${cases.join(' ')} END AS INTEGER)`
  return {
    value,
    isWrongType: NEVER,
    isUnknown: `${column} IS NOT NULL AND (${value}) IS NULL`,
    isOutOfBounds: NEVER,
  }
}

/** 1 where the rule of the schema holds, 0 where it does not, NULL where the label is missing. */
export function labelExpression(rule: PositiveWhen, column: ResolvedColumn): ValueExpression {
  if ('greaterThan' in rule || 'atLeast' in rule) {
    const number = numberExpression(column)
    const condition =
      'greaterThan' in rule
        ? `(${number.value}) > ${double(rule.greaterThan)}`
        : `(${number.value}) >= ${double(rule.atLeast)}`
    return { ...number, value: `CAST(${condition} AS INTEGER)` }
  }
  const name = quoteName(column.name)
  if (NESTED_TYPE.test(column.type)) return allWrong(name)
  const { subject, literal } = comparison(name, column.type)
  const wanted = ('oneOf' in rule ? rule.oneOf : [rule.equals]).map((value) => literal(String(value)))
  // A listed value that the column's type cannot hold is NULL, and `IN` would then say NULL instead of "not positive".
  const isPositive = `coalesce(${subject} IN (${wanted.join(', ')}), false)`
  return {
    value: `CASE WHEN ${subject} IS NOT NULL THEN CAST(${isPositive} AS INTEGER) END`,
    isWrongType: NEVER,
    isUnknown: NEVER,
    isOutOfBounds: NEVER,
  }
}

/** Numbers compare as numbers ('1' equals 1.0), truth values as truth values, everything else as trimmed text. */
function comparison(column: string, type: string): { subject: string; literal: (value: string) => string } {
  if (NUMBER_TYPE.test(type)) {
    return { subject: `CAST(${column} AS DOUBLE)`, literal: (value) => `TRY_CAST(${quoteText(value)} AS DOUBLE)` }
  }
  if (type === 'BOOLEAN') {
    return { subject: column, literal: (value) => `TRY_CAST(${quoteText(value)} AS BOOLEAN)` }
  }
  return { subject: text(column), literal: quoteText }
}

function allWrong(column: string): ValueExpression {
  return {
    value: 'CAST(NULL AS INTEGER)',
    isWrongType: `${column} IS NOT NULL`,
    isUnknown: NEVER,
    isOutOfBounds: NEVER,
  }
}

function isTextType(type: string): boolean {
  return type === 'VARCHAR' || type === 'ENUM'
}

function text(column: string): string {
  return `trim(CAST(${column} AS VARCHAR))`
}

function double(value: number): string {
  return `CAST(${quoteText(String(value))} AS DOUBLE)`
}
