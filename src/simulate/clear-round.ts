import { digestOf } from '../crypto/digest.ts'
import { vectorLength } from '../protocol/segments.ts'
import type { RoundReport } from './report.ts'
import { simulationLayout } from './simulation.ts'
import { drawDropOuts, type SimulationOptions } from './simulation-options.ts'
import { plainSum, syntheticLanes } from './synthetic-update.ts'

/**
 * A round without protection, protocol or log: whoever stays sends its lanes as they are, four bytes each, and they are added
 * as they come. The same sums as {@link SimulatedVenue} opens, to compare speed and bytes with.
 */
export async function runClearRound(
  options: SimulationOptions,
  names: readonly string[],
  round: number,
  onAnswer: () => void,
): Promise<RoundReport> {
  const { weights, precisionBits, seed } = options
  const simulation = { weights, precisionBits, seed }
  const vanishing = drawDropOuts(options, names, round)
  const started = performance.now()
  const contributors = names.filter((name) => !vanishing.has(name))
  const sum = new Float64Array(vectorLength(simulationLayout(simulation)))
  for (const holder of contributors) {
    const lanes = syntheticLanes(simulation, holder, round)
    for (let i = 0; i < sum.length; i++) sum[i] += lanes[i]
    onAnswer()
    // Lets progress be shown, as a round with messages does.
    await new Promise(setImmediate)
  }
  const collectMs = performance.now() - started
  const aggregate = digestOf(new Uint8Array(sum.buffer))
  const publishMs = performance.now() - started - collectMs
  const expected = plainSum(simulation, contributors, round)
  return {
    round,
    contributors: contributors.length,
    droppedOut: vanishing.size,
    exact: sum.every((value, i) => value === expected[i]),
    verified: 0,
    phasesMs: { collect: collectMs, publish: publishMs },
    totalMs: collectMs + publishMs,
    verifyMs: 0,
    ciphertextBytes: 4 * sum.length,
    aggregate,
    abandoned: [],
  }
}
