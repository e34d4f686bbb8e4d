import { type Digest, fromHex } from '../crypto/digest.ts'
import { type FederatedEvaluation, federatedEvaluation } from './evaluation-vector.ts'
import { initialWeights } from './initial-weights.ts'
import { type JobSpecification, modelOfJob } from './job-specification.ts'
import type { JobStep } from './job-steps.ts'
import { LearningError } from './learning-error.ts'
import { decodeModelFile, encodeModelFile } from './model-file.ts'
import { federatedStatistics } from './statistics.ts'
import { findStrategy } from './strategies.ts'
import { aggregateUpdate } from './training-vector.ts'

/** What a job makes of the opened sums of one round. Coordinator and holders make the same bytes of the same sums. */
export interface RoundOutput {
  readonly name: 'statistics' | 'model' | 'evaluation'
  /** Counts from 0 for each name. */
  readonly version: number
  readonly bytes: Uint8Array
  /** Of the model that the round started from. */
  readonly evaluation?: FederatedEvaluation
}

/** Version 0 of a job's model: weights that follow from the job's seed. */
export function initialModel(job: Digest, specification: JobSpecification): Uint8Array {
  const model = modelOfJob(specification)
  return encodeModelFile(model, initialWeights(model, fromHex(specification.seed)), { job })
}

/**
 * The output of a step. Deterministic: a holder that has verified the sums recomputes it and compares digests
 * (docs/adr/0011).
 *
 * @param sums Σ over the contributors, per segment, in the values' own units
 * @param model the file of the model that the round started from; not for the statistics step
 * @throws LearningError for a model file that is none, sums without an example, weights that are not finite
 */
export function roundOutput(
  job: Digest,
  specification: JobSpecification,
  step: JobStep,
  model: Uint8Array | undefined,
  sums: ReadonlyMap<string, Float64Array>,
  contributorCount: number,
): RoundOutput {
  switch (step) {
    case 'statistics':
      return statisticsOutput(specification, sums, contributorCount)
    case 'training':
      return trainingOutput(job, specification, requireModel(model), sums, contributorCount)
    case 'evaluation': {
      const evaluation = federatedEvaluation(sums)
      return { name: 'evaluation', version: 0, bytes: jsonBytes(evaluation), evaluation }
    }
  }
}

function statisticsOutput(
  specification: JobSpecification,
  sums: ReadonlyMap<string, Float64Array>,
  contributorCount: number,
): RoundOutput {
  const rounding = {
    maxExamples: specification.training.maxExamples,
    precisionBits: specification.protection.statisticsPrecisionBits,
    contributorCount,
  }
  return {
    name: 'statistics',
    version: 0,
    bytes: jsonBytes(federatedStatistics(sums, specification.features, rounding)),
  }
}

/** The mean update, through the strategy, to the next model version. */
function trainingOutput(
  job: Digest,
  specification: JobSpecification,
  file: Uint8Array,
  sums: ReadonlyMap<string, Float64Array>,
  contributorCount: number,
): RoundOutput {
  const { model, weights, metadata } = decodeModelFile(file)
  const aggregate = aggregateUpdate(specification, sums, contributorCount)
  const next = findStrategy(specification.training.strategy).nextWeights(weights, aggregate)
  const version = Number(metadata.version ?? 0) + 1
  const bytes = encodeModelFile(model, next, { job, version: String(version) })
  return { name: 'model', version, bytes, evaluation: federatedEvaluation(sums) }
}

function requireModel(model: Uint8Array | undefined): Uint8Array {
  if (model) return model
  throw new LearningError('model-invalid', 'A training step starts from a model, and none was given: a fault of ours.')
}

function jsonBytes(value: unknown): Uint8Array {
  return new Uint8Array(Buffer.from(JSON.stringify(value)))
}
