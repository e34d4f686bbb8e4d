import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { PayloadSpool, RoundDesk, SpoolWriter } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { chunkGeometry, type PayloadParameters } from '../crypto/payload-parameters.ts'
import { checkChunk } from '../crypto/payload-scheme.ts'
import type { PayloadReference } from '../protocol/contribution.ts'
import { digestFromWire } from './codec.ts'
import type { UploadPayloadRequest__Output } from './generated/sluice/v1/UploadPayloadRequest.ts'
import type { UploadPayloadResponse } from './generated/sluice/v1/UploadPayloadResponse.ts'
import { IdleWatch, unlessAborted } from './idle-watch.ts'
import type { UploadsUnderWay, UploadTurn } from './uploads-under-way.ts'
import { WireError } from './wire-error.ts'

/** What stands behind {@link receiveUpload}. */
export interface UploadParts {
  readonly rounds: RoundDesk
  readonly spool: PayloadSpool
  readonly uploads: UploadsUnderWay
  readonly idleMs: number
}

type UploadCall = ServerDuplexStream<UploadPayloadRequest__Output, UploadPayloadResponse>

/** The messages of an upload, until `signal` fires or the holder lets too long pass. */
interface Messages {
  next(signal: AbortSignal): Promise<UploadPayloadRequest__Output | undefined>
}

/**
 * The coordinator's side of the upload dialogue (docs/adr/0014): says what is durable, takes in what is missing, and says
 * the whole's digest. What comes too late, to a plan that nothing is due to, or a second time, is refused, or answered,
 * before any of its bytes are read. Nothing of the ciphertext is in memory but a part in the spool's writer and what the
 * stream holds; a spool that is slow makes the holder wait, by HTTP/2's flow control.
 *
 * Nothing is overwritten: a payload that is whole stays as it is, and durable parts are continued or left. So a contribution
 * that names a stored ciphertext cannot be sealed over other bytes than it names.
 * @throws WireError `malformed-message`, `upload-refused`, `transfer-idle`, `connection-lost`, and those of
 *   {@link UploadsUnderWay}; CryptoError `residue-not-canonical` and the like; StoreError
 */
export async function receiveUpload(call: UploadCall, holder: string, parts: UploadParts): Promise<void> {
  const messages = messagesOf(call, parts.idleMs)
  const header = (await messages.next(new AbortController().signal))?.header
  const planDigest = digestFromWire(header?.planDigest ?? '', 'the plan of an upload')
  const stored = await storedOrDue(planDigest, holder, parts)
  if ('digest' in stored) return finish(call, stored)
  const turn = await parts.uploads.begin(planDigest, holder, stored)
  try {
    // While this one waited for its turn the one before it may have ended.
    const again = await storedOrDue(planDigest, holder, parts)
    finish(call, 'digest' in again ? again : await receive(call, messages, planDigest, holder, again, turn, parts))
  } finally {
    turn.end()
  }
}

async function storedOrDue(
  planDigest: Digest,
  holder: string,
  { rounds, spool }: UploadParts,
): Promise<PayloadReference | PayloadParameters> {
  const parameters = rounds.expectedPayload(planDigest, holder)
  if (!parameters) throw notDue(holder)
  return (await spool.stat(planDigest, holder)) ?? parameters
}

function notDue(holder: string): WireError {
  return new WireError('upload-refused', `No ciphertext of ${holder} is due to this plan, or no more.`)
}

function finish(call: UploadCall, stored: PayloadReference): void {
  call.write({ stored })
  call.end()
}

async function receive(
  call: UploadCall,
  messages: Messages,
  planDigest: Digest,
  holder: string,
  parameters: PayloadParameters,
  turn: UploadTurn,
  { spool, rounds }: UploadParts,
): Promise<PayloadReference> {
  const writer = await spool.open(planDigest, holder, parameters)
  try {
    call.write({ position: writer.resumed })
    await receiveChunks(call, messages, parameters, writer, turn)
    // The set may have been closed while it came: what is not due any more does not become readable.
    if (!rounds.expectedPayload(planDigest, holder)) throw notDue(holder)
    return await writer.commit()
  } finally {
    await writer.close()
  }
}

/** Every chunk has exactly the size that the plan gives it, and is canonical, before it is spooled. */
async function receiveChunks(
  call: UploadCall,
  messages: Messages,
  parameters: PayloadParameters,
  writer: SpoolWriter,
  turn: UploadTurn,
): Promise<void> {
  let acknowledged = writer.resumed.chunks
  for (let index = acknowledged; index < parameters.chunkCount; index++) {
    const chunk = (await messages.next(turn.signal))?.chunk
    const expected = chunkGeometry(parameters, index).bytes
    if (chunk?.length !== expected) {
      throw new WireError(
        'upload-refused',
        `Chunk ${index} has ${chunk?.length ?? 'no'} bytes; this plan wants ${expected}.`,
      )
    }
    turn.count(chunk.length)
    checkChunk(parameters, index, chunk)
    await writer.append(chunk)
    if (writer.durable === acknowledged) continue
    acknowledged = writer.durable
    call.write({ durableChunks: acknowledged })
  }
  if (await messages.next(turn.signal)) {
    throw new WireError('upload-refused', 'The upload has more chunks than the plan.')
  }
}

/** The clock runs while the holder is waited for, and not while the spool works: that is this side's own slowness. */
function messagesOf(call: UploadCall, idleMs: number): Messages {
  const messages: AsyncIterator<UploadPayloadRequest__Output> = call[Symbol.asyncIterator]()
  return {
    next: async (signal) => {
      using idle = new IdleWatch(idleMs)
      const { value, done } = await unlessAborted(messages.next(), AbortSignal.any([idle.signal, signal]))
      return done ? undefined : value
    },
  }
}
