import { availableParallelism } from 'node:os'
import { CryptoError } from './crypto-error.ts'
import { KEY_ADDITIVE_RLWE } from './key-additive-scheme.ts'
import { addLinearHashes, type LinearHash } from './linear-hash.ts'
import type { OneTimeKey } from './one-time-key.ts'
import { checkLengthAndPadding } from './packing.ts'
import { chunkGeometry, type PayloadParameters, requireValueCount } from './payload-parameters.ts'
import type { PayloadSchemeName } from './payload-schemes.ts'
import { beginVector, createSlots, startThread, type VectorCalls } from './payload-threads.ts'
import type { WorkerRequest } from './payload-worker.ts'

/**
 * The payload scheme in threads, so that the event loop that serves RPC never stalls: on the calling thread nothing is
 * done but copying a chunk and posting it.
 *
 * Plain worker_threads and not a task pool, because work here has a home: pads and running sums stay in the thread that
 * made them. A chunk of a vector is given to the thread with the fewest calls waiting when it is first named, and stays
 * there. Chunks are independent, so there is nothing to lock.
 */
export interface PayloadWorkers {
  readonly threads: number
  /**
   * Holder side: protects one vector. Claims the key for it as a whole: a key serves one call.
   *
   * @throws CryptoError `key-bound-to-another-plan` | `pad-already-used` | `already-disposed` | `workers-closed`
   */
  beginProtection(request: {
    readonly parameters: PayloadParameters
    /** SHA-256 of the round's plan, 32 bytes. */
    readonly planDigest: Uint8Array
    /** Secret. Copied to the threads, where `end` erases it. */
    readonly key: OneTimeKey
  }): VectorProtection
  /** Coordinator side: adds and opens one vector; one call for each group of contributors that is opened. */
  beginAggregation(request: {
    readonly parameters: PayloadParameters
    readonly planDigest: Uint8Array
  }): VectorAggregation
  /**
   * Either side: hashes one packed vector, a contribution or a sum, under a challenge fixed after it (linear-hash.ts).
   *
   * @param request.challenge 32 bytes. Public.
   * @throws nothing here; the first call rejects with `digest-not-256-bits` for another length
   */
  beginHashing(request: { readonly parameters: PayloadParameters; readonly challenge: Uint8Array }): VectorHashing
  /** Ends the threads. Calls under way are rejected with `workers-closed`. */
  close(): Promise<void>
}

/** All calls may overlap; each is done by the chunk's thread in the order of the calls. */
export interface VectorProtection {
  /**
   * Computes a chunk's pad ahead of its values, in the chunk's thread, where it stays: 256 KiB for a full chunk.
   *
   * @throws (rejects) CryptoError `chunk-out-of-range` | `pad-already-used` | `worker-died` | `workers-closed`
   */
  preparePad(chunkIndex: number): Promise<void>
  /**
   * Protects one chunk. Its pad is computed now unless it was prepared.
   *
   * @param values the chunk's values; copied before this returns, unless they lie in a SharedArrayBuffer, which is read in
   * place until the promise settles
   * @returns (resolves) the packed chunk
   * @throws (rejects) CryptoError `wrong-value-count` | `value-out-of-bounds` | `pad-already-used` | `worker-died` | …
   */
  protectChunk(chunkIndex: number, values: Uint32Array): Promise<Uint8Array>
  /**
   * Protects the whole vector: packed chunks in order. At most two for each thread are being computed, and four for each
   * thread taken from `values` and not yet consumed, so that a slow consumer holds back the work and memory stays bounded.
   * `values` is read until the last chunk has been given.
   */
  protect(values: Uint32Array): AsyncGenerator<Uint8Array, void, void>
  /** Erases the threads' copies of the key and all pads. Never rejects. */
  end(): Promise<void>
}

/** All calls may overlap; each is done by the chunk's thread in the order of the calls. */
export interface VectorAggregation {
  /**
   * Adds one contribution's chunk. Possible long before the key sum is known. Await it for back pressure.
   *
   * @param bytes copied before this returns, unless they lie in a SharedArrayBuffer
   * @throws (rejects) CryptoError `wrong-length` | `padding-not-zero` | `residue-not-canonical` | `too-many-contributors` |
   * `chunk-out-of-range` | `worker-died` | `workers-closed`; the sum is then as before
   */
  add(chunkIndex: number, bytes: Uint8Array): Promise<void>
  /**
   * Adds what `takeSum` gave elsewhere for the sum of `contributorCount` contributions, which count against the plan's
   * limit and in the bounds of `openChunk` as if they had been added one by one: how a holder opens a published sum.
   *
   * @throws (rejects) CryptoError as `add` | `parameters-out-of-range` unless `contributorCount` is 1 or more
   */
  addSum(chunkIndex: number, bytes: Uint8Array, contributorCount: number): Promise<void>
  /**
   * The sum of what was added to a chunk so far, modulo q, packed as a contribution's chunk is; on success it is dropped here.
   *
   * @throws (rejects) CryptoError `nothing-to-open` | `chunk-out-of-range` | `worker-died` | `workers-closed`
   */
  takeSum(chunkIndex: number): Promise<Uint8Array>
  /** Expands a chunk's public polynomials while waiting for contributions or for the key sum: 256 KiB for a full chunk. */
  expandAhead(chunkIndex: number): Promise<void>
  /**
   * Gives the threads the key sum.
   *
   * @param keySum 2048 signed coefficients, copied
   * @throws (rejects) CryptoError `key-sum-implausible` | `worker-died` | `workers-closed`
   */
  setKeySum(keySum: Int32Array): Promise<void>
  /**
   * Opens a chunk under the key sum that was set, and on success drops its running sum.
   *
   * @returns (resolves) for each value of the chunk its exact sum
   * @throws (rejects) CryptoError `nothing-to-open` | `key-sum-implausible` | `noise-out-of-bounds` | `sum-out-of-bounds` | …
   */
  openChunk(chunkIndex: number): Promise<Float64Array>
  /** Drops the running sums and erases the threads' copies of the key sum. Never rejects. */
  end(): Promise<void>
}

/** All calls may overlap. */
export interface VectorHashing {
  /**
   * Takes in a chunk, each once and in any order. Await it for back pressure.
   *
   * @param bytes copied before this returns, unless they lie in a SharedArrayBuffer
   * @throws (rejects) CryptoError `wrong-length` | `padding-not-zero` | `residue-not-canonical` | `chunk-already-added` |
   * `chunk-out-of-range` | `worker-died` | `workers-closed`; the chunk is then not taken in, and may be given again
   */
  add(chunkIndex: number, bytes: Uint8Array): Promise<void>
  /**
   * The hash, once what was given is taken in. Whatever it comes to, the threads forget the vector: call it in any case.
   *
   * @throws (rejects) CryptoError `chunks-missing` unless every chunk was taken in | `already-disposed` after the first call
   * | `worker-died` | `workers-closed`
   */
  end(): Promise<LinearHash>
}

/** Chunks with each thread in `protect`: one being computed, one waiting, so that no thread idles. */
const CHUNKS_COMPUTED = 2

/** Chunks for each thread that `protect` runs ahead of its consumer: one slow chunk must not hold up the other threads. */
const CHUNKS_AHEAD = 4

/**
 * Starts the threads and waits until all have loaded the scheme.
 *
 * @param threads 1 or more; by default one for each processor
 * @throws (rejects) CryptoError `parameters-out-of-range` | `ring-unavailable` | `platform-unsupported` | `worker-died`
 */
export async function startPayloadWorkers(options?: {
  readonly threads?: number
  readonly scheme?: PayloadSchemeName
}): Promise<PayloadWorkers> {
  const count = options?.threads ?? availableParallelism()
  const scheme = options?.scheme ?? KEY_ADDITIVE_RLWE
  if (!Number.isInteger(count) || count < 1) {
    throw new CryptoError('parameters-out-of-range', 'The payload needs at least one thread.')
  }
  const threads = Array.from({ length: count }, () => startThread(scheme))
  try {
    await Promise.all(threads.map((thread) => thread.ready))
  } catch (error) {
    await Promise.all(threads.map((thread) => thread.close()))
    throw error
  }
  let vectors = 0
  return {
    threads: count,
    beginProtection: ({ parameters, planDigest, key }) => {
      key.bindTo(planDigest)
      key.claimVector()
      const begin = (vector: number): WorkerRequest => ({
        kind: 'begin-protection',
        vector,
        parameters,
        planDigest,
        key: { coefficients: key.coefficients, noiseSeed: key.noiseSeed },
      })
      return createProtection(parameters, beginVector(threads, vectors++, begin))
    },
    beginAggregation: ({ parameters, planDigest }) => {
      const begin = (vector: number): WorkerRequest => ({
        kind: 'begin-aggregation',
        vector,
        parameters,
        planDigest,
      })
      return createAggregation(parameters, beginVector(threads, vectors++, begin))
    },
    beginHashing: ({ parameters, challenge }) => {
      const begin = (vector: number): WorkerRequest => ({ kind: 'begin-hashing', vector, parameters, challenge })
      return createHashing(parameters, beginVector(threads, vectors++, begin))
    },
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()))
    },
  }
}

function createProtection(parameters: PayloadParameters, calls: VectorCalls): VectorProtection {
  const { vector, toChunk } = calls
  const slots = createSlots(4 * Math.min(parameters.length, parameters.valuesPerChunk))
  const protectChunk = async (chunkIndex: number, values: Uint32Array): Promise<Uint8Array> => {
    requireValueCount(chunkGeometry(parameters, chunkIndex), values.length)
    const bytes = await slots.withShared(values, (shared) =>
      toChunk(chunkIndex, { kind: 'protect', vector, chunkIndex, values: shared }),
    )
    return bytes as Uint8Array
  }
  return {
    preparePad: async (chunkIndex) => {
      chunkGeometry(parameters, chunkIndex)
      await toChunk(chunkIndex, { kind: 'prepare-pad', vector, chunkIndex })
    },
    protectChunk,
    protect: (values) => protectInOrder(parameters, values, protectChunk, calls.threadCount),
    end: calls.end,
  }
}

async function* protectInOrder(
  parameters: PayloadParameters,
  values: Uint32Array,
  protectChunk: VectorProtection['protectChunk'],
  threadCount: number,
): AsyncGenerator<Uint8Array, void, void> {
  if (values.length !== parameters.length) {
    throw new CryptoError(
      'wrong-value-count',
      `The plan's vector has ${parameters.length} values, not ${values.length}.`,
    )
  }
  const ahead: Promise<Uint8Array>[] = []
  let [next, computing, end] = [0, 0, parameters.chunkCount]
  const start = async (index: number): Promise<Uint8Array> => {
    const { firstValue, valueCount } = chunkGeometry(parameters, index)
    computing++
    try {
      return await protectChunk(index, values.subarray(firstValue, firstValue + valueCount))
    } finally {
      computing--
      startMore()
    }
  }
  const startMore = (): void => {
    while (next < end && computing < CHUNKS_COMPUTED * threadCount && ahead.length < CHUNKS_AHEAD * threadCount) {
      const chunk = start(next++)
      // When an earlier chunk fails, nobody awaits this one any more.
      chunk.catch(() => {})
      ahead.push(chunk)
    }
  }
  try {
    for (startMore(); ahead.length > 0; startMore()) yield await ahead.shift()!
  } finally {
    end = 0
  }
}

function createAggregation(parameters: PayloadParameters, calls: VectorCalls): VectorAggregation {
  const { vector, toChunk, toAll } = calls
  const slots = createSlots(chunkGeometry(parameters, 0).bytes)
  const addSum: VectorAggregation['addSum'] = async (chunkIndex, bytes, contributorCount) => {
    checkLengthAndPadding(bytes, chunkGeometry(parameters, chunkIndex).coefficientCount)
    await slots.withShared(bytes, (shared) =>
      toChunk(chunkIndex, { kind: 'add', vector, chunkIndex, bytes: shared, contributorCount }),
    )
  }
  return {
    add: (chunkIndex, bytes) => addSum(chunkIndex, bytes, 1),
    addSum,
    takeSum: async (chunkIndex) => {
      chunkGeometry(parameters, chunkIndex)
      return (await toChunk(chunkIndex, { kind: 'take-sum', vector, chunkIndex })) as Uint8Array
    },
    expandAhead: async (chunkIndex) => {
      chunkGeometry(parameters, chunkIndex)
      await toChunk(chunkIndex, { kind: 'expand-ahead', vector, chunkIndex })
    },
    setKeySum: async (keySum) => {
      await toAll({ kind: 'set-key-sum', vector, keySum })
    },
    openChunk: async (chunkIndex) => {
      chunkGeometry(parameters, chunkIndex)
      return (await toChunk(chunkIndex, { kind: 'open', vector, chunkIndex })) as Float64Array
    },
    end: calls.end,
  }
}

function createHashing(parameters: PayloadParameters, calls: VectorCalls): VectorHashing {
  const { vector, toChunk, toAll } = calls
  const slots = createSlots(chunkGeometry(parameters, 0).bytes)
  const given = new Map<number, Promise<unknown>>()
  let ended = false
  return {
    add: async (chunkIndex, bytes) => {
      if (ended) throw hashingEnded()
      checkLengthAndPadding(bytes, chunkGeometry(parameters, chunkIndex).coefficientCount)
      if (given.has(chunkIndex)) {
        throw new CryptoError(
          'chunk-already-added',
          `Chunk ${chunkIndex} is in the hash already: give each chunk once.`,
        )
      }
      const taken = slots.withShared(bytes, (shared) =>
        toChunk(chunkIndex, { kind: 'hash', vector, chunkIndex, bytes: shared }),
      )
      given.set(chunkIndex, taken)
      try {
        await taken
      } catch (error) {
        given.delete(chunkIndex)
        throw error
      }
    },
    end: async () => {
      if (ended) throw hashingEnded()
      ended = true
      try {
        await Promise.allSettled(given.values())
        const parts = (await toAll({ kind: 'read-hash', vector })) as BigUint64Array[]
        if (given.size < parameters.chunkCount) {
          throw new CryptoError('chunks-missing', `Only ${given.size} of ${parameters.chunkCount} chunks were hashed.`)
        }
        return addLinearHashes(parts.map(([first, second]): LinearHash => [first, second]))
      } finally {
        await calls.end()
      }
    },
  }
}

function hashingEnded(): CryptoError {
  return new CryptoError('already-disposed', 'This hashing was ended: begin another.')
}
