import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Claimant, CoordinatorStore, JobPlacing, JobQueue } from '../../src/coordinator/ports.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import { someDigest, someJob } from './coordinator-fixtures.ts'
import type { CoordinatorStorePlace } from './coordinator-store.contract.ts'

const LEASE_MS = 60_000
/** Over before the next line that looks at it. */
const SPENT_MS = 0

/** What every `CoordinatorStore` keeps to about leases and the queue (docs/adr/0015). */
export function describeJobQueue(name: string, makePlace: () => Promise<CoordinatorStorePlace>): void {
  describe(`the queue of CoordinatorStore on ${name}`, () => {
    let place: CoordinatorStorePlace
    let store: CoordinatorStore
    let [ada, bea]: Claimant[] = []

    beforeAll(async () => {
      place = await makePlace()
      store = await place.open()
      ada = await store.enterCoordinator('ada')
      bea = await store.enterCoordinator('bea')
    })
    afterAll(async () => {
      await store.close()
      await place.remove()
    })

    async function queueJob(placing?: JobPlacing): Promise<Digest> {
      const { job, envelope } = someJob()
      await store.addJob(job, envelope, new Date(), placing)
      return job
    }

    const claim = (claimant: Claimant, job: Digest, leaseMs = LEASE_MS) =>
      store.claimJob(claimant, leaseMs, ({ jobs }) => jobs.find((each) => each.job === job)?.job)
    const find = async (job: Digest) => (await store.readQueue()).jobs.find((each) => each.job === job)
    const has = async (claimant: Claimant, job: Digest) =>
      (await store.renewLeases(claimant, LEASE_MS, [job])).length > 0

    it('tells what a job was placed with, oldest first, and nothing of those that have ended', async () => {
      const placing = { priority: 'high', submittedBy: 'ida', holders: ['zürich', 'bern'], minContributors: 3 } as const
      const [plain, placed, ended] = [await queueJob(), await queueJob(placing), await queueJob()]
      await store.setJobState(ended, 'cancelled', new Date())
      const { jobs } = await store.readQueue()
      expect(jobs.slice(-2)).toMatchObject([
        { job: plain, state: 'queued', priority: 'normal', submittedBy: '', retries: 0 },
        { job: placed, state: 'queued', ...placing },
      ])
      expect(jobs.at(-2)).not.toHaveProperty('holders')
    })

    it('gives a job to one of many that want it at once, and shows the others that it is taken', async () => {
      const job = await queueJob()
      const seen: JobQueue[] = []
      const claims = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          store.claimJob(i % 2 === 0 ? ada : bea, LEASE_MS, (queue) => {
            seen.push(queue)
            return queue.jobs.find((each) => each.job === job && !each.owner)?.job
          }),
        ),
      )
      expect(claims.filter((claimed) => claimed?.record.job === job)).toHaveLength(1)
      const owners = seen.map(({ jobs }) => jobs.find((each) => each.job === job)?.owner)
      expect(owners.filter((owner) => owner === undefined)).toHaveLength(1)
    })

    it('does not give a job again whose lease lives, nor one that has ended, and asks for another choice', async () => {
      const [taken, ended, free] = [await queueJob(), await queueJob(), await queueJob()]
      await claim(ada, taken)
      await store.setJobState(ended, 'cancelled', new Date())
      const wanted = [taken, ended, free]
      const claimed = await store.claimJob(bea, LEASE_MS, () => wanted.shift())
      expect(claimed?.record.job).toBe(free)
      expect(await store.claimJob(bea, LEASE_MS, () => undefined)).toBeUndefined()
    })

    it('keeps a lease as long as it is renewed, and frees it when its time is over', async () => {
      const job = await queueJob()
      await claim(ada, job)
      expect(await find(job)).toMatchObject({ owner: 'ada' })
      expect(await has(bea, job)).toBe(false)
      await store.renewLeases(ada, SPENT_MS, [job])
      expect(await find(job)).not.toHaveProperty('owner')
      // Nobody has taken it: it is still its own.
      expect(await has(ada, job)).toBe(true)
      await store.renewLeases(ada, SPENT_MS, [job])
      expect((await claim(bea, job))?.record.job).toBe(job)
      expect(await has(ada, job)).toBe(false)
      expect(await has(bea, job)).toBe(true)
    })

    it('frees at once what an earlier process of the same name had, and gives that one nothing more', async () => {
      const old = await store.enterCoordinator('cyd')
      const job = await queueJob()
      await claim(old, job)
      const young = await store.enterCoordinator('cyd')
      expect(await find(job)).not.toHaveProperty('owner')
      await expect(claim(old, job)).rejects.toMatchObject({ code: 'conflict' })
      expect(await has(old, job)).toBe(false)
      expect((await claim(young, job))?.record.job).toBe(job)
      await store.giveBackJob(old, job)
      expect(await find(job)).toMatchObject({ owner: 'cyd' })
    })

    it('counts how often a job was claimed since it was given back: so often its coordinator went away', async () => {
      const job = await queueJob()
      for (const lives of [1, 2, 3]) {
        const dan = await store.enterCoordinator('dan')
        expect(await find(job)).toMatchObject({ idleClaims: lives - 1 })
        expect(await claim(dan, job)).toMatchObject({ idleClaims: lives })
        if (lives === 3) await store.giveBackJob(dan, job)
      }
      expect(await find(job)).toMatchObject({ idleClaims: 0 })
    })

    it('takes a job back that is given back, with a pause and a reason when it is to be tried again', async () => {
      const job = await queueJob()
      await claim(ada, job)
      await store.setJobState(job, 'running', new Date())
      await store.giveBackJob(bea, job)
      expect(await find(job)).toMatchObject({ owner: 'ada' })
      await store.giveBackJob(ada, job, { retries: 3, pauseMs: 600_000, reason: 'the store \0 was away' })
      const { now } = await store.readQueue()
      const paused = (await find(job))!
      expect(paused).toMatchObject({ state: 'running', retries: 3, reason: 'the store � was away' })
      expect(paused).not.toHaveProperty('owner')
      expect(+paused.retryAt! - +now).toBeGreaterThan(590_000)
      expect(await claim(bea, job)).toMatchObject({ retries: 3, isCancelled: false })
      expect(await find(job)).not.toHaveProperty('retryAt')
      await store.giveBackJob(bea, job)
      expect(await find(job)).toMatchObject({ retries: 0 })
    })

    it('knows when a researcher last had a turn', async () => {
      const placing = { priority: 'normal', submittedBy: 'nina', minContributors: 2 } as const
      const [first, second] = [await queueJob(placing), await queueJob(placing)]
      expect((await store.readQueue()).lastTurns.has('nina')).toBe(false)
      await claim(ada, first)
      const turn = (await store.readQueue()).lastTurns.get('nina')!
      await store.setJobState(first, 'cancelled', new Date())
      expect((await store.readQueue()).lastTurns.get('nina')).toEqual(turn)
      await claim(ada, second)
      expect(+(await store.readQueue()).lastTurns.get('nina')!).toBeGreaterThanOrEqual(+turn)
    })

    it('tells whoever has a job that it is to be cancelled, and lets it run and complete no more', async () => {
      const [leased, free, ended] = [await queueJob(), await queueJob(), await queueJob()]
      await claim(ada, leased)
      await store.setJobState(ended, 'failed', new Date())
      expect(await store.renewLeases(ada, LEASE_MS, [leased])).toEqual([{ job: leased, isCancelled: false }])
      expect(await store.requestCancel(leased)).toBe('leased')
      expect(await store.requestCancel(free)).toBe('free')
      expect(await store.requestCancel(ended)).toBe('ended')
      await expect(store.requestCancel(someDigest())).rejects.toMatchObject({ code: 'not-found' })
      expect(await store.renewLeases(ada, LEASE_MS, [leased])).toEqual([{ job: leased, isCancelled: true }])
      expect(await claim(bea, free)).toMatchObject({ isCancelled: true })
      for (const state of ['running', 'completed'] as const) {
        expect(await store.setJobState(leased, state, new Date())).toBe(false)
      }
      expect(await store.setJobState(leased, 'cancelled', new Date())).toBe(true)
      expect(await has(ada, leased)).toBe(false)
    })
  })
}
