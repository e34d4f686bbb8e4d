/** The researchers' service over real mutual TLS, before a desk of the test's own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JobDesk, JobEvent, StoredJobEvent } from '../../src/coordinator/ports.ts'
import { planRound } from '../../src/protocol/coordinator-round.ts'
import { SluiceError } from '../../src/sluice-error.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'
import { coordinatorKey, createParties, makePlan } from '../support/round-fixtures.ts'
import { startTestServer, type TestServer, until, VENUE } from '../support/wire-fixtures.ts'

const job = 'a'.repeat(64)
const metric = { value: 0.75, errorBound: 0.125 }
const durations = {
  planMs: 0.5,
  collectMs: 1.5,
  checkMs: 2.5,
  certifyMs: 2,
  answerMs: 3,
  openMs: 4,
  publishMs: 5,
  totalMs: 18.5,
}
const events: JobEvent[] = [
  { kind: 'job-state', state: 'running' },
  { kind: 'round-planned', round: 1, step: 'statistics', holders: ['hungary', 'cleveland'] },
  { kind: 'holder-refused', round: 1, holder: 'hungary', code: 'step-not-allowed', reason: 'no' },
  { kind: 'round-abandoned', round: 1, step: 'statistics', reason: 'too few' },
  {
    kind: 'round-published',
    round: 2,
    step: 'training',
    contributors: ['cleveland'],
    ciphertextBytes: 2 ** 40,
    statementBytes: 41_000,
    durations,
    evaluation: { exampleCount: 183, meanLoss: 0.5, accuracy: metric, auc: metric },
    modelVersion: 0,
  },
  {
    kind: 'round-published',
    round: 3,
    step: 'evaluation',
    contributors: [],
    ciphertextBytes: 0,
    statementBytes: 0,
    durations,
    evaluation: { exampleCount: 0, meanLoss: 0, accuracy: metric, auc: null },
  },
  { kind: 'job-state', state: 'failed', reason: 'why' },
]
const stored: StoredJobEvent[] = events.map((event, i) => ({
  sequence: i + 1,
  at: new Date(1_700_000_000_000 + i),
  event,
}))

let server: TestServer
let jobs: JobsConnection
const faults: unknown[] = []
let failWith: unknown
const watches: AbortSignal[] = []

const desk: JobDesk = {
  submit: async () => {
    throw failWith
  },
  list: async () => [],
  result: async () => {
    const { planEnvelope } = planRound(makePlan(await createParties()), coordinatorKey)
    return { record: { job, envelope: planEnvelope, state: 'running', submittedAt: new Date(0) }, outputs: [] }
  },
  async *watch(_, after, signal) {
    watches.push(signal)
    yield* stored.slice(after)
    if (after === 0) return
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  },
  cancel: async () => false,
  output: async () => new Uint8Array(3),
}

beforeAll(async () => {
  server = await startTestServer(
    { expectedPayload: () => undefined, contributionsFor: () => undefined, openingFor: () => undefined },
    { jobs: desk, onFault: (error) => faults.push(error) },
  )
  jobs = new JobsConnection(server.address, VENUE, await server.credentials('researcher', 'ada'))
})
afterAll(async () => {
  jobs.close()
  await server.close()
})

describe('a researcher’s connection', () => {
  it('gives every kind of event as it was stored', async () => {
    const received = []
    for await (const event of jobs.watch(job)) received.push(event)
    expect(received).toEqual(stored)
  })

  it('that leaves the events, or is told to, ends the watching at the coordinator', async () => {
    for await (const { sequence } of jobs.watch(job, 2)) {
      expect(sequence).toBe(3)
      break
    }
    await until(() => watches.at(-1)!.aborted)
    const stop = new AbortController()
    const before = watches.length
    const seen = []
    for await (const { sequence } of jobs.watch(job, events.length - 1, stop.signal)) {
      seen.push(sequence)
      stop.abort()
    }
    expect(seen).toEqual([events.length])
    await until(() => watches.length > before && watches.at(-1)!.aborted)
  })

  it('refuses an output that is not what its digest says', async () => {
    await expect(jobs.output(job, 'b'.repeat(64))).rejects.toMatchObject({ code: 'digest-mismatch' })
  })

  it('is told by name what it did wrong', async () => {
    await expect(jobs.result('nonsense')).rejects.toMatchObject({ code: 'malformed-message' })
    await expect(jobs.submit({ name: 'x'.repeat(2 ** 20) })).rejects.toMatchObject({ code: 'message-too-large' })
    failWith = new SluiceError('job-invalid', 'correct training.rounds')
    await expect(jobs.submit({})).rejects.toMatchObject({ code: 'job-invalid', message: 'correct training.rounds' })
    expect(faults).toEqual([])
  })

  it('is told of a fault of the coordinator’s no more than that; the coordinator’s log is told all', async () => {
    const ours = [
      new TypeError('at /var/lib/secret'),
      new SluiceError('database-unreachable', 'postgres at db.internal'),
    ]
    for (const [fault, code] of [
      [ours[0], 'remote-failure'],
      [ours[1], 'database-unreachable'],
    ] as const) {
      failWith = fault
      const error = await jobs.submit({}).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code, message: 'The coordinator failed; its log says how.' })
    }
    expect(faults).toEqual(ours)
  })
})
