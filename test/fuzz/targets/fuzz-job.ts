import { type JobSpecification, parseJobSpecification } from '../../../src/learning/job-specification.ts'

/** A job with every kind of feature. */
export const FUZZ_JOB: JobSpecification = parseJobSpecification({
  format: 'sluice.job/1',
  name: 'heart disease',
  dataset: 'heart',
  features: {
    features: [
      { kind: 'numeric', name: 'age', column: 'age', low: 0, high: 120, missingWhen: { equals: [0] } },
      { kind: 'categorical', name: 'pain', column: 'cp', values: ['1', '2', '3'], missingIndicator: true },
      { kind: 'boolean', name: 'male', column: 'sex' },
    ],
    label: { name: 'disease', column: 'num', positiveWhen: { oneOf: [1, '2', true] } },
  },
  model: { preset: 'mlp', hidden: [8, 4], l2: 0.01 },
  training: { rounds: 3, learningRate: 0.1 },
  holders: ['cleveland', 'hungary'],
  seed: '5'.repeat(64),
})
