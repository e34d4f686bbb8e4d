import { checkSegment, type Segment, type VectorLayout, vectorLength } from '../protocol/segments.ts'
import { evaluationSegments } from './evaluation-vector.ts'
import { type JobSpecification, modelOfJob } from './job-specification.ts'
import { weightCount } from './model.ts'
import { statisticsSegments } from './statistics.ts'
import { trainingSegments } from './training-vector.ts'

/**
 * The protected steps of a job, in order: `statistics` once; `training` as often as the job says, each of which also
 * evaluates the model it starts from; `evaluation` of the last model.
 */
export const jobSteps = ['statistics', 'training', 'evaluation'] as const

export type JobStep = (typeof jobSteps)[number]

export function isJobStep(step: string): step is JobStep {
  return (jobSteps as readonly string[]).includes(step)
}

/** Names of a plan's inputs: what a step works from. */
export const stepInputs = {
  statistics: [],
  training: ['statistics', 'model'],
  evaluation: ['statistics', 'model'],
} as const satisfies Record<JobStep, readonly string[]>

/**
 * The layout of a step's vector. It follows from the job alone, so that a holder can hold every plan against it: a plan
 * with another shape or other bounds is refused, whatever the coordinator says.
 */
export function stepLayout(job: JobSpecification, step: JobStep): VectorLayout {
  const { precisionBits: trainingBits, statisticsPrecisionBits } = job.protection
  const precisionBits = step === 'statistics' ? statisticsPrecisionBits : trainingBits
  return { precisionBits, segments: [...stepSegments(job, step, precisionBits), checkSegment(precisionBits)] }
}

function stepSegments(job: JobSpecification, step: JobStep, precisionBits: number): Segment[] {
  switch (step) {
    case 'statistics':
      return statisticsSegments(job.features, { maxExamples: job.training.maxExamples, precisionBits })
    case 'training':
      return [
        ...trainingSegments(job, weightCount(modelOfJob(job)), precisionBits),
        ...evaluationSegments(job, precisionBits),
      ]
    case 'evaluation':
      return evaluationSegments(job, precisionBits)
  }
}

/** Whether two layouts are the same in every length, bound and name. */
export function sameLayout(a: VectorLayout, b: VectorLayout): boolean {
  return vectorLength(a) === vectorLength(b) && JSON.stringify(layoutKey(a)) === JSON.stringify(layoutKey(b))
}

function layoutKey({ precisionBits, segments }: VectorLayout) {
  return [precisionBits, segments.map(({ name, length, low, high }) => [name, length, low, high])]
}
