/**
 * What the federation is measured against, on the same splits: each hospital *alone*, and all records *pooled* in one
 * place. The demo may compute both because it owns the four files; no venue with real holders could.
 */
import { createHmac } from 'node:crypto'
import { accuracy, auc } from '../../../src/learning/classification-metrics.ts'
import type { FeatureSchema, RecordTable } from '../../../src/learning/feature-schema.ts'
import type { FederatedStatistics } from '../../../src/learning/federated-statistics.ts'
import { type HoldoutSplit, holdoutSplit } from '../../../src/learning/holdout-split.ts'
import { initialWeights } from '../../../src/learning/initial-weights.ts'
import type { Model } from '../../../src/learning/model.ts'
import { encodeExamples } from '../../../src/learning/preprocessing.ts'
import { federatedStatistics, statisticsVector } from '../../../src/learning/statistics.ts'
import type { Examples, Trainer, TrainOptions } from '../../../src/learning/trainer.ts'
import { parseDatasetConfig } from '../../holder/dataset-config.ts'
import { openDataset } from '../../holder/datasets.ts'

/** Plaintext records of one hospital, in the demo's hands. */
export type HospitalRecords = { readonly name: string; readonly table: RecordTable }

export type ReferenceOptions = {
  readonly schema: FeatureSchema
  readonly model: Model
  readonly trainer: Trainer
  /** 32 bytes: the job's. Fixes splits and first weights exactly as in the federated job. */
  readonly seed: Uint8Array
  readonly holdoutFraction?: number
}

/** Federated training with `rounds` rounds of `epochs` epochs is compared with `rounds · epochs` epochs in one place. */
export type ReferenceTraining = Pick<TrainOptions, 'epochs' | 'batchSize' | 'learningRate' | 'momentum' | 'l2'> & {
  readonly rounds: number
}

/** Accuracy at 1/2 and exact AUC over held-out records; null where the held-out records are of one class only. */
export type Score = { readonly accuracy: number; readonly auc: number | null }
export type HospitalScore = Score & { readonly name: string; readonly holdoutCount: number }

export type Scores = {
  readonly hospitals: readonly HospitalScore[]
  /** Unweighted mean over the hospitals; AUC over those that have one. */
  readonly mean: Score
  /** Over the held-out records of all hospitals together; null for *alone*, whose scores come from different models. */
  readonly overall: Score | null
}

/** One hospital's two parts, encoded with given statistics. Plaintext. */
export type HospitalExamples = { readonly name: string; readonly training: Examples; readonly holdout: Examples }

/** Reads the labelled records of the hospitals' files. @throws DatasetError */
export async function loadHospitalRecords(
  hospitals: readonly { readonly name: string; readonly path: string }[],
  baseDirectory: string,
  schema: FeatureSchema,
): Promise<HospitalRecords[]> {
  const records: HospitalRecords[] = []
  for (const { name, path } of hospitals) {
    using dataset = await openDataset(parseDatasetConfig({ name, path }), { baseDirectory })
    records.push({ name, table: (await dataset.readRecords(schema)).table })
  }
  return records
}

/** Each hospital by itself: own statistics, own training part, own model. */
export async function scoreAlone(
  records: readonly HospitalRecords[],
  training: ReferenceTraining,
  options: ReferenceOptions,
): Promise<Scores> {
  const hospitals: HospitalScore[] = []
  for (const hospital of records) {
    const [part] = encodeHospitals([hospital], pooledStatistics([hospital], options), options)
    const weights = await trainInOnePlace(part.training, training, `alone/${hospital.name}`, options)
    hospitals.push(await scoreHospital(part, weights, options))
  }
  return { hospitals, mean: meanScore(hospitals), overall: null }
}

/** All training parts in one place: pooled statistics, one model. */
export async function scorePooled(
  records: readonly HospitalRecords[],
  training: ReferenceTraining,
  options: ReferenceOptions,
): Promise<Scores> {
  const parts = encodeHospitals(records, pooledStatistics(records, options), options)
  const everything = joinExamples(parts.map((part) => part.training))
  const weights = await trainInOnePlace(everything, training, 'pooled', options)
  return scoreParts(parts, weights, options)
}

/** Given weights, such as the federated model's, with the statistics that they were trained with. */
export async function scoreWeights(
  records: readonly HospitalRecords[],
  { weights, statistics }: { readonly weights: Float32Array; readonly statistics: FederatedStatistics },
  options: ReferenceOptions,
): Promise<Scores> {
  return scoreParts(encodeHospitals(records, statistics, options), weights, options)
}

/** Exact statistics of these hospitals' training parts together: what the protected sum gives but for its rounding. */
export function pooledStatistics(
  records: readonly HospitalRecords[],
  { schema, ...options }: Pick<ReferenceOptions, 'schema' | 'seed' | 'holdoutFraction'>,
): FederatedStatistics {
  const sums = new Map<string, Float64Array>()
  for (const { table } of records) {
    const vector = statisticsVector(table, schema, { split: splitOf(table, options), maxExamples: table.exampleCount })
    for (const [segment, values] of vector) {
      const sum = sums.get(segment) ?? new Float64Array(values.length)
      sums.set(
        segment,
        values.map((value, i) => sum[i] + value),
      )
    }
  }
  return federatedStatistics(sums, schema)
}

/** 32 bytes for another use of the seed. */
export function subSeed(seed: Uint8Array, label: string): Uint8Array {
  return createHmac('sha256', seed).update(label).digest()
}

function splitOf(
  table: RecordTable,
  { seed, holdoutFraction }: Pick<ReferenceOptions, 'seed' | 'holdoutFraction'>,
): HoldoutSplit {
  return holdoutSplit({ labels: table.labels, seed, holdoutFraction })
}

/** Splits and encodes each hospital. */
export function encodeHospitals(
  records: readonly HospitalRecords[],
  statistics: FederatedStatistics,
  options: ReferenceOptions,
): HospitalExamples[] {
  return records.map(({ name, table }) => {
    const { training, holdout } = splitOf(table, options)
    const encode = (part: Uint32Array) => encodeExamples(table, part, options.schema, statistics)
    return { name, training: encode(training), holdout: encode(holdout) }
  })
}

async function trainInOnePlace(
  examples: Examples,
  { rounds, epochs, ...training }: ReferenceTraining,
  label: string,
  { model, trainer, seed }: ReferenceOptions,
): Promise<Float32Array> {
  const { weights } = await trainer.train({
    model,
    weights: initialWeights(model, seed),
    examples,
    options: { ...training, epochs: rounds * epochs, shuffleSeed: subSeed(seed, `reference/${label}`) },
  })
  return weights
}

async function scoreHospital(
  { name, holdout }: HospitalExamples,
  weights: Float32Array,
  options: ReferenceOptions,
): Promise<HospitalScore> {
  return {
    name,
    holdoutCount: holdout.exampleCount,
    ...scoreOf(await scoresOf(holdout, weights, options), holdout.labels),
  }
}

async function scoreParts(
  parts: readonly HospitalExamples[],
  weights: Float32Array,
  options: ReferenceOptions,
): Promise<Scores> {
  const hospitals: HospitalScore[] = []
  for (const part of parts) hospitals.push(await scoreHospital(part, weights, options))
  const everything = joinExamples(parts.map((part) => part.holdout))
  const overall = scoreOf(await scoresOf(everything, weights, options), everything.labels)
  return { hospitals, mean: meanScore(hospitals), overall }
}

async function scoresOf(
  examples: Examples,
  weights: Float32Array,
  { model, trainer }: ReferenceOptions,
): Promise<Float32Array> {
  return (await trainer.evaluate({ model, weights, examples })).scores
}

function scoreOf(scores: Float32Array, labels: Float32Array): Score {
  return { accuracy: accuracy(scores, labels), auc: auc(scores, labels) }
}

function meanScore(scores: readonly Score[]): Score {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const aucs = scores.flatMap((score) => score.auc ?? [])
  return { accuracy: mean(scores.map((score) => score.accuracy)), auc: aucs.length === 0 ? null : mean(aucs) }
}

function joinExamples(parts: readonly Examples[]): Examples {
  return {
    features: joinArrays(parts.map((part) => part.features)),
    labels: joinArrays(parts.map((part) => part.labels)),
    exampleCount: parts.reduce((sum, part) => sum + part.exampleCount, 0),
  }
}

function joinArrays(arrays: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0))
  let at = 0
  for (const array of arrays) {
    joined.set(array, at)
    at += array.length
  }
  return joined
}
