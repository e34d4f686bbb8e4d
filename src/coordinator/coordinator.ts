import { EventEmitter, on } from 'node:events'
import { type Digest, toHex } from '../crypto/digest.ts'
import { statementDigest } from '../crypto/envelope.ts'
import { type JobSpecification, jobStatement, parseJobSpecification } from '../learning/job-specification.ts'
import { signStatement } from '../protocol/statement.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { endRounds } from './end-rounds.ts'
import { LoggedRequests } from './logged-requests.ts'
import type { JobDesk, JobOutput, JobRecord, JobState, StoredJobEvent } from './ports.ts'
import { type JobParts, runJob } from './run-job.ts'
import type { TransparencyLog } from './transparency-log.ts'

/** Takes a job's state changes and faults, for the process's log. */
export interface CoordinatorListener {
  onJobState(job: Digest, state: JobState, reason?: string): void
  /** A fault that is nobody's refusal: the job fails, the operator should look. */
  onFault(job: Digest, error: unknown): void
}

const EVENTS_PAGE = 500
const CANCELLED = 'cancelled by a researcher'

/** What a coordinator runs on. */
export interface CoordinatorParts extends Omit<JobParts, 'notify' | 'logged'> {
  readonly log: TransparencyLog
}

/**
 * The coordinator of a venue: takes jobs from researchers and runs them one after another, oldest first; those that a
 * dead process left running come first. Everything it knows is in the store.
 */
export class Coordinator implements JobDesk {
  readonly #parts: Omit<JobParts, 'notify'>
  readonly #listener: CoordinatorListener
  readonly #changes = new EventEmitter()
  readonly #stopping = new AbortController()
  /** Counts submissions, so that one which arrives while the queue is read is not slept through. */
  #submissions = 0
  #running: { readonly job: Digest; readonly cancel: AbortController } | undefined
  /** Jobs whose change of state is stored, and the event of it perhaps not yet. */
  readonly #changing = new Map<Digest, number>()
  #wake = () => {}

  constructor(parts: CoordinatorParts, listener: CoordinatorListener) {
    this.#parts = { ...parts, logged: new LoggedRequests(parts.log, parts.store, parts.holders) }
    this.#listener = listener
    this.#changes.setMaxListeners(0)
  }

  /** Runs jobs until `stop`. Resolves when the last one has let go. */
  async run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const seen = this.#submissions
      const [next] = await this.#parts.store.listUnfinishedJobs()
      if (next) await this.#runOne(next)
      else if (seen === this.#submissions) await this.#nextSubmission()
    }
  }

  /** Stops at once. At the next start the job goes on, and its open round from where it stands. */
  stop(): void {
    this.#stopping.abort(new CoordinatorError('coordinator-stopping', 'The coordinator is stopping.'))
    this.#wake()
  }

  #nextSubmission(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      if (this.#stopping.signal.aborted) resolve()
    })
  }

  async #runOne(record: JobRecord): Promise<void> {
    const cancel = new AbortController()
    this.#running = { job: record.job, cancel }
    const signal = AbortSignal.any([cancel.signal, this.#stopping.signal])
    try {
      // Not when it was cancelled in the moment in which it was read from the queue.
      if (!(await this.#setState(record.job, 'running'))) return
      await this.#runToEnd(record, signal, cancel.signal)
    } finally {
      this.#running = undefined
    }
  }

  async #runToEnd(record: JobRecord, signal: AbortSignal, cancelled: AbortSignal): Promise<void> {
    try {
      await runJob(record, { ...this.#parts, notify: (job) => this.#changes.emit(job) }, signal)
      // Whoever was told that the job is cancelled is not shown a completed one.
      signal.throwIfAborted()
      // From here on the store decides whether it was completed or cancelled first.
      this.#running = undefined
      await this.#setState(record.job, 'completed')
    } catch (error) {
      await this.#endBadly(record.job, error, cancelled)
    }
  }

  async #endBadly(job: Digest, error: unknown, cancelled: AbortSignal): Promise<void> {
    if (cancelled.aborted) {
      await this.#endWithRounds(job, 'cancelled', CANCELLED)
      return
    }
    if (this.#stopping.signal.aborted) return
    const reason = error instanceof Error ? error.message : String(error)
    this.#listener.onFault(job, error)
    await this.#endWithRounds(job, 'failed', reason)
  }

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
    const body = {
      specification: this.#requireMembers(parseJobSpecification(specification)),
      submittedBy,
      submittedAt: now.toISOString(),
      nonce: toHex(nonce),
    }
    const envelope = signStatement(jobStatement, body, key)
    const job = statementDigest(envelope)
    await logged.append([envelope])
    await store.addJob(job, envelope, now)
    this.#submissions++
    this.#wake()
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

  list(limit: number): Promise<JobRecord[]> {
    return this.#parts.store.listJobs(limit)
  }

  async result(job: Digest): Promise<{ record: JobRecord; outputs: JobOutput[] }> {
    const record = await this.#parts.store.findJob(job)
    if (!record) {
      throw new CoordinatorError('job-not-found', `There is no job ${job}: "sluice job list" shows those that exist.`)
    }
    return { record, outputs: await this.#parts.store.listJobOutputs(job) }
  }

  async *watch(job: Digest, after: number, signal: AbortSignal): AsyncGenerator<StoredJobEvent> {
    // Listening begins before reading, so that no event falls between the two.
    const changes = on(this.#changes, job, { signal })
    try {
      let isOver = false
      for (let last = after; ; ) {
        const page = await this.#parts.store.listJobEvents(job, last, EVENTS_PAGE)
        for (const stored of page) {
          yield stored
          last = stored.sequence
          if (isEnd(stored)) return
        }
        if (page.length > 0) continue
        if (isOver) return
        isOver = await this.#hasEnded(job)
        if (!isOver) await changes.next()
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      await changes.return?.()
    }
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
    const { record } = await this.result(job)
    if (record.endedAt) return false
    if (this.#running?.job !== job) return this.#endWithRounds(job, 'cancelled', CANCELLED)
    this.#running.cancel.abort(new CoordinatorError('job-cancelled', 'The job was cancelled.'))
    return true
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
