import { z } from 'zod'
import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { checkSegment, countSegment, type VectorLayout } from '../protocol/segments.ts'
import { defineStatement, digestField } from '../protocol/statement.ts'
import { collecting, type SumReading } from '../protocol/sum-reading.ts'
import type { OutputName } from '../protocol/sum-verification.ts'

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

const UPDATE = 'update'

/** Segments of a training round: an update with bounds ±1, a count of examples, the zeros of the check. */
export function simulationLayout({ weights, precisionBits }: Simulation): VectorLayout {
  return {
    precisionBits,
    segments: [
      { name: UPDATE, length: weights, low: -1, high: 1 },
      countSegment('examples', 1, precisionBits),
      checkSegment(precisionBits),
    ],
  }
}

/** Σ over the contributors, per segment, in the values' own units. */
export type SegmentSums = ReadonlyMap<string, Float64Array>

/** What the coordinator of a simulation makes of a sum: nothing, but it is compared with the sum in the clear. */
export const sumsReading: SumReading<SegmentSums> = collecting((sums) => sums)

/** What a simulated round comes to is its sum, by its digest. */
export const nameReading: SumReading<OutputName> = {
  streamed: UPDATE,
  begin: async () => ({ take: () => {}, end: (aggregate) => ({ name: SUM_NAME, digest: aggregate }) }),
}

/** 32 bytes for one purpose: SHA-256 of the simulation's seed and what they are for. */
export function deriveSeed(seed: Digest, ...purpose: readonly (string | number)[]): Uint8Array {
  return fromHex(digestOf(fromHex(seed), Buffer.from(purpose.join('/'))))
}
