import type { SimulationOptions } from './simulation-options.ts'

/** One number of bytes for the holders in general, one for those that sat on the committee. */
export interface RoundTraffic {
  /** Median over contributors without a seat. */
  readonly contributor: { readonly upBytes: number; readonly downBytes: number }
  /** The busiest member of the committee. */
  readonly member: { readonly upBytes: number; readonly downBytes: number }
}

/** What one published round of a simulation was like. Times in milliseconds. */
export interface RoundReport {
  readonly round: number
  readonly contributors: number
  /** Holders that vanished before the seal. */
  readonly droppedOut: number
  /** Whether every lane of the opened sum is the sum of the contributors' lanes. */
  readonly exact: boolean
  /** Holders that verified the published sum, of those that were to. */
  readonly verified: number
  /** By phase, in order: `plan`, `collect`, `check`, `certify`, `answer`, `open`, `publish`; in the clear `collect`, `publish`. */
  readonly phasesMs: Readonly<Record<string, number>>
  /** From the plan to the published sum. */
  readonly totalMs: number
  /** All sampled holders, one after the other; beside the round, on machines of their own, in a venue. */
  readonly verifyMs: number
  /** Of one contributor. */
  readonly ciphertextBytes: number
  readonly traffic?: RoundTraffic
  /** SHA-256 of the lane sums as little-endian float64. */
  readonly aggregate: string
  /** Attempts at this round that were given up, and why. */
  readonly abandoned: readonly string[]
}

/** What a simulation came to. */
export interface SimulationReport {
  readonly options: SimulationOptions
  /** Making identities and opening the log. */
  readonly setupMs: number
  readonly rounds: readonly RoundReport[]
  readonly exact: boolean
  readonly peakRssBytes: number
}

/** The middle of some numbers, the higher of two; 0 of none. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? 0
}
