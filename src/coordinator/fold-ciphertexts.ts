import { type Digest, fromHex } from '../crypto/digest.ts'
import { chunkGeometry, type PayloadParameters } from '../crypto/payload-parameters.ts'
import type { PayloadWorkers, VectorAggregation } from '../crypto/payload-workers.ts'
import { type CoordinatorRound, manifestOf } from '../protocol/coordinator-round.ts'
import { planParameters } from '../protocol/round-plan.ts'
import { type PayloadSpool, type SpoolWriter, SUM } from './ports.ts'

/** Chunks in work for each thread: one that is worked on, one that is read from the spool. */
const CHUNKS_AHEAD = 2

export interface FoldingParts {
  /** Ciphertexts of the contributors. */
  readonly spool: PayloadSpool
  /** Where their sum goes, under the plan and {@link SUM}. */
  readonly openings: PayloadSpool
  readonly workers: PayloadWorkers
}

/**
 * Adds the sealed ciphertexts up, chunk by chunk in the worker threads, and keeps their sum, packed as one ciphertext is.
 * Ciphertexts stream from the spool, their sum streams to the openings: memory holds a few chunks for each thread. Needs no
 * key, and is done before the contributors' hashes have a challenge, so that the sum cannot be chosen after it
 * (docs/adr/0011).
 * @returns the digest of the sum, as that of a payload
 * @throws CryptoError, StoreError
 */
export async function foldCiphertexts(round: CoordinatorRound, parts: FoldingParts): Promise<Digest> {
  const { workers, openings } = parts
  const parameters = planParameters(round.plan)
  const contributors = manifestOf(round).contributions.map(({ holder }) => holder)
  const aggregation = workers.beginAggregation({ parameters, planDigest: fromHex(round.planDigest) })
  // What an earlier life of the process has folded is folded again.
  await openings.discard(round.planDigest)
  const writer = new ChunkWriter(await openings.open(round.planDigest, SUM, parameters))
  try {
    await overChunks(parameters, workers, async (index) => {
      await addChunk(round.planDigest, contributors, parameters, index, aggregation, parts)
      await writer.add(index, await aggregation.takeSum(index))
    })
    return await writer.commit()
  } finally {
    await writer.close()
    await aggregation.end()
  }
}

/** Works on every chunk once, some at a time; the first failure ends it, when all that was begun has ended. */
export async function overChunks(
  { chunkCount }: PayloadParameters,
  { threads }: PayloadWorkers,
  work: (index: number) => Promise<void>,
): Promise<void> {
  // One counter for all who work: each index is given once.
  let next = 0
  const workOnSome = async () => {
    while (next < chunkCount) await work(next++)
  }
  const working = Array.from({ length: CHUNKS_AHEAD * threads }, workOnSome)
  const failed = (await Promise.allSettled(working)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

async function addChunk(
  planDigest: Digest,
  contributors: readonly string[],
  parameters: PayloadParameters,
  index: number,
  aggregation: VectorAggregation,
  { spool }: FoldingParts,
): Promise<void> {
  const { bytes } = chunkGeometry(parameters, index)
  const offset = index * chunkGeometry(parameters, 0).bytes
  for (const holder of contributors) await aggregation.add(index, await spool.read(planDigest, holder, offset, bytes))
}

/** Puts chunks, which become ready in any order, one behind the other. */
class ChunkWriter {
  readonly #writer: SpoolWriter
  readonly #early = new Map<number, Uint8Array>()
  #due = 0
  #written: Promise<void> = Promise.resolve()

  constructor(writer: SpoolWriter) {
    this.#writer = writer
  }

  /** Resolves when what is due so far is written: back pressure for whoever makes chunks. */
  add(index: number, chunk: Uint8Array): Promise<void> {
    this.#early.set(index, chunk)
    for (let due = this.#early.get(this.#due); due; due = this.#early.get(this.#due)) {
      const bytes = due
      this.#early.delete(this.#due++)
      this.#written = this.#written.then(() => this.#writer.append(bytes))
      // Met by whoever waits for it; until then it must not end the process.
      this.#written.catch(() => undefined)
    }
    return this.#written
  }

  async commit(): Promise<Digest> {
    await this.#written
    return (await this.#writer.commit()).digest
  }

  async close(): Promise<void> {
    await this.#written.catch(() => undefined)
    await this.#writer.close()
  }
}
