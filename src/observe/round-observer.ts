import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger } from 'pino'
import type { ObservedRound, RoundObserver } from '../coordinator/ports.ts'
import { SluiceError } from '../sluice-error.ts'
import type { CoordinatorMetrics, RoundOutcome } from './coordinator-metrics.ts'
import { planName } from './plan-name.ts'
import type { Traces } from './traces.ts'

export interface RoundObserverParts {
  readonly traces: Traces
  readonly metrics: CoordinatorMetrics
  readonly log: Logger
}

/** Rounds that end by these are nobody's fault. */
const STOPPED = new Set(['coordinator-stopping', 'job-cancelled'])

/**
 * One round is one trace, under the span `round`; its lines in the log carry job, round and plan; its end counts once. What runs
 * after it (the holders verify) still belongs to its trace.
 */
export function observeRounds({ traces, metrics, log }: RoundObserverParts): RoundObserver {
  const current = new AsyncLocalStorage<{ log: Logger }>()
  const lines = () => current.getStore()?.log ?? log
  const ended = ({ step }: ObservedRound, outcome: RoundOutcome, code?: string) => {
    metrics.roundEnded(outcome, step)
    const level = outcome === 'published' || outcome === 'stopped' ? 'info' : 'warn'
    lines()[level]({ event: 'round-ended', outcome, ...(code ? { code } : {}) }, `the round ended: ${outcome}`)
  }
  return {
    round: (subject, work) => {
      const { job, round, step } = subject
      const attributes = { 'sluice.job': job, 'sluice.round': round, 'sluice.step': step }
      const observed = () =>
        work().then(
          (result) => {
            ended(subject, 'published')
            return result
          },
          (error: unknown) => {
            const code = error instanceof SluiceError ? error.code : 'fault'
            ended(subject, outcomeOf(code), code)
            throw error
          },
        )
      const scope = { log: log.child({ job, round, step }) }
      return current.run(scope, () => traces.span('round', attributes, observed))
    },
    part: (name, work) => traces.span(name, {}, work),
    planned: (planDigest, cohort) => {
      const plan = planName(planDigest)
      const scope = current.getStore()
      if (scope) scope.log = scope.log.child({ plan })
      traces.annotate({ 'sluice.plan': plan, 'sluice.cohort': cohort })
      lines().info({ event: 'round-planned', cohort }, 'the round is planned')
    },
    contributed: (holder, ciphertextBytes) => {
      metrics.contributed(holder)
      traces.event('contributed', { 'sluice.holder': holder, 'sluice.ciphertext_bytes': ciphertextBytes })
      lines().info({ event: 'contribution', holder, ciphertextBytes }, `a contribution of ${holder} counts`)
    },
    refused: (holder, code) => {
      metrics.refused(code)
      traces.event('refused', { 'sluice.holder': holder, 'sluice.code': code })
      lines().warn({ event: 'holder-refused', holder, code }, `${holder} has refused`)
    },
    published: (contributors, durations) => {
      metrics.roundTook(durations)
      traces.annotate({ 'sluice.contributors': contributors })
      lines().info({ event: 'round-published', contributors, durations }, 'the round is published')
    },
  }
}

function outcomeOf(code: string): RoundOutcome {
  if (code === 'round-abandoned') return 'abandoned'
  return STOPPED.has(code) ? 'stopped' : 'failed'
}
