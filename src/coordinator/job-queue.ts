import type { Digest } from '../crypto/digest.ts'
import type { Member } from '../protocol/round-plan.ts'
import type { JobPriority, JobQueue, QueuedJob } from './ports.ts'

/*
 * Whose turn it is (docs/adr/0015). Pure: the queue as it is in, the next job out.
 */

/** What there is room for, as the coordinator that asks sees it. */
export interface QueueRoom {
  /** A holder takes part in so many jobs at a time, whoever runs them. */
  readonly maxJobsPerHolder: number
  readonly members: ReadonlyMap<string, Pick<Member, 'organisation'>>
  /** Holders that are connected to the coordinator that asks. */
  readonly connected: ReadonlySet<string>
  /** The coordinator that asks runs nothing. */
  readonly isIdle: boolean
}

/** After so many coordinators went away while they ran a job, it is taken for the reason: it comes last, and runs where no other does. */
const DEATHS_SUSPECT = 3

const RANK: Record<JobPriority, number> = { high: 0, normal: 1, low: 2 }

/**
 * The job that is to be taken up next, of those that fit: first those that another process left in the middle, which have had
 * their turn; last those that several have left so; of the others by priority; of one priority the researcher with the fewest running jobs, of these the one who waited
 * longest since its last turn, and of its jobs the oldest. What does not fit blocks nothing.
 */
export function nextJob(queue: JobQueue, room: QueueRoom): Digest | undefined {
  const busy = countJobsOfHolders(queue, room)
  const fitting = queue.jobs.filter((job) => !job.owner && obstacle(job, queue.now, busy, room) === undefined)
  return first(fitting, queue)?.job
}

/** Why a job that nobody runs is not taken up now, whatever its place; undefined when only its place keeps it. For people. */
export function whyNotNow(job: QueuedJob, queue: JobQueue, room: QueueRoom): string | undefined {
  return obstacle(job, queue.now, countJobsOfHolders(queue, room), room)
}

/** The jobs that nobody runs, in the order in which they would be taken up if all of them fitted. */
export function queueOrder(queue: JobQueue): Digest[] {
  const order: Digest[] = []
  let { jobs, lastTurns } = queue
  for (let turn = 0; ; turn++) {
    const next = first(
      jobs.filter(({ owner }) => !owner),
      { ...queue, jobs, lastTurns },
    )
    if (!next) return order
    order.push(next.job)
    jobs = jobs.map((job) => (job === next ? { ...job, owner: 'next' } : job))
    lastTurns = new Map(lastTurns).set(next.submittedBy, new Date(queue.now.getTime() + turn))
  }
}

/** A job that was running when its coordinator went away, and did not fail. */
function isInterrupted({ state, retries }: QueuedJob): boolean {
  return state === 'running' && retries === 0
}

function isSuspect(job: QueuedJob): boolean {
  return isInterrupted(job) && job.idleClaims >= DEATHS_SUSPECT
}

function first(candidates: readonly QueuedJob[], { jobs, lastTurns }: JobQueue): QueuedJob | undefined {
  const running = new Map<string, number>()
  for (const { owner, submittedBy } of jobs) if (owner) running.set(submittedBy, (running.get(submittedBy) ?? 0) + 1)
  const oldest = new Map<string, number>()
  for (const { submittedBy, submittedAt } of candidates) {
    oldest.set(submittedBy, Math.min(oldest.get(submittedBy) ?? Number.POSITIVE_INFINITY, +submittedAt))
  }
  // Nobody waits while there is nothing of it to wait for.
  const waitsSince = (researcher: string) => Math.max(+(lastTurns.get(researcher) ?? 0), oldest.get(researcher)!)
  const keys = (job: QueuedJob) => [
    isSuspect(job) ? 2 : isInterrupted(job) ? 0 : 1,
    RANK[job.priority],
    running.get(job.submittedBy) ?? 0,
    waitsSince(job.submittedBy),
    +job.submittedAt,
  ]
  let best: { readonly job: QueuedJob; readonly keys: readonly number[] } | undefined
  // Of equals the one that arrived first stays.
  for (const job of candidates) {
    const candidate = { job, keys: keys(job) }
    if (!best || isBefore(candidate.keys, best.keys)) best = candidate
  }
  return best?.job
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const i = a.findIndex((value, place) => value !== b[place])
  return i >= 0 && a[i] < b[i]
}

const holdersOf = ({ holders }: QueuedJob, { members }: QueueRoom) => holders ?? [...members.keys()]

function countJobsOfHolders({ jobs }: JobQueue, room: QueueRoom): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const job of jobs) {
    if (!job.owner) continue
    for (const holder of holdersOf(job, room)) counts.set(holder, (counts.get(holder) ?? 0) + 1)
  }
  return counts
}

function obstacle(job: QueuedJob, now: Date, busy: ReadonlyMap<string, number>, room: QueueRoom): string | undefined {
  if (job.retryAt && job.retryAt > now) {
    return `is tried again at ${job.retryAt.toISOString()} (attempt ${job.retries + 1}): ${job.reason ?? ''}`
  }
  const holders = holdersOf(job, room)
  const full = holders.find((holder) => (busy.get(holder) ?? 0) >= room.maxJobsPerHolder)
  if (full !== undefined) return `waits for ${full}, which takes part in ${busy.get(full)} jobs already`
  if (isSuspect(job)) {
    const deaths = `its coordinator went away ${job.idleClaims} times while it ran`
    return room.isIdle ? undefined : `runs beside no other job, for ${deaths}`
  }
  // A round of it may be sealed already, and need fewer holders than a new one.
  if (isInterrupted(job)) return undefined
  const there = holders.filter((holder) => room.connected.has(holder))
  const organisations = new Set(there.flatMap((holder) => room.members.get(holder)?.organisation ?? []))
  if (organisations.size >= job.minContributors) return undefined
  return `waits for holders: ${organisations.size} of at least ${job.minContributors} organisations are connected`
}
