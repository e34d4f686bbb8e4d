import type { ServerDuplexStream, ServerReadableStream, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import type { ArtifactStore, PayloadSpool, RoundDesk, SpoolWriter } from '../coordinator/ports.ts'
import { digestOf } from '../crypto/digest.ts'
import { chunkGeometry, type PayloadParameters } from '../crypto/payload-parameters.ts'
import { checkChunk } from '../crypto/payload-scheme.ts'
import { payloadDigest } from '../protocol/contribution.ts'
import { type AdmissionServiceParts, fetchRegistry, renewCertificate } from './admission-service.ts'
import { digestFromWire, envelopeToWire, replyFromWire } from './codec.ts'
import type { ArtifactChunk } from './generated/sluice/v1/ArtifactChunk.ts'
import type { CoordinatorHandlers } from './generated/sluice/v1/Coordinator.ts'
import type { CoordinatorMessage } from './generated/sluice/v1/CoordinatorMessage.ts'
import type { Envelope as ProtoEnvelope } from './generated/sluice/v1/Envelope.ts'
import type { FetchArtifactRequest__Output } from './generated/sluice/v1/FetchArtifactRequest.ts'
import type { FetchContributionsRequest__Output } from './generated/sluice/v1/FetchContributionsRequest.ts'
import type { FetchOpeningRequest__Output } from './generated/sluice/v1/FetchOpeningRequest.ts'
import type { HolderMessage__Output } from './generated/sluice/v1/HolderMessage.ts'
import type { UploadPayloadRequest__Output } from './generated/sluice/v1/UploadPayloadRequest.ts'
import type { UploadPayloadResponse } from './generated/sluice/v1/UploadPayloadResponse.ts'
import type { HolderSession, HolderSessions } from './holder-sessions.ts'
import { limits, PROTOCOL_VERSION } from './limits.ts'
import { sendOpening } from './opening-service.ts'
import { type Call, requireMember } from './peer.ts'
import { toStatus } from './status.ts'
import { writeAll } from './streams.ts'
import { WireError } from './wire-error.ts'

/** What stands behind the holders' service. */
export interface CoordinatorServiceParts extends AdmissionServiceParts {
  readonly software: string
  readonly sessions: HolderSessions
  readonly rounds: RoundDesk
  readonly artifacts: ArtifactStore
  readonly spool: PayloadSpool
  readonly openings: PayloadSpool
  /** {@link limits} unless told. */
  readonly uploadIdleMs?: number
}

/** The handlers of `sluice.v1.Coordinator`: thin translations between the wire and the ports. */
export function coordinatorHandlers(parts: CoordinatorServiceParts): CoordinatorHandlers {
  return {
    Attend: (call) => attend(call, parts),
    UploadPayload: (call, respond) => void upload(call, respond, parts),
    FetchArtifact: (call) => void fetchArtifact(call, parts),
    FetchContributions: (call) => void fetchContributions(call, parts),
    FetchOpening: (call) => void fetchOpening(call, parts),
    FetchRegistry: (call) => void fetchRegistry(call, parts),
    RenewCertificate: (call, respond) => void renewCertificate(call, respond, parts),
  }
}

function requireHolder(call: Call, { venue, members, certificates }: CoordinatorServiceParts): string {
  return requireMember(call, venue, members, certificates)
}

function attend(
  call: ServerDuplexStream<HolderMessage__Output, CoordinatorMessage>,
  parts: CoordinatorServiceParts,
): void {
  let holder: string
  try {
    holder = requireHolder(call, parts)
  } catch (error) {
    call.emit('error', toStatus(error, parts.onFault))
    return
  }
  const session: HolderSession = { send: (request) => call.write({ request }), end: () => call.end() }
  const close = () => parts.sessions.close(holder, session)
  let state: 'silent' | 'greeted' | 'refused' = 'silent'
  const take = ({ hello, reply }: HolderMessage__Output) => {
    // Once, and first: every greeting sends what waits for the holder again.
    if (!hello === (state === 'silent')) throw new WireError('malformed-message', 'A holder greets once, and first.')
    state = 'greeted'
    if (hello) greet(call, hello.protocolVersion, parts, () => parts.sessions.open(holder, session))
    else if (reply) parts.sessions.receive(holder, reply.requestId, replyFromWire(reply))
  }
  call.on('data', (message: HolderMessage__Output) => {
    if (state === 'refused') return
    try {
      take(message)
    } catch (error) {
      state = 'refused'
      close()
      call.emit('error', toStatus(error, parts.onFault))
    }
  })
  call.on('end', () => {
    close()
    call.end()
  })
  call.on('error', close)
  call.on('cancelled', close)
}

function greet(
  call: ServerDuplexStream<HolderMessage__Output, CoordinatorMessage>,
  version: string,
  parts: CoordinatorServiceParts,
  open: () => void,
): void {
  if (version !== PROTOCOL_VERSION) {
    throw new WireError(
      'protocol-version',
      `This coordinator speaks protocol ${PROTOCOL_VERSION}, the holder ${version.slice(0, 20)}: update the older of the two.`,
    )
  }
  call.write({ welcome: { protocolVersion: PROTOCOL_VERSION, software: parts.software } })
  open()
}

async function upload(
  call: ServerReadableStream<UploadPayloadRequest__Output, UploadPayloadResponse>,
  respond: sendUnaryData<UploadPayloadResponse>,
  parts: CoordinatorServiceParts,
): Promise<void> {
  try {
    const holder = requireHolder(call, parts)
    const messages = withIdleLimit(call, parts.uploadIdleMs ?? limits.uploadIdleMs)
    const header = (await messages.next()).value?.header
    const planDigest = digestFromWire(header?.planDigest ?? '', 'the plan of an upload')
    const parameters = parts.rounds.expectedPayload(planDigest, holder)
    if (!parameters) throw new WireError('upload-refused', `No ciphertext of ${holder} is due to this plan.`)
    const digest = await receivePayload(messages, parameters, planDigest, holder, parts)
    parts.sessions.noteUpload(planDigest, holder, { digest, bytes: parameters.ciphertextBytes })
    respond(null, { digest, bytes: parameters.ciphertextBytes })
  } catch (error) {
    respond(toStatus(error, parts.onFault))
  }
}

/** The messages of an upload; a pause longer than `idleMs` ends it. */
function withIdleLimit(
  call: ServerReadableStream<UploadPayloadRequest__Output, UploadPayloadResponse>,
  idleMs: number,
): AsyncIterator<UploadPayloadRequest__Output> {
  const messages: AsyncIterator<UploadPayloadRequest__Output> = call[Symbol.asyncIterator]()
  return {
    next: () => {
      let timer: NodeJS.Timeout | undefined
      const idle = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new WireError('upload-refused', `Nothing came for ${idleMs} ms: upload again.`)),
          idleMs,
        )
      })
      return Promise.race([messages.next(), idle]).finally(() => clearTimeout(timer))
    },
  }
}

/** Every chunk has exactly the size that the plan gives it, and is canonical, before it is spooled. */
async function receivePayload(
  messages: AsyncIterator<UploadPayloadRequest__Output>,
  parameters: PayloadParameters,
  planDigest: string,
  holder: string,
  parts: CoordinatorServiceParts,
): Promise<string> {
  const writer = await parts.spool.begin(planDigest, holder)
  const digests: string[] = []
  try {
    for (let index = 0; index < parameters.chunkCount; index++) {
      const chunk = (await messages.next()).value?.chunk
      const expected = chunkGeometry(parameters, index).bytes
      if (chunk?.length !== expected) {
        throw new WireError(
          'upload-refused',
          `Chunk ${index} has ${chunk?.length ?? 'no'} bytes; this plan wants ${expected}.`,
        )
      }
      const bytes = new Uint8Array(chunk)
      digests.push(digestOf(bytes))
      checkChunk(parameters, index, bytes)
      await writer.append(bytes)
    }
    if (!(await messages.next()).done)
      throw new WireError('upload-refused', 'The upload has more chunks than the plan.')
    await commitPayload(writer, planDigest, holder, parts)
    return payloadDigest(digests)
  } catch (error) {
    await writer.abort()
    throw error
  }
}

/** Lets the payload count, unless the round or a contribution has gone past it while it came. */
async function commitPayload(
  writer: SpoolWriter,
  planDigest: string,
  holder: string,
  { rounds, sessions }: CoordinatorServiceParts,
): Promise<void> {
  if (!rounds.expectedPayload(planDigest, holder) || !sessions.beginCommit(planDigest, holder)) {
    throw new WireError(
      'upload-refused',
      `Another ciphertext of ${holder} to this plan is stored or named already, or the round is over: that stays.`,
    )
  }
  try {
    await writer.commit()
  } catch (error) {
    sessions.forgetUpload(planDigest, holder)
    throw error
  }
}

async function fetchArtifact(
  call: ServerWritableStream<FetchArtifactRequest__Output, ArtifactChunk>,
  parts: CoordinatorServiceParts,
): Promise<void> {
  try {
    requireHolder(call, parts)
    const artifact = parts.artifacts.read(digestFromWire(call.request.digest, 'the artifact'), 0)
    await writeAll(call, messagesOf(artifact))
  } catch (error) {
    call.emit('error', toStatus(error, parts.onFault))
  }
}

async function* messagesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<{ bytes: Uint8Array }> {
  for await (const bytes of pieces) yield { bytes }
}

/** An artifact in pieces of the wire's size. */
export function* pieces(bytes: Uint8Array): Generator<{ bytes: Uint8Array }> {
  for (let at = 0; at < bytes.length; at += limits.artifactChunkBytes) {
    yield { bytes: bytes.subarray(at, at + limits.artifactChunkBytes) }
  }
}

async function fetchContributions(
  call: ServerWritableStream<FetchContributionsRequest__Output, ProtoEnvelope>,
  parts: CoordinatorServiceParts,
): Promise<void> {
  try {
    const member = requireHolder(call, parts)
    const planDigest = digestFromWire(call.request.planDigest, 'the plan')
    const contributions = parts.rounds.contributionsFor(planDigest, member)
    if (!contributions) throw new WireError('not-found', `There is no sealed round of this plan for ${member}.`)
    await writeAll(call, contributions.map(envelopeToWire))
  } catch (error) {
    call.emit('error', toStatus(error, parts.onFault))
  }
}

async function fetchOpening(
  call: ServerWritableStream<FetchOpeningRequest__Output, ArtifactChunk>,
  parts: CoordinatorServiceParts,
): Promise<void> {
  try {
    await sendOpening(call, requireHolder(call, parts), parts)
  } catch (error) {
    call.emit('error', toStatus(error, parts.onFault))
  }
}
