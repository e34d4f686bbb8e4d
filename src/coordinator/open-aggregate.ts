import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { statementDigest } from '../crypto/envelope.ts'
import { encodeKeySum } from '../crypto/key-sum-encoding.ts'
import type { LinearHash } from '../crypto/linear-hash.ts'
import { chunkGeometry } from '../crypto/payload-parameters.ts'
import { type CoordinatorRound, manifestOf } from '../protocol/coordinator-round.ts'
import { hashChallenge } from '../protocol/payload-hash.ts'
import { dequantiseSums } from '../protocol/quantiser.ts'
import { planParameters } from '../protocol/round-plan.ts'
import { type FoldingParts, overChunks } from './fold-ciphertexts.ts'
import { SUM } from './ports.ts'

export interface OpenedAggregate {
  /** SHA-256 of the opened lane sums as little-endian float64: what a publication names. */
  readonly aggregate: Digest
  /** Digest of the ciphertexts' sum, from `foldCiphertexts`. */
  readonly sum: Digest
  /** The sum of the keys, encoded: for the holders of the round, once it is published. */
  readonly keySum: Uint8Array
  /** Of the ciphertexts' sum, under the round's challenge. */
  readonly hash: LinearHash
  /** Σ over the contributors, per segment, in the values' own units. */
  readonly sums: Map<string, Float64Array>
}

/**
 * Opens the sum of the sealed ciphertexts, chunk by chunk in the worker threads (protocol §2, §4.6); it streams from the
 * openings.
 *
 * @param sum digest of the ciphertexts' sum
 * @param keySum of exactly the sealed contributors.
 * @throws CryptoError when the ciphertexts do not open to a sum within bounds; the round is then not to be published.
 */
export async function openAggregate(
  round: CoordinatorRound,
  sum: Digest,
  keySum: Int32Array,
  { workers, openings }: Pick<FoldingParts, 'workers' | 'openings'>,
): Promise<OpenedAggregate> {
  const parameters = planParameters(round.plan)
  const contributors = manifestOf(round).contributions.length
  const aggregation = workers.beginAggregation({ parameters, planDigest: fromHex(round.planDigest) })
  const challenge = hashChallenge(statementDigest(round.manifest!), sum)
  const hashing = workers.beginHashing({ parameters, challenge })
  try {
    await aggregation.setKeySum(keySum)
    const laneSums = new Float64Array(parameters.length)
    await overChunks(parameters, workers, async (index) => {
      const { bytes, firstValue } = chunkGeometry(parameters, index)
      const packed = await openings.read(round.planDigest, SUM, index * chunkGeometry(parameters, 0).bytes, bytes)
      await Promise.all([hashing.add(index, packed), aggregation.addSum(index, packed, contributors)])
      laneSums.set(await aggregation.openChunk(index), firstValue)
    })
    const aggregate = digestOf(new Uint8Array(laneSums.buffer))
    const sums = dequantiseSums(round.plan.vector, laneSums, contributors)
    return { aggregate, sum, keySum: encodeKeySum(keySum), hash: await hashing.end(), sums }
  } catch (error) {
    // Its hash is of no use; this lets the threads forget it.
    await hashing.end().catch(() => undefined)
    throw error
  } finally {
    await aggregation.end()
  }
}
