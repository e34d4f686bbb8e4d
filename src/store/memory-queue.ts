import { EventEmitter } from 'node:events'
import type { Claimant, CoordinatorStore, JobPlacing, JobQueue, JobRecord, QueuedJob } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { StoreError } from './store-error.ts'
import { storableReason } from './stored-text.ts'

/** What the queue keeps of a job beside its record. */
export interface QueuePlace {
  readonly placing: JobPlacing
  lease?: { readonly claimant: Claimant; readonly endsAt: number }
  /** Of the last claim. */
  claimedAt?: Date
  retries: number
  /** Since a round was published, or it was given back. */
  idleClaims: number
  pause?: { readonly until: Date; readonly reason: string }
  isCancelled: boolean
}

/** As much of the jobs in memory as the queue needs. */
export interface MemoryQueueJobs {
  /** Oldest first; also those that have ended. */
  placedJobs(): { readonly record: JobRecord; readonly place: QueuePlace }[]
  /** @throws StoreError `not-found` */
  placed(job: Digest): { readonly record: JobRecord; readonly place: QueuePlace }
}

/** Leases and turns in memory, by the process's clock; contracts on {@link CoordinatorStore}. */
export class MemoryQueue
  implements
    Pick<
      CoordinatorStore,
      'enterCoordinator' | 'readQueue' | 'claimJob' | 'renewLeases' | 'giveBackJob' | 'requestCancel' | 'onJobChange'
    >
{
  readonly #jobs: MemoryQueueJobs
  /** By name: the incarnation that counts. */
  readonly #coordinators = new Map<string, string>()
  readonly #changes = new EventEmitter()
  #incarnations = 0

  constructor(jobs: MemoryQueueJobs) {
    this.#jobs = jobs
    this.#changes.setMaxListeners(0)
  }

  async enterCoordinator(name: string): Promise<Claimant> {
    const incarnation = `incarnation-${++this.#incarnations}`
    this.#coordinators.set(name, incarnation)
    return { name, incarnation }
  }

  async readQueue(): Promise<JobQueue> {
    return this.#queue()
  }

  #queue(): JobQueue {
    const placed = this.#jobs.placedJobs()
    const lastTurns = new Map<string, Date>()
    for (const { place } of placed) {
      const { submittedBy } = place.placing
      const known = lastTurns.get(submittedBy)
      if (place.claimedAt && (!known || known < place.claimedAt)) lastTurns.set(submittedBy, place.claimedAt)
    }
    const open = placed.filter(({ record }) => !record.endedAt)
    return { now: new Date(), jobs: open.map(({ record, place }) => this.#toQueued(record, place)), lastTurns }
  }

  #toQueued({ job, state, submittedAt, reason }: JobRecord, place: QueuePlace): QueuedJob {
    const { placing, pause, retries, idleClaims } = place
    const why = pause?.reason ?? reason
    return {
      ...placing,
      job,
      state: state as QueuedJob['state'],
      submittedAt,
      retries,
      idleClaims,
      ...(pause && { retryAt: pause.until }),
      ...(why !== undefined && { reason: why }),
      ...(this.#isLeased(place) && { owner: place.lease!.claimant.name }),
    }
  }

  #isLeased({ lease }: QueuePlace): boolean {
    return lease !== undefined && this.#isCurrent(lease.claimant) && lease.endsAt > Date.now()
  }

  #isCurrent({ name, incarnation }: Claimant): boolean {
    return this.#coordinators.get(name) === incarnation
  }

  async claimJob(claimant: Claimant, leaseMs: number, choose: (queue: JobQueue) => Digest | undefined) {
    if (!this.#isCurrent(claimant)) {
      throw new StoreError('conflict', `Another process has entered as the coordinator ${claimant.name}.`)
    }
    let queue = this.#queue()
    for (;;) {
      const job = choose(queue)
      if (job === undefined) return undefined
      const { record, place } = this.#jobs.placed(job)
      if (!record.endedAt && !this.#isLeased(place)) {
        place.lease = { claimant, endsAt: Date.now() + leaseMs }
        place.claimedAt = new Date()
        place.pause = undefined
        const { retries, isCancelled } = place
        return { record, retries, idleClaims: ++place.idleClaims, isCancelled }
      }
      queue = { ...queue, jobs: queue.jobs.filter((other) => other.job !== job) }
    }
  }

  async renewLeases(claimant: Claimant, leaseMs: number, jobs: readonly Digest[]) {
    return jobs.flatMap((job) => {
      const { record, place } = this.#jobs.placed(job)
      if (record.endedAt || !this.#holds(claimant, place)) return []
      place.lease = { claimant, endsAt: Date.now() + leaseMs }
      return [{ job, isCancelled: place.isCancelled }]
    })
  }

  #holds({ incarnation }: Claimant, { lease }: QueuePlace): boolean {
    return lease !== undefined && lease.claimant.incarnation === incarnation && this.#isCurrent(lease.claimant)
  }

  async giveBackJob(
    claimant: Claimant,
    job: Digest,
    pause?: { readonly retries: number; readonly pauseMs: number; readonly reason: string },
  ): Promise<void> {
    const { record, place } = this.#jobs.placed(job)
    if (record.endedAt || !this.#holds(claimant, place)) return
    place.lease = undefined
    place.retries = pause?.retries ?? 0
    place.idleClaims = 0
    place.pause = pause && {
      until: new Date(Date.now() + pause.pauseMs),
      reason: storableReason(pause.reason) ?? '',
    }
    this.#changes.emit('change', job)
  }

  async requestCancel(job: Digest): Promise<'leased' | 'free' | 'ended'> {
    const { record, place } = this.#jobs.placed(job)
    if (record.endedAt) return 'ended'
    place.isCancelled = true
    this.#changes.emit('change', job)
    return this.#isLeased(place) ? 'leased' : 'free'
  }

  onJobChange(listener: (job: Digest) => void): () => void {
    this.#changes.on('change', listener)
    return () => void this.#changes.off('change', listener)
  }
}
