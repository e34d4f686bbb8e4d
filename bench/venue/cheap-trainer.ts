import type { Trainer } from '../../src/learning/trainer.ts'

/**
 * A trainer that costs next to nothing, for benches of everything else: it moves every weight by a little, which follows from
 * the weight's position, and calls every record even odds.
 */
export function openCheapTrainer(): Trainer {
  return {
    describe: async () => ({ name: 'cheap', version: '1', backend: 'none', notes: [] }),
    train: async ({ weights, examples: { exampleCount } }) => {
      const trained = new Float32Array(weights.length)
      for (let i = 0; i < trained.length; i++) trained[i] = weights[i] + 0.001 * ((i % 17) - 8)
      return { weights: trained, exampleCount, meanLoss: Math.LN2, steps: 1 }
    },
    evaluate: async ({ examples: { exampleCount } }) => {
      return { scores: new Float32Array(exampleCount).fill(0.5), exampleCount, meanLoss: Math.LN2 }
    },
    close: async () => {},
  }
}
