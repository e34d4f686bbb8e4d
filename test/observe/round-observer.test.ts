/** How rounds that end otherwise than well are counted and told of. */
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { beforeEach, describe, expect, it } from 'vitest'
import { CoordinatorError } from '../../src/coordinator/coordinator-error.ts'
import type { RoundObserver } from '../../src/coordinator/ports.ts'
import { coordinatorMetrics } from '../../src/observe/coordinator-metrics.ts'
import { observeRounds } from '../../src/observe/round-observer.ts'
import { NO_TRACES } from '../../src/observe/traces.ts'
import { HolderSessions } from '../../src/wire/holder-sessions.ts'

const plan = 'ab'.repeat(32)
const subject = { job: 'cd'.repeat(32), round: 3, step: 'training' }
let registry: Registry
let observer: RoundObserver
let lines: Record<string, unknown>[]

beforeEach(() => {
  registry = new Registry()
  lines = []
  const readings = {
    connected: () => [],
    members: () => [],
    unfinishedJobs: async () => [],
    logEntries: () => 0,
    spoolBytes: async () => ({ contributions: 0, openings: 0 }),
    certificateNotAfter: () => new Date(),
  }
  const metrics = coordinatorMetrics(registry, readings)
  const log = pino({ base: undefined }, { write: (line) => void lines.push(JSON.parse(line)) })
  observer = observeRounds({ traces: NO_TRACES, metrics, log })
})

describe('a round that does not end well', () => {
  it.each([
    ['round-abandoned', 'abandoned'],
    ['job-cancelled', 'stopped'],
    ['coordinator-stopping', 'stopped'],
    ['registry-broken', 'failed'],
  ] as const)('by %s counts as %s, and its error passes through', async (code, outcome) => {
    const error = new CoordinatorError(code, 'Atahualpa')
    await expect(observer.round(subject, () => Promise.reject(error))).rejects.toBe(error)
    expect(await registry.metrics()).toContain(`sluice_rounds_total{outcome="${outcome}",step="training"} 1`)
    expect(lines).toMatchObject([{ event: 'round-ended', outcome, code, ...subject }])
    expect(JSON.stringify(lines)).not.toContain('Atahualpa')
  })
})

describe('lines of two rounds at a time', () => {
  it('carry each its own names, through every await', async () => {
    const run = (round: number, pause: number) =>
      observer.round({ ...subject, round }, async () => {
        observer.planned(plan.replace('ab', `a${round}`), 4)
        await new Promise((resolve) => setTimeout(resolve, pause))
        await observer.part('collect', async () => observer.refused('north', `code-${round}`))
      })
    await Promise.all([run(1, 5), run(2, 1)])
    for (const round of [1, 2]) {
      const [refusal] = lines.filter(({ code }) => code === `code-${round}`)
      expect(refusal).toMatchObject({ round, holder: 'north', plan: `a${round}${plan.slice(2, 16)}` })
    }
  })
})

describe('a request to a holder', () => {
  it('carries a traceparent when somebody traces, and none otherwise', () => {
    const ask = (traceparent?: () => string) => {
      const sessions = new HolderSessions(0, { stat: async () => undefined }, traceparent)
      const sent: (string | undefined)[] = []
      sessions.open('north', { send: (request) => sent.push(request.traceparent), end: () => {} })
      void sessions.ask(
        'north',
        { kind: 'admit', statement: { payload: new Uint8Array(), payloadType: '', signatures: [] } },
        new AbortController().signal,
      )
      sessions.endAll()
      return sent
    }
    expect(ask()).toEqual([undefined])
    expect(ask(() => '00-1-2-01')).toEqual(['00-1-2-01'])
  })
})
