import type { JobSpecificationInput } from '../../../src/learning/job-specification.ts'
import { heartFeatures } from './features.ts'
import { heartHospitals } from './hospitals.ts'

/**
 * The two models of the heart example. Chosen once, by the mean over ten splits (seeds 100 … 109) of the federated
 * model's held-out loss, on a broad plateau; the figures of README.md are from ten other splits (seeds 0 … 9). Alone and
 * pooled train with the same options, as many epochs in all.
 */
export const heartJobs = {
  logistic: {
    model: { preset: 'logistic', l2: 0.003 },
    training: { rounds: 40, epochs: 2, batchSize: 32, learningRate: 0.1 },
  },
  mlp: {
    model: { preset: 'mlp', hidden: [32], l2: 0.01 },
    training: { rounds: 40, epochs: 2, batchSize: 32, learningRate: 0.05 },
  },
} as const

export type HeartJobName = keyof typeof heartJobs

/** What the holders of the example call their dataset. */
export const heartDataset = 'heart'

/**
 * The job as a researcher submits it. @param seed 32 bytes, hexadecimal. @param rounds instead of the chosen number.
 */
export function heartJob(name: HeartJobName, seed: string, rounds?: number): JobSpecificationInput {
  const { model, training } = heartJobs[name]
  return {
    format: 'sluice.job/1',
    name: `heart ${name}`,
    dataset: heartDataset,
    features: heartFeatures,
    model: structuredClone(model) as JobSpecificationInput['model'],
    training: { ...training, rounds: rounds ?? training.rounds, updateBound: 1, maxExamples: 1024 },
    protection: { minContributors: 3 },
    holders: heartHospitals.map((hospital) => hospital.name),
    seed,
  }
}
