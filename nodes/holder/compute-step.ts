import { createHmac } from 'node:crypto'
import { type Digest, fromHex } from '../../src/crypto/digest.ts'
import { evaluationValues } from '../../src/learning/evaluation-vector.ts'
import { parseFederatedStatistics } from '../../src/learning/federated-statistics.ts'
import { type JobSpecification, modelOfJob } from '../../src/learning/job-specification.ts'
import type { JobStep } from '../../src/learning/job-steps.ts'
import { canonicalModelJson } from '../../src/learning/model.ts'
import { decodeModelFile } from '../../src/learning/model-file.ts'
import type { Trainer } from '../../src/learning/trainer.ts'
import { trainingValues } from '../../src/learning/training-vector.ts'
import type { SegmentValues } from '../../src/protocol/segments.ts'
import type { Dataset } from './datasets.ts'
import { HolderError } from './holder-error.ts'
import {
  type JobRecords,
  jobStatistics,
  loadJobRecords,
  type PreparedExamples,
  prepareExamples,
} from './prepared-examples.ts'
import { suspectUnits } from './record-extraction.ts'

/** Gives the bytes of a plan's input, checked against its digest. */
export type FetchInput = (digest: Digest) => Promise<Uint8Array>

/** Takes what only the operator of this holder may know. */
export type OperatorWarning = (warning: string) => void

/**
 * One job at one holder: its records and examples, read once and kept while the job's rounds come. All of it is
 * plaintext of this holder and stays in this process.
 */
export class JobWorkspace {
  readonly job: Digest
  readonly #specification: JobSpecification
  readonly #dataset: Dataset
  readonly #trainer: Trainer
  readonly #warn: OperatorWarning
  #records: Promise<JobRecords> | undefined
  #prepared: { readonly statistics: Digest; readonly examples: Promise<PreparedExamples> } | undefined

  constructor(job: Digest, specification: JobSpecification, dataset: Dataset, trainer: Trainer, warn: OperatorWarning) {
    this.job = job
    this.#specification = specification
    this.#dataset = dataset
    this.#trainer = trainer
    this.#warn = warn
  }

  /**
   * The values of one step, by segment, as `stepLayout` lays them out. Plaintext: protect it before it leaves.
   * @throws DatasetError, LearningError, HolderError `model-mismatch`
   */
  async compute(
    step: JobStep,
    round: number,
    inputs: ReadonlyMap<string, Digest>,
    fetch: FetchInput,
    holder: string,
  ): Promise<SegmentValues> {
    if (step === 'statistics') return jobStatistics(await this.#loadRecords(), this.#specification.training.maxExamples)
    const [examples, weights] = await Promise.all([
      this.#prepare(inputs.get('statistics')!, fetch),
      this.#fetchWeights(inputs.get('model')!, fetch),
    ])
    const evaluation = await this.#evaluate(weights, examples)
    if (step === 'evaluation') return evaluation
    const training = await this.#train(weights, examples, this.#shuffleSeed(holder, round))
    return new Map([...training, ...evaluation])
  }

  #loadRecords(): Promise<JobRecords> {
    if (!this.#records) {
      const { features, seed, evaluation } = this.#specification
      this.#records = loadJobRecords(this.#dataset, features, {
        splitSeed: fromHex(seed),
        holdoutFraction: evaluation.holdoutFraction,
      })
      // A failure is not kept: the next round tries again.
      this.#records.then(
        ({ features: reports }) => this.#warnOfUnits(reports),
        () => {
          this.#records = undefined
        },
      )
    }
    return this.#records
  }

  #warnOfUnits(reports: JobRecords['features']): void {
    for (const { name, outOfBoundsCount, presentCount } of suspectUnits(reports)) {
      this.#warn(
        `${outOfBoundsCount} of ${presentCount} values of ${name} lie outside of the job's bounds and are clipped: is the unit another? Convert it in the dataset's sql.`,
      )
    }
  }

  #prepare(statistics: Digest, fetch: FetchInput): Promise<PreparedExamples> {
    if (this.#prepared?.statistics !== statistics) {
      const prepared = { statistics, examples: this.#encodeExamples(statistics, fetch) }
      this.#prepared = prepared
      // As above: the coordinator may only have been away while the statistics were fetched.
      prepared.examples.catch(() => {
        if (this.#prepared === prepared) this.#prepared = undefined
      })
    }
    return this.#prepared.examples
  }

  async #encodeExamples(statistics: Digest, fetch: FetchInput): Promise<PreparedExamples> {
    const statisticsFile = parseJson(await fetch(statistics))
    return prepareExamples(
      await this.#loadRecords(),
      parseFederatedStatistics(statisticsFile, this.#specification.features),
    )
  }

  async #fetchWeights(digest: Digest, fetch: FetchInput): Promise<Float32Array> {
    const { model, weights } = decodeModelFile(await fetch(digest))
    if (canonicalModelJson(model) !== canonicalModelJson(modelOfJob(this.#specification))) {
      throw new HolderError(
        'model-mismatch',
        'The plan brings a model of another shape than the job describes: refused.',
      )
    }
    return weights
  }

  async #evaluate(weights: Float32Array, { holdout }: PreparedExamples) {
    const job = this.#specification
    if (holdout.exampleCount === 0) return evaluationValues(job, new Float32Array(0), new Float32Array(0), 0)
    const { scores, meanLoss } = await this.#trainer.evaluate({ model: modelOfJob(job), weights, examples: holdout })
    return evaluationValues(job, scores, holdout.labels, meanLoss)
  }

  async #train(weights: Float32Array, { training }: PreparedExamples, shuffleSeed: Uint8Array) {
    const job = this.#specification
    const { epochs, batchSize, learningRate } = job.training
    const options = { epochs, batchSize, learningRate, shuffleSeed }
    const trained = await this.#trainer.train({ model: modelOfJob(job), weights, examples: training, options })
    return trainingValues(job, weights, trained.weights, training.exampleCount)
  }

  /** The order of examples follows from the job's seed, so that a run can be repeated. */
  #shuffleSeed(holder: string, round: number): Uint8Array {
    return createHmac('sha256', fromHex(this.#specification.seed)).update(`shuffle/${holder}/${round}`).digest()
  }
}

/** What is no JSON is `undefined`, which no schema takes. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}
