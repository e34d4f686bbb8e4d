import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import type { JobDesk, JobOutput, JobStanding } from '../coordinator/ports.ts'
import { jobStatement } from '../learning/job-specification.ts'
import { parseStatement } from '../protocol/statement.ts'
import { digestFromWire, envelopeToWire } from './codec.ts'
import { pieces } from './coordinator-service.ts'
import type { FetchOutputRequest__Output } from './generated/sluice/v1/FetchOutputRequest.ts'
import type { JobEvent as ProtoJobEvent } from './generated/sluice/v1/JobEvent.ts'
import type { JobSummary } from './generated/sluice/v1/JobSummary.ts'
import type { JobsHandlers } from './generated/sluice/v1/Jobs.ts'
import type { OutputChunk } from './generated/sluice/v1/OutputChunk.ts'
import type { WatchJobRequest__Output } from './generated/sluice/v1/WatchJobRequest.ts'
import { jobEventToWire } from './job-event-codec.ts'
import { limits } from './limits.ts'
import { type Call, type CertificateDesk, requireRole } from './peer.ts'
import { type FaultListener, toStatus } from './status.ts'
import { writeAll } from './streams.ts'
import { WireError } from './wire-error.ts'

const LIST_DEFAULT = 50
const LIST_MAX = 1000

/** What stands behind the researchers' service. */
export interface JobsServiceParts {
  readonly venue: string
  readonly certificates: Pick<CertificateDesk, 'isRevoked'>
  readonly onFault?: FaultListener
}

/** The handlers of `sluice.v1.Jobs`, for researchers of the venue. */
export function jobsHandlers(parts: JobsServiceParts, desk: JobDesk): JobsHandlers {
  const unary = unaryFor(parts)
  return {
    Submit: unary(async ({ specification }, researcher) => {
      return { job: await desk.submit(parseSpecification(specification), researcher) }
    }),
    List: unary(async ({ limit }) => {
      const records = await desk.list(Math.min(limit || LIST_DEFAULT, LIST_MAX))
      return { jobs: records.map(summarise) }
    }),
    Watch: (call) => void watch(call, parts, desk),
    Result: unary(async ({ job }) => {
      const { record, outputs } = await desk.result(digestFromWire(job, 'the job'))
      return {
        summary: summarise(record),
        statement: envelopeToWire(record.envelope),
        outputs: outputs.map(({ name, version, digest }: JobOutput) => ({ name, version, digest })),
      }
    }),
    Cancel: unary(async ({ job }) => ({ cancelled: await desk.cancel(digestFromWire(job, 'the job')) })),
    FetchOutput: (call) => void fetchOutput(call, parts, desk),
  }
}

function requireResearcher(call: Call, { venue, certificates }: JobsServiceParts): string {
  return requireRole(call, venue, ['researcher'], certificates).name
}

/** One request, one answer, for a researcher; errors by name. */
function unaryFor(parts: JobsServiceParts) {
  return <Request, Response>(answer: (request: Request, researcher: string) => Promise<Response>) =>
    async (call: ServerUnaryCall<Request, Response>, respond: sendUnaryData<Response>) => {
      try {
        const name = requireResearcher(call, parts)
        respond(null, await answer(call.request, name))
      } catch (error) {
        respond(toStatus(error, parts.onFault))
      }
    }
}

function parseSpecification(bytes: Uint8Array): unknown {
  if (bytes.length > limits.specificationBytes) {
    throw new WireError('message-too-large', `A job specification has at most ${limits.specificationBytes} bytes.`)
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new WireError('malformed-message', 'The job specification is not JSON.', { cause })
  }
}

function summarise(record: JobStanding): JobSummary {
  const statement = parseStatement(jobStatement, record.envelope)
  return {
    job: record.job,
    name: statement.ok ? statement.value.specification.name : '',
    state: record.state,
    reason: record.reason ?? '',
    submittedBy: statement.ok ? statement.value.submittedBy : '',
    submittedAt: record.submittedAt.toISOString(),
    endedAt: record.endedAt?.toISOString() ?? '',
    priority: record.priority ?? '',
    place: record.place ?? 0,
    standing: record.standing ?? '',
  }
}

async function watch(
  call: ServerWritableStream<WatchJobRequest__Output, ProtoJobEvent>,
  parts: JobsServiceParts,
  desk: JobDesk,
): Promise<void> {
  const gone = new AbortController()
  call.on('cancelled', () => gone.abort())
  try {
    requireResearcher(call, parts)
    const job = digestFromWire(call.request.job, 'the job')
    await desk.result(job) // A job that does not exist is an error, not an empty stream.
    await writeAll(call, wireEvents(desk, job, Number(call.request.afterSequence), gone.signal))
  } catch (error) {
    if (!gone.signal.aborted) call.emit('error', toStatus(error, parts.onFault))
  }
}

async function* wireEvents(desk: JobDesk, job: string, after: number, signal: AbortSignal) {
  for await (const stored of desk.watch(job, after, signal)) yield jobEventToWire(stored)
}

async function fetchOutput(
  call: ServerWritableStream<FetchOutputRequest__Output, OutputChunk>,
  parts: JobsServiceParts,
  desk: JobDesk,
): Promise<void> {
  try {
    requireResearcher(call, parts)
    const { job, digest } = call.request
    const bytes = await desk.output(digestFromWire(job, 'the job'), digestFromWire(digest, 'the output'))
    await writeAll(call, pieces(bytes))
  } catch (error) {
    call.emit('error', toStatus(error, parts.onFault))
  }
}
