import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { chunkGeometry, type PayloadParameters } from '../crypto/payload-parameters.ts'
import type { PayloadWorkers, VectorAggregation } from '../crypto/payload-workers.ts'
import type { CoordinatorRound } from '../protocol/coordinator-round.ts'
import { dequantiseSums } from '../protocol/quantiser.ts'
import { planParameters } from '../protocol/round-plan.ts'
import type { PayloadSpool } from './ports.ts'

/** Chunks in work for each thread: one that is added up, one whose ciphertexts are read from the spool. */
const CHUNKS_AHEAD = 2

export interface OpenedAggregate {
  /** SHA-256 of the opened lane sums as little-endian float64: what a publication names. */
  readonly aggregate: Digest
  /** Σ over the contributors, per segment, in the values' own units. */
  readonly sums: Map<string, Float64Array>
}

/**
 * Adds the sealed ciphertexts up and opens the sum, chunk by chunk in the worker threads (protocol §2, §4.6). Ciphertexts
 * stream from the spool: besides the result, memory holds a few chunks for each thread.
 *
 * @param keySum of exactly the sealed contributors.
 * @throws CryptoError when the ciphertexts do not open to a sum within bounds; the round is then not to be published.
 */
export async function openAggregate(
  round: CoordinatorRound,
  keySum: Int32Array,
  { spool, workers }: { readonly spool: PayloadSpool; readonly workers: PayloadWorkers },
): Promise<OpenedAggregate> {
  const parameters = planParameters(round.plan)
  const aggregation = workers.beginAggregation({ parameters, planDigest: fromHex(round.planDigest) })
  try {
    await aggregation.setKeySum(keySum)
    const laneSums = new Float64Array(parameters.length)
    const chunks = chunkIndices(parameters)
    const openSome = async () => {
      for (const index of chunks) {
        const opened = await openChunk(round, parameters, index, aggregation, spool)
        laneSums.set(opened, chunkGeometry(parameters, index).firstValue)
      }
    }
    await Promise.all(Array.from({ length: CHUNKS_AHEAD * workers.threads }, openSome))
    const aggregate = digestOf(new Uint8Array(laneSums.buffer))
    return { aggregate, sums: dequantiseSums(round.plan.vector, laneSums, round.contributions.size) }
  } finally {
    await aggregation.end()
  }
}

/** One iterator for all who work on chunks: each index is given once. */
function* chunkIndices(parameters: PayloadParameters): Generator<number> {
  for (let index = 0; index < parameters.chunkCount; index++) yield index
}

async function openChunk(
  round: CoordinatorRound,
  parameters: PayloadParameters,
  index: number,
  aggregation: VectorAggregation,
  spool: PayloadSpool,
): Promise<Float64Array> {
  const { bytes } = chunkGeometry(parameters, index)
  const offset = index * chunkGeometry(parameters, 0).bytes
  for (const holder of round.contributions.keys()) {
    await aggregation.add(index, await spool.read(round.planDigest, holder, offset, bytes))
  }
  return aggregation.openChunk(index)
}
