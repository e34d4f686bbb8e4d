import type { Strategy } from './strategy.ts'

/** FedAvg (McMahan et al., AISTATS 2017, algorithm 1): the example-weighted mean of the locally trained models. */
export const fedAvg: Strategy = {
  name: 'fedavg',
  nextWeights: (weights, { meanUpdate }, next) => {
    for (let i = 0; i < next.length; i++) next[i] = weights[i] + meanUpdate[i]
  },
}
