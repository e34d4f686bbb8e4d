import { beginDigest, type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { collecting, type StretchReader, type SumReading } from '../protocol/sum-reading.ts'
import { type FederatedEvaluation, federatedEvaluation } from './evaluation-vector.ts'
import { firstNotFinite } from './finite.ts'
import { initialWeights } from './initial-weights.ts'
import { type JobSpecification, modelOfJob } from './job-specification.ts'
import type { JobStep } from './job-steps.ts'
import { LearningError } from './learning-error.ts'
import type { Model } from './model.ts'
import { decodeModelFile, modelFilePieces } from './model-file.ts'
import { float32Bytes } from './safetensors.ts'
import { federatedStatistics } from './statistics.ts'
import { findStrategy } from './strategies.ts'
import { trainingScale, WEIGHTED_UPDATE } from './training-vector.ts'

/** What a job makes of the opened sums of one round. Coordinator and holders make the same bytes of the same sums. */
export interface RoundOutput {
  readonly name: 'statistics' | 'model' | 'evaluation'
  /** Counts from 0 for each name. */
  readonly version: number
  /** Its bytes, in pieces that follow each other. */
  readonly pieces: readonly Uint8Array[]
  /** Of the model that the round started from. */
  readonly evaluation?: FederatedEvaluation
}

/** A round's output, by its digest: what a holder holds a publication against. */
export interface RoundOutputName extends Pick<RoundOutput, 'name' | 'version'> {
  readonly digest: Digest
}

/** What an output is made for. */
export interface OutputSubject {
  readonly job: Digest
  readonly specification: JobSpecification
  readonly step: JobStep
  /** Gives the file of the model that the round started from; not for the statistics step. */
  readonly loadModel: () => Promise<Uint8Array>
}

/** Version 0 of a job's model, as the pieces of its file: weights that follow from the job's seed. */
export function initialModel(job: Digest, specification: JobSpecification): Uint8Array[] {
  const model = modelOfJob(specification)
  return modelFilePieces(model, initialWeights(model, fromHex(specification.seed)), { job })
}

/**
 * Makes the output of a step while the round's sum opens. Deterministic: a holder that verifies the sum makes it again
 * (`outputNameReading`) and compares digests (docs/adr/0011). The bytes of the loaded model are changed in place, and become the
 * next model's: a model is in memory once, and one whose sum turns out not to open is to be thrown away.
 *
 * What it reads throws LearningError: for a model file that is none, sums without an example, weights that are not finite.
 */
export function outputReading(subject: OutputSubject): SumReading<RoundOutput> {
  return stepReading(subject, inPlace, (output) => output)
}

/** As {@link outputReading}, for who wants to know the output's digest alone; the loaded model stays as it is. */
export function outputNameReading(subject: OutputSubject): SumReading<RoundOutputName> {
  return stepReading(subject, hashedOnly, ({ name, version, pieces }) => ({
    name,
    version,
    digest: digestOf(...pieces),
  }))
}

/** Where the next version's weights go. */
interface ModelTarget<Made> {
  /** Room for the next version of some weights, which follow those before. */
  roomFor(weights: Float32Array): Float32Array
  /** What was put there is whole. */
  wrote(next: Float32Array): void
  end(): Made
}

type OpenTarget<Made> = (
  version: number,
  evaluation: FederatedEvaluation,
  file: { readonly model: Model; readonly weights: Float32Array; readonly metadata: Readonly<Record<string, string>> },
) => ModelTarget<Made>

/** The weights of the file itself. */
const inPlace: OpenTarget<RoundOutput> = (version, evaluation, { model, weights, metadata }) => ({
  roomFor: (stretch) => stretch,
  wrote: () => {},
  end: () => ({ name: 'model', version, evaluation, pieces: modelFilePieces(model, weights, metadata) }),
})

/** One stretch at a time, which is forgotten when it is hashed. */
const hashedOnly: OpenTarget<RoundOutputName> = (version, _evaluation, { model, weights, metadata }) => {
  const digest = beginDigest()
  digest.add(modelFilePieces(model, weights, metadata)[0])
  let room = new Float32Array(0)
  return {
    roomFor: ({ length }) => {
      if (room.length < length) room = new Float32Array(length)
      return room.subarray(0, length)
    },
    wrote: (next) => digest.add(float32Bytes(next)),
    end: () => ({ name: 'model', version, digest: digest.end() }),
  }
}

/** @param finish what a small output becomes */
function stepReading<Made>(
  subject: OutputSubject,
  openTarget: OpenTarget<Made>,
  finish: (output: RoundOutput) => Made,
): SumReading<Made> {
  const { specification, step } = subject
  switch (step) {
    case 'statistics':
      return collecting((sums, contributors) => finish(statisticsOutput(specification, sums, contributors)))
    case 'evaluation':
      return collecting((sums) => {
        const evaluation = federatedEvaluation(sums)
        return finish({ name: 'evaluation', version: 0, pieces: [jsonBytes(evaluation)], evaluation })
      })
    case 'training':
      return {
        streamed: WEIGHTED_UPDATE,
        begin: (sums, contributors) => beginTraining(subject, sums, contributors, openTarget),
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
  const statistics = federatedStatistics(sums, specification.features, rounding)
  return { name: 'statistics', version: 0, pieces: [jsonBytes(statistics)] }
}

/** The mean update, through the strategy, to the next model version, stretch by stretch. */
async function beginTraining<Made>(
  { job, specification, loadModel }: OutputSubject,
  sums: ReadonlyMap<string, Float64Array>,
  contributors: number,
  openTarget: OpenTarget<Made>,
): Promise<StretchReader<Made>> {
  const { exampleCount, scale } = trainingScale(specification, sums)
  const evaluation = federatedEvaluation(sums)
  const { model, weights, metadata } = decodeModelFile(await loadModel())
  const strategy = findStrategy(specification.training.strategy)
  const version = Number(metadata.version ?? 0) + 1
  const target = openTarget(version, evaluation, { model, weights, metadata: { job, version: String(version) } })
  let at = 0
  return {
    take: (meanUpdate) => {
      const stretch = weights.subarray(at, at + meanUpdate.length)
      at += meanUpdate.length
      // A loop: `map` takes several times as long, and a model may have millions of weights.
      for (let i = 0; i < meanUpdate.length; i++) meanUpdate[i] *= scale
      const next = target.roomFor(stretch)
      strategy.nextWeights(stretch, { meanUpdate, exampleCount, contributors }, next)
      if (firstNotFinite(next) >= 0) {
        throw new LearningError('weights-not-finite', 'The next weights are not finite: lower the learning rate.')
      }
      target.wrote(next)
    },
    end: () => target.end(),
  }
}

function jsonBytes(value: unknown): Uint8Array {
  return new Uint8Array(Buffer.from(JSON.stringify(value)))
}
