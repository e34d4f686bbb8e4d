import { countSegment, type Segment, type SegmentValues } from '../protocol/segments.ts'
import type { JobSpecification } from './job-specification.ts'
import { LearningError } from './learning-error.ts'
import type { AggregateUpdate } from './strategy.ts'

/**
 * How a local training travels: the update times the holder's share of `maxExamples`, and the example count itself, in
 * one vector, so that the coordinator learns the weighted mean and no single holder's count.
 */
export function trainingSegments(job: JobSpecification, weightCount: number, precisionBits: number): Segment[] {
  const { updateBound } = job.training
  return [
    { name: 'weighted-update', length: weightCount, low: -updateBound, high: updateBound },
    countSegment('training-examples', 1, precisionBits),
  ]
}

/**
 * One holder's training result. Plaintext of this holder.
 *
 * The update is clipped to ±updateBound *before* it is weighted: a bound after weighting would let a small holder move
 * a weight further than a large one.
 *
 * @param received the weights the round started from. @param trained the weights after local training.
 */
export function trainingValues(
  job: JobSpecification,
  received: Float32Array,
  trained: Float32Array,
  exampleCount: number,
): Map<string, ArrayLike<number>> {
  const { updateBound, maxExamples } = job.training
  const share = exampleCount / maxExamples
  const weighted = new Float32Array(received.length)
  for (let i = 0; i < weighted.length; i++) {
    const update = trained[i] - received[i]
    weighted[i] = share * Math.min(updateBound, Math.max(-updateBound, update))
  }
  return new Map<string, ArrayLike<number>>([
    ['weighted-update', weighted],
    ['training-examples', [exampleCount]],
  ])
}

/** Reads the opened sums. @throws LearningError `training-empty` when no holder trained on a record. */
export function aggregateUpdate(job: JobSpecification, sums: SegmentValues, contributors: number): AggregateUpdate {
  const exampleCount = sums.get('training-examples')![0]
  if (exampleCount < 1) {
    throw new LearningError('training-empty', 'no holder trained on a record: check the datasets of the job')
  }
  const scale = job.training.maxExamples / exampleCount
  const weighted = sums.get('weighted-update')!
  // A loop: `from` with a function takes thirty times as long, and a model may have millions of weights.
  const meanUpdate = new Float64Array(weighted.length)
  for (let i = 0; i < meanUpdate.length; i++) meanUpdate[i] = weighted[i] * scale
  return { meanUpdate, exampleCount, contributors }
}
