import type { Registry } from 'prom-client'
import type { RoundDurations } from '../coordinator/ports.ts'
import { BoundedLabels } from './bounded-labels.ts'
import { counter, readGauge, secondsHistogram } from './metric-registry.ts'

/** How a round ended. `stopped`: the process ended, or the job was cancelled; `failed`: a fault of the coordinator's own. */
export type RoundOutcome = 'published' | 'abandoned' | 'stopped' | 'failed'

/** What is read when metrics are scraped. */
export interface CoordinatorReadings {
  /** Names of connected holders, and of all members. */
  connected(): readonly string[]
  members(): readonly string[]
  /** States of the jobs that have not ended. */
  unfinishedJobs(): Promise<readonly ('queued' | 'running')[]>
  logEntries(): number
  spoolBytes(): Promise<{ readonly contributions: number; readonly openings: number }>
  /** When the coordinator's own certificate expires. */
  certificateNotAfter(): Date
}

/** The counters of a coordinator. */
export interface CoordinatorMetrics {
  roundEnded(outcome: RoundOutcome, step: string): void
  roundTook(durations: RoundDurations): void
  contributed(holder: string): void
  refused(code: string): void
  received(bytes: number): void
  sent(bytes: number): void
}

const PHASES = {
  plan: 'planMs',
  collect: 'collectMs',
  check: 'checkMs',
  certify: 'certifyMs',
  answer: 'answerMs',
  open: 'openMs',
  publish: 'publishMs',
  total: 'totalMs',
} as const satisfies Record<string, keyof RoundDurations>

/** Registers the metrics of a coordinator. No label names a plan, a job or a researcher: their number has no bound. */
export function coordinatorMetrics(registry: Registry, readings: CoordinatorReadings): CoordinatorMetrics {
  const rounds = counter(registry, 'sluice_rounds_total', 'Rounds that ended.', ['outcome', 'step'])
  const durations = secondsHistogram(
    registry,
    'sluice_round_duration_seconds',
    'Published rounds: how long each phase took, and all of them.',
    ['phase'],
  )
  const contributions = counter(registry, 'sluice_contributions_total', 'Contributions taken in.', ['holder'])
  const refusals = counter(registry, 'sluice_refusals_total', 'Requests that a holder refused, or did not answer.', [
    'code',
  ])
  const receivedBytes = counter(registry, 'sluice_received_bytes_total', 'Bytes of ciphertexts that holders uploaded.')
  const sentBytes = counter(registry, 'sluice_sent_bytes_total', 'Bytes of artifacts and openings sent to holders.')
  const codes = new BoundedLabels()
  registerReadings(registry, readings)
  return {
    roundEnded: (outcome, step) => rounds.inc({ outcome, step }),
    roundTook: (took) => {
      for (const [phase, field] of Object.entries(PHASES)) durations.observe({ phase }, took[field] / 1000)
    },
    contributed: (holder) => contributions.inc({ holder }),
    refused: (code) => refusals.inc({ code: codes.bound(code) }),
    received: (bytes) => receivedBytes.inc(bytes),
    sent: (bytes) => sentBytes.inc(bytes),
  }
}

function registerReadings(registry: Registry, readings: CoordinatorReadings): void {
  readGauge(registry, 'sluice_holder_connected', 'Whether a member is connected: 1 or 0.', ['holder'], () => {
    const connected = new Set(readings.connected())
    return readings.members().map((holder) => ({ labels: { holder }, value: connected.has(holder) ? 1 : 0 }))
  })
  readGauge(registry, 'sluice_jobs', 'Jobs that have not ended.', ['state'], async () => {
    const jobs = await readings.unfinishedJobs()
    return (['queued', 'running'] as const).map((state) => ({
      labels: { state },
      value: jobs.filter((each) => each === state).length,
    }))
  })
  readGauge(registry, 'sluice_log_entries', 'Entries of the transparency log.', [], () => readings.logEntries())
  readGauge(registry, 'sluice_spool_bytes', 'Bytes on the disk of ciphertexts and openings.', ['kind'], async () =>
    Object.entries(await readings.spoolBytes()).map(([kind, value]) => ({ labels: { kind }, value })),
  )
  readGauge(
    registry,
    'sluice_certificate_not_after_seconds',
    'When this process’s certificate expires, in seconds since 1970.',
    [],
    () => readings.certificateNotAfter().getTime() / 1000,
  )
}
