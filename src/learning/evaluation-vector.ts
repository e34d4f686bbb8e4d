import { countSegment, type Segment, type SegmentValues } from '../protocol/segments.ts'
import {
  accuracyFromHistograms,
  aucFromHistograms,
  type BinnedMetric,
  LOG_LOSS_FLOOR,
  scoreHistograms,
} from './classification-metrics.ts'
import type { JobSpecification } from './job-specification.ts'
import { LearningError } from './learning-error.ts'

/** The largest cross-entropy of one example, in nats; what is above is clipped to it. */
const LOSS_MAX = -Math.log(LOG_LOSS_FLOOR)

/**
 * How the evaluation of a model travels: Σ loss, and the held-out scores as two histograms. Counts are exact; the loss
 * carries the quantiser's rounding.
 */
export function evaluationSegments(job: JobSpecification, precisionBits: number): Segment[] {
  return [
    { name: 'holdout-loss', length: 1, low: 0, high: LOSS_MAX * job.training.maxExamples },
    countSegment('holdout-positives', job.evaluation.bins, precisionBits),
    countSegment('holdout-negatives', job.evaluation.bins, precisionBits),
  ]
}

/**
 * One holder's evaluation of the model it was sent, on its held-out part. Plaintext of this holder.
 * @param scores one probability per held-out record. @param meanLoss in nats.
 */
export function evaluationValues(
  job: JobSpecification,
  scores: Float32Array,
  labels: Float32Array,
  meanLoss: number,
): Map<string, ArrayLike<number>> {
  const { positives, negatives } = scoreHistograms(scores, labels, job.evaluation.bins)
  return new Map<string, ArrayLike<number>>([
    ['holdout-loss', [meanLoss * labels.length]],
    ['holdout-positives', positives],
    ['holdout-negatives', negatives],
  ])
}

/** What a sum of evaluations says about one model version. Everyone who takes part sees it. */
export interface FederatedEvaluation {
  /** Held-out records behind it. */
  readonly exampleCount: number
  readonly meanLoss: number
  readonly accuracy: BinnedMetric
  /** null when one class is missing. */
  readonly auc: BinnedMetric | null
}

/** Reads the opened sums. @throws LearningError `evaluation-empty` when no holder held a record out. */
export function federatedEvaluation(sums: SegmentValues): FederatedEvaluation {
  const positives = sums.get('holdout-positives')!
  const negatives = sums.get('holdout-negatives')!
  const accuracy = accuracyFromHistograms({ positives, negatives })
  if (!accuracy) {
    throw new LearningError(
      'evaluation-empty',
      'no holder holds out a record: raise holdoutFraction, or bring more data',
    )
  }
  const exampleCount = total(positives) + total(negatives)
  return {
    exampleCount,
    meanLoss: sums.get('holdout-loss')![0] / exampleCount,
    accuracy,
    auc: aucFromHistograms({ positives, negatives }),
  }
}

function total(counts: ArrayLike<number>): number {
  return Array.from(counts).reduce((sum, count) => sum + count, 0)
}
