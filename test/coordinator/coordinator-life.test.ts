/** What happens around jobs: watchers, the queue, faults of the disk and the database, a process that dies. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { Coordinator } from '../../src/coordinator/coordinator.ts'
import type { StoredJobEvent } from '../../src/coordinator/ports.ts'
import { refused } from '../../src/sluice-error.ts'
import { StoreError } from '../../src/store/store-error.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'

let venue: InProcessVenue
beforeAll(async () => {
  venue = await InProcessVenue.open()
})
afterAll(() => venue.close())

type Parts = InProcessVenue['parts']

/** A coordinator over the venue, some of whose parts fail. It runs until the test is over, or hangs where the parts do. */
function start(changes: Partial<Parts> = {}) {
  const faults: unknown[] = []
  const letGo: { job: string; reason: string }[] = []
  const coordinator = new Coordinator(
    { ...venue.parts, ...changes },
    {
      onJobState: () => {},
      onFault: (_, error) => faults.push(error),
      onLetGo: (job, reason) => letGo.push({ job, reason }),
    },
  )
  const running = coordinator.run()
  const stop = async () => {
    coordinator.stop()
    await running
  }
  return { coordinator, faults, letGo, running, stop }
}

const oneAtATime = () => ({ ...venue.parts.scheduling, maxRunningJobs: 1 })

const submit = (coordinator: Coordinator, rounds = 1) =>
  coordinator.submit(heartJob('logistic', 'ef'.repeat(32), rounds), 'ada')

async function watch(coordinator: Coordinator, job: string, after = 0): Promise<StoredJobEvent[]> {
  const events = []
  for await (const stored of coordinator.watch(job, after, new AbortController().signal)) events.push(stored)
  return events
}

const spooled = () => readdirSync(join(venue.directory, 'spool'))

describe('watchers', () => {
  it('who come before, during and after a job all see every event once, in order', async () => {
    const { coordinator, stop } = start()
    const job = await submit(coordinator, 2)
    const early = [watch(coordinator, job), watch(coordinator, job)]
    const during: Promise<StoredJobEvent[]>[] = []
    for await (const { sequence } of coordinator.watch(job, 0, new AbortController().signal)) {
      during.push(watch(coordinator, job, sequence))
    }
    const whole = await watch(coordinator, job)
    expect(whole.map(({ sequence }) => sequence)).toEqual(whole.map((_, i) => i + 1))
    expect(await Promise.all(early)).toEqual([whole, whole])
    expect(await Promise.all(during)).toEqual(whole.map((_, i) => whole.slice(i + 1)))
    await stop()
  })

  it('are let go when a job has ended and its last event was lost with the process', async () => {
    const { coordinator, stop } = start()
    const job = await submit(coordinator)
    await watch(coordinator, job)
    await stop()
    const lost = await submit(coordinator)
    await venue.store.setJobState(lost, 'cancelled', new Date())
    expect(await watch(coordinator, lost)).toEqual([])
  })
})

describe('the queue', () => {
  it('does not begin a job that is cancelled in the moment in which it is taken', async () => {
    let cancel: ((job: string) => Promise<boolean>) | undefined
    const { coordinator, stop } = start({
      scheduling: oneAtATime(),
      store: {
        ...venue.store,
        claimJob: async (...claim) => {
          const claimed = await venue.store.claimJob(...claim)
          if (claimed) await cancel?.(claimed.record.job)
          return claimed
        },
      },
    })
    cancel = async (job) => {
      cancel = undefined
      return coordinator.cancel(job)
    }
    const cancelled = await submit(coordinator)
    const next = await submit(coordinator)
    expect((await watch(coordinator, next)).at(-1)?.event).toEqual({ kind: 'job-state', state: 'completed' })
    expect(await venue.store.listRounds(cancelled)).toEqual([])
    expect((await watch(coordinator, cancelled)).map(({ event }) => event)).toEqual([
      { kind: 'job-state', state: 'cancelled', reason: 'cancelled by a researcher' },
    ])
    await stop()
  })

  it('runs the next job after one has failed, and what was submitted while no coordinator ran', async () => {
    const { coordinator, stop } = start()
    await stop()
    venue.interferences.set('hungary', async () => refused('no', 'no'))
    venue.interferences.set('cleveland', async () => refused('no', 'no'))
    const [first, second] = [await submit(coordinator), await submit(coordinator)]
    const again = start({ scheduling: oneAtATime() })
    for await (const { event } of again.coordinator.watch(first, 0, new AbortController().signal)) {
      if (event.kind === 'job-state' && event.state === 'failed') venue.interferences.clear()
    }
    expect((await again.coordinator.result(first)).record.state).toBe('failed')
    await watch(again.coordinator, second)
    expect((await again.coordinator.result(second)).record.state).toBe('completed')
    await again.stop()
  })
})

describe('a fault', () => {
  it('of the blobs after a sum was opened fails the job, and leaves no open round and no payload behind', async () => {
    let puts = 0
    const { coordinator, faults, stop } = start({
      artifacts: {
        ...venue.artifacts,
        put: async (bytes) => {
          // The initial model is stored; what comes of the first sum is not.
          if (++puts > 1) throw new StoreError('blobs-refused', 'No such bucket.')
          return venue.artifacts.put(bytes)
        },
      },
    })
    const job = await submit(coordinator)
    await watch(coordinator, job)
    expect((await coordinator.result(job)).record).toMatchObject({ state: 'failed', reason: 'No such bucket.' })
    expect(faults).toMatchObject([{ code: 'blobs-refused' }])
    const [round] = await venue.store.listRounds(job)
    expect(round).toMatchObject({ phase: 'abandoned', reason: 'No such bucket.' })
    expect(venue.openRounds.contributionsFor(round.planDigest, 'cleveland')).toBeUndefined()
    expect(spooled()).toEqual([])
    expect(await venue.openings.plans()).not.toContain(round.planDigest)
    await stop()
  })

  it('of the disk that passes leaves the round to be opened again, whose committee has answered', async () => {
    for (const code of ['disk-full', 'io-failed'] as const) {
      let [sums, outputs] = [0, 0]
      const fault = () => new StoreError(code, `The disk: ${code}.`)
      const { coordinator, faults, letGo, stop } = start({
        scheduling: { ...venue.parts.scheduling, retryFirstMs: 50 },
        openings: {
          ...venue.openings,
          open: async (...which) => {
            if (++sums === 1) throw fault()
            return venue.openings.open(...which)
          },
        },
        artifacts: {
          ...venue.artifacts,
          put: async (bytes) => {
            // The initial model comes before.
            if (++outputs === 2) throw fault()
            return venue.artifacts.put(bytes)
          },
        },
      })
      const job = await submit(coordinator)
      const events = await watch(coordinator, job)
      await stop()
      expect((await coordinator.result(job)).record.state).toBe('completed')
      expect(faults).toEqual([])
      expect(letGo).toHaveLength(2)
      expect((await venue.store.listRounds(job)).map(({ phase }) => phase)).toEqual(Array(3).fill('published'))
      expect(events.filter(({ event }) => event.kind === 'round-abandoned')).toEqual([])
    }
  })

  /** A job whose coordinator's store fails `times` times when a round is to be stored. */
  async function runWhileAway(fault: StoreError, times: number) {
    let left = times
    const started = start({
      scheduling: { ...venue.parts.scheduling, retryFirstMs: 50 },
      store: {
        ...venue.store,
        addRound: async (round) => {
          if (left-- > 0) throw fault
          return venue.store.addRound(round)
        },
      },
    })
    const job = await submit(started.coordinator)
    const events = await watch(started.coordinator, job)
    await started.stop()
    return { ...started, events, record: (await started.coordinator.result(job)).record }
  }

  it('of the database that passes has the job tried again, after a pause, and costs nothing', async () => {
    const away = new StoreError('database-unreachable', 'The database is away.')
    const { record, faults, letGo, events } = await runWhileAway(away, 2)
    expect(record.state).toBe('completed')
    expect(faults).toEqual([])
    expect(letGo.map(({ reason }) => reason)).toEqual([
      'is tried again in 50 ms: The database is away.',
      'is tried again in 100 ms: The database is away.',
    ])
    expect(events.filter(({ event }) => event.kind === 'round-published')).toHaveLength(3)
  })

  it('of the database that does not pass by itself fails the job at once, and not the process', async () => {
    const broken = new StoreError('database-failed', 'The database is broken.')
    const { record, faults, letGo } = await runWhileAway(broken, 1)
    expect(record).toMatchObject({ state: 'failed', reason: 'The database is broken.' })
    expect(faults).toMatchObject([{ code: 'database-failed' }])
    expect(letGo).toEqual([])
  })
})

describe('a job that is cancelled before a coordinator takes it up again', () => {
  it('leaves no open round and no payload behind', async () => {
    const dead = Promise.withResolvers<void>()
    const { coordinator } = start({
      store: {
        ...venue.store,
        setRoundPhase: async (...call) => {
          if (call[1] !== 'opened') return venue.store.setRoundPhase(...call)
          dead.resolve()
          return new Promise<never>(() => {})
        },
      },
    })
    const job = await submit(coordinator)
    await dead.promise
    expect(spooled()).toHaveLength(1)
    const [{ planDigest }] = await venue.store.listRounds(job)
    expect(await venue.openings.plans()).toContain(planDigest)
    // The next process has begun, and takes nothing up yet.
    await venue.store.enterCoordinator(venue.parts.name)
    const next = new Coordinator(venue.parts, { onJobState: () => {}, onFault: () => {} })
    expect(await next.cancel(job)).toBe(true)
    expect(await venue.store.listRounds(job)).toMatchObject([
      { phase: 'abandoned', reason: 'cancelled by a researcher' },
    ])
    expect(spooled()).toEqual([])
    expect(await venue.openings.plans()).not.toContain(planDigest)
  })
})

describe('a coordinator that dies', () => {
  it('in the moment in which it has published is followed by one that goes on after that, and cleans up', async () => {
    let die = () => {}
    const dead = new Promise<void>((resolve) => {
      die = resolve
    })
    let discards = 0
    const { coordinator } = start({
      spool: {
        ...venue.spool,
        discard: async (plan) => {
          if (++discards !== 3) return venue.spool.discard(plan)
          // Nothing after this line ever happens in this coordinator.
          die()
          return new Promise(() => {})
        },
      },
    })
    const job = await submit(coordinator, 4)
    await dead
    expect(spooled()).toHaveLength(1)
    const next = start()
    await watch(next.coordinator, job)
    const { outputs, record } = await next.coordinator.result(job)
    expect(record.state).toBe('completed')
    expect(outputs.filter(({ name }) => name === 'model').map(({ version }) => version)).toEqual([0, 1, 2, 3, 4])
    const rounds = await venue.store.listRounds(job)
    expect(rounds.map(({ phase }) => phase)).toEqual(Array(6).fill('published'))
    expect(new Set(rounds.map(({ round }) => round)).size).toBe(6)
    expect(spooled()).toEqual([])
    await next.stop()
  })

  it('before it has told holders of the last round is followed by one that does, and has the opening', async () => {
    const dead = Promise.withResolvers<void>()
    let published = 0
    const { coordinator } = start({
      store: {
        ...venue.store,
        publishRound: async (...call) => {
          await venue.store.publishRound(...call)
          if (++published < 3) return
          dead.resolve()
          return new Promise<never>(() => {})
        },
      },
    })
    const job = await submit(coordinator)
    await dead.promise
    venue.replaceCoordinator()
    const next = start()
    // Not there yet when the job goes on, which has nothing more to ask of it.
    const late = [...venue.connected][0]
    venue.connected.delete(late)
    await watch(next.coordinator, job)
    venue.connected.add(late)
    const last = (await venue.store.listRounds(job)).at(-1)!
    expect(last).toMatchObject({ step: 'evaluation', phase: 'published' })
    const verified = () => [...venue.connected].filter((name) => venue.journalOf(name).findVerified(last.planDigest))
    await expect.poll(verified, { timeout: 20_000 }).toEqual([...venue.connected])
    await next.stop()
  })

  it('while a round is open is followed by one that goes on with it', async () => {
    const { coordinator } = start({
      holders: {
        ...venue.holders,
        // From the third round on nobody hears it any more, and it hears nobody.
        ask: async (holder, request, signal) => {
          const rounds = await venue.store.listRounds(await job)
          return rounds.length < 3 ? venue.holders.ask(holder, request, signal) : new Promise(() => {})
        },
      },
    })
    const job: Promise<string> = submit(coordinator, 3)
    for await (const { event } of coordinator.watch(await job, 0, new AbortController().signal)) {
      if (event.kind === 'round-planned' && event.round === 3) break
    }
    const next = start()
    await watch(next.coordinator, await job)
    const rounds = await venue.store.listRounds(await job)
    expect(rounds.map(({ round, phase }) => [round, phase])).toEqual([1, 2, 3, 4, 5].map((n) => [n, 'published']))
    expect(spooled()).toEqual([])
    await next.stop()
  })
})
