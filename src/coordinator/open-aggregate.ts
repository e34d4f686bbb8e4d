import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { statementDigest } from '../crypto/envelope.ts'
import { encodeKeySum } from '../crypto/key-sum-encoding.ts'
import type { LinearHash } from '../crypto/linear-hash.ts'
import { chunkGeometry, type PayloadParameters } from '../crypto/payload-parameters.ts'
import type { PayloadWorkers, VectorAggregation } from '../crypto/payload-workers.ts'
import { type CoordinatorRound, manifestOf } from '../protocol/coordinator-round.ts'
import { openingDigest } from '../protocol/opening.ts'
import { hashChallenge } from '../protocol/payload-hash.ts'
import { dequantiseSums } from '../protocol/quantiser.ts'
import { planParameters } from '../protocol/round-plan.ts'
import { OPENING, type PayloadSpool, type SpoolWriter } from './ports.ts'

/** Chunks in work for each thread: one that is added up, one whose ciphertexts are read from the spool. */
const CHUNKS_AHEAD = 2

export interface OpenedAggregate {
  /** SHA-256 of the opened lane sums as little-endian float64: what a publication names. */
  readonly aggregate: Digest
  /** Names what the sum was opened from; it lies in the openings. */
  readonly opening: Digest
  /** Of the sum of the ciphertexts, under the manifest's challenge. */
  readonly hash: LinearHash
  /** Σ over the contributors, per segment, in the values' own units. */
  readonly sums: Map<string, Float64Array>
}

export interface OpeningParts {
  /** Ciphertexts of the contributors. */
  readonly spool: PayloadSpool
  /** Where the opening goes, under the plan and {@link OPENING}. */
  readonly openings: PayloadSpool
  readonly workers: PayloadWorkers
}

/**
 * Adds the sealed ciphertexts up and opens the sum, chunk by chunk in the worker threads (protocol §2, §4.6). Ciphertexts
 * stream from the spool, their sum streams to the openings: besides the result, memory holds a few chunks for each thread.
 *
 * @param keySum of exactly the sealed contributors.
 * @throws CryptoError when the ciphertexts do not open to a sum within bounds; the round is then not to be published.
 */
export async function openAggregate(
  round: CoordinatorRound,
  keySum: Int32Array,
  parts: OpeningParts,
): Promise<OpenedAggregate> {
  const { workers, openings } = parts
  const parameters = planParameters(round.plan)
  const contributors = manifestOf(round).contributions.map(({ holder }) => holder)
  const aggregation = workers.beginAggregation({ parameters, planDigest: fromHex(round.planDigest) })
  const hashing = workers.beginHashing({ parameters, challenge: hashChallenge(statementDigest(round.manifest!)) })
  const writer = new OpeningWriter(await openings.begin(round.planDigest, OPENING), encodeKeySum(keySum))
  try {
    await aggregation.setKeySum(keySum)
    const laneSums = new Float64Array(parameters.length)
    const chunks = chunkIndices(parameters)
    const openSome = async () => {
      for (const index of chunks) {
        const { opened, packed } = await openChunk(
          round.planDigest,
          contributors,
          parameters,
          index,
          aggregation,
          parts,
        )
        laneSums.set(opened, chunkGeometry(parameters, index).firstValue)
        await Promise.all([hashing.add(index, packed), writer.add(index, packed)])
      }
    }
    await Promise.all(Array.from({ length: CHUNKS_AHEAD * workers.threads }, openSome))
    const aggregate = digestOf(new Uint8Array(laneSums.buffer))
    const sums = dequantiseSums(round.plan.vector, laneSums, contributors.length)
    return { aggregate, opening: await writer.commit(), hash: await hashing.end(), sums }
  } catch (error) {
    await writer.abort()
    // Its hash is of no use; this lets the threads forget it.
    await hashing.end().catch(() => undefined)
    throw error
  } finally {
    await aggregation.end()
  }
}

/** One iterator for all who work on chunks: each index is given once. */
function* chunkIndices(parameters: PayloadParameters): Generator<number> {
  for (let index = 0; index < parameters.chunkCount; index++) yield index
}

async function openChunk(
  planDigest: Digest,
  contributors: readonly string[],
  parameters: PayloadParameters,
  index: number,
  aggregation: VectorAggregation,
  { spool }: OpeningParts,
) {
  const { bytes } = chunkGeometry(parameters, index)
  const offset = index * chunkGeometry(parameters, 0).bytes
  for (const holder of contributors) await aggregation.add(index, await spool.read(planDigest, holder, offset, bytes))
  const packed = await aggregation.packChunk(index)
  return { packed, opened: await aggregation.openChunk(index) }
}

/** Puts the chunks of an opening, which become ready in any order, one behind the other. */
class OpeningWriter {
  readonly #writer: SpoolWriter
  readonly #keySum: Uint8Array
  readonly #early = new Map<number, Uint8Array>()
  readonly #digests: Digest[] = []
  #written: Promise<void>

  constructor(writer: SpoolWriter, keySum: Uint8Array) {
    this.#writer = writer
    this.#keySum = keySum
    this.#written = writer.append(keySum)
  }

  /** Resolves when what is due so far is written: back pressure for whoever makes chunks. */
  add(index: number, chunk: Uint8Array): Promise<void> {
    this.#early.set(index, chunk)
    for (let next = this.#early.get(this.#digests.length); next; next = this.#early.get(this.#digests.length)) {
      const due = next
      this.#early.delete(this.#digests.length)
      this.#digests.push(digestOf(due))
      this.#written = this.#written.then(() => this.#writer.append(due))
    }
    return this.#written
  }

  async commit(): Promise<Digest> {
    await this.#written
    await this.#writer.commit()
    return openingDigest(this.#keySum, this.#digests)
  }

  async abort(): Promise<void> {
    await this.#written.catch(() => undefined)
    await this.#writer.abort()
  }
}
