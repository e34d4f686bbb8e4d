import type { Digest } from '../crypto/digest.ts'
import { SluiceError } from '../sluice-error.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { JobLease } from './job-lease.ts'
import { nextJob, type QueueRoom } from './job-queue.ts'
import { DEATHS_MAX, isTriedAgain, RETRIES_MAX, retryPauseMs } from './job-retries.ts'
import { pause } from './pause.ts'
import type { Claimant, ClaimedJob, CoordinatorStore, HolderDirectory, JobRecord, VenueRegistry } from './ports.ts'

/** How many jobs at a time, and how leases of them are kept. */
export interface SchedulingOptions {
  /** Of this process. */
  readonly maxRunningJobs: number
  /** Of all coordinators of the venue together. */
  readonly maxJobsPerHolder: number
  /** How long a job stays with a coordinator that says nothing more; it renews at a third of it. */
  readonly leaseMs: number
  /** How often the queue is looked at when nothing tells of a change. */
  readonly pollMs: number
  /** The first pause before a job that failed for a transient reason is tried again; each is twice the one before. */
  readonly retryFirstMs: number
}

export const SCHEDULING_DEFAULTS: SchedulingOptions = {
  maxRunningJobs: 8,
  maxJobsPerHolder: 2,
  leaseMs: 10_000,
  pollMs: 1000,
  retryFirstMs: 2000,
}

/** The reason that a cancelled job is shown with. */
export const CANCELLED = 'cancelled by a researcher'

export interface SchedulerParts {
  /** Of the coordinator: stable, and its alone. */
  readonly name: string
  readonly store: CoordinatorStore
  readonly holders: HolderDirectory
  readonly registry: VenueRegistry
  readonly scheduling: SchedulingOptions
}

/** What the scheduler does with jobs, and whom it tells. */
export interface JobWork {
  /** Works on a job to its end. Rejects with what ended it, or with the signal's reason. */
  run(record: JobRecord, store: CoordinatorStore, signal: AbortSignal): Promise<void>
  /** @returns false when the job had ended otherwise before, or is to be cancelled */
  setState(job: Digest, state: 'running' | 'completed'): Promise<boolean>
  /** Ends a job, and what it has left open. @returns false when it had ended otherwise before */
  end(job: Digest, state: 'failed' | 'cancelled', reason: string): Promise<boolean>
  /** The job failed, for its own reasons. */
  onFault(job: Digest, fault: unknown): void
  /** The job is not this process's any more, or is tried again later; with the reason, for the process's log. */
  onLetGo(job: Digest, reason: string): void
  /** The queue could not be looked at, or a lease not renewed; told of once in a row. */
  onQueueFault(fault: unknown): void
}

/**
 * Takes jobs from the queue that all coordinators of a venue share, works on several at a time, and keeps their leases
 * (docs/adr/0015). Whatever happens to one job, the others go on.
 */
export class JobScheduler {
  readonly #parts: SchedulerParts
  readonly #work: JobWork
  readonly #stopping = new AbortController()
  readonly #running = new Map<Digest, { readonly lease: JobLease; readonly ended: Promise<void> }>()
  /** Counts what may have changed the queue, so that a change which comes while the queue is read is not slept through. */
  #changes = 0
  #wake = () => {}
  #isFaulty = false

  constructor(parts: SchedulerParts, work: JobWork) {
    this.#parts = parts
    this.#work = work
  }

  /** Takes jobs until `stop`, or until another process has entered under its name. Resolves when all have let go. */
  async run(): Promise<void> {
    const { store, name } = this.#parts
    const claimant = await store.enterCoordinator(name)
    const stopListening = store.onJobChange((job) => this.#onChange(job))
    const keeping = this.#keepLeases(claimant)
    try {
      while (!this.#stopping.signal.aborted) {
        const seen = this.#changes
        const hasTaken = await this.#takeNext(claimant)
        if (!hasTaken && seen === this.#changes) await this.#nextChange()
      }
    } finally {
      stopListening()
      this.stop()
      await Promise.all([keeping, ...[...this.#running.values()].map(({ ended }) => ended)])
    }
  }

  /** Lets go of all jobs at once, and gives them back. Idempotent. */
  stop(): void {
    this.#stopping.abort()
    for (const { lease } of this.#running.values()) lease.stop()
    this.wake()
  }

  /** The queue may have changed. */
  wake(): void {
    this.#changes++
    this.#wake()
  }

  /** Cancels a job that runs here. @returns false when none of this name does */
  cancel(job: Digest): boolean {
    const running = this.#running.get(job)
    running?.lease.cancel()
    return running !== undefined
  }

  #onChange(job: Digest): void {
    if (this.#running.has(job)) this.#renewSoon()
    else this.wake()
  }

  #renewSoon = () => {}

  async #nextChange(): Promise<void> {
    const changed = Promise.withResolvers<void>()
    this.#wake = () => changed.resolve()
    const looked = new AbortController()
    const { signal } = this.#stopping
    if (signal.aborted) return
    await Promise.race([changed.promise, pause(this.#parts.scheduling.pollMs, signal, looked.signal)])
    looked.abort()
  }

  /** @returns whether there may be more to take at once */
  async #takeNext(claimant: Claimant): Promise<boolean> {
    const { store, scheduling } = this.#parts
    if (this.#running.size >= scheduling.maxRunningJobs) return false
    const askedAt = performance.now()
    try {
      const room = this.room()
      const claimed = await store.claimJob(claimant, scheduling.leaseMs, (queue) => nextJob(queue, room))
      this.#isFaulty = false
      if (!claimed) return false
      this.#begin(claimant, claimed, new JobLease(claimed.record.job, claimed.retries, askedAt, scheduling.leaseMs))
      return true
    } catch (fault) {
      this.#meetQueueFault(fault)
      return false
    }
  }

  /** What the rule goes by, as this coordinator sees it now. */
  room(): QueueRoom {
    const { scheduling, registry, holders } = this.#parts
    const { maxJobsPerHolder } = scheduling
    return {
      maxJobsPerHolder,
      members: registry.current().members,
      connected: new Set(holders.connected()),
      isIdle: this.#running.size === 0,
    }
  }

  #meetQueueFault(fault: unknown): void {
    if (!this.#isFaulty) this.#work.onQueueFault(fault)
    this.#isFaulty = true
    // Another process has the name now, or the store was closed beneath this one: there is nothing more to take.
    if (fault instanceof SluiceError && ['conflict', 'store-closed'].includes(fault.code)) this.stop()
  }

  #begin(claimant: Claimant, claimed: ClaimedJob, lease: JobLease): void {
    if (this.#stopping.signal.aborted) lease.stop()
    if (claimed.isCancelled) lease.cancel()
    const ended = this.#workOn(claimant, claimed, lease)
      .catch((fault: unknown) => this.#work.onFault(lease.job, fault))
      .finally(() => {
        this.#running.delete(lease.job)
        this.wake()
      })
    this.#running.set(lease.job, { lease, ended })
  }

  async #workOn(claimant: Claimant, { record, idleClaims }: ClaimedJob, lease: JobLease): Promise<void> {
    const { store } = this.#parts
    const outputsBefore = (await store.listJobOutputs(record.job).catch(() => [])).length
    try {
      lease.signal.throwIfAborted()
      // Not when it was cancelled in the moment in which it was taken from the queue.
      if (!(await this.#work.setState(record.job, 'running'))) return await this.#cancelUnbegun(record.job)
      if (idleClaims > DEATHS_MAX) throw endsItsCoordinators(idleClaims - 1)
      await this.#work.run(
        record,
        lease.guard(store, () => this.#renew(claimant, [lease])),
        lease.signal,
      )
      // The store decides which was first: whoever was told that the job is cancelled is not shown a completed one.
      if (await this.#work.setState(record.job, 'completed')) return
      await this.#work.end(record.job, 'cancelled', CANCELLED)
    } catch (fault) {
      await this.#endBadly(claimant, lease, fault, outputsBefore)
    }
  }

  async #cancelUnbegun(job: Digest): Promise<void> {
    const record = await this.#parts.store.findJob(job)
    if (!record?.endedAt) await this.#work.end(job, 'cancelled', CANCELLED)
  }

  async #endBadly(claimant: Claimant, lease: JobLease, fault: unknown, outputsBefore: number): Promise<void> {
    const { store } = this.#parts
    const { job } = lease
    if (lease.isCancelled) {
      await this.#work.end(job, 'cancelled', CANCELLED)
      return
    }
    if (this.#stopping.signal.aborted) return store.giveBackJob(claimant, job)
    try {
      // Another coordinator may have taken it: then what failed here is no fault of the job.
      if (!lease.isLost) await this.#renew(claimant, [lease])
    } catch (away) {
      // The store is away: the lease runs out by itself, and the job is taken up again.
      return this.#work.onLetGo(job, reasonOf(away))
    }
    if (lease.isCancelled) return void (await this.#work.end(job, 'cancelled', CANCELLED))
    if (lease.isLost) return this.#work.onLetGo(job, reasonOf(lease.signal.reason))
    if (!isTriedAgain(fault)) return this.#fail(job, fault)
    await this.#retryLater(claimant, lease, fault, outputsBefore)
  }

  async #retryLater(claimant: Claimant, lease: JobLease, fault: unknown, outputsBefore: number): Promise<void> {
    const { store, scheduling } = this.#parts
    const { job } = lease
    const hasAdvanced = (await store.listJobOutputs(job)).length > outputsBefore
    const retries = hasAdvanced ? 1 : lease.retries + 1
    if (retries > RETRIES_MAX) return this.#fail(job, fault)
    const pauseMs = retryPauseMs(retries, scheduling.retryFirstMs)
    const reason = reasonOf(fault)
    await store.giveBackJob(claimant, job, { retries, pauseMs, reason })
    this.#work.onLetGo(job, `is tried again in ${pauseMs} ms: ${reason}`)
  }

  async #fail(job: Digest, fault: unknown): Promise<void> {
    this.#work.onFault(job, fault)
    await this.#work.end(job, 'failed', reasonOf(fault))
  }

  async #keepLeases(claimant: Claimant): Promise<void> {
    const { scheduling } = this.#parts
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const soon = new AbortController()
      this.#renewSoon = () => soon.abort()
      await pause(scheduling.leaseMs / 3, signal, soon.signal)
      const leases = [...this.#running.values()].map(({ lease }) => lease)
      if (signal.aborted || leases.length === 0) continue
      await this.#renew(claimant, leases).catch((fault: unknown) => {
        for (const lease of leases) lease.check()
        this.#meetQueueFault(fault)
      })
    }
  }

  /** Renews; what the store does not give back is lost, and what somebody wants cancelled is cancelled. */
  async #renew(claimant: Claimant, leases: readonly JobLease[]): Promise<void> {
    const { store, scheduling } = this.#parts
    const askedAt = performance.now()
    const jobs = leases.map(({ job }) => job)
    const renewed = new Map(
      (await store.renewLeases(claimant, scheduling.leaseMs, jobs)).map(({ job, isCancelled }) => [job, isCancelled]),
    )
    for (const lease of leases) {
      if (!renewed.has(lease.job)) lease.lose()
      else lease.renew(askedAt, scheduling.leaseMs)
      if (renewed.get(lease.job)) lease.cancel()
    }
  }
}

function endsItsCoordinators(deaths: number): CoordinatorError {
  return new CoordinatorError(
    'job-ends-coordinator',
    `Its coordinator went away ${deaths} times in a row while it ran, and no round came of it: look for what ended the process, memory first, and submit the job again.`,
  )
}

function reasonOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault)
}
