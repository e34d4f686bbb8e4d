import type { Digest } from '../crypto/digest.ts'
import type { HolderRequest } from '../protocol/holder-messages.ts'
import type { Verdict } from '../sluice-error.ts'
import type { HolderMetrics } from './holder-metrics.ts'
import { planName } from './plan-name.ts'
import { NO_TRACES, type Traces } from './traces.ts'

/** The parts of a holder's work that are timed on their own. */
export type HolderWork = 'compute' | 'upload' | 'verify'

/** What a contribution took, in milliseconds, and how large it is. */
export interface ContributionCost {
  readonly computeMs: number
  readonly protectMs: number
  readonly transportMs: number
  readonly ciphertextBytes: number
}

/** A request of the coordinator, as far as it can be named. */
export interface ObservedRequest {
  readonly kind: HolderRequest['kind']
  readonly plan?: Digest
  readonly job?: Digest
  readonly round?: number
}

/** Whoever watches a holder's node; as `RoundObserver` at the coordinator: no plaintext, no key, no share, no message. */
export interface HolderObserver {
  /** @param traceparent as it came from the coordinator */
  request<T extends Verdict<unknown>>(
    subject: ObservedRequest,
    traceparent: string | undefined,
    work: () => Promise<T>,
  ): Promise<T>
  part<T>(name: HolderWork, work: () => Promise<T>): Promise<T>
  /** Protection overlaps with the upload. @returns what ends it */
  beginProtection(): () => void
  contributed(cost: ContributionCost): void
  sumChecked(verdict: 'verified' | 'unverified' | 'wrong'): void
}

/** Nobody watches. */
export const unobservedHolder: HolderObserver = {
  request: (_subject, _traceparent, work) => work(),
  part: (_, work) => work(),
  beginProtection: () => NO_TRACES.begin('protect'),
  contributed: () => {},
  sumChecked: () => {},
}

/** Each request is a span of the round's trace that the coordinator began, by its kind. */
export function observeHolder(traces: Traces, metrics: HolderMetrics): HolderObserver {
  return {
    request: ({ kind, plan, job, round }, traceparent, work) => {
      const attributes = {
        ...(plan ? { 'sluice.plan': planName(plan) } : {}),
        ...(job ? { 'sluice.job': job } : {}),
        ...(round === undefined ? {} : { 'sluice.round': round }),
      }
      const observed = async () => {
        const verdict = await work()
        if (!verdict.ok) {
          metrics.refused(verdict.code)
          traces.annotate({ 'sluice.code': verdict.code })
        }
        return verdict
      }
      return traces.span(kind, attributes, observed, traceparent)
    },
    part: (name, work) => traces.span(name, {}, work),
    beginProtection: () => traces.begin('protect'),
    contributed: (cost) => {
      metrics.contributed(cost)
      traces.annotate({ 'sluice.ciphertext_bytes': cost.ciphertextBytes })
    },
    sumChecked: (verdict) => metrics.sumChecked(verdict),
  }
}
