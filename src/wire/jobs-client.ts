import type { requestCallback } from '@grpc/grpc-js'
import type { JobPriority, JobState, StoredJobEvent } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { digestOf } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { channelOptions } from './channel.ts'
import { envelopeFromWire } from './codec.ts'
import { JobsContract } from './contract.ts'
import { checkOwnCertificate, clientCredentials, type TlsMaterial } from './credentials.ts'
import type { CancelJobResponse__Output } from './generated/sluice/v1/CancelJobResponse.ts'
import type { JobResultResponse__Output } from './generated/sluice/v1/JobResultResponse.ts'
import type { JobSummary__Output } from './generated/sluice/v1/JobSummary.ts'
import type { JobsClient as GeneratedClient } from './generated/sluice/v1/Jobs.ts'
import type { ListJobsResponse__Output } from './generated/sluice/v1/ListJobsResponse.ts'
import type { SubmitJobResponse__Output } from './generated/sluice/v1/SubmitJobResponse.ts'
import { jobEventFromWire } from './job-event-codec.ts'
import { limits } from './limits.ts'
import { fromServiceError } from './status.ts'
import { WireError } from './wire-error.ts'

export interface JobSummary {
  readonly job: Digest
  readonly name: string
  readonly state: JobState
  readonly reason?: string
  readonly submittedBy: string
  readonly submittedAt: string
  readonly endedAt?: string
  readonly priority?: JobPriority
  /** From 1, of a job that no coordinator runs now. */
  readonly place?: number
  /** By which coordinator it is run, or why it is not; for people. */
  readonly standing?: string
}

export interface JobResult {
  readonly summary: JobSummary
  readonly statement: Envelope
  readonly outputs: readonly { readonly name: string; readonly version: number; readonly digest: Digest }[]
}

/** How long a unary call may take before the coordinator counts as unreachable. */
const CALL_DEADLINE_MS = 15_000

/** A researcher's connection. Every method throws {@link WireError} with a code and what to do. */
export class JobsConnection {
  readonly #client: GeneratedClient
  readonly #address: string

  constructor(address: string, venue: string, tls: TlsMaterial) {
    checkOwnCertificate(tls, new Date())
    this.#address = address
    this.#client = new JobsContract(address, clientCredentials(tls, venue), channelOptions(venue))
  }

  /** @param specification as read from JSON or YAML; the coordinator checks it. @returns the job's id. */
  async submit(specification: unknown): Promise<Digest> {
    const bytes = Buffer.from(JSON.stringify(specification), 'utf8')
    const { job } = await this.#call<SubmitJobResponse__Output>((done) =>
      this.#client.submit({ specification: bytes }, deadline(), done),
    )
    return job
  }

  async list(limit: number): Promise<JobSummary[]> {
    const { jobs } = await this.#call<ListJobsResponse__Output>((done) =>
      this.#client.list({ limit }, deadline(), done),
    )
    return jobs.map(summaryFromWire)
  }

  async result(job: Digest): Promise<JobResult> {
    const response = await this.#call<JobResultResponse__Output>((done) =>
      this.#client.result({ job }, deadline(), done),
    )
    return {
      summary: summaryFromWire(response.summary!),
      statement: envelopeFromWire(response.statement, 'the job'),
      outputs: response.outputs,
    }
  }

  /** @returns false when the job had ended before. */
  async cancel(job: Digest): Promise<boolean> {
    const { cancelled } = await this.#call<CancelJobResponse__Output>((done) =>
      this.#client.cancel({ job }, deadline(), done),
    )
    return cancelled
  }

  /** The job's events after `after`, to its end. Leaving the loop ends the call. */
  async *watch(job: Digest, after = 0, signal?: AbortSignal): AsyncGenerator<StoredJobEvent> {
    // A stream has no deadline, since a job may be quiet for long; this call finds out whether anybody answers at all.
    await this.result(job)
    const stream = this.#client.watch({ job, afterSequence: after })
    const cancel = () => stream.cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      for await (const message of stream) yield jobEventFromWire(message)
    } catch (error) {
      if (!signal?.aborted) throw fromServiceError(error, this.#address)
    } finally {
      signal?.removeEventListener('abort', cancel)
      stream.cancel()
    }
  }

  /** The bytes of an output, checked against its digest. */
  async output(job: Digest, digest: Digest): Promise<Uint8Array> {
    const parts: Buffer[] = []
    let total = 0
    const stream = this.#client.fetchOutput({ job, digest })
    try {
      for await (const { bytes } of stream) {
        total += bytes.length
        if (total > limits.artifactBytes) {
          throw new WireError('message-too-large', `An output is over ${limits.artifactBytes} bytes: refused.`)
        }
        parts.push(bytes)
      }
    } catch (error) {
      throw fromServiceError(error, this.#address)
    } finally {
      stream.cancel()
    }
    const whole = new Uint8Array(Buffer.concat(parts))
    if (digestOf(whole) !== digest) {
      throw new WireError('digest-mismatch', 'The coordinator sent other bytes than the job names: try again.')
    }
    return whole
  }

  #call<T>(start: (done: requestCallback<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      start((error, response) => (error ? reject(fromServiceError(error, this.#address)) : resolve(response as T)))
    })
  }

  close(): void {
    this.#client.close()
  }
}

function deadline() {
  return { deadline: Date.now() + CALL_DEADLINE_MS }
}

function summaryFromWire(summary: JobSummary__Output): JobSummary {
  const { job, name, state, reason, submittedBy, submittedAt, endedAt, priority, place, standing } = summary
  return {
    job,
    name,
    state: state as JobState,
    submittedBy,
    submittedAt,
    ...(reason ? { reason } : {}),
    ...(endedAt ? { endedAt } : {}),
    ...(priority ? { priority: priority as JobPriority } : {}),
    ...(place ? { place } : {}),
    ...(standing ? { standing } : {}),
  }
}
