import { z } from 'zod'
import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { checkSegment, countSegment, type VectorLayout } from '../protocol/segments.ts'
import { defineStatement, digestField } from '../protocol/statement.ts'

/**
 * What a simulated federation computes: the statement that stands where a venue has a job. Signed by the coordinator and
 * logged; its digest is the `job` of every plan, and a simulated holder holds the plan's vector against it.
 */
export const simulationSchema = z.strictObject({
  /** Values of an update. */
  weights: z.int().min(1),
  precisionBits: z.int().min(1).max(32),
  /** 32 bytes: every holder's updates follow from it. Public: nothing in a simulation is secret but one-time keys. */
  seed: digestField,
})

export type Simulation = z.infer<typeof simulationSchema>

export const simulationStatement = defineStatement('simulation', simulationSchema)

/** The step of every plan of a simulation. */
export const SIMULATION_STEP = 'training'
/** The name of a round's output, and of the input by which the next round asks another question. */
export const SUM_NAME = 'sum'

/** Segments of a training round: an update with bounds ±1, a count of examples, the zeros of the check. */
export function simulationLayout({ weights, precisionBits }: Simulation): VectorLayout {
  return {
    precisionBits,
    segments: [
      { name: 'update', length: weights, low: -1, high: 1 },
      countSegment('examples', 1, precisionBits),
      checkSegment(precisionBits),
    ],
  }
}

/** 32 bytes for one purpose: SHA-256 of the simulation's seed and what they are for. */
export function deriveSeed(seed: Digest, ...purpose: readonly (string | number)[]): Uint8Array {
  return fromHex(digestOf(fromHex(seed), Buffer.from(purpose.join('/'))))
}
