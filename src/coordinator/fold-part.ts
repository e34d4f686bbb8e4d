import { type Digest, fromHex } from '../crypto/digest.ts'
import { chunkGeometry, type PayloadParameters, payloadParameters } from '../crypto/payload-parameters.ts'
import type { PayloadWorkers, VectorAggregation } from '../crypto/payload-workers.ts'
import { SluiceError } from '../sluice-error.ts'
import { PART_CHUNKS, type PayloadSpool, partOfSum, type SpoolWriter, SUM } from './ports.ts'

/** Chunks in work for each thread: one that is worked on, one that is read from the spool. */
const CHUNKS_AHEAD = 2

/** Whose ciphertexts are added up, and how each is cut. */
export interface FoldOrder {
  readonly planDigest: Digest
  readonly parameters: PayloadParameters
  /** Of the manifest. */
  readonly contributors: readonly string[]
}

/** What adding up takes: no key is in it. */
export interface FoldingParts {
  /** Ciphertexts of the contributors. */
  readonly spool: PayloadSpool
  /** Where their sum goes. */
  readonly openings: PayloadSpool
  readonly workers: PayloadWorkers
}

/** Parts of the payloads of a plan, each of PART_CHUNKS chunks but the last. */
export function partCountOf({ chunkCount }: PayloadParameters): number {
  return Math.ceil(chunkCount / PART_CHUNKS)
}

/** Where the sum of a part lies in the openings: of a payload of one part it is the sum. */
export function partName(parameters: PayloadParameters, part: number): string {
  return partCountOf(parameters) === 1 ? SUM : partOfSum(part)
}

/** A part as a payload of its own: chunks of the same sizes. */
function partParameters(parameters: PayloadParameters, part: number): PayloadParameters {
  const { precisionBits, maxContributors, valuesPerChunk, length } = parameters
  const valuesPerPart = PART_CHUNKS * valuesPerChunk
  const left = length - part * valuesPerPart
  return payloadParameters({ precisionBits, maxContributors, length: Math.min(valuesPerPart, left) })
}

/**
 * Adds one part of the sealed ciphertexts up, chunk by chunk in the worker threads, and stores its sum, packed as ciphertexts
 * are. Ciphertexts stream from the spool: memory holds a few chunks for each thread and one part of the sum. Residues are added
 * modulo q, so that the sum is the same bytes whoever adds it, in whatever order; what is there already is not added again.
 * @returns the digest of the part's sum, as that of a payload
 * @throws CryptoError, StoreError; the signal's reason when it fires
 */
export async function foldPart(
  order: FoldOrder,
  part: number,
  { spool, openings, workers }: FoldingParts,
  signal: AbortSignal,
): Promise<Digest> {
  const { planDigest, contributors } = order
  const name = partName(order.parameters, part)
  const known = await openings.stat(planDigest, name)
  if (known) return known.digest
  const parameters = partParameters(order.parameters, part)
  const begun = await openUnlessWhole(planDigest, name, parameters, openings)
  if ('digest' in begun) return begun.digest
  const chunkBytes = chunkGeometry(order.parameters, 0).bytes
  const addChunk = async (index: number, aggregation: VectorAggregation) => {
    const offset = (part * PART_CHUNKS + index) * chunkBytes
    const { bytes } = chunkGeometry(parameters, index)
    for (const holder of contributors) {
      signal.throwIfAborted()
      await aggregation.add(index, await spool.read(planDigest, holder, offset, bytes))
    }
  }
  const writer = new ChunkWriter(begun.writer)
  const aggregation = workers.beginAggregation({ parameters, planDigest: fromHex(planDigest) })
  try {
    await overChunks(parameters, workers, async (index) => {
      await addChunk(index, aggregation)
      await writer.add(index, await aggregation.takeSum(index))
    })
    return await writer.commit()
  } finally {
    await writer.close()
    await aggregation.end()
  }
}

/** Begins to write a sum. @returns the digest of one that another process has made whole since it was asked for */
async function openUnlessWhole(
  planDigest: Digest,
  name: string,
  parameters: PayloadParameters,
  openings: PayloadSpool,
): Promise<{ readonly writer: SpoolWriter } | { readonly digest: Digest }> {
  try {
    return { writer: await openings.open(planDigest, name, parameters) }
  } catch (error) {
    const isConflict = error instanceof SluiceError && error.code === 'conflict'
    const whole = isConflict ? await openings.stat(planDigest, name) : undefined
    if (!whole) throw error
    return { digest: whole.digest }
  }
}

/** Works on every chunk once, some at a time; the first failure ends it, when all that was begun has ended. */
async function overChunks(
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
