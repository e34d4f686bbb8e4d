import { type Digest, digestOf } from '../crypto/digest.ts'
import type { PayloadParameters } from '../crypto/payload-parameters.ts'
import { type PayloadReference, payloadDigest } from '../protocol/contribution.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type { PayloadSpool } from './ports.ts'

/** Which payload, and how it is cut. */
export interface DuePayload {
  readonly planDigest: Digest
  readonly holder: string
  readonly parameters: PayloadParameters
}

/**
 * Spools a payload whose chunks come from the first one on, all of them, each checked by the caller. What is stored already is compared
 * and not written again: nothing takes the place of bytes that may have been named.
 * @param beforeCommit may refuse the payload by throwing, when all of it has come
 * @throws CoordinatorError `payload-stored` when other bytes are stored; StoreError
 */
export async function spoolPayload(
  spool: PayloadSpool,
  { planDigest, holder, parameters }: DuePayload,
  chunks: AsyncIterable<Uint8Array>,
  beforeCommit: () => void = () => {},
): Promise<PayloadReference> {
  const stored = await spool.stat(planDigest, holder)
  if (stored) {
    const digests: Digest[] = []
    for await (const chunk of chunks) digests.push(digestOf(chunk))
    if (payloadDigest(digests) !== stored.digest) throw otherPayload(holder)
    beforeCommit()
    return stored
  }
  const writer = await spool.open(planDigest, holder, parameters)
  try {
    const { resumed } = writer
    const digests: Digest[] = []
    for await (const chunk of chunks) {
      if (digests.length >= resumed.chunks) {
        await writer.append(chunk)
        continue
      }
      digests.push(digestOf(chunk))
      if (digests.length === resumed.chunks && payloadDigest(digests) !== resumed.digest) throw otherPayload(holder)
    }
    beforeCommit()
    return await writer.commit()
  } finally {
    await writer.close()
  }
}

function otherPayload(holder: string): CoordinatorError {
  return new CoordinatorError('payload-stored', `Another ciphertext of ${holder} to this plan is stored: that stays.`)
}
