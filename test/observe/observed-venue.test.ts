/** A venue of real processes, watched: one trace a round, metrics, lines with names; and no canary in any of it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { type LogLine, SluiceProcess } from '../../src/cli/demo/demo-processes.ts'
import { foundHeartVenue, joinHeartVenue } from '../../src/cli/demo/demo-venue.ts'
import { loadResearcher } from '../../src/cli/venue-files.ts'
import type { JobEvent } from '../../src/coordinator/ports.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'
import { type CoordinatorDatabase, databaseOfProcesses } from '../support/coordinator-database.ts'
import { type ExportedSpan, type OtlpSink, openOtlpSink } from '../support/otlp-sink.ts'
import { editYaml } from '../support/test-venue.ts'

/** A number and a text that no other record, file or digest has. */
const CANARY_NUMBER = '187.0625'
const CANARY_TEXT = 'quetzalcoatlus'
/** Where a number belongs: the node that has it cannot read its records, and says so. */
const CANARY_MISPLACED = 'archaeopteryx'
/** Its data are broken: it refuses every round. */
const BROKEN = 'switzerland'
const ROUNDS = 1

let root: string
let database: CoordinatorDatabase
let sink: OtlpSink
const processes = new Map<string, SluiceProcess>()
const events: (JobEvent & { readonly job: string })[] = []
/** Of every process, by path. */
const scraped = new Map<string, Record<string, { readonly status: number; readonly text: string }>>()

/** Writes canaries over the first record of a hospital. */
function plant(hospital: string, values: Readonly<Record<string, string>>): void {
  const file = join(root, hospital, `${hospital}.csv`)
  const [header, first, ...rest] = readFileSync(file, 'utf8').split('\n')
  const record = first.split(',')
  for (const [column, value] of Object.entries(values)) record[header.split(',').indexOf(column)] = value
  writeFileSync(file, [header, record.join(','), ...rest].join('\n'))
}

async function startVenue(): Promise<void> {
  const start = async (name: string, args: string[], event: string) => {
    const running = new SluiceProcess(name, [...args, '--directory', join(root, name)])
    processes.set(name, running)
    await running.ready(event)
  }
  await foundHeartVenue(root)
  editYaml(join(root, 'venue', 'coordinator.yaml'), { tracesEndpoint: sink.endpoint, gatherMs: 1000 })
  database = await databaseOfProcesses(join(root, 'venue', 'state'))
  await start('venue', ['coordinator', 'start'], 'listening')
  await joinHeartVenue(root)
  plant('cleveland', { chol: CANARY_NUMBER, thal: CANARY_TEXT })
  plant(BROKEN, { age: CANARY_MISPLACED })
  const observed = { tracesEndpoint: sink.endpoint, adminListen: '127.0.0.1:0' }
  for (const { name } of heartHospitals) editYaml(join(root, name, 'holder.yaml'), observed)
  await Promise.all(heartHospitals.map(({ name }) => start(name, ['holder', 'start'], 'connected')))
}

async function runJob(): Promise<void> {
  const { config, tls } = await loadResearcher(join(root, 'researcher'))
  const connection = new JobsConnection(config.coordinator, config.venue, tls)
  const job = await connection.submit({ ...heartJob('logistic', 'cd'.repeat(32), ROUNDS), holders: undefined })
  for await (const { event } of connection.watch(job)) events.push({ ...event, job })
  connection.close()
}

async function scrape(): Promise<void> {
  for (const [name, { lines }] of processes) {
    const { adminPort } = lines.find((line) => line.adminPort !== undefined)!
    const answers = ['/healthz', '/readyz', '/metrics', '/nothing'].map(async (path) => {
      const response = await fetch(`http://127.0.0.1:${adminPort}${path}`)
      return [path, { status: response.status, text: await response.text() }] as const
    })
    scraped.set(name, Object.fromEntries(await Promise.all(answers)))
  }
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-observed-'))
  sink = await openOtlpSink()
  await startVenue()
  await runJob()
  await scrape()
  // Spans that have ended leave before their process goes.
  await Promise.all([...processes.values()].map((running) => running.stop()))
}, 120_000)
afterAll(async () => {
  await Promise.all([...processes.values()].map((running) => running.stop()))
  await sink.close()
  await database.drop()
  rmSync(root, { recursive: true })
})

const namesOf = (spans: readonly ExportedSpan[], service: string, instance?: string) =>
  new Set(
    spans
      .filter((span) => span.service === service && (!instance || span.instance === instance))
      .map(({ name }) => name),
  )

describe('the traces of a venue', () => {
  it('are one for each round, from the coordinator through every holder', () => {
    const spans = sink.spans()
    const rounds = spans.filter(({ name }) => name === 'round')
    expect(rounds.map(({ attributes }) => attributes['sluice.step'])).toEqual(['statistics', 'training', 'evaluation'])
    expect(new Set(rounds.map(({ traceId }) => traceId)).size).toBe(rounds.length)
    for (const { traceId, parentSpanId, attributes } of rounds) {
      expect(parentSpanId).toBe('')
      expect(attributes).toMatchObject({ 'sluice.job': events[0].job, 'sluice.cohort': 4 })
      expect(attributes['sluice.plan']).toMatch(/^[0-9a-f]{16}$/)
      const trace = spans.filter((span) => span.traceId === traceId)
      const published = trace.find(({ name }) => name === 'publish')!
      expect(published.attributes).toEqual({ 'sluice.contributors': 3 })
      const parts = ['gather', 'plan', 'collect', 'check', 'certify', 'answer', 'open', 'publish']
      expect(namesOf(trace, 'sluice-coordinator')).toEqual(new Set(['round', ...parts]))
      for (const name of ['cleveland', 'hungary', 'long-beach']) {
        const work = ['contribute', 'compute', 'protect', 'upload', 'hash-payload', 'published', 'verify']
        expect([...namesOf(trace, 'sluice-holder', name)], name).toEqual(expect.arrayContaining(work))
      }
      const duties = ['cosign', 'check-shares', 'endorse', 'answer']
      expect([...namesOf(trace, 'sluice-holder')]).toEqual(expect.arrayContaining(duties))
    }
  })

  it('hang together: every span is under one of its trace', () => {
    const spans = sink.spans()
    const ids = new Set(spans.map(({ traceId, spanId }) => `${traceId}/${spanId}`))
    const ofRounds = new Set(spans.filter(({ name }) => name === 'round').map(({ traceId }) => traceId))
    const inRounds = spans.filter(({ traceId }) => ofRounds.has(traceId))
    expect(inRounds.length).toBeGreaterThan(60)
    const strays = inRounds.filter(
      ({ name, traceId, parentSpanId }) => name !== 'round' && !ids.has(`${traceId}/${parentSpanId}`),
    )
    expect(strays).toEqual([])
  })

  it('say by its code why a holder refused', () => {
    const refused = sink.spans().filter(({ instance, name }) => instance === BROKEN && name === 'contribute')
    expect(refused.map(({ attributes }) => attributes['sluice.code'])).toContain('column-type-mismatch')
  })
})

const metric = (process: string, series: string) => {
  const line = scraped
    .get(process)!
    ['/metrics'].text.split('\n')
    .find((each) => each.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

describe('the metrics of a venue', () => {
  it('count rounds by outcome, contributions by holder, refusals by code', () => {
    for (const step of ['statistics', 'training', 'evaluation']) {
      expect(metric('venue', `sluice_rounds_total{outcome="published",step="${step}"}`), step).toBe(1)
    }
    expect(metric('venue', 'sluice_contributions_total{holder="cleveland"}')).toBe(3)
    expect(metric('venue', 'sluice_contributions_total{holder="switzerland"}')).toBeUndefined()
    expect(metric('venue', 'sluice_refusals_total{code="column-type-mismatch"}')).toBe(3)
    expect(metric(BROKEN, 'sluice_holder_refusals_total{code="column-type-mismatch"}')).toBe(3)
  })

  it('time every phase, and agree with the events of the job', () => {
    const published = events.filter((event) => event.kind === 'round-published')
    const total = published.reduce((sum, { durations }) => sum + durations.totalMs, 0)
    expect(metric('venue', 'sluice_round_duration_seconds_count{phase="collect"}')).toBe(3)
    expect(metric('venue', 'sluice_round_duration_seconds_sum{phase="total"}')).toBeCloseTo(total / 1000, 6)
  })

  it('tell bytes, connections, jobs, the log, the spool, and the process', () => {
    const published = events.filter((event) => event.kind === 'round-published')
    const bytes = published.reduce((sum, { ciphertextBytes }) => sum + 3 * ciphertextBytes, 0)
    expect(metric('venue', 'sluice_received_bytes_total')).toBe(bytes)
    expect(metric('cleveland', 'sluice_holder_uploaded_bytes_total')).toBe(bytes / 3)
    expect(metric('venue', 'sluice_sent_bytes_total')).toBeGreaterThan(bytes / 3)
    for (const { name } of heartHospitals) {
      expect(metric('venue', `sluice_holder_connected{holder="${name}"}`)).toBe(1)
      expect(metric(name, 'sluice_coordinator_connected')).toBe(1)
    }
    expect(metric('venue', 'sluice_jobs{state="running"}')).toBe(0)
    expect(metric('venue', 'sluice_log_entries')).toBeGreaterThan(20)
    expect(metric('venue', 'sluice_spool_bytes{kind="openings"}')).toBeGreaterThan(0)
    expect(metric('venue', 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0)
    expect(metric('venue', 'process_resident_memory_bytes')).toBeGreaterThan(10 ** 7)
    expect(metric('cleveland', 'sluice_holder_contribution_seconds_count{part="compute"}')).toBe(3)
  })

  it('name no plan and no job in a label', () => {
    for (const [name, { '/metrics': metrics }] of scraped)
      expect(metrics.text, name).not.toMatch(/="[^"]*[0-9a-f]{16}[^"]*"/)
  })
})

describe('the probes of a process', () => {
  it('say that it lives, who it is, and by which checks it is ready', () => {
    for (const [name, answers] of scraped) {
      expect(answers['/healthz'].status, name).toBe(200)
      expect(answers['/readyz'], name).toMatchObject({ status: 200 })
      expect(answers['/nothing'].status).toBe(404)
    }
    expect(JSON.parse(scraped.get('venue')!['/healthz'].text)).toMatchObject({
      process: 'coordinator',
      instance: 'heart.demo',
    })
    expect(JSON.parse(scraped.get('venue')!['/readyz'].text)).toEqual({
      ready: true,
      checks: { running: 'ok', store: 'ok', log: 'ok', disk: 'ok', blobs: 'ok' },
    })
  })
})

describe('the lines of a round', () => {
  const ofRounds = (lines: readonly LogLine[]) =>
    lines.filter(({ event, request }) => /^(round-|contribution|holder-refused)/.test(event ?? '') || request)

  it('carry job, round and plan, and the holder where there is one', () => {
    const lines = ofRounds(processes.get('venue')!.lines)
    expect(lines.filter(({ event }) => event === 'round-published')).toHaveLength(3)
    for (const line of lines) {
      expect(line, JSON.stringify(line)).toMatchObject({
        job: events[0].job,
        round: expect.any(Number),
        plan: expect.stringMatching(/^[0-9a-f]{16}$/),
      })
    }
    const refusals = lines.filter(({ event }) => event === 'holder-refused')
    expect(refusals.map(({ holder }) => holder)).toContain(BROKEN)
  })

  it('carry them at a holder, too', () => {
    const lines = [...processes].flatMap(([name, { lines }]) => (name === 'venue' ? [] : ofRounds(lines)))
    const inRounds = lines.filter(({ request }) => request !== 'cosign' && request !== 'admit')
    expect(inRounds.length).toBeGreaterThan(20)
    for (const line of inRounds) {
      expect(line, JSON.stringify(line)).toMatchObject({
        job: events[0].job,
        round: expect.any(Number),
        plan: expect.stringMatching(/^[0-9a-f]{16}$/),
      })
    }
  })
})

describe('canaries', () => {
  /** Everything that an operator, a collector or a scraper of any process can see. */
  const seen = () =>
    [
      ...[...processes.values()].flatMap(({ lines, errors }) => [JSON.stringify(lines), errors]),
      ...sink.bodies,
      ...[...scraped.values()].flatMap((answers) => Object.values(answers).map(({ text }) => text)),
      JSON.stringify(events),
    ].join('\n')

  it('of the holders’ records are in no line, span, metric, answer or error', () => {
    const text = seen()
    // What may be seen is seen: this looks at the right texts.
    for (const expected of ['column-type-mismatch', 'cleveland', 'sluice_rounds_total', 'resourceSpans']) {
      expect(text).toContain(expected)
    }
    expect(readFileSync(join(root, 'cleveland/cleveland.csv'), 'utf8')).toContain(CANARY_NUMBER)
    expect(readFileSync(join(root, BROKEN, `${BROKEN}.csv`), 'utf8')).toContain(CANARY_MISPLACED)
    for (const canary of [CANARY_NUMBER, CANARY_TEXT, CANARY_MISPLACED]) expect(text).not.toContain(canary)
  })

  it('of long-lived keys are in none either, in any spelling', () => {
    const text = seen()
    for (const secret of longLivedSecrets()) {
      const bytes = Buffer.from(secret, 'hex')
      for (const spelling of [secret, bytes.toString('base64'), bytes.toString('base64url'), [...bytes].join(',')]) {
        expect(text).not.toContain(spelling)
      }
    }
    for (const line of privateKeyLines()) expect(text).not.toContain(line)
  })
})

/** Seeds of statement keys, box keys and the log's key, in hexadecimal. */
function longLivedSecrets(): string[] {
  const holders = heartHospitals.flatMap(({ name }) => {
    const { statementSeed, boxSeed } = JSON.parse(readFileSync(join(root, name, 'secrets/identity.json'), 'utf8'))
    return [statementSeed, boxSeed]
  })
  const venue = ['statement.seed', 'log.seed'].map((file) =>
    readFileSync(join(root, 'venue/secrets', file), 'utf8').trim(),
  )
  return [...holders, ...venue]
}

function privateKeyLines(): string[] {
  const parties = ['venue', ...heartHospitals.map(({ name }) => name)]
  return parties.flatMap((name) => {
    const [, block] = /BEGIN PRIVATE KEY-----\n([\s\S]+?)\n-----END/.exec(
      readFileSync(join(root, name, 'secrets/tls.pem'), 'utf8'),
    )!
    return block.split('\n').filter((line) => line.length > 30)
  })
}
