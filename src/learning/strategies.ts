import { fedAvg } from './fed-avg.ts'
import type { Strategy } from './strategy.ts'

/** Every strategy that a job can name: one file each, one entry here. */
const strategies = { fedavg: fedAvg } as const satisfies Record<string, Strategy>

export type StrategyName = keyof typeof strategies

export const strategyNames = Object.keys(strategies) as [StrategyName, ...StrategyName[]]

export function findStrategy(name: StrategyName): Strategy {
  return strategies[name]
}
