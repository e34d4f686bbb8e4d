import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import type { Coordinator } from '../../src/coordinator/coordinator.ts'
import type { JobEvent, StoredJobEvent } from '../../src/coordinator/ports.ts'
import { packShare, SHARE_MODULUS, unpackShare } from '../../src/crypto/key-shares.ts'
import { SHARED_NUMBERS } from '../../src/crypto/share-check.ts'
import { shareSumStatement } from '../../src/protocol/share-sum.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import { accepted, refused } from '../../src/sluice-error.ts'
import { InProcessVenue, type Interference } from '../support/in-process-venue.ts'
import { acceptedOf } from '../support/round-fixtures.ts'

const SEED = 'ab'.repeat(32)

let venue: InProcessVenue
let coordinator: Coordinator
let stopped: Promise<void>

beforeAll(async () => {
  venue = await InProcessVenue.open()
  ;({ coordinator, stopped } = venue.startCoordinator())
})
afterAll(async () => {
  coordinator.stop()
  await stopped
  await venue.close()
})
afterEach(() => {
  venue.interferences.clear()
  for (const { keys } of venue.parties) venue.connected.add(keys.holder)
})

const submit = (rounds: number, changes = {}) =>
  coordinator.submit({ ...heartJob('logistic', SEED, rounds), ...changes }, 'ada')

async function eventsOf(job: string, signal = new AbortController().signal): Promise<StoredJobEvent[]> {
  const events = []
  for await (const stored of coordinator.watch(job, 0, signal)) events.push(stored)
  return events
}

type EventOf<Kind extends JobEvent['kind']> = Extract<JobEvent, { kind: Kind }>
function ofKind<Kind extends JobEvent['kind']>(events: readonly StoredJobEvent[], kind: Kind): EventOf<Kind>[] {
  return events.flatMap(({ event }) => (event.kind === kind ? [event as EventOf<Kind>] : []))
}

/** Answers the first `times` requests of a kind itself. */
function intercept(kind: string, respond: Interference, times = Number.POSITIVE_INFINITY): Interference {
  let left = times
  return (request, answer) => (request.kind === kind && left-- > 0 ? respond(request, answer) : answer())
}

const silence: Interference = () => new Promise(() => {})
const refusal: Interference = async () => refused('step-not-allowed', 'not today')

describe('a job', () => {
  it('runs statistics, training and evaluation to its end, and its events tell all of it once, in order', async () => {
    const job = await submit(3)
    const events = await eventsOf(job)
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1))
    const published = ofKind(events, 'round-published')
    expect(published.map(({ step }) => step)).toEqual(['statistics', 'training', 'training', 'training', 'evaluation'])
    expect(published.map(({ round }) => round)).toEqual([1, 2, 3, 4, 5])
    expect(published.every(({ contributors }) => contributors.length === 4)).toBe(true)
    expect(ofKind(events, 'job-state').map(({ state }) => state)).toEqual(['running', 'completed'])
    const { outputs, record } = await coordinator.result(job)
    expect(record.state).toBe('completed')
    expect(outputs.map(({ name, version }) => `${name} ${version}`)).toEqual([
      'evaluation 0',
      'model 0',
      'model 1',
      'model 2',
      'model 3',
      'statistics 0',
    ])
    // A late subscriber sees the same, from wherever it begins.
    expect(await eventsOf(job)).toEqual(events)
    const tail = []
    for await (const stored of coordinator.watch(job, 3, new AbortController().signal)) tail.push(stored)
    expect(tail).toEqual(events.slice(3))
  })

  it('opens the exact counts of the four hospitals', async () => {
    const job = await submit(1)
    await eventsOf(job)
    const { outputs } = await coordinator.result(job)
    const { digest } = outputs.find(({ name }) => name === 'statistics')!
    const statistics = JSON.parse(new TextDecoder().decode(await coordinator.output(job, digest)))
    expect(statistics).toMatchObject({ exampleCount: 920, positiveCount: 509 })
  })

  it('goes on without a holder that refuses, and says who and why', async () => {
    venue.interferences.set('hungary', intercept('contribute', refusal))
    const events = await eventsOf(await submit(1))
    expect(ofKind(events, 'holder-refused')[0]).toMatchObject({ holder: 'hungary', code: 'step-not-allowed' })
    const published = ofKind(events, 'round-published')
    expect(published).toHaveLength(3)
    expect(published.every(({ contributors }) => !contributors.includes('hungary'))).toBe(true)
  })

  it('waits once for a holder that is not there, and goes on without it', async () => {
    venue.connected.delete('hungary')
    venue.sleeps = 0
    const events = await eventsOf(await submit(4))
    const published = ofKind(events, 'round-published')
    expect(published.map(({ contributors }) => contributors.length)).toEqual([3, 3, 3, 3, 3, 3])
    // 200 ms in steps of 50, and not again in each of the six rounds.
    expect(venue.sleeps).toBeGreaterThan(0)
    expect(venue.sleeps).toBeLessThanOrEqual(5)
  })

  it('fails after three attempts when too few contribute, with the reason, and opens nothing', async () => {
    venue.interferences.set('hungary', intercept('contribute', refusal))
    venue.interferences.set('cleveland', intercept('contribute', refusal))
    const job = await submit(1)
    const events = await eventsOf(job)
    expect(ofKind(events, 'round-abandoned').map(({ round }) => round)).toEqual([1, 2, 3])
    expect(ofKind(events, 'round-published')).toEqual([])
    const { record } = await coordinator.result(job)
    expect(record).toMatchObject({ state: 'failed', reason: expect.stringContaining('2 organisations') })
  })

  it('plans a step anew when one round fails, under another number', async () => {
    venue.interferences.set('hungary', intercept('contribute', refusal, 1))
    venue.interferences.set('cleveland', intercept('contribute', refusal, 1))
    const events = await eventsOf(await submit(1))
    expect(ofKind(events, 'round-abandoned').map(({ round }) => round)).toEqual([1])
    expect(ofKind(events, 'round-published').map(({ round }) => round)).toEqual([2, 3, 4])
  })

  it('completes when one of four members vanishes after the seal', async () => {
    venue.interferences.set('switzerland', intercept('endorse', silence))
    const answers = intercept('answer', silence)
    const silentEndorser = venue.interferences.get('switzerland')!
    venue.interferences.set('switzerland', (request, answer) => silentEndorser(request, () => answers(request, answer)))
    const events = await eventsOf(await submit(1))
    expect(ofKind(events, 'round-published').map(({ contributors }) => contributors.length)).toEqual([4, 4, 4])
  })

  it('abandons a round that cannot be certified, and opens nothing of it', async () => {
    for (const name of ['switzerland', 'hungary']) {
      venue.interferences.set(
        name,
        intercept('endorse', async () => refused('other-manifest-endorsed', 'no')),
      )
    }
    const events = await eventsOf(await submit(1))
    const [abandoned] = ofKind(events, 'round-abandoned')
    expect(abandoned.reason).toContain('2 of 4 members endorsed')
    expect(ofKind(events, 'round-published')).toEqual([])
  })

  it('opens the exact sum past a member that lies, and names it', async () => {
    const { keys } = venue.parties[0]
    venue.interferences.set(
      keys.holder,
      intercept('answer', async (_, answer) => {
        const reply = acceptedOf(await answer())
        if (reply.kind !== 'share-sum') throw new Error('expected a share sum')
        const body = acceptedOf(parseStatement(shareSumStatement, reply.envelope))
        const share = unpackShare(Buffer.from(body.shareSum, 'base64'), SHARED_NUMBERS)
        share[5] = (share[5] + 1) % SHARE_MODULUS
        const shareSum = Buffer.from(packShare(share)).toString('base64')
        return accepted({
          kind: 'share-sum',
          envelope: signStatement(shareSumStatement, { ...body, shareSum }, keys.statementKey),
        })
      }),
    )
    const job = await submit(1)
    const events = await eventsOf(job)
    const named = ofKind(events, 'holder-refused').filter(({ code }) => code === 'bad-share-sum')
    // Three honest answers may open a round before the lie arrives; whenever somebody is named it is the liar.
    expect(new Set(named.map(({ holder }) => holder)).size).toBeLessThanOrEqual(1)
    for (const { holder } of named) expect(holder).toBe(keys.holder)
    const { outputs } = await coordinator.result(job)
    const { digest } = outputs.find(({ name }) => name === 'statistics')!
    expect(JSON.parse(new TextDecoder().decode(await coordinator.output(job, digest))).exampleCount).toBe(920)
  })

  it('can be cancelled while it runs and while it waits; what was published stays', async () => {
    const running = await submit(1000)
    // A holder takes part in two at a time.
    const beside = await submit(1000)
    const waiting = await submit(1000)
    const seen = new AbortController()
    for await (const { event } of coordinator.watch(running, 0, seen.signal)) {
      if (event.kind === 'round-published' && event.step === 'training') break
    }
    expect(await coordinator.cancel(waiting)).toBe(true)
    expect(await coordinator.cancel(running)).toBe(true)
    expect(await coordinator.cancel(beside)).toBe(true)
    for (const job of [running, beside]) await eventsOf(job)
    const [first, second] = [await coordinator.result(running), await coordinator.result(waiting)]
    expect(first.record.state).toBe('cancelled')
    expect(second.record).toMatchObject({ state: 'cancelled' })
    expect(first.outputs.filter(({ name }) => name === 'model').length).toBeGreaterThan(1)
    expect(second.outputs).toEqual([])
    expect(await coordinator.cancel(running)).toBe(false)
  })

  it('is refused by name when it is not one, or does not exist', async () => {
    await expect(coordinator.submit({ format: 'sluice.job/1' }, 'ada')).rejects.toMatchObject({ code: 'job-invalid' })
    // A name that nobody has is told at once, and not waited for like a holder that is down.
    const holders = ['cleveland', 'hungary', 'clevland']
    await expect(submit(1, { holders })).rejects.toMatchObject({
      code: 'holder-unknown',
      message: expect.stringContaining('clevland'),
    })
    await expect(coordinator.result('0'.repeat(64))).rejects.toMatchObject({ code: 'job-not-found' })
    const job = await submit(1)
    await eventsOf(job)
    await expect(coordinator.output(job, '0'.repeat(64))).rejects.toMatchObject({ code: 'output-not-found' })
  })

  it('goes on after the coordinator was stopped, with what its rounds had published and under new round numbers', async () => {
    const job = await submit(4)
    const seen = new AbortController()
    for await (const { event } of coordinator.watch(job, 0, seen.signal)) {
      if (event.kind === 'round-published' && event.modelVersion === 2) break
    }
    coordinator.stop()
    await stopped
    ;({ coordinator, stopped } = venue.startCoordinator())
    const events = await eventsOf(job)
    const published = ofKind(events, 'round-published')
    expect(published.map(({ step, modelVersion }) => `${step} ${modelVersion ?? ''}`)).toEqual([
      'statistics ',
      'training 1',
      'training 2',
      'training 3',
      'training 4',
      'evaluation ',
    ])
    const rounds = await venue.store.listRounds(job)
    expect(new Set(rounds.map(({ round }) => round)).size).toBe(rounds.length)
    expect(rounds.every(({ phase }) => phase === 'published' || phase === 'abandoned')).toBe(true)
  })
})
