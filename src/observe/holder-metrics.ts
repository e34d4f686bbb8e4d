import type { Registry } from 'prom-client'
import { BoundedLabels } from './bounded-labels.ts'
import type { ContributionCost } from './holder-observer.ts'
import { counter, readGauge, secondsHistogram } from './metric-registry.ts'

/** What is read when metrics are scraped. */
export interface HolderReadings {
  isConnected(): boolean
  /** When the holder's certificate expires. */
  certificateNotAfter(): Date
}

/** The counters of a holder's node. */
export interface HolderMetrics {
  contributed(cost: ContributionCost): void
  refused(code: string): void
  sumChecked(verdict: 'verified' | 'unverified' | 'wrong'): void
}

/** Registers the metrics of a holder. How long it computes tells of how much data it has: they are for its own operator. */
export function holderMetrics(registry: Registry, readings: HolderReadings): HolderMetrics {
  const contributions = counter(registry, 'sluice_holder_contributions_total', 'Contributions that have left.')
  const refusals = counter(registry, 'sluice_holder_refusals_total', 'Requests that this holder refused.', ['code'])
  const took = secondsHistogram(
    registry,
    'sluice_holder_contribution_seconds',
    'Contributions: time to compute, to protect, to transport.',
    ['part'],
  )
  const uploadedBytes = counter(registry, 'sluice_holder_uploaded_bytes_total', 'Bytes of ciphertexts uploaded.')
  const sums = counter(registry, 'sluice_holder_sums_total', 'Published sums that this holder has checked.', [
    'verdict',
  ])
  // From the start, so that an alert on the first wrong sum has a zero to rise from.
  for (const verdict of ['verified', 'unverified', 'wrong']) sums.inc({ verdict }, 0)
  const codes = new BoundedLabels()
  readGauge(registry, 'sluice_coordinator_connected', 'Whether the coordinator is connected: 1 or 0.', [], () =>
    readings.isConnected() ? 1 : 0,
  )
  readGauge(
    registry,
    'sluice_certificate_not_after_seconds',
    'When this process’s certificate expires, in seconds since 1970.',
    [],
    () => readings.certificateNotAfter().getTime() / 1000,
  )
  return {
    contributed: ({ computeMs, protectMs, transportMs, ciphertextBytes }) => {
      contributions.inc()
      took.observe({ part: 'compute' }, computeMs / 1000)
      took.observe({ part: 'protect' }, protectMs / 1000)
      took.observe({ part: 'transport' }, Math.max(0, transportMs) / 1000)
      uploadedBytes.inc(ciphertextBytes)
    },
    refused: (code) => refusals.inc({ code: codes.bound(code) }),
    sumChecked: (verdict) => sums.inc({ verdict }),
  }
}
