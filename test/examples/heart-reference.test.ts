import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartFeatures } from '../../nodes/examples/heart/features.ts'
import { heartDirectory, heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import {
  encodeHospitals,
  type HospitalRecords,
  loadHospitalRecords,
  pooledStatistics,
  type ReferenceOptions,
  scoreAlone,
  scorePooled,
  scoreWeights,
} from '../../nodes/examples/heart/reference.ts'
import { openTfjsTrainer } from '../../nodes/trainers/tfjs/tfjs-trainer.ts'
import { inputWidth } from '../../src/learning/feature-schema.ts'
import { initialWeights } from '../../src/learning/initial-weights.ts'
import { logistic } from '../../src/learning/model-presets.ts'
import type { Trainer } from '../../src/learning/trainer.ts'

const training = { rounds: 5, epochs: 2, batchSize: 32, learningRate: 0.1 }
const model = logistic(inputWidth(heartFeatures), 0.003)
let trainer: Trainer
let records: HospitalRecords[]
let options: ReferenceOptions

beforeAll(async () => {
  trainer = await openTfjsTrainer()
  records = await loadHospitalRecords(heartHospitals, heartDirectory, heartFeatures)
  options = { schema: heartFeatures, model, trainer, seed: new Uint8Array(32).fill(1) }
})
afterAll(() => trainer.close())

describe('the heart reference', () => {
  it('scores every hospital on the same held-out fifth, alone and pooled', async () => {
    const alone = await scoreAlone(records, training, options)
    const pooled = await scorePooled(records, training, options)
    expect(alone.hospitals.map(({ name, holdoutCount }) => [name, holdoutCount])).toEqual([
      ['cleveland', 61],
      ['hungary', 58],
      ['long-beach', 40],
      ['switzerland', 25],
    ])
    expect(pooled.hospitals.map(({ holdoutCount }) => holdoutCount)).toEqual([61, 58, 40, 25])
    expect(alone.overall).toBeNull()
    // The two hospitals with enough held-out records of both classes to say so.
    for (const { auc } of [...alone.hospitals.slice(0, 2), ...pooled.hospitals.slice(0, 2)]) {
      expect(auc).toBeGreaterThan(0.8)
    }
  })

  it('repeats itself to the last bit', async () => {
    expect(await scorePooled(records, training, options)).toEqual(await scorePooled(records, training, options))
  })

  it('scores given weights as they are: untrained ones do not tell the sick from the healthy', async () => {
    const statistics = pooledStatistics(records, options)
    const weights = initialWeights(model, options.seed).fill(0)
    const { overall, hospitals } = await scoreWeights(records, { weights, statistics }, options)
    expect(overall?.auc).toBe(0.5)
    // Every score is 1/2, which counts as positive.
    const positives = encodeHospitals(records, statistics, options).map(({ holdout }) =>
      holdout.labels.reduce((sum, label) => sum + label, 0),
    )
    expect(hospitals.map(({ accuracy, holdoutCount }) => Math.round(accuracy * holdoutCount))).toEqual(positives)
  })

  it('has no AUC where the held-out records are of one class, and leaves it out of the mean', async () => {
    const [cleveland] = records
    const healthy = {
      name: 'healthy',
      table: { ...cleveland.table, labels: new Uint8Array(cleveland.table.exampleCount) },
    }
    const { hospitals, mean } = await scoreAlone([cleveland, healthy], training, options)
    expect(hospitals[1].auc).toBeNull()
    expect(mean.auc).toBe(hospitals[0].auc)
    const only = await scoreAlone([healthy], training, options)
    expect(only.mean.auc).toBeNull()
  })

  it('standardises alone by a hospital’s own statistics, pooled by all', () => {
    const own = pooledStatistics([records[0]], options)
    const all = pooledStatistics(records, options)
    expect(own.trainingExampleCount).toBe(243)
    expect(all.trainingExampleCount).toBe(243 + 235 + 160 + 98)
    expect(own.features[0]).not.toEqual(all.features[0])
  })
})
