/**
 * What the opened sums of the statistics step say about a feature schema, and how a holder checks it when it arrives.
 */
import { z } from 'zod'
import { listField } from '../protocol/list-field.ts'
import { describeIssues } from './describe-issues.ts'
import { CATEGORIES_MAX, FEATURES_MAX, type Feature, type FeatureSchema } from './feature-schema.ts'
import { LearningError } from './learning-error.ts'

/** Population mean and variance (divided by n) of a numeric feature over the training parts of all holders. */
export type NumericStatistics = {
  readonly kind: 'numeric'
  readonly name: string
  /** Among all records. */
  readonly missingCount: number
  /** Among the training records. */
  readonly presentCount: number
  /** In the feature's own unit, within its bounds; the middle of the bounds when nobody has the feature. */
  readonly mean: number
  /** In the squared unit; 0 when it does not stand out from the quantisation error, so that noise is never scaled up. */
  readonly variance: number
  readonly standardDeviation: number
}

export type CategoricalStatistics = {
  readonly kind: 'categorical'
  readonly name: string
  readonly missingCount: number
  readonly presentCount: number
  /** Share of each listed value among the present ones, in schema order; all 0 when nobody has the feature. */
  readonly frequencies: readonly number[]
}

export type BooleanStatistics = {
  readonly kind: 'boolean'
  readonly name: string
  readonly missingCount: number
  readonly presentCount: number
  /** Share of true among the present ones; 0 when nobody has the feature. */
  readonly frequency: number
}

export type FeatureStatistics = NumericStatistics | CategoricalStatistics | BooleanStatistics

/** What the opened sums say. Every participant and the researcher see it; JSON-safe. */
export type FederatedStatistics = {
  readonly exampleCount: number
  readonly positiveCount: number
  readonly trainingExampleCount: number
  /** In the order of the schema's features. */
  readonly features: readonly FeatureStatistics[]
}

const count = z.number().int().min(0)
const share = z.number().min(0).max(1)
const statisticsCounts = { name: z.string().max(100), missingCount: count, presentCount: count }
const federatedStatisticsSchema = z.strictObject({
  exampleCount: count,
  positiveCount: count,
  trainingExampleCount: count.min(1),
  features: listField(
    z.discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('numeric'),
        ...statisticsCounts,
        mean: z.number(),
        variance: z.number().min(0),
        standardDeviation: z.number().min(0),
      }),
      z.strictObject({
        kind: z.literal('categorical'),
        ...statisticsCounts,
        frequencies: listField(share, { max: CATEGORIES_MAX }),
      }),
      z.strictObject({ kind: z.literal('boolean'), ...statisticsCounts, frequency: share }),
    ]),
    { max: FEATURES_MAX },
  ),
})

/**
 * Reads statistics that came over the wire: the shape, that they belong to `schema`, and that each mean lies within its
 * public bounds and each deviation within half of their distance. A holder standardises with nothing else.
 *
 * @throws LearningError `statistics-mismatch`
 */
export function parseFederatedStatistics(input: unknown, schema: FeatureSchema): FederatedStatistics {
  const result = federatedStatisticsSchema.safeParse(input)
  if (!result.success) throw mismatch(describeIssues(result.error))
  const { features } = result.data
  if (features.length !== schema.features.length) throw mismatch(`they describe ${features.length} features`)
  for (const [i, feature] of schema.features.entries()) checkFeatureStatistics(feature, features[i])
  return result.data
}

function checkFeatureStatistics(feature: Feature, statistics: FeatureStatistics): void {
  if (statistics.name !== feature.name || statistics.kind !== feature.kind) {
    throw mismatch(`they describe ${statistics.kind} ${statistics.name} where the schema has ${feature.name}`)
  }
  if (feature.kind === 'categorical') {
    if ((statistics as CategoricalStatistics).frequencies.length !== feature.values.length) {
      throw mismatch(`${feature.name} has another number of values`)
    }
  } else if (feature.kind === 'numeric') {
    const { mean, standardDeviation } = statistics as NumericStatistics
    const halfRange = (feature.high - feature.low) / 2
    // Room for the last bit of low + mean·range.
    const slack = halfRange * 1e-9
    if (mean < feature.low - slack || mean > feature.high + slack || standardDeviation > halfRange + slack) {
      throw mismatch(`the mean or deviation of ${feature.name} is impossible within its public bounds`)
    }
  }
}

function mismatch(what: string): LearningError {
  return new LearningError('statistics-mismatch', `the statistics do not belong to this feature schema: ${what}`)
}
