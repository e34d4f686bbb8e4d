import type { ServerWritableStream } from '@grpc/grpc-js'
import { type PayloadSpool, type RoundDesk, SUM } from '../coordinator/ports.ts'
import { digestFromWire } from './codec.ts'
import type { ArtifactChunk } from './generated/sluice/v1/ArtifactChunk.ts'
import type { FetchOpeningRequest__Output } from './generated/sluice/v1/FetchOpeningRequest.ts'
import { limits } from './limits.ts'
import { writeAll } from './streams.ts'
import { WireError } from './wire-error.ts'

/** What stands behind {@link sendOpening}. */
export interface OpeningParts {
  readonly rounds: RoundDesk
  readonly openings: PayloadSpool
  readonly idleMs?: number
  /** Is told the bytes of every piece of an opening that goes out. */
  readonly openingSent?: (bytes: number) => void
}

/**
 * Streams the opening of a published round to a holder of its cohort (docs/adr/0011), piece by piece from the spool, from the
 * offset that it names; nothing when there is no more.
 * @throws WireError `not-found` for anyone else, and when it is not kept any more; `malformed-message`; StoreError
 */
export async function sendOpening(
  call: ServerWritableStream<FetchOpeningRequest__Output, ArtifactChunk>,
  holder: string,
  { rounds, openings, idleMs, openingSent = () => {} }: OpeningParts,
): Promise<void> {
  const planDigest = digestFromWire(call.request.planDigest, 'the plan')
  const opening = rounds.openingFor(planDigest, holder)
  if (!opening) throw new WireError('not-found', `There is no opening of this plan for ${holder}, or no more.`)
  const { keySum, sumBytes } = opening
  const { offset } = call.request
  if (offset > keySum.length + sumBytes) throw new WireError('malformed-message', `An opening has no byte ${offset}.`)
  async function* pieces() {
    if (offset < keySum.length) yield keySum.subarray(offset)
    for (let at = Math.max(0, offset - keySum.length); at < sumBytes; at += limits.artifactChunkBytes) {
      yield await openings.read(planDigest, SUM, at, Math.min(limits.artifactChunkBytes, sumBytes - at))
    }
  }
  async function* messages() {
    for await (const bytes of pieces()) {
      openingSent(bytes.length)
      yield { bytes }
    }
  }
  await writeAll(call, messages(), idleMs)
}
