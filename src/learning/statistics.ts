/**
 * The statistics step of a tabular job: what a holder adds up over its records, and how the coordinator reads the
 * opened sums. After it every holder standardises and imputes alike, and no holder's own figures have left it.
 *
 * *Which records.* Mean, variance and frequencies come from the **training part** of the split alone: a standardisation
 * that has seen the held-out records would leak them into the model. Counts of records, positive labels and missing
 * values are of **all** records, because they describe the data and do not enter the model.
 *
 * *Exactness.* Counts are exact: their range makes the quantiser's step 1. The scaled sums carry the quantiser's
 * stochastic rounding, less than one step per holder; {@link momentErrorBounds} says what that does to mean and variance.
 */
import type { Segment } from '../protocol/segments.ts'
import {
  type CategoricalFeature,
  type Feature,
  type FeatureSchema,
  type RecordTable,
  scaleToBounds,
} from './feature-schema.ts'
import type { FeatureStatistics, FederatedStatistics, NumericStatistics } from './federated-statistics.ts'
import type { HoldoutSplit } from './holdout-split.ts'
import { LearningError } from './learning-error.ts'

/** What the segments of a statistics step hold, in the order of the vector. */
export const STATISTICS_SEGMENTS = [
  /** 1: labelled records. All records. */
  'example-count',
  /** 1: records with a positive label. All records. */
  'positive-count',
  /** One per feature: records without a value. All records. */
  'missing-count',
  /** 1: records of the training part. */
  'training-example-count',
  /** One per feature: records with a value. Training part. */
  'training-present-count',
  /** One per listed value of each categorical feature, and one (true) per boolean feature. Training part. */
  'training-value-count',
  /** One per numeric feature: Σx, x scaled to [0, 1] by the public bounds. Training part. */
  'training-sum',
  /** One per numeric feature: Σx². Training part. */
  'training-square-sum',
] as const
export type StatisticsSegmentName = (typeof STATISTICS_SEGMENTS)[number]

export type StatisticsOptions = {
  /** The most labelled records one holder may bring, 1 … 2^precisionBits − 1. Public, fixed by the job. */
  readonly maxExamples: number
  /** Of the quantiser, 1 … 32. */
  readonly precisionBits: number
}

/**
 * The layout of the statistics vector. Equal at every holder and at the coordinator: it depends on public things alone.
 * Segments of length 0 are left out.
 *
 * @throws LearningError `statistics-options-invalid`
 */
export function statisticsSegments(schema: FeatureSchema, options: StatisticsOptions): Segment[] {
  checkOptions(options)
  const { maxExamples, precisionBits } = options
  const lengths = segmentLengths(schema)
  return STATISTICS_SEGMENTS.filter((name) => lengths[name] > 0).map((name) => ({
    name,
    length: lengths[name],
    low: 0,
    // A range of exactly 2^bits − 1 makes the quantiser's step 1: integers pass unchanged.
    high: isCount(name) ? 2 ** precisionBits - 1 : maxExamples,
  }))
}

/**
 * What one holder contributes: one Float64Array per segment, keyed by segment name, in the order of
 * {@link statisticsSegments}. Plaintext of this holder: protect it before it leaves the node.
 *
 * @throws LearningError `examples-too-many` when the table has more than `maxExamples` records
 */
export function statisticsVector(
  table: RecordTable,
  schema: FeatureSchema,
  { split, maxExamples }: { readonly split: HoldoutSplit; readonly maxExamples: number },
): Map<StatisticsSegmentName, Float64Array> {
  if (table.exampleCount > maxExamples) {
    throw new LearningError(
      'examples-too-many',
      `the dataset has more than the ${maxExamples} records that this job allows one holder: register a smaller one, or ask for a job with a larger maxExamples`,
    )
  }
  const lengths = segmentLengths(schema)
  const vector = new Map(
    STATISTICS_SEGMENTS.filter((name) => lengths[name] > 0).map((name) => [name, new Float64Array(lengths[name])]),
  )
  const add = (name: StatisticsSegmentName, index: number, value: number) => {
    ;(vector.get(name) as Float64Array)[index] += value
  }
  add('example-count', 0, table.exampleCount)
  for (const label of table.labels) add('positive-count', 0, label)
  add('training-example-count', 0, split.training.length)
  const offsets = featureOffsets(schema)
  for (const [i, feature] of schema.features.entries()) {
    addFeature({ feature, index: i, ...offsets[i] }, table, split, add)
  }
  return vector
}

type PlacedFeature = {
  readonly feature: Feature
  readonly index: number
  /** First place of the feature in the sums of numbers, or in the counts of values. */
  readonly numberAt: number
  readonly valueAt: number
}

function addFeature(
  { feature, index, numberAt, valueAt }: PlacedFeature,
  table: RecordTable,
  split: HoldoutSplit,
  add: (name: StatisticsSegmentName, index: number, value: number) => void,
): void {
  const { values } = table.columns[index]
  const isMissing = (value: number) => (feature.kind === 'numeric' ? Number.isNaN(value) : value < 0)
  for (const value of values) if (isMissing(value)) add('missing-count', index, 1)
  for (const record of split.training) {
    const value = values[record]
    if (isMissing(value)) continue
    add('training-present-count', index, 1)
    if (feature.kind === 'numeric') {
      const scaled = scaleToBounds(feature, value)
      add('training-sum', numberAt, scaled)
      add('training-square-sum', numberAt, scaled * scaled)
    } else if (feature.kind === 'categorical') {
      add('training-value-count', valueAt + value, 1)
    } else {
      add('training-value-count', valueAt, value)
    }
  }
}

/** The quantiser of the sums being read: how many rounded, how coarsely. Unrounded sums (a holder's own) have none. */
export type SumRounding = StatisticsOptions & { readonly contributorCount: number }

/**
 * Reads the opened sums. Counts must be whole numbers that fit each other; mean and variance are held to what their
 * bounds allow, so that rounding (or a holder that lies within its own range) cannot give a negative variance.
 *
 * @param sums by segment name, as {@link statisticsSegments} lays them out; already dequantised
 * @param rounding of the protected sum; leave it out for sums that were never quantised
 * @throws LearningError `statistics-mismatch` when the sums do not belong to this schema; `statistics-empty` when no
 *   holder has a training record
 */
export function federatedStatistics(
  sums: ReadonlyMap<string, Float64Array>,
  schema: FeatureSchema,
  rounding?: SumRounding,
): FederatedStatistics {
  const read = segmentReader(sums, schema)
  const trainingExampleCount = read('training-example-count')[0]
  if (trainingExampleCount === 0) {
    throw new LearningError(
      'statistics-empty',
      'no holder has a labelled training record: check the label column and the datasets, then submit the job again',
    )
  }
  const offsets = featureOffsets(schema)
  const features = schema.features.map((feature, index): FeatureStatistics => {
    const { numberAt, valueAt } = offsets[index]
    const counts = {
      name: feature.name,
      missingCount: read('missing-count')[index],
      presentCount: read('training-present-count')[index],
    }
    if (feature.kind === 'numeric') {
      const moments = { sum: read('training-sum')[numberAt], squareSum: read('training-square-sum')[numberAt] }
      return { kind: 'numeric', ...counts, ...numericMoments(feature, counts.presentCount, moments, rounding) }
    }
    const shares = Array.from(read('training-value-count').subarray(valueAt, valueAt + valueCount(feature)), (count) =>
      counts.presentCount === 0 ? 0 : Math.min(1, count / counts.presentCount),
    )
    return feature.kind === 'categorical'
      ? { kind: 'categorical', ...counts, frequencies: shares }
      : { kind: 'boolean', ...counts, frequency: shares[0] }
  })
  return {
    exampleCount: read('example-count')[0],
    positiveCount: read('positive-count')[0],
    trainingExampleCount,
    features,
  }
}

/**
 * How far quantisation can move a feature's mean and variance from those of the unrounded sums, as fractions of
 * (high − low) and (high − low)². Each of H holders rounds each sum by less than one step, maxExamples / (2^bits − 1):
 * with δ = H·step/n, |Δmean| < δ and |Δvariance| < δ + 2δ + δ². Worst case; the rounding is unbiased, so that the
 * typical error is about √H instead of H steps. At 32 bits, 4 holders, maxExamples 10,000 and n = 700: δ = 1.4·10⁻⁸.
 */
export function momentErrorBounds(presentCount: number, rounding: SumRounding): { mean: number; variance: number } {
  const step = rounding.maxExamples / (2 ** rounding.precisionBits - 1)
  const delta = (rounding.contributorCount * step) / presentCount
  return { mean: delta, variance: 3 * delta + delta * delta }
}

function numericMoments(
  { low, high }: { readonly low: number; readonly high: number },
  presentCount: number,
  { sum, squareSum }: { readonly sum: number; readonly squareSum: number },
  rounding: SumRounding | undefined,
): Pick<NumericStatistics, 'mean' | 'variance' | 'standardDeviation'> {
  if (presentCount === 0) return { mean: (low + high) / 2, variance: 0, standardDeviation: 0 }
  const mean = Math.min(1, Math.max(0, sum / presentCount))
  const variance = squareSum / presentCount - mean * mean
  // Doubles leave about n·2^-53 of the same kind, hence the floor that also holds without quantisation.
  const noise = Math.max(1e-12, rounding ? momentErrorBounds(presentCount, rounding).variance : 0)
  // A spread within [0, 1] never exceeds 1/4 (Popoviciu).
  const scaledVariance = variance <= noise ? 0 : Math.min(0.25, variance)
  const range = high - low
  return {
    mean: low + mean * range,
    variance: scaledVariance * range * range,
    standardDeviation: Math.sqrt(scaledVariance) * range,
  }
}

function segmentReader(
  sums: ReadonlyMap<string, Float64Array>,
  schema: FeatureSchema,
): (name: StatisticsSegmentName) => Float64Array {
  const lengths = segmentLengths(schema)
  for (const name of STATISTICS_SEGMENTS) {
    const values = sums.get(name)
    const wanted = lengths[name]
    if ((values?.length ?? 0) !== wanted) {
      throw mismatch(`segment ${name} has ${values?.length ?? 0} values instead of ${wanted}`)
    }
    const isWrong = isCount(name)
      ? (x: number) => !Number.isSafeInteger(x) || x < 0
      : (x: number) => !Number.isFinite(x)
    if (values?.some(isWrong)) {
      throw mismatch(
        `segment ${name} holds ${isCount(name) ? 'something other than counts' : 'a number that is not finite'}`,
      )
    }
  }
  const empty = new Float64Array(0)
  return (name) => sums.get(name) ?? empty
}

function checkOptions({ maxExamples, precisionBits }: StatisticsOptions): void {
  if (!Number.isInteger(precisionBits) || precisionBits < 1 || precisionBits > 32) {
    throw new LearningError(
      'statistics-options-invalid',
      `precisionBits is a whole number of 1 … 32, not ${precisionBits}`,
    )
  }
  const most = 2 ** precisionBits - 1
  if (!Number.isInteger(maxExamples) || maxExamples < 1 || maxExamples > most) {
    throw new LearningError(
      'statistics-options-invalid',
      `maxExamples is a whole number of 1 … ${most} at ${precisionBits} bits, not ${maxExamples}: raise precisionBits or lower maxExamples`,
    )
  }
}

function isCount(name: StatisticsSegmentName): boolean {
  return name !== 'training-sum' && name !== 'training-square-sum'
}

function valueCount(feature: Exclude<Feature, { kind: 'numeric' }>): number {
  return feature.kind === 'categorical' ? (feature satisfies CategoricalFeature).values.length : 1
}

function segmentLengths(schema: FeatureSchema): Record<StatisticsSegmentName, number> {
  const featureCount = schema.features.length
  const numericCount = schema.features.filter((feature) => feature.kind === 'numeric').length
  const valuesCount = schema.features.reduce(
    (sum, feature) => sum + (feature.kind === 'numeric' ? 0 : valueCount(feature)),
    0,
  )
  return {
    'example-count': 1,
    'positive-count': 1,
    'missing-count': featureCount,
    'training-example-count': 1,
    'training-present-count': featureCount,
    'training-value-count': valuesCount,
    'training-sum': numericCount,
    'training-square-sum': numericCount,
  }
}

function featureOffsets(schema: FeatureSchema): { numberAt: number; valueAt: number }[] {
  let numberAt = 0
  let valueAt = 0
  return schema.features.map((feature) => {
    const offsets = { numberAt, valueAt }
    if (feature.kind === 'numeric') numberAt += 1
    else valueAt += valueCount(feature)
    return offsets
  })
}

function mismatch(what: string): LearningError {
  return new LearningError('statistics-mismatch', `the statistics do not belong to this feature schema: ${what}`)
}
