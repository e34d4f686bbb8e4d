import type { Score } from '../../../nodes/examples/heart/reference.ts'
import type { SluiceProcess } from './demo-processes.ts'
import type { Comparison, DemoJob } from './demo-run.ts'

/** Where the time of a training round goes, medians in milliseconds. */
export interface RoundTimes {
  /** At the slowest holder: evaluation and local training. */
  readonly trainingMs: number
  /** At the slowest holder: quantising, protecting, sharing the key. Pads were made while it trained. */
  readonly protectionMs: number
  /** What is left of the collection: plans down, ciphertexts and statements up, records written. */
  readonly transportMs: number
  /** Plan, candidates and manifest in the log, cosigned; shares checked; the manifest certified. */
  readonly loggingMs: number
  /** Share sums, adding up, opening, next model version. */
  readonly openingMs: number
  readonly totalMs: number
}

/** Medians over the training rounds, from the coordinator's events and from the holders' own logs. */
export function roundTimes(demoJob: DemoJob, holders: readonly SluiceProcess[]): RoundTimes {
  const training = demoJob.rounds.filter(({ step }) => step === 'training')
  const rounds = training.map(({ round, durations }) => {
    const own = holders.flatMap(({ lines }) =>
      lines.filter((line) => line.event === 'contributed' && line.job === demoJob.job && line.round === round),
    )
    const slowest = (field: string) => Math.max(0, ...own.map((line) => Number(line[field])))
    const trainingMs = slowest('computeMs')
    const protectionMs = slowest('protectMs')
    const { planMs, collectMs, checkMs, certifyMs, answerMs, openMs, publishMs, totalMs } = durations
    const transportMs = Math.max(0, collectMs - trainingMs - protectionMs)
    const loggingMs = planMs + checkMs + certifyMs
    return { trainingMs, protectionMs, transportMs, loggingMs, openingMs: answerMs + openMs + publishMs, totalMs }
  })
  const medianOf = (field: keyof RoundTimes) => median(rounds.map((round) => round[field]))
  return {
    trainingMs: medianOf('trainingMs'),
    protectionMs: medianOf('protectionMs'),
    transportMs: medianOf('transportMs'),
    loggingMs: medianOf('loggingMs'),
    openingMs: medianOf('openingMs'),
    totalMs: medianOf('totalMs'),
  }
}

/** What one holder sends up in a training round, bytes. */
export interface BytesUp {
  readonly ciphertext: number
  /** The signed contribution with the key shares sealed to the committee: of one size, however large the model. */
  readonly statement: number
  readonly perWeight: number
  readonly ciphertextPerWeight: number
}

export function bytesUp({ rounds, weightCount }: DemoJob): BytesUp {
  const { ciphertextBytes, statementBytes } = rounds.find(({ step }) => step === 'training')!
  return {
    ciphertext: ciphertextBytes,
    statement: statementBytes,
    perWeight: (ciphertextBytes + statementBytes) / weightCount,
    ciphertextPerWeight: ciphertextBytes / weightCount,
  }
}

export const comparisonNames = ['federated', 'alone', 'pooled'] as const
export type ComparisonName = (typeof comparisonNames)[number]

/** Mean over the seeds of one score per comparison; the score itself is a mean over the hospitals unless told. */
export function meanOver(
  comparisons: readonly Comparison[],
  name: ComparisonName,
  metric: keyof Score,
  of: (comparison: Comparison) => Score | null = (comparison) => comparison[name].mean,
): { readonly mean: number; readonly deviation: number } | null {
  const values = comparisons.flatMap((comparison) => of(comparison)?.[metric] ?? [])
  if (values.length === 0) return null
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, deviation: values.length > 1 ? Math.sqrt(square / (values.length - 1)) : 0 }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
