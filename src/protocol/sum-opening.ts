import { type Digest, fromHex } from '../crypto/digest.ts'
import type { LinearHash } from '../crypto/linear-hash.ts'
import type { PayloadWorkers } from '../crypto/payload-workers.ts'
import { type ReadSum, readOpenedSum } from './opened-sum.ts'
import { hashChallenge } from './payload-hash.ts'
import { planParameters, type RoundPlan } from './round-plan.ts'
import type { SumReading } from './sum-reading.ts'

/** Chunks in work for each thread: one that is worked on, one that waits. */
const CHUNKS_AHEAD = 2

/** The ciphertexts' sum of a sealed round. */
export interface SealedSum {
  readonly plan: RoundPlan
  readonly planDigest: Digest
  readonly manifest: Digest
  /** Digest of the ciphertexts' sum. */
  readonly sum: Digest
  readonly contributors: number
}

export interface OpenedSum<Made> extends ReadSum<Made> {
  /** Of the ciphertexts' sum, under the round's challenge. */
  readonly hash: LinearHash
}

/**
 * Hashes and opens the sum of the sealed ciphertexts, chunk by chunk in the worker threads (protocol §2, §4.6, §4.7), and has it
 * read as it opens. The same for the coordinator and for a holder that verifies (docs/adr/0016).
 *
 * @param keySum 2048 signed coefficients, of exactly these contributors
 * @param readChunk gives a chunk of the ciphertexts' sum, packed; each is asked for once, in the order of `readOpenedSum`
 * @throws CryptoError, ProtocolError when it does not open: the key is wrong, or a ciphertext; what `readChunk` and the reading throw
 */
export async function openCiphertexts<Made>(
  { plan, planDigest, manifest, sum, contributors }: SealedSum,
  keySum: Int32Array,
  readChunk: (index: number) => Promise<Uint8Array>,
  workers: PayloadWorkers,
  reading: SumReading<Made>,
): Promise<OpenedSum<Made>> {
  const parameters = planParameters(plan)
  const aggregation = workers.beginAggregation({ parameters, planDigest: fromHex(planDigest) })
  const hashing = workers.beginHashing({ parameters, challenge: hashChallenge(manifest, sum) })
  try {
    await aggregation.setKeySum(keySum)
    const openChunk = async (index: number) => {
      const packed = await readChunk(index)
      await Promise.all([hashing.add(index, packed), aggregation.addSum(index, packed, contributors)])
      return aggregation.openChunk(index)
    }
    const subject = { layout: plan.vector, parameters, contributors }
    const read = await readOpenedSum(subject, openChunk, CHUNKS_AHEAD * workers.threads, reading)
    return { ...read, hash: await hashing.end() }
  } catch (error) {
    // Its hash is of no use; this lets the threads forget it.
    await hashing.end().catch(() => undefined)
    throw error
  } finally {
    await aggregation.end()
  }
}
