import {
  type CoordinatorStore,
  type JobEvent,
  type JobOutput,
  type JobPlacing,
  type JobRecord,
  type JobState,
  type StoredJobEvent,
  UNPLACED,
} from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { unknownJob } from './job-records.ts'
import type { MemoryQueueJobs, QueuePlace } from './memory-queue.ts'
import { StoreError } from './store-error.ts'
import { storableReason } from './stored-text.ts'

const ENDS: ReadonlySet<JobState> = new Set(['completed', 'failed', 'cancelled'])

interface HeldJob {
  record: JobRecord
  readonly place: QueuePlace
  /** By `name/version`. */
  readonly outputs: Map<string, JobOutput>
  readonly events: StoredJobEvent[]
}

/** Jobs, their outputs and their events in memory; contracts on {@link CoordinatorStore}. */
export class MemoryJobs
  implements
    Pick<
      CoordinatorStore,
      | 'addJob'
      | 'findJob'
      | 'listJobs'
      | 'listUnfinishedJobs'
      | 'setJobState'
      | 'addJobOutput'
      | 'listJobOutputs'
      | 'appendJobEvent'
      | 'listJobEvents'
    >,
    MemoryQueueJobs
{
  /** In the order of arrival. */
  readonly #jobs = new Map<Digest, HeldJob>()

  /** @throws StoreError `not-found` */
  requireJob(job: Digest): void {
    this.#held(job)
  }

  #held(job: Digest): HeldJob {
    const held = this.#jobs.get(job)
    if (!held) throw unknownJob(job)
    return held
  }

  async addJob(
    job: Digest,
    envelope: JobRecord['envelope'],
    submittedAt: Date,
    placing: JobPlacing = UNPLACED,
  ): Promise<void> {
    if (this.#jobs.has(job)) return
    const record = { job, envelope, state: 'queued', submittedAt } as const
    const place = { placing, retries: 0, idleClaims: 0, isCancelled: false }
    this.#jobs.set(job, { record, place, outputs: new Map(), events: [] })
  }

  placed(job: Digest): { readonly record: JobRecord; readonly place: QueuePlace } {
    return this.#held(job)
  }

  placedJobs(): { readonly record: JobRecord; readonly place: QueuePlace }[] {
    return [...this.#jobs.values()].sort((a, b) => +a.record.submittedAt - +b.record.submittedAt)
  }

  async findJob(job: Digest): Promise<JobRecord | undefined> {
    return this.#jobs.get(job)?.record
  }

  async listJobs(limit: number): Promise<JobRecord[]> {
    return this.#oldestFirst().reverse().slice(0, limit)
  }

  async listUnfinishedJobs(): Promise<JobRecord[]> {
    const open = this.#oldestFirst().filter(({ endedAt }) => endedAt === undefined)
    return [...open.filter(({ state }) => state === 'running'), ...open.filter(({ state }) => state !== 'running')]
  }

  /** Of one instant in the order of arrival: sorting keeps it. */
  #oldestFirst(): JobRecord[] {
    const records = [...this.#jobs.values()].map(({ record }) => record)
    return records.sort((a, b) => a.submittedAt.getTime() - b.submittedAt.getTime())
  }

  async setJobState(job: Digest, state: JobState, at: Date, reason?: string): Promise<boolean> {
    const held = this.#held(job)
    const { record, place } = held
    const isWanted = !(place.isCancelled && (state === 'running' || state === 'completed'))
    if (record.endedAt || !isWanted || (state === 'queued' && record.state !== 'queued')) return record.state === state
    const { reason: _, ...rest } = record
    const stored = storableReason(reason)
    held.record = {
      ...rest,
      state,
      ...(stored !== null && { reason: stored }),
      ...(state === 'running' && { startedAt: record.startedAt ?? at }),
      ...(ENDS.has(state) && { endedAt: at }),
    }
    return true
  }

  async addJobOutput(job: Digest, output: JobOutput): Promise<void> {
    this.checkOutput(job, output)
    this.#held(job).outputs.set(`${output.name}/${output.version}`, output)
  }

  /** @throws StoreError `conflict`, `not-found` as `addJobOutput` would, and changes nothing */
  checkOutput(job: Digest, { name, version, digest }: JobOutput): void {
    const known = this.#held(job).outputs.get(`${name}/${version}`)
    if (known === undefined || known.digest === digest) return
    throw new StoreError('conflict', `The job has another ${name} of version ${version}: give this one a new version.`)
  }

  async listJobOutputs(job: Digest): Promise<JobOutput[]> {
    const outputs = [...(this.#jobs.get(job)?.outputs.values() ?? [])]
    return outputs.sort((a, b) => (a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1))
  }

  async appendJobEvent(job: Digest, at: Date, event: JobEvent): Promise<number> {
    const { events } = this.#held(job)
    const text = JSON.stringify(event)
    const known = events.find((stored) => +stored.at === +at && JSON.stringify(stored.event) === text)
    if (known) return known.sequence
    events.push({ sequence: events.length + 1, at, event })
    return events.length
  }

  async listJobEvents(job: Digest, after: number, limit: number): Promise<StoredJobEvent[]> {
    return this.#jobs.get(job)?.events.slice(after, after + limit) ?? []
  }
}
