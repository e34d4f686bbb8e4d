/**
 * The features of a tabular job: which columns a model reads, what they may hold, and what counts as a positive label.
 *
 * The schema is public and fixed by the job before anyone looks at a record. That is why numeric features carry *public
 * plausible bounds* instead of observed extremes: an extreme is one patient's value, a bound is a fact about the world
 * (a resting blood pressure lies between 80 and 220 mm Hg). Values outside are clipped to the bounds, and the protected
 * statistics (statistics.ts) scale by them.
 *
 * One order rules everything: features in the order of the schema, a categorical feature's values in their listed order.
 */
import { z } from 'zod'
import { listField } from '../protocol/list-field.ts'
import { describeIssues } from './describe-issues.ts'
import { LearningError } from './learning-error.ts'

/** Features of one schema. */
export const FEATURES_MAX = 4096
/** Values of one categorical feature. */
export const CATEGORIES_MAX = 256

/** Names travel into reports and model descriptions: printable, no line breaks, at most 100 characters. */
const nameSchema = z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N} _.()/%-]{0,99}$/u)
/** A column as the holder's SQL names it. */
const columnSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}+$/u)

const featureBase = {
  name: nameSchema,
  column: columnSchema,
  /**
   * Adds one 0/1 input that says that the value is missing. Without it a missing number or boolean is imputed and
   * nothing tells; a missing category is the all-zero row either way.
   */
  missingIndicator: z.boolean().default(false),
}

const numericFeatureSchema = z.strictObject({
  kind: z.literal('numeric'),
  ...featureBase,
  /** Public plausible bounds in the column's own unit; values outside are clipped. */
  low: z.number(),
  high: z.number(),
  /** For people: 'mm Hg', 'mg/dl'. */
  unit: z.string().max(40).optional(),
  /** Numbers that stand for "not measured", such as a cholesterol of 0. */
  missingWhen: z.strictObject({ equals: z.array(z.number()).min(1).max(20) }).optional(),
})

const categoricalFeatureSchema = z.strictObject({
  kind: z.literal('categorical'),
  ...featureBase,
  /** The known values, compared as the column's own type ('1' equals the number 1). Any other value is missing. */
  values: listField(z.string().min(1).max(200), { min: 2, max: CATEGORIES_MAX }),
})

const booleanFeatureSchema = z.strictObject({ kind: z.literal('boolean'), ...featureBase })

const comparableSchema = z.union([z.string().max(200), z.number(), z.boolean()])

/** When a label is positive. A record whose label is missing takes no part at all. */
const positiveWhenSchema = z.union([
  z.strictObject({ greaterThan: z.number() }),
  z.strictObject({ atLeast: z.number() }),
  z.strictObject({ equals: comparableSchema }),
  z.strictObject({ oneOf: z.array(comparableSchema).min(1).max(256) }),
])

/** The zod schema of one {@link Feature}. */
export const featureFieldSchema = z.discriminatedUnion('kind', [
  numericFeatureSchema,
  categoricalFeatureSchema,
  booleanFeatureSchema,
])

/** The zod schema of {@link FeatureSchema}, for embedding in a job's schema. Throws nothing by itself. */
export const featureSchemaSchema = z
  .strictObject({
    features: listField(featureFieldSchema, { min: 1, max: FEATURES_MAX }),
    label: z.strictObject({ name: nameSchema, column: columnSchema, positiveWhen: positiveWhenSchema }),
  })
  .superRefine((schema, context) => {
    const complain = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path, message })
    const names = new Set<string>()
    for (const [i, feature] of schema.features.entries()) {
      if (names.has(feature.name)) complain(['features', i, 'name'], `two features are called ${feature.name}`)
      names.add(feature.name)
      if (feature.column.toLowerCase() === schema.label.column.toLowerCase()) {
        complain(['features', i, 'column'], 'a feature may not read the label column: the model would learn the answer')
      }
      if (feature.kind === 'numeric' && feature.low >= feature.high) {
        complain(['features', i, 'high'], `high must be above low`)
      }
      if (feature.kind === 'categorical' && new Set(feature.values).size !== feature.values.length) {
        complain(['features', i, 'values'], 'a value is listed twice')
      }
    }
  })

/** What a tabular job reads. Public: part of the job, seen by everyone. */
export type FeatureSchema = z.output<typeof featureSchemaSchema>
export type Feature = FeatureSchema['features'][number]
export type NumericFeature = Extract<Feature, { kind: 'numeric' }>
export type CategoricalFeature = Extract<Feature, { kind: 'categorical' }>
export type PositiveWhen = FeatureSchema['label']['positiveWhen']

/**
 * One feature of all records of a table, in record order. Missing is NaN in a numeric column and -1 in the others.
 * Plaintext records: never leaves the holder node, never in an error or a log.
 */
export type FeatureColumn =
  | { readonly kind: 'numeric'; readonly values: Float64Array }
  /** Index into the feature's `values`, or -1. */
  | { readonly kind: 'categorical'; readonly values: Int16Array }
  /** 1, 0, or -1. */
  | { readonly kind: 'boolean'; readonly values: Int8Array }

/**
 * The labelled records of one holder as a schema sees them. `columns` follow the order of the schema's features.
 * Plaintext records: never leaves the holder node, never in an error or a log.
 */
export type RecordTable = {
  readonly exampleCount: number
  readonly columns: readonly FeatureColumn[]
  /** 1 positive, 0 negative; records without a label are not in the table. */
  readonly labels: Uint8Array
}

/** One input of the model. Public. */
export type EncodedColumn = {
  /** Such as 'age', 'chest pain = asymptomatic', 'cholesterol is missing'. */
  readonly name: string
  readonly feature: string
  readonly role: 'number' | 'category' | 'boolean' | 'missing'
}

/**
 * Reads a feature schema from a job.
 *
 * @throws LearningError `feature-schema-invalid`: names every wrong field
 */
export function parseFeatureSchema(input: unknown): FeatureSchema {
  const result = featureSchemaSchema.safeParse(input)
  if (result.success) return result.data
  throw new LearningError(
    'feature-schema-invalid',
    `the feature schema of the job is not valid; correct it and submit the job again:\n${describeIssues(result.error)}`,
  )
}

/** The inputs of the model in their order: a feature's own columns, then its missing indicator where it has one. */
export function encodedColumns(schema: FeatureSchema): EncodedColumn[] {
  return schema.features.flatMap((feature) => {
    const columns = ownColumns(feature)
    return feature.missingIndicator
      ? [...columns, { name: `${feature.name} is missing`, feature: feature.name, role: 'missing' as const }]
      : columns
  })
}

function ownColumns(feature: Feature): EncodedColumn[] {
  switch (feature.kind) {
    case 'numeric':
      return [{ name: feature.name, feature: feature.name, role: 'number' }]
    case 'boolean':
      return [{ name: feature.name, feature: feature.name, role: 'boolean' }]
    case 'categorical':
      return feature.values.map((value) => ({
        name: `${feature.name} = ${value}`,
        feature: feature.name,
        role: 'category',
      }))
  }
}

/** The number of inputs of the model: the length of {@link encodedColumns}. */
export function inputWidth(schema: FeatureSchema): number {
  return schema.features.reduce(
    (width, feature) =>
      width + (feature.kind === 'categorical' ? feature.values.length : 1) + (feature.missingIndicator ? 1 : 0),
    0,
  )
}

/** Clips a present value to the feature's public bounds and scales it to [0, 1]. */
export function scaleToBounds(feature: NumericFeature, value: number): number {
  const clipped = Math.min(feature.high, Math.max(feature.low, value))
  return (clipped - feature.low) / (feature.high - feature.low)
}
