/** One-time keys, shares, updates, and the words of faults: in no span, metric or line of coordinator and holders. */
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import type { HolderParts } from '../../nodes/holder/holder-agent.ts'
import { coordinatorMetrics } from '../../src/observe/coordinator-metrics.ts'
import { discreetError } from '../../src/observe/discreet-error.ts'
import { holderMetrics } from '../../src/observe/holder-metrics.ts'
import { observeHolder } from '../../src/observe/holder-observer.ts'
import { observeRounds } from '../../src/observe/round-observer.ts'
import { openTraces, type Traces } from '../../src/observe/traces.ts'
import { openSharesOf } from '../../src/protocol/opened-shares.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'
import { type OtlpSink, openOtlpSink } from '../support/otlp-sink.ts'

/** In the words of a fault that nobody foresaw. */
const CANARY_WORDS = 'the record of Atahualpa has 187.0625'
/** This holder's trainer fails so in every training. */
const FAILING = 'switzerland'

let venue: InProcessVenue
let sink: OtlpSink
const registry = { coordinator: new Registry(), holders: new Registry() }
const lines: string[] = []
const traces: Traces[] = []
const keys: Int32Array[] = []
const updates: Float32Array[] = []
const shares: Uint32Array[] = []
/** What holders drew in stretches that only a key can come from, as they drew it. */
const drawn: Uint8Array[] = []
/** Everything that was told. */
let seen = ''

const log = () =>
  pino(
    { level: 'trace', serializers: { err: (error) => discreetError(error) } },
    { write: (line) => void lines.push(line) },
  )

function traced(service: string, instance: string): Traces {
  const opened = openTraces({ endpoint: sink.endpoint, service, instance, version: 'test', onExport: () => {} })
  traces.push(opened)
  return opened
}

/** A holder's node whose secrets the test gets to know. */
function overheard(parts: HolderParts, observer: ReturnType<typeof observeHolder>): Partial<HolderParts> {
  const { holder } = parts.member
  return {
    log: log().child({ name: holder }),
    observer,
    workers: {
      ...parts.workers,
      beginProtection: (request) => {
        keys.push(request.key.coefficients.slice())
        return parts.workers.beginProtection(request)
      },
    },
    randomness: {
      fill: (bytes) => {
        parts.randomness.fill(bytes)
        if (bytes.length === 32) drawn.push(bytes.slice())
      },
    },
    trainer: {
      describe: () => parts.trainer.describe(),
      evaluate: (request) => parts.trainer.evaluate(request),
      close: () => parts.trainer.close(),
      train: async (request) => {
        if (holder === FAILING) throw new RangeError(CANARY_WORDS, { cause: new Error(CANARY_WORDS) })
        const trained = await parts.trainer.train(request)
        updates.push(trained.weights.slice())
        return trained
      },
    },
  }
}

async function openAllShares(job: string): Promise<void> {
  for (const { planDigest } of await venue.store.listRounds(job)) {
    const { contributions } = await venue.store.loadRound(planDigest)
    const sealed = [...contributions.values()].map(({ contribution }) => contribution)
    for (const { keys: member } of venue.parties) {
      const { openShares } = openSharesOf(planDigest, member.holder, member.boxKey)
      shares.push(...(await openShares(sealed)).values())
    }
  }
}

beforeAll(async () => {
  sink = await openOtlpSink()
  const metrics = holderMetrics(registry.holders, { isConnected: () => true, certificateNotAfter: () => new Date() })
  venue = await InProcessVenue.open((parts) =>
    overheard(parts, observeHolder(traced('sluice-holder', parts.member.holder), metrics)),
  )
  const readings = {
    connected: () => venue.holders.connected(),
    members: () => venue.parties.map(({ member }) => member.holder),
    unfinishedJobs: async () => [],
    logEntries: () => venue.log.checkpoint.size,
    spoolBytes: async () => ({ contributions: 0, openings: 0 }),
    certificateNotAfter: () => new Date(),
  }
  venue.observer = observeRounds({
    traces: traced('sluice-coordinator', 'venue'),
    metrics: coordinatorMetrics(registry.coordinator, readings),
    log: log(),
  })
  const { coordinator, stopped } = venue.startCoordinator()
  const job = await coordinator.submit({ ...heartJob('logistic', 'ab'.repeat(32), 1), holders: undefined }, 'ada')
  const events: string[] = []
  for await (const { event } of coordinator.watch(job, 0, new AbortController().signal))
    events.push(JSON.stringify(event))
  coordinator.stop()
  await stopped
  await openAllShares(job)
  // Exports the last spans.
  await Promise.all(traces.map((each) => each.close()))
  const scraped = await Promise.all(Object.values(registry).map((each) => each.metrics()))
  seen = [...lines, ...sink.bodies, ...scraped, ...events].join('\n')
}, 60_000)
afterAll(async () => {
  await venue.close()
  await sink.close()
})

/** How bytes or numbers might be written down. */
function spellings(values: Uint8Array | Int32Array | Uint32Array | Float32Array): string[] {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  const numbers = [...values.slice(0, 16)]
  return [
    bytes.subarray(0, 24).toString('hex'),
    bytes.subarray(0, 24).toString('base64'),
    bytes.subarray(0, 24).toString('base64url'),
    numbers.join(','),
    numbers.join(', '),
  ]
}

describe('what is told of a round', () => {
  it('is all there: spans, metrics, lines, of rounds that were published', () => {
    expect(sink.spans().filter(({ name }) => name === 'round')).toHaveLength(3)
    expect(seen).toContain('sluice_rounds_total{outcome="published",step="training"} 1')
    expect(seen).toContain('sluice_refusals_total{code="holder-failed"} 1')
    expect(lines.filter((line) => line.includes('"event":"round-published"'))).toHaveLength(3)
  })

  it('has no one-time key, none of what it was drawn from, and no share', () => {
    expect(keys.length).toBe(12)
    expect(shares.length).toBeGreaterThanOrEqual(33)
    expect(drawn.length).toBeGreaterThanOrEqual(12)
    for (const secret of [...keys, ...shares, ...drawn]) {
      for (const spelling of spellings(secret)) expect(seen).not.toContain(spelling)
    }
  })

  it('has no number of an update', () => {
    expect(updates).toHaveLength(3)
    const numbers = updates.flatMap((weights) => [...weights]).filter((value) => String(value).length > 10)
    expect(numbers.length).toBeGreaterThan(30)
    for (const value of numbers) {
      // As a single and as a double would be printed: seven digits are enough to know it by.
      expect(seen).not.toContain(String(value))
      expect(seen).not.toContain(value.toPrecision(7))
    }
  })

  it('has none of the words of a fault that nobody foresaw, which a plain serialiser of errors would tell', () => {
    expect(seen).not.toContain('Atahualpa')
    expect(seen).not.toContain('187.0625')
    const fault = lines.find((line) => line.includes('RangeError'))!
    expect(JSON.parse(fault)).toMatchObject({
      code: 'holder-failed',
      err: { type: 'RangeError', cause: { type: 'Error' } },
    })
    expect(JSON.parse(fault).err.at[0]).toMatch(/secrets\.test\.ts/)
    const plain: string[] = []
    pino({}, { write: (line) => void plain.push(line) }).error({ err: new RangeError(CANARY_WORDS) })
    expect(plain.join()).toContain(CANARY_WORDS)
  })
})
