import { countSegment, type Segment, type SegmentValues } from '../protocol/segments.ts'
import type { JobSpecification } from './job-specification.ts'
import { LearningError } from './learning-error.ts'

/** The segment that is as long as the model: opened sums of it come in stretches (docs/adr/0016). */
export const WEIGHTED_UPDATE = 'weighted-update'

/**
 * How a local training travels: the update times the holder's share of `maxExamples`, and the example count itself, in
 * one vector, so that the coordinator learns the weighted mean and no single holder's count.
 */
export function trainingSegments(job: JobSpecification, weightCount: number, precisionBits: number): Segment[] {
  const { updateBound } = job.training
  return [
    { name: WEIGHTED_UPDATE, length: weightCount, low: -updateBound, high: updateBound },
    countSegment('training-examples', 1, precisionBits),
  ]
}

/**
 * One holder's training result. Plaintext of this holder.
 *
 * The update is clipped to ±updateBound *before* it is weighted: a bound after weighting would let a small holder move
 * a weight further than a large one.
 *
 * @param received the weights the round started from. @param trained the weights after local training: overwritten, so that a large
 * update is held once.
 */
export function trainingValues(
  job: JobSpecification,
  received: Float32Array,
  trained: Float32Array,
  exampleCount: number,
): Map<string, ArrayLike<number>> {
  const { updateBound, maxExamples } = job.training
  const share = exampleCount / maxExamples
  for (let i = 0; i < trained.length; i++) {
    const update = trained[i] - received[i]
    trained[i] = share * Math.min(updateBound, Math.max(-updateBound, update))
  }
  return new Map<string, ArrayLike<number>>([
    [WEIGHTED_UPDATE, trained],
    ['training-examples', [exampleCount]],
  ])
}

/** How many examples are behind a sum, and what its weighted updates are multiplied by to be the mean. */
export interface TrainingScale {
  readonly exampleCount: number
  readonly scale: number
}

/** Reads the example count of the opened sums. @throws LearningError `training-empty` when no holder trained on a record. */
export function trainingScale(job: JobSpecification, sums: SegmentValues): TrainingScale {
  const exampleCount = sums.get('training-examples')![0]
  if (exampleCount < 1) {
    throw new LearningError('training-empty', 'no holder trained on a record: check the datasets of the job')
  }
  return { exampleCount, scale: job.training.maxExamples / exampleCount }
}
