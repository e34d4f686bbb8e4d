import { seededRandomness } from '../crypto/randomness.ts'
import { quantise } from '../protocol/quantiser.ts'
import { vectorLength } from '../protocol/segments.ts'
import { deriveSeed, type Simulation, simulationLayout } from './simulation.ts'

/**
 * What a simulated holder brings to a round, instead of training: values that follow from the simulation's seed, its name
 * and the round, through the real quantiser. Whoever knows the seed draws them again, and so knows the sum.
 *
 * @returns integers in [0, 2^precisionBits), in layout order
 */
export function syntheticLanes(simulation: Simulation, holder: string, round: number): Uint32Array {
  const stream = seededRandomness(deriveSeed(simulation.seed, 'values', holder, round))
  const words = new Uint32Array(simulation.weights + 1)
  stream.fill(new Uint8Array(words.buffer))
  const update = new Float64Array(simulation.weights)
  for (let i = 0; i < update.length; i++) update[i] = words[i] / 2 ** 31 - 1
  const values = new Map<string, ArrayLike<number>>([
    ['update', update],
    ['examples', [words[simulation.weights] % Math.min(1000, 2 ** simulation.precisionBits)]],
  ])
  const rounding = seededRandomness(deriveSeed(simulation.seed, 'rounding', holder, round))
  return quantise(simulationLayout(simulation), values, rounding)
}

/** Σ of the lanes of these holders, in the clear: what a round over them must open to. */
export function plainSum(simulation: Simulation, holders: readonly string[], round: number): Float64Array {
  const sum = new Float64Array(vectorLength(simulationLayout(simulation)))
  for (const holder of holders) {
    const lanes = syntheticLanes(simulation, holder, round)
    for (let i = 0; i < sum.length; i++) sum[i] += lanes[i]
  }
  return sum
}
