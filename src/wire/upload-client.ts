import type { ClientDuplexStream } from '@grpc/grpc-js'
import type { Digest } from '../crypto/digest.ts'
import type { PayloadReference } from '../protocol/contribution.ts'
import type { UploadPayloadRequest } from './generated/sluice/v1/UploadPayloadRequest.ts'
import type { UploadPayloadResponse__Output } from './generated/sluice/v1/UploadPayloadResponse.ts'
import { IdleWatch, unlessAborted } from './idle-watch.ts'
import { writeAll } from './streams.ts'
import { WireError } from './wire-error.ts'

/** A ciphertext as it is uploaded: it may still be made, and what was made can be read again. */
export interface PayloadSource {
  /** The chunks from `first` on, packed, in order, as they are made. */
  chunksFrom(first: number): AsyncIterable<Uint8Array>
  /** `payloadDigest` over the first `count` chunks; undefined when so many are not made. */
  digestOfFirst(count: number): Digest | undefined
  /** Resolves when all chunks are made. */
  whole(): Promise<PayloadReference>
}

export interface UploadAttempt {
  readonly planDigest: Digest
  readonly source: PayloadSource
  readonly idleMs: number
  /** Called whenever the coordinator has taken or said something. */
  readonly moved: () => void
  /** Fires when nobody waits for the upload any more. */
  readonly until: AbortSignal | undefined
}

type Call = ClientDuplexStream<UploadPayloadRequest, UploadPayloadResponse__Output>

/**
 * The holder's side of one upload dialogue (docs/adr/0014), from where the coordinator is to the end. Ends the call, however
 * it comes out.
 * @throws WireError `other-ciphertext`, `connection-lost`, `transfer-idle`; errors of the call and of the source as they come
 */
export async function uploadFrom(call: Call, attempt: UploadAttempt): Promise<PayloadReference> {
  // An error that comes when nobody waits any more, such as this side's own `cancel`, is nobody's.
  call.on('error', () => undefined)
  using idle = new IdleWatch(attempt.idleMs)
  const moved = () => {
    idle.moved()
    attempt.moved()
  }
  try {
    return await unlessAborted(
      converse(call, { ...attempt, moved }),
      AbortSignal.any([idle.signal, ...(attempt.until ? [attempt.until] : [])]),
    )
  } finally {
    call.cancel()
  }
}

async function converse(call: Call, { planDigest, source, moved, idleMs }: UploadAttempt): Promise<PayloadReference> {
  const answers = call[Symbol.asyncIterator]()
  call.write({ header: { planDigest } })
  const first = await nextAnswer(answers)
  moved()
  if (first.stored) return checkOwn(first.stored, source)
  const { chunks, digest } = first.position ?? { chunks: -1, digest: '' }
  if (source.digestOfFirst(chunks) !== digest) throw otherCiphertext()
  async function* messages(): AsyncGenerator<UploadPayloadRequest> {
    for await (const chunk of source.chunksFrom(chunks)) {
      // The one before was taken: by the line's buffers, and with these full by the other side.
      moved()
      yield { chunk }
    }
  }
  const sending = writeAll(call, messages(), idleMs)
  const stored = awaitStored(answers, moved)
  // When the call breaks both of them fail; the answer's failure has the coordinator's reason.
  await Promise.race([sending.catch(() => stored), stored])
  return checkOwn(await stored, source)
}

async function awaitStored(
  answers: AsyncIterator<UploadPayloadResponse__Output>,
  moved: () => void,
): Promise<PayloadReference> {
  for (;;) {
    const { stored } = await nextAnswer(answers)
    moved()
    if (stored) return stored
  }
}

async function nextAnswer(answers: AsyncIterator<UploadPayloadResponse__Output>) {
  const { value, done } = await answers.next()
  if (done) throw new WireError('connection-lost', 'The coordinator ended the upload without a word.')
  return value as UploadPayloadResponse__Output
}

async function checkOwn({ digest, bytes }: PayloadReference, source: PayloadSource): Promise<PayloadReference> {
  const own = await source.whole()
  if (own.digest !== digest || own.bytes !== bytes) throw otherCiphertext()
  return own
}

function otherCiphertext(): WireError {
  return new WireError(
    'other-ciphertext',
    'The coordinator has another ciphertext of this holder to this plan: does a second node run under its name?',
  )
}
