/** Whose turn it is: the rule of docs/adr/0015, on queues of every kind. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextJob, type QueueRoom, queueOrder, whyNotNow } from '../../src/coordinator/job-queue.ts'
import type { JobPriority, JobQueue, QueuedJob } from '../../src/coordinator/ports.ts'

const NOW = new Date('2026-03-01T12:00:00.000Z')
const second = (offset: number) => new Date(NOW.getTime() + offset * 1000)
const HOLDERS = ['bern', 'graz', 'lyon', 'turin']
const room: QueueRoom = {
  maxJobsPerHolder: 2,
  members: new Map(HOLDERS.map((name) => [name, { organisation: `of ${name}` }])),
  connected: new Set(HOLDERS),
  isIdle: true,
}

function job(name: string, changes: Partial<QueuedJob> = {}): QueuedJob {
  const submittedAt = second(-100)
  return {
    job: name,
    state: 'queued',
    submittedAt,
    priority: 'normal',
    submittedBy: 'ada',
    minContributors: 2,
    retries: 0,
    idleClaims: 0,
    ...changes,
  }
}

const queue = (jobs: QueuedJob[], lastTurns: Record<string, Date> = {}): JobQueue => ({
  now: NOW,
  jobs,
  lastTurns: new Map(Object.entries(lastTurns)),
})

describe('the next job', () => {
  it('is the one of the highest priority, whoever waits longer', () => {
    const jobs = [
      job('old', { submittedAt: second(-900) }),
      job('low', { priority: 'low', submittedBy: 'bea' }),
      job('urgent', { priority: 'high' }),
    ]
    expect(nextJob(queue(jobs), room)).toBe('urgent')
    expect(queueOrder(queue(jobs))).toEqual(['urgent', 'old', 'low'])
  })

  it('is of the researcher with the fewest running jobs, then of the one whose last turn is longest ago, then the oldest', () => {
    const [mine, yours] = [{ submittedBy: 'ada' }, { submittedBy: 'bea' }]
    const running = job('running', { ...mine, state: 'running', owner: 'here' })
    const [old, young] = [
      job('old', { ...mine, submittedAt: second(-50) }),
      job('young', { ...yours, submittedAt: second(-10) }),
    ]
    expect(nextJob(queue([running, old, young]), room)).toBe('young')
    expect(nextJob(queue([old, young]), room)).toBe('old')
    expect(nextJob(queue([old, young], { ada: second(-5) }), room)).toBe('young')
    // Bea has waited since she has something to wait for, and not since her last turn.
    expect(nextJob(queue([old, young], { ada: second(-40), bea: second(-90) }), room)).toBe('old')
    expect(nextJob(queue([job('later', { submittedAt: second(-1) }), old]), room)).toBe('old')
  })

  it('is what a coordinator that went away left in the middle, before all that has not begun', () => {
    const jobs = [job('urgent', { priority: 'high' }), job('left', { state: 'running', priority: 'low' })]
    expect(nextJob(queue(jobs), room)).toBe('left')
    // One that failed and is tried again has had its turn.
    const retried = job('retried', { state: 'running', retries: 1, retryAt: second(-1) })
    expect(nextJob(queue([retried, job('urgent', { priority: 'high' })]), room)).toBe('urgent')
  })

  it('is not for ever the one that its coordinators go away over: that one comes last, and runs beside no other', () => {
    const left = (idleClaims: number) => job('left', { state: 'running', priority: 'high', idleClaims })
    const other = job('other', { priority: 'low' })
    const busy = { ...room, isIdle: false }
    expect(nextJob(queue([left(2), other]), busy)).toBe('left')
    expect(nextJob(queue([left(3), other]), room)).toBe('other')
    expect(nextJob(queue([left(3)]), room)).toBe('left')
    expect(nextJob(queue([left(3)]), busy)).toBeUndefined()
    expect(whyNotNow(left(3), queue([left(3)]), busy)).toBe(
      'runs beside no other job, for its coordinator went away 3 times while it ran',
    )
  })

  it('fits: one that waits for a holder, for its pause or for a free holder blocks no other, and says why it waits', () => {
    const absent = { ...room, connected: new Set(['bern', 'graz']) }
    const busy = [1, 2].map((i) => job(`busy ${i}`, { owner: 'there', state: 'running', holders: ['bern', 'lyon'] }))
    const cases: [QueuedJob, QueueRoom, QueuedJob[], RegExp][] = [
      [job('wide', { minContributors: 3 }), absent, [], /2 of at least 3 organisations are connected/],
      [
        job('paused', { retryAt: second(5), retries: 1, reason: 'away' }),
        room,
        [],
        /tried again at .*attempt 2\): away/,
      ],
      [job('crowded', { holders: ['graz', 'lyon'] }), room, busy, /waits for lyon, which takes part in 2 jobs/],
    ]
    for (const [unfit, there, running, reason] of cases) {
      const fits = job('fits', {
        submittedAt: second(-1),
        holders: ['bern', 'graz'].slice(running.length > 0 ? 1 : 0),
        minContributors: running.length > 0 ? 1 : 2,
      })
      const all = queue([unfit, fits, ...running])
      expect(nextJob(all, there), unfit.job).toBe('fits')
      expect(whyNotNow(unfit, all, there)).toMatch(reason)
      expect(whyNotNow(fits, all, there)).toBeUndefined()
      expect(nextJob(queue([unfit, ...running]), there)).toBeUndefined()
    }
  })
})

const someJobs = fc
  .array(
    fc.record({
      priority: fc.constantFrom<JobPriority>('low', 'normal', 'high'),
      submittedBy: fc.constantFrom('ada', 'bea', 'cyd'),
      submittedAt: fc.integer({ min: -1000, max: -1 }).map(second),
      state: fc.constantFrom<QueuedJob['state']>('queued', 'running'),
      owner: fc.option(fc.constantFrom('here', 'there'), { nil: undefined, freq: 2 }),
      retries: fc.integer({ min: 0, max: 2 }),
      idleClaims: fc.integer({ min: 0, max: 4 }),
      retryAt: fc.option(fc.integer({ min: -5, max: 5 }).map(second), { nil: undefined, freq: 2 }),
      holders: fc.option(fc.subarray(HOLDERS, { minLength: 2 }), { nil: undefined }),
      minContributors: fc.integer({ min: 2, max: 4 }),
    }),
    { maxLength: 14 },
  )
  .map((jobs) =>
    jobs
      .toSorted((a, b) => +a.submittedAt - +b.submittedAt)
      .map((each, i): QueuedJob => ({ ...each, job: `job ${i}` })),
  )
const someQueue = fc
  .tuple(someJobs, fc.dictionary(fc.constantFrom('ada', 'bea', 'cyd'), fc.integer({ min: -1000, max: -1 }).map(second)))
  .map(([jobs, turns]) => queue(jobs, turns))
const someRoom = fc
  .record({
    maxJobsPerHolder: fc.integer({ min: 1, max: 3 }),
    connected: fc.subarray(HOLDERS).map((names) => new Set(names)),
    isIdle: fc.boolean(),
  })
  .map((changes) => ({ ...room, ...changes }))

describe('of every queue, the next job', () => {
  const isFree = (each: QueuedJob, all: JobQueue, there: QueueRoom) =>
    !each.owner && whyNotNow(each, all, there) === undefined
  const isInterrupted = ({ state, retries }: QueuedJob) => state === 'running' && retries === 0
  const isLeft = (each: QueuedJob) => isInterrupted(each) && each.idleClaims < 3
  const isSuspect = (each: QueuedJob) => isInterrupted(each) && each.idleClaims >= 3

  it('is there when any fits, and fits', () => {
    fc.assert(
      fc.property(someQueue, someRoom, (all, there) => {
        const fitting = all.jobs.filter((each) => isFree(each, all, there)).map((each) => each.job)
        const next = nextJob(all, there)
        if (next === undefined) expect(fitting).toEqual([])
        else expect(fitting).toContain(next)
      }),
      { numRuns: 1000 },
    )
  })

  it('passes over no fitting job of a higher priority, nor of a researcher with fewer running, nor an older one of the same', () => {
    const rank = { high: 0, normal: 1, low: 2 }
    fc.assert(
      fc.property(someQueue, someRoom, (all, there) => {
        const next = all.jobs.find((each) => each.job === nextJob(all, there))
        if (!next || isLeft(next)) return
        const runs = (who: string) => all.jobs.filter(({ owner, submittedBy }) => owner && submittedBy === who).length
        for (const other of all.jobs.filter((each) => isFree(each, all, there))) {
          expect(isLeft(other)).toBe(false)
          if (isSuspect(next)) expect(isSuspect(other)).toBe(true)
          if (isSuspect(other) && !isSuspect(next)) continue
          expect(rank[other.priority]).toBeGreaterThanOrEqual(rank[next.priority])
          if (other.priority !== next.priority) continue
          expect(runs(other.submittedBy)).toBeGreaterThanOrEqual(runs(next.submittedBy))
          if (other.submittedBy === next.submittedBy)
            expect(+other.submittedAt).toBeGreaterThanOrEqual(+next.submittedAt)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('never gives a holder more jobs than it takes part in, however long the queue is emptied', () => {
    fc.assert(
      fc.property(someQueue, someRoom, (all, there) => {
        let { jobs } = all
        const before = new Map(HOLDERS.map((holder) => [holder, countOf(jobs, holder)]))
        for (let next = nextJob(all, there); next; next = nextJob({ ...all, jobs }, there)) {
          jobs = jobs.map((each) => (each.job === next ? { ...each, owner: 'here' } : each))
        }
        for (const holder of HOLDERS) {
          expect(countOf(jobs, holder)).toBeLessThanOrEqual(Math.max(there.maxJobsPerHolder, before.get(holder)!))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('lets researchers take turns: of jobs that are alike nobody has two turns while another waits', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('ada', 'bea', 'cyd'), { minLength: 1, maxLength: 30 }), (submitters) => {
        const jobs = submitters.map((submittedBy, i) =>
          job(`job ${i}`, { submittedBy, submittedAt: second(i - submitters.length - 1) }),
        )
        const order = queueOrder(queue(jobs)).map((name) => jobs.find((each) => each.job === name)!.submittedBy)
        expect(order.toSorted()).toEqual(submitters.toSorted())
        const left = new Map<string, number>()
        for (const who of submitters) left.set(who, (left.get(who) ?? 0) + 1)
        // One at a time: in each stretch of turns, those who still have jobs come once each.
        for (let at = 0; at < order.length; ) {
          const waiting = [...left].filter(([, count]) => count > 0).map(([who]) => who)
          const turn = order.slice(at, at + waiting.length)
          expect(turn.toSorted()).toEqual(waiting.toSorted())
          for (const who of turn) left.set(who, left.get(who)! - 1)
          at += waiting.length
        }
      }),
      { numRuns: 500 },
    )
  })
})

function countOf(jobs: readonly QueuedJob[], holder: string): number {
  return jobs.filter(({ owner, holders }) => owner && (holders ?? HOLDERS).includes(holder)).length
}
