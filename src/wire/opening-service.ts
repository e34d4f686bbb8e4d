import type { ServerWritableStream } from '@grpc/grpc-js'
import { OPENING, type PayloadSpool, type RoundDesk } from '../coordinator/ports.ts'
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
}

/**
 * Streams the opening of a published round to a holder of its cohort (docs/adr/0011), piece by piece from the spool.
 * @throws WireError `not-found` for anyone else, and when it is not kept any more; StoreError
 */
export async function sendOpening(
  call: ServerWritableStream<FetchOpeningRequest__Output, ArtifactChunk>,
  holder: string,
  { rounds, openings }: OpeningParts,
): Promise<void> {
  const planDigest = digestFromWire(call.request.planDigest, 'the plan')
  const total = rounds.openingFor(planDigest, holder)
  if (total === undefined)
    throw new WireError('not-found', `There is no opening of this plan for ${holder}, or no more.`)
  async function* pieces() {
    for (let at = 0; at < total!; at += limits.artifactChunkBytes) {
      yield { bytes: await openings.read(planDigest, OPENING, at, Math.min(limits.artifactChunkBytes, total! - at)) }
    }
  }
  await writeAll(call, pieces())
}
