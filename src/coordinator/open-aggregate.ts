import type { Digest } from '../crypto/digest.ts'
import { statementDigest } from '../crypto/envelope.ts'
import { encodeKeySum } from '../crypto/key-sum-encoding.ts'
import { chunkGeometry } from '../crypto/payload-parameters.ts'
import { type CoordinatorRound, manifestOf } from '../protocol/coordinator-round.ts'
import { planParameters } from '../protocol/round-plan.ts'
import { type OpenedSum, openCiphertexts } from '../protocol/sum-opening.ts'
import type { SumReading } from '../protocol/sum-reading.ts'
import type { FoldingParts } from './fold-part.ts'
import { SUM } from './ports.ts'

export interface OpenedAggregate<Made> extends OpenedSum<Made> {
  /** Digest of the ciphertexts' sum, from `foldCiphertexts`. */
  readonly sum: Digest
  /** The sum of the keys, encoded: for the holders of the round, once it is published. */
  readonly keySum: Uint8Array
}

/**
 * Opens the sum of the sealed ciphertexts, chunk by chunk in the worker threads (protocol §2, §4.6), and has it read as it opens;
 * it streams from the openings.
 *
 * @param sum digest of the ciphertexts' sum
 * @param keySum of exactly the sealed contributors.
 * @throws CryptoError, ProtocolError when the ciphertexts do not open to a sum within bounds; the round is then not to be
 *   published, and what the reading began is thrown away. What the reading throws.
 */
export async function openAggregate<Made>(
  round: CoordinatorRound,
  sum: Digest,
  keySum: Int32Array,
  { workers, openings }: Pick<FoldingParts, 'workers' | 'openings'>,
  reading: SumReading<Made>,
): Promise<OpenedAggregate<Made>> {
  const { plan, planDigest } = round
  const parameters = planParameters(plan)
  const contributors = manifestOf(round).contributions.length
  const readChunk = (index: number) => {
    const { bytes } = chunkGeometry(parameters, index)
    return openings.read(planDigest, SUM, index * chunkGeometry(parameters, 0).bytes, bytes)
  }
  const sealed = { plan, planDigest, manifest: statementDigest(round.manifest!), sum, contributors }
  const opened = await openCiphertexts(sealed, keySum, readChunk, workers, reading)
  return { ...opened, sum, keySum: encodeKeySum(keySum) }
}
