import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js'
import type { ArtifactStore, PayloadSpool, RoundDesk } from '../coordinator/ports.ts'
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
import { receiveUpload } from './upload-service.ts'
import { UploadsUnderWay } from './uploads-under-way.ts'
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
  readonly idleMs?: number
  /** Is told the bytes of every piece of an opening that goes out. */
  readonly openingSent?: (bytes: number) => void
}

/** The handlers of `sluice.v1.Coordinator`: thin translations between the wire and the ports. */
export function coordinatorHandlers(parts: CoordinatorServiceParts): CoordinatorHandlers {
  const uploads = new UploadsUnderWay()
  return {
    Attend: (call) => attend(call, parts),
    UploadPayload: (call) => void upload(call, parts, uploads),
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
  call: ServerDuplexStream<UploadPayloadRequest__Output, UploadPayloadResponse>,
  parts: CoordinatorServiceParts,
  uploads: UploadsUnderWay,
): Promise<void> {
  try {
    const { rounds, spool, idleMs = limits.idleMs } = parts
    await receiveUpload(call, requireHolder(call, parts), { rounds, spool, uploads, idleMs })
  } catch (error) {
    call.emit('error', toStatus(error, parts.onFault))
  }
}

async function fetchArtifact(
  call: ServerWritableStream<FetchArtifactRequest__Output, ArtifactChunk>,
  parts: CoordinatorServiceParts,
): Promise<void> {
  try {
    requireHolder(call, parts)
    const { digest, offset } = call.request
    const artifact = parts.artifacts.read(digestFromWire(digest, 'the artifact'), offset)
    await writeAll(call, messagesOf(artifact), parts.idleMs)
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
    await writeAll(call, contributions.map(envelopeToWire), parts.idleMs)
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
