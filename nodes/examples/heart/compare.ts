/**
 * Prints the table of README.md: federated, alone and pooled over ten seeds, with the federated averaging done in the
 * clear. It shows what the learning itself gives; that the protected round gives the same is for the round's own tests.
 *
 *     node nodes/examples/heart/compare.ts
 */

import { inputWidth } from '../../../src/learning/feature-schema.ts'
import { initialWeights } from '../../../src/learning/initial-weights.ts'
import type { Model } from '../../../src/learning/model.ts'
import { logistic, mlp } from '../../../src/learning/model-presets.ts'
import { openTfjsTrainer } from '../../trainers/tfjs/tfjs-trainer.ts'
import { heartFeatures } from './features.ts'
import { heartDirectory, heartHospitals } from './hospitals.ts'
import { heartJobs } from './jobs.ts'
import {
  encodeHospitals,
  type HospitalRecords,
  loadHospitalRecords,
  pooledStatistics,
  type ReferenceOptions,
  type ReferenceTraining,
  type Score,
  type Scores,
  scoreAlone,
  scorePooled,
  scoreWeights,
  subSeed,
} from './reference.ts'

const SEED_COUNT = 10

const width = inputWidth(heartFeatures)
const records = await loadHospitalRecords(heartHospitals, heartDirectory, heartFeatures)
const trainer = await openTfjsTrainer()
console.log(`trained by ${(await trainer.describe()).backend}, mean over ${SEED_COUNT} seeds`)
const { logistic: logisticJob, mlp: mlpJob } = heartJobs
await compare('logistic', logistic(width, logisticJob.model.l2), logisticJob.training)
await compare('mlp', mlp(width, mlpJob.model.hidden, mlpJob.model.l2), mlpJob.training)
await trainer.close()

async function compare(title: string, model: Model, training: ReferenceTraining): Promise<void> {
  const runs: Record<'federated' | 'alone' | 'pooled', Scores[]> = { federated: [], alone: [], pooled: [] }
  const roundMs: number[] = []
  for (let i = 0; i < SEED_COUNT; i++) {
    const options = { schema: heartFeatures, model, trainer, seed: new Uint8Array(32).fill(i) }
    const statistics = pooledStatistics(records, options)
    const weights = await averageInTheClear(records, training, options, roundMs)
    runs.federated.push(await scoreWeights(records, { weights, statistics }, options))
    runs.alone.push(await scoreAlone(records, training, options))
    runs.pooled.push(await scorePooled(records, training, options))
  }
  const medianMs = roundMs.sort((a, b) => a - b)[Math.floor(roundMs.length / 2)]
  console.log(
    `\n${title}: ${training.rounds} rounds; largest hospital trains ${medianMs.toFixed(1)} ms a round (median)`,
  )
  console.log(`| | ${heartHospitals.map(({ name }) => name).join(' | ')} | mean | all records |`)
  console.log(`| --- |${' --- |'.repeat(heartHospitals.length + 2)}`)
  for (const [name, scores] of Object.entries(runs)) console.log(tableRow(name, scores))
  console.log(differenceRow('federated − alone', runs.federated, runs.alone))
  console.log(differenceRow('federated − pooled', runs.federated, runs.pooled))
}

/** FedAvg in the clear: weights averaged by training record counts. */
async function averageInTheClear(
  hospitals: readonly HospitalRecords[],
  { rounds, ...training }: ReferenceTraining,
  options: ReferenceOptions,
  roundMs: number[],
): Promise<Float32Array> {
  const parts = encodeHospitals(hospitals, pooledStatistics(hospitals, options), options)
  const total = parts.reduce((sum, part) => sum + part.training.exampleCount, 0)
  let weights: Float32Array = initialWeights(options.model, options.seed)
  for (let round = 0; round < rounds; round++) {
    const mean = new Float64Array(weights.length)
    for (const { name, training: examples } of parts) {
      const shuffleSeed = subSeed(options.seed, `compare/${name}/${round}`)
      const startedMs = performance.now()
      const result = await options.trainer.train({
        model: options.model,
        weights,
        examples,
        options: { ...training, shuffleSeed },
      })
      if (name === heartHospitals[0].name) roundMs.push(performance.now() - startedMs)
      const share = examples.exampleCount / total
      for (let i = 0; i < mean.length; i++) mean[i] += share * result.weights[i]
    }
    weights = Float32Array.from(mean)
  }
  return weights
}

function tableRow(name: string, runs: readonly Scores[]): string {
  return `| ${name} | ${columnsOf(runs).map(cell).join(' | ')} |`
}

/** Per column, the scores of all seeds: each hospital, their mean, all records together. */
function columnsOf(runs: readonly Scores[]): (Score | null)[][] {
  return [
    ...heartHospitals.map((_, i) => runs.map((run) => run.hospitals[i])),
    runs.map((run) => run.mean),
    runs.map((run) => run.overall),
  ]
}

/** Mean accuracy / mean AUC over the seeds that have one. */
function cell(scores: readonly (Score | null)[]): string {
  const present = scores.flatMap((score) => score ?? [])
  if (present.length === 0) return '–'
  const accuracies = present.map(({ accuracy }) => accuracy)
  const aucs = present.flatMap(({ auc }) => auc ?? [])
  return `${meanOf(accuracies).toFixed(3)} / ${meanOf(aucs).toFixed(3)}`
}

/** Mean difference on the same splits, with its standard error over the seeds. */
function differenceRow(name: string, runs: readonly Scores[], others: readonly Scores[]): string {
  const otherColumns = columnsOf(others)
  const cells = columnsOf(runs).map((scores, column) => {
    const pairs = scores.map((score, i) => [score, otherColumns[column][i]] as const)
    const differences = (metric: keyof Score) =>
      pairs.flatMap(([a, b]) => {
        const [x, y] = [a?.[metric] ?? null, b?.[metric] ?? null]
        return x === null || y === null ? [] : x - y
      })
    return [differences('accuracy'), differences('auc')].map(withStandardError).join(' / ')
  })
  return `| ${name} | ${cells.join(' | ')} |`
}

function withStandardError(values: readonly number[]): string {
  if (values.length < 2) return '–'
  const mean = meanOf(values)
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
  return `${mean.toFixed(3)} ± ${Math.sqrt(variance / values.length).toFixed(3)}`
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
