import type { Digest } from '../crypto/digest.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type { CoordinatorStore } from './ports.ts'

/** What of the store changes a job or a round of it. */
const WRITES = [
  'addJobOutput',
  'addRound',
  'addContribution',
  'setRoundPhase',
  'setAbandonment',
  'publishRound',
] as const satisfies readonly (keyof CoordinatorStore)[]

/** A job that this process works on, as long as its lease lasts. */
export class JobLease {
  readonly job: Digest
  readonly retries: number
  readonly #work = new AbortController()
  /** By this process's monotonic clock, from before the store was asked: the store's clock gives it no less. */
  #endsAt: number

  constructor(job: Digest, retries: number, askedAt: number, leaseMs: number) {
    this.job = job
    this.retries = retries
    this.#endsAt = askedAt + leaseMs
  }

  /** Fires when the work is to end: its reason is a `CoordinatorError`. */
  get signal(): AbortSignal {
    return this.#work.signal
  }

  get isLost(): boolean {
    return this.#endedWith('lease-lost')
  }

  get isCancelled(): boolean {
    return this.#endedWith('job-cancelled')
  }

  #endedWith(code: string): boolean {
    const { aborted, reason } = this.#work.signal
    return aborted && reason instanceof CoordinatorError && reason.code === code
  }

  /** The store has renewed it. @param askedAt when it was asked, by `performance.now` */
  renew(askedAt: number, leaseMs: number): void {
    this.#endsAt = askedAt + leaseMs
  }

  lose(): void {
    this.#work.abort(
      new CoordinatorError(
        'lease-lost',
        'Another coordinator has the job now, or it has ended: this one lets go of it.',
      ),
    )
  }

  cancel(): void {
    this.#work.abort(new CoordinatorError('job-cancelled', 'The job was cancelled.'))
  }

  stop(): void {
    this.#work.abort(new CoordinatorError('coordinator-stopping', 'The coordinator is stopping.'))
  }

  /** Lets go when its time is over without a renewal. @returns whether it has the job still, as far as it can know */
  check(): boolean {
    if (performance.now() >= this.#endsAt) this.lose()
    return !this.isLost
  }

  /**
   * The store, for the work on this job: a process that slept past its lease writes nothing more, as far as the
   * clock tells, which may stand still while a machine is suspended. What slips through meets the store's own rules, where every
   * transition is from one known content to the next; but for giving a round up, which is possible from everywhere: before that
   * the lease is renewed, so that nobody ends a round that another has taken over.
   * @param renew asks the store for the lease again
   * @throws CoordinatorError `lease-lost` from every write then
   */
  guard(store: CoordinatorStore, renew: () => Promise<void>): CoordinatorStore {
    const guarded = WRITES.map((name) => {
      const write = store[name] as (...args: unknown[]) => Promise<unknown>
      const whileLeased = async (...args: unknown[]) => {
        if (this.check() && name === 'setRoundPhase' && args[1] === 'abandoned') await renew()
        if (!this.check()) throw this.signal.reason
        return write(...args)
      }
      return [name, whileLeased] as const
    })
    return { ...store, ...Object.fromEntries(guarded) }
  }
}
