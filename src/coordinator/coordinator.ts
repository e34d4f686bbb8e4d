import { EventEmitter } from 'node:events'
import { type Digest, toHex } from '../crypto/digest.ts'
import { statementDigest } from '../crypto/envelope.ts'
import { type JobSpecification, jobStatement, parseJobSpecification } from '../learning/job-specification.ts'
import { signStatement } from '../protocol/statement.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { endRounds } from './end-rounds.ts'
import { helpToFold } from './fold-claims.ts'
import { queueOrder, whyNotNow } from './job-queue.ts'
import { CANCELLED, JobScheduler, type SchedulingOptions } from './job-scheduler.ts'
import { LoggedRequests } from './logged-requests.ts'
import { pause } from './pause.ts'
import type { JobDesk, JobOutput, JobRecord, JobStanding, JobState, QueuedJob, StoredJobEvent } from './ports.ts'
import { type JobParts, runJob } from './run-job.ts'
import type { TransparencyLog } from './transparency-log.ts'

/** Takes a job's state changes and faults, for the process's log. */
export interface CoordinatorListener {
  onJobState(job: Digest, state: JobState, reason?: string): void
  /** A fault that is nobody's refusal: the job fails, the operator should look. */
  onFault(job: Digest, error: unknown): void
  /** The job is another coordinator's now, or is tried again later. */
  onLetGo?(job: Digest, reason: string): void
  /** The queue cannot be looked at: the store is away, or another process has this coordinator's name. */
  onQueueFault?(error: unknown): void
  /** A part of another coordinator's sum could not be added up here: that one adds it up. */
  onFoldFault?(error: unknown): void
}

const EVENTS_PAGE = 500

/** What a coordinator runs on. */
export interface CoordinatorParts extends Omit<JobParts, 'notify' | 'logged'> {
  readonly log: TransparencyLog
  /** Of this coordinator: the same after a restart, and no other's. */
  readonly name: string
  readonly scheduling: SchedulingOptions
}

/**
 * A coordinator of a venue: takes jobs from researchers, and runs those that are its turn (`JobScheduler`). Everything it
 * knows is in the store, which others may share: each can be asked about every job.
 */
export class Coordinator implements JobDesk {
  readonly #parts: Omit<JobParts, 'notify'> & CoordinatorParts
  readonly #listener: CoordinatorListener
  readonly #changes = new EventEmitter()
  readonly #scheduler: JobScheduler
  readonly #stopping = new AbortController()
  /** Jobs whose change of state is stored, and the event of it perhaps not yet. */
  readonly #changing = new Map<Digest, number>()

  constructor(parts: CoordinatorParts, listener: CoordinatorListener) {
    this.#parts = { ...parts, logged: new LoggedRequests(parts.log, parts.store, parts.holders) }
    this.#listener = listener
    this.#changes.setMaxListeners(0)
    const notify = (job: Digest) => void this.#changes.emit(job)
    this.#scheduler = new JobScheduler(this.#parts, {
      run: (record, store, signal) => runJob(record, { ...this.#parts, store, notify }, signal),
      setState: (job, state) => this.#setState(job, state),
      end: (job, state, reason) => this.#endWithRounds(job, state, reason),
      onFault: (job, fault) => listener.onFault(job, fault),
      onLetGo: (job, reason) => listener.onLetGo?.(job, reason),
      onQueueFault: (fault) => listener.onQueueFault?.(fault),
    })
  }

  /** Runs jobs, and helps others to add ciphertexts up, until `stop`. Resolves when the last job has let go. */
  async run(): Promise<void> {
    const stopListening = this.#parts.store.onJobChange((job) => void this.#changes.emit(job))
    const onFault = (error: unknown) => this.#listener.onFoldFault?.(error)
    const helping = helpToFold(this.#parts, { onFolded: () => {}, onFault }, this.#stopping.signal)
    try {
      await this.#scheduler.run()
    } finally {
      stopListening()
      this.#stopping.abort()
      await helping
    }
  }

  /** Stops at once, and gives its jobs back. Whoever has them next goes on, with the open round from where it stands. */
  stop(): void {
    this.#scheduler.stop()
    this.#stopping.abort()
  }

  /** Looks at the queue now: a holder has come, say. */
  wake(): void {
    this.#scheduler.wake()
  }

  /** What a job leaves open ends with it. */
  async #endWithRounds(job: Digest, state: 'cancelled' | 'failed', reason: string): Promise<boolean> {
    await endRounds(job, reason, this.#parts)
    return this.#setState(job, state, reason)
  }

  /** @returns false, and tells nobody, when the job had ended otherwise before. */
  async #setState(job: Digest, state: JobState, reason?: string): Promise<boolean> {
    const { store, clock } = this.#parts
    this.#changing.set(job, (this.#changing.get(job) ?? 0) + 1)
    try {
      if (!(await store.setJobState(job, state, clock.now(), reason))) return false
      await store.appendJobEvent(job, clock.now(), { kind: 'job-state', state, ...(reason ? { reason } : {}) })
    } finally {
      const others = this.#changing.get(job)! - 1
      if (others > 0) this.#changing.set(job, others)
      else this.#changing.delete(job)
    }
    this.#listener.onJobState(job, state, reason)
    this.#changes.emit(job)
    return true
  }

  async submit(specification: unknown, submittedBy: string): Promise<Digest> {
    const { store, clock, key, randomness, logged } = this.#parts
    const now = clock.now()
    const nonce = new Uint8Array(32)
    randomness.fill(nonce)
    const read = this.#requireMembers(parseJobSpecification(specification))
    const body = {
      specification: read,
      submittedBy,
      submittedAt: now.toISOString(),
      nonce: toHex(nonce),
    }
    const envelope = signStatement(jobStatement, body, key)
    const job = statementDigest(envelope)
    await logged.append([envelope])
    const { priority = 'normal', holders } = read
    const { minContributors } = read.protection
    await store.addJob(job, envelope, now, { priority, submittedBy, minContributors, ...(holders && { holders }) })
    this.#scheduler.wake()
    return job
  }

  /** A name that nobody has would otherwise only ever look like a holder that is down. */
  #requireMembers(specification: JobSpecification): JobSpecification {
    const stranger = specification.holders?.find((name) => !this.#parts.registry.current().members.has(name))
    if (stranger === undefined) return specification
    throw new CoordinatorError(
      'holder-unknown',
      `The job wants the holder ${stranger}, who is no member of this venue: correct "holders", or leave it out for all.`,
    )
  }

  async list(limit: number): Promise<JobStanding[]> {
    const [records, standings] = await Promise.all([this.#parts.store.listJobs(limit), this.#readStandings()])
    return records.map((record) => ({ ...record, ...standings.get(record.job) }))
  }

  async result(job: Digest): Promise<{ record: JobStanding; outputs: JobOutput[] }> {
    const record = await this.#requireJob(job)
    const standing = record.endedAt ? undefined : (await this.#readStandings()).get(job)
    return { record: { ...record, ...standing }, outputs: await this.#parts.store.listJobOutputs(job) }
  }

  async #requireJob(job: Digest): Promise<JobRecord> {
    const record = await this.#parts.store.findJob(job)
    if (record) return record
    throw new CoordinatorError('job-not-found', `There is no job ${job}: "sluice job list" shows those that exist.`)
  }

  /** Of the jobs that have not ended. */
  async #readStandings(): Promise<Map<Digest, Pick<JobStanding, 'priority' | 'place' | 'standing'>>> {
    const queue = await this.#parts.store.readQueue()
    const places = new Map(queueOrder(queue).map((job, i) => [job, i + 1]))
    const room = this.#scheduler.room()
    const describe = (job: QueuedJob) => {
      if (job.owner) return { priority: job.priority, standing: `is run by ${job.owner}` }
      const standing = whyNotNow(job, queue, room) ?? 'waits for its turn'
      return { priority: job.priority, place: places.get(job.job), standing }
    }
    return new Map(queue.jobs.map((job) => [job.job, describe(job)]))
  }

  async *watch(job: Digest, after: number, signal: AbortSignal): AsyncGenerator<StoredJobEvent> {
    // Counting begins before reading, so that no event falls between the two.
    const changes = new ChangeCounter(this.#changes, job)
    try {
      let endedAt: number | undefined
      for (let last = after; !signal.aborted; ) {
        const seen = changes.count
        const page = await this.#parts.store.listJobEvents(job, last, EVENTS_PAGE)
        for (const stored of page) {
          yield stored
          last = stored.sequence
          if (isEnd(stored)) return
        }
        if (page.length > 0) continue
        // Another coordinator's event of the end follows the end; whatever changes before that is no reason to leave.
        if (endedAt !== undefined && performance.now() - endedAt >= this.#parts.scheduling.pollMs) return
        if (await this.#hasEnded(job)) endedAt ??= performance.now()
        await this.#nextChange(changes, seen, signal)
      }
    } finally {
      changes.stop()
    }
  }

  /** Another coordinator's events may come without a word: each look is followed by one a while later. */
  async #nextChange(changes: ChangeCounter, seen: number, signal: AbortSignal): Promise<void> {
    const looked = new AbortController()
    await Promise.race([changes.after(seen), pause(this.#parts.scheduling.pollMs, signal, looked.signal)])
    looked.abort()
  }

  /**
   * Whether a job has ended and all its events are stored. The event of its end may be missing for ever, when the process
   * died between the two, or lie before those that a watcher asked for: then it would wait for nothing.
   */
  async #hasEnded(job: Digest): Promise<boolean> {
    const record = await this.#parts.store.findJob(job)
    return record?.endedAt !== undefined && !this.#changing.has(job)
  }

  async cancel(job: Digest): Promise<boolean> {
    await this.#requireJob(job)
    const state = await this.#parts.store.requestCancel(job)
    if (state === 'ended') return false
    if (this.#scheduler.cancel(job)) return true
    // Whoever has it sees that it is wanted no more when it renews its lease, or takes it up, at the latest.
    return state === 'leased' || this.#endWithRounds(job, 'cancelled', CANCELLED)
  }

  async output(job: Digest, digest: Digest): Promise<Uint8Array> {
    const { outputs } = await this.result(job)
    if (!outputs.some((output) => output.digest === digest)) {
      throw new CoordinatorError('output-not-found', `The job has no output ${digest}: see "sluice job result".`)
    }
    return this.#parts.artifacts.get(digest)
  }
}

function isEnd({ event }: StoredJobEvent): boolean {
  return event.kind === 'job-state' && ['completed', 'failed', 'cancelled'].includes(event.state)
}

/** Counts the changes of one job. */
class ChangeCounter {
  readonly #changes: EventEmitter
  readonly #job: Digest
  #waiting = Promise.withResolvers<void>()
  count = 0

  constructor(changes: EventEmitter, job: Digest) {
    this.#changes = changes
    this.#job = job
    changes.on(job, this.#onChange)
  }

  readonly #onChange = () => {
    this.count++
    this.#waiting.resolve()
    this.#waiting = Promise.withResolvers()
  }

  /** Resolves at once when there was one since. */
  after(seen: number): Promise<void> {
    return this.count > seen ? Promise.resolve() : this.#waiting.promise
  }

  stop(): void {
    this.#changes.off(this.#job, this.#onChange)
  }
}
