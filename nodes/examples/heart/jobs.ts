/**
 * The two models of the heart example. Chosen by hand on a broad plateau of the federated model's held-out loss, not for
 * any single split; README.md says from how many settings, on which splits, and what that does to the figures. Alone and
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
