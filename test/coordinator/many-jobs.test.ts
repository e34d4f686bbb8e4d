/** Many jobs over the same four holders, in one venue: who is next, who runs beside whom, and what becomes of each. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { Coordinator } from '../../src/coordinator/coordinator.ts'
import { OpenRounds } from '../../src/coordinator/open-rounds.ts'
import type { JobState, StoredJobEvent } from '../../src/coordinator/ports.ts'
import { StoreError } from '../../src/store/store-error.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'

let venue: InProcessVenue
beforeAll(async () => {
  venue = await InProcessVenue.open()
})
afterAll(() => venue.close())

type Parts = InProcessVenue['parts']

function start(changes: Partial<Parts> = {}) {
  const states: { job: string; state: JobState }[] = []
  const faults: unknown[] = []
  const letGo: { job: string; reason: string }[] = []
  const coordinator = new Coordinator(
    { ...venue.parts, ...changes },
    {
      onJobState: (job, state) => states.push({ job, state }),
      onFault: (_, error) => faults.push(error),
      onLetGo: (job, reason) => letGo.push({ job, reason }),
    },
  )
  const running = coordinator.run()
  const stop = async () => {
    coordinator.stop()
    await running
  }
  return { coordinator, states, faults, letGo, stop }
}

const submit = (coordinator: Coordinator, rounds: number, who = 'ada', changes = {}) =>
  coordinator.submit({ ...heartJob('logistic', 'ab'.repeat(32), rounds), ...changes }, who)

async function watch(coordinator: Coordinator, job: string): Promise<StoredJobEvent[]> {
  const events = []
  for await (const stored of coordinator.watch(job, 0, new AbortController().signal)) events.push(stored)
  return events
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = Date.now() + 30_000; !(await holds()); ) {
    if (Date.now() > end) throw new Error('waited in vain')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function accuracyOf(coordinator: Coordinator, job: string): Promise<number> {
  const { outputs } = await coordinator.result(job)
  const { digest } = outputs.find(({ name }) => name === 'evaluation')!
  return JSON.parse(new TextDecoder().decode(await coordinator.output(job, digest))).accuracy.value
}

describe('two jobs over the same holders', () => {
  it('run side by side: their rounds alternate, and each comes to what it comes to alone', async () => {
    const { coordinator, stop, faults } = start()
    const alone = await submit(coordinator, 6)
    await watch(coordinator, alone)
    const both = await Promise.all([submit(coordinator, 6), submit(coordinator, 6, 'bea')])
    const events = (await Promise.all(both.map((job) => watch(coordinator, job)))).map((each) =>
      each.flatMap(({ event, at }) => (event.kind === 'round-published' ? [{ ...event, at }] : [])),
    )
    expect(faults).toEqual([])
    for (const job of both) {
      // The log moves on under each of them by the other's statements, and that is nobody's refusal.
      const stored = await venue.store.listJobEvents(job, 0, 1000)
      expect(stored.filter(({ event }) => event.kind === 'holder-refused')).toEqual([])
    }
    for (const each of events) expect(each.map(({ contributors }) => contributors.length)).toEqual(Array(8).fill(4))
    const order = events
      .flatMap((each, i) => each.map(({ at }) => ({ at, i })))
      .sort((a, b) => +a.at - +b.at)
      .map(({ i }) => i)
    // Neither has a long way for itself: of the sixteen rounds the last eight are not of one job.
    expect(new Set(order.slice(0, 8)).size).toBe(2)
    expect(new Set(order.slice(8)).size).toBe(2)
    // Each begins from weights of its own.
    const accuracies = await Promise.all([alone, ...both].map((job) => accuracyOf(coordinator, job)))
    for (const accuracy of accuracies) expect(accuracy).toBeGreaterThan(0.7)
    await stop()
  })
})

describe('thirty small jobs of three researchers', () => {
  it('are taken up as the rule says, two at a time, and all of them end', async () => {
    const { coordinator, states, faults, stop } = start()
    // Ada comes first with all of hers; one of Cyd's is urgent, and one of Bea's may wait.
    const names: Record<string, string> = {}
    const add = async (who: string, i: number, priority?: string) => {
      const job = await submit(coordinator, 1, who, { name: `${who} ${i}`, ...(priority && { priority }) })
      names[job] = `${who} ${i}`
    }
    const two = [await submit(coordinator, 1000, 'zoe'), await submit(coordinator, 1000, 'zoe')]
    await until(() => states.filter(({ state }) => state === 'running').length === 2)
    for (let i = 1; i <= 10; i++) await add('ada', i)
    for (let i = 1; i <= 10; i++) await add('bea', i, i === 1 ? 'low' : undefined)
    for (let i = 1; i <= 10; i++) await add('cyd', i, i === 10 ? 'high' : undefined)
    const standings = await coordinator.list(100)
    const standingOf = (name: string) => standings.find(({ job }) => names[job] === name)
    expect(standingOf('cyd 10')).toMatchObject({ place: 1, priority: 'high' })
    expect(standingOf('bea 1')).toMatchObject({ place: 30, priority: 'low' })
    expect(standingOf('ada 1')!.standing).toMatch(/takes part in 2 jobs already/)
    expect(standings.find(({ job }) => job === two[0])).toMatchObject({ standing: 'is run by coordinator' })
    for (const job of two) await coordinator.cancel(job)
    await Promise.all(Object.keys(names).map((job) => watch(coordinator, job)))
    const order = states.flatMap(({ job, state }) => (state === 'running' && names[job] ? [names[job]] : []))
    expect(order).toHaveLength(30)
    expect(order[0]).toBe('cyd 10')
    expect(order.at(-1)).toBe('bea 1')
    for (const who of ['ada', 'bea', 'cyd']) {
      const own = order.filter((name) => name.startsWith(who) && !['cyd 10', 'bea 1'].includes(name))
      expect(own).toEqual(own.toSorted((a, b) => Number(a.slice(4)) - Number(b.slice(4))))
    }
    // Nobody waits for more than one turn of each of the others, while it has jobs to run.
    for (const [i, name] of order.slice(0, 24).entries()) {
      const before = order.slice(Math.max(0, i - 4), i).filter((other) => other.slice(0, 3) === name.slice(0, 3))
      expect(before.length, `${name} in ${order.join(', ')}`).toBeLessThanOrEqual(2)
    }
    expect(faults).toEqual([])
    expect(states.filter(({ state }) => state === 'completed')).toHaveLength(30)
    const most = states.reduce(
      ({ now, most }, { state }) => {
        const running = now + (state === 'running' ? 1 : -1)
        return { now: running, most: Math.max(most, running) }
      },
      { now: 0, most: 0 },
    )
    expect(most).toEqual({ now: 0, most: 2 })
    await stop()
  }, 120_000)
})

describe('a job that does not fit', () => {
  it('blocks no other: it waits for its holders, says so, and runs when they come', async () => {
    const { coordinator, stop } = start()
    venue.connected.delete('hungary')
    venue.connected.delete('switzerland')
    const wide = await submit(coordinator, 1, 'ada', { holders: ['hungary', 'switzerland', 'cleveland'] })
    const narrow = await submit(coordinator, 1, 'bea', {
      holders: ['cleveland', 'long-beach'],
      protection: { minContributors: 2 },
    })
    expect((await coordinator.result(wide)).record.standing).toMatch(/waits for holders: 1 of at least 3/)
    await watch(coordinator, narrow)
    expect((await coordinator.result(wide)).record.state).toBe('queued')
    for (const { keys } of venue.parties) venue.connected.add(keys.holder)
    await watch(coordinator, wide)
    expect((await coordinator.result(wide)).record.state).toBe('completed')
    await stop()
  })
})

describe('leases', () => {
  const scheduling = () => ({ ...venue.parts.scheduling, leaseMs: 1500, pollMs: 50 })

  it('that one has lost while its clock stood still keep it from ending the round of whoever has the job now', async () => {
    const [asleep, taken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let isAsleep = false
    const sleeper = start({
      name: 'sleeper',
      scheduling: { ...scheduling(), leaseMs: 600_000, maxRunningJobs: 1 },
      store: {
        ...venue.store,
        // For the store the time went by.
        claimJob: (claimant, _, choose) => venue.store.claimJob(claimant, 1500, choose),
        renewLeases: async (claimant, _, jobs) => {
          if (isAsleep) await taken.promise
          return venue.store.renewLeases(claimant, 1500, jobs)
        },
        setRoundPhase: async (...call) => {
          if (call[1] !== 'sealed') return venue.store.setRoundPhase(...call)
          isAsleep = true
          asleep.resolve()
          await taken.promise
          throw new StoreError('conflict', 'The round has another manifest.')
        },
      },
    })
    const job = await submit(sleeper.coordinator, 1)
    await asleep.promise
    venue.openRounds = new OpenRounds()
    const other = start({
      name: 'other',
      scheduling: scheduling(),
      store: {
        ...venue.store,
        setRoundPhase: async (...call) => {
          if (call[1] === 'sealed') {
            taken.resolve()
            await until(() => sleeper.letGo.length + sleeper.faults.length > 0)
          }
          return venue.store.setRoundPhase(...call)
        },
      },
    })
    const events = await watch(other.coordinator, job)
    expect(sleeper.letGo).toEqual([{ job, reason: expect.stringMatching(/lets go of it/) }])
    expect(sleeper.faults).toEqual([])
    expect(events.filter(({ event }) => event.kind === 'round-abandoned')).toEqual([])
    expect((await venue.store.listRounds(job)).map(({ phase }) => phase)).toEqual(Array(3).fill('published'))
    await Promise.all([sleeper.stop(), other.stop()])
  })

  it('of a coordinator that is not heard of any more run out, and another finishes the job', async () => {
    const deaf = start({
      name: 'deaf',
      scheduling: scheduling(),
      store: {
        ...venue.store,
        // Its requests are lost from the first renewal on.
        renewLeases: () => new Promise(() => {}),
      },
    })
    const job = await submit(deaf.coordinator, 200)
    await until(async () => (await venue.store.listRounds(job)).length > 2)
    const other = start({ name: 'other', scheduling: scheduling() })
    await until(() => deaf.letGo.length > 0)
    expect(deaf.letGo).toEqual([{ job, reason: expect.stringMatching(/lets go of it/) }])
    expect(deaf.faults).toEqual([])
    await until(async () => (await other.coordinator.result(job)).record.standing === 'is run by other')
    const rounds = await venue.store.listRounds(job)
    await until(async () => (await venue.store.listRounds(job)).length > rounds.length + 2)
    expect(await other.coordinator.cancel(job)).toBe(true)
    await watch(other.coordinator, job)
    expect((await venue.store.findJob(job))?.state).toBe('cancelled')
    await other.stop()
  })

  it('are given back by a coordinator that stops, and taken up by another at once', async () => {
    const long = { ...scheduling(), leaseMs: 600_000 }
    const first = start({ name: 'first', scheduling: long })
    const job = await submit(first.coordinator, 3)
    await until(async () => (await venue.store.listRounds(job)).length > 1)
    await first.stop()
    const second = start({ name: 'second', scheduling: long })
    await watch(second.coordinator, job)
    expect((await second.coordinator.result(job)).record.state).toBe('completed')
    await second.stop()
  })

  it('do not keep a researcher from cancelling a job at another coordinator', async () => {
    const [here, there] = [
      start({ name: 'here', scheduling: scheduling() }),
      start({ name: 'there', scheduling: scheduling() }),
    ]
    const job = await submit(here.coordinator, 1000)
    await until(async () => (await here.coordinator.result(job)).record.standing?.startsWith('is run by') ?? false)
    for (const each of [here, there]) await each.coordinator.cancel(job)
    const seen = await Promise.all([here, there].map(({ coordinator }) => watch(coordinator, job)))
    for (const events of seen) {
      expect(events.at(-1)?.event).toEqual({
        kind: 'job-state',
        state: 'cancelled',
        reason: 'cancelled by a researcher',
      })
    }
    expect(await there.coordinator.cancel(job)).toBe(false)
    await Promise.all([here.stop(), there.stop()])
  })
})
