import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { CryptoError } from './crypto-error.ts'
import { KEY_ADDITIVE_RLWE } from './key-additive-scheme.ts'
import type { OneTimeKey } from './one-time-key.ts'
import { checkLengthAndPadding } from './packing.ts'
import { chunkGeometry, type PayloadParameters, requireValueCount } from './payload-parameters.ts'
import type { PayloadSchemeName } from './payload-schemes.ts'
import type { WorkerMessage, WorkerReply, WorkerRequest } from './payload-worker.ts'

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
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()))
    },
  }
}

/** One vector's calls to the threads. */
interface VectorCalls {
  readonly vector: number
  readonly threadCount: number
  /** To the thread of a chunk. */
  toChunk(chunkIndex: number, request: WorkerRequest): Promise<Uint8Array | Float64Array | undefined>
  /** To every thread. */
  toAll(request: WorkerRequest): Promise<void>
  /** Ends the vector in every thread. One that is gone has nothing left to erase. */
  end(): Promise<void>
}

function beginVector(
  threads: readonly Thread[],
  vector: number,
  begin: (vector: number) => WorkerRequest,
): VectorCalls {
  const begun = Promise.all(threads.map((thread) => thread.call(begin(vector))))
  const homes = new Map<number, Thread>()
  const homeOf = (chunkIndex: number): Thread => {
    const home = homes.get(chunkIndex) ?? threads.reduce((a, b) => (b.callsWaiting() < a.callsWaiting() ? b : a))
    homes.set(chunkIndex, home)
    return home
  }
  // Whatever went wrong in the threads (a dead one) meets the caller at the first call that needs an answer.
  begun.catch(() => {})
  return {
    vector,
    threadCount: threads.length,
    toChunk: async (chunkIndex, request) => {
      const answer = homeOf(chunkIndex).call(request)
      await Promise.all([begun, answer])
      return answer
    },
    toAll: async (request) => {
      await Promise.all([begun, ...threads.map((thread) => thread.call(request))])
    },
    end: async () => {
      await Promise.allSettled(threads.map((thread) => thread.call({ kind: 'end', vector })))
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
  return {
    add: async (chunkIndex, bytes) => {
      checkLengthAndPadding(bytes, chunkGeometry(parameters, chunkIndex).coefficientCount)
      await slots.withShared(bytes, (shared) => toChunk(chunkIndex, { kind: 'add', vector, chunkIndex, bytes: shared }))
    },
    expandAhead: async (chunkIndex) => {
      chunkGeometry(parameters, chunkIndex)
      await toChunk(chunkIndex, { kind: 'expand-ahead', vector, chunkIndex })
    },
    setKeySum: (keySum) => toAll({ kind: 'set-key-sum', vector, keySum }),
    openChunk: async (chunkIndex) => {
      chunkGeometry(parameters, chunkIndex)
      return (await toChunk(chunkIndex, { kind: 'open', vector, chunkIndex })) as Float64Array
    },
    end: calls.end,
  }
}

/**
 * Memory shared with the threads, in slots of one chunk that are reused when a call settles: a fresh buffer for each chunk,
 * handed over, costs the calling thread several times the copying.
 */
interface Slots {
  /** Runs `call` with a copy of `array`, which fits a slot, in shared memory; with `array` itself when it is in shared memory already. */
  withShared<A extends Uint8Array | Uint32Array, T>(array: A, call: (shared: A) => Promise<T>): Promise<T>
}

function createSlots(bytesPerSlot: number): Slots {
  const free: SharedArrayBuffer[] = []
  return {
    withShared: async (array, call) => {
      if (array.buffer instanceof SharedArrayBuffer) return call(array)
      const slot = free.pop() ?? new SharedArrayBuffer(bytesPerSlot)
      const copy =
        array instanceof Uint32Array ? new Uint32Array(slot, 0, array.length) : new Uint8Array(slot, 0, array.length)
      copy.set(array)
      try {
        return await call(copy as typeof array)
      } finally {
        free.push(slot)
      }
    },
  }
}

/** One thread and the calls that wait for it. */
interface Thread {
  readonly ready: Promise<unknown>
  callsWaiting(): number
  call(request: WorkerRequest): Promise<Uint8Array | Float64Array | undefined>
  close(): Promise<void>
}

interface Waiting {
  resolve(result: Uint8Array | Float64Array | undefined): void
  reject(error: CryptoError): void
}

function startThread(scheme: PayloadSchemeName): Thread {
  const worker = new Worker(new URL('./payload-worker.ts', import.meta.url), { workerData: { scheme } })
  const waiting = new Map<number, Waiting>()
  let ended: CryptoError | undefined
  let calls = 0
  const endWith = (error: CryptoError): void => {
    ended ??= error
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  worker.on('message', (reply: WorkerReply) => {
    const call = waiting.get(reply.id)
    waiting.delete(reply.id)
    if (reply.ok) call?.resolve(reply.result)
    else call?.reject(new CryptoError(reply.code, reply.message))
  })
  worker.on('error', (cause) => endWith(workerDied({ cause })))
  worker.on('exit', () => endWith(workerDied()))
  const expect = (id: number): Promise<Uint8Array | Float64Array | undefined> => {
    if (ended !== undefined) return Promise.reject(ended)
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
    })
  }
  return {
    ready: expect(-1),
    callsWaiting: () => waiting.size,
    call: (request) => {
      const id = calls++
      const answer = expect(id)
      if (ended === undefined) worker.postMessage({ id, ...request } satisfies WorkerMessage)
      return answer
    },
    close: async () => {
      endWith(new CryptoError('workers-closed', 'The payload workers were closed: start them again.'))
      await worker.terminate()
    },
  }
}

function workerDied(options?: ErrorOptions): CryptoError {
  return new CryptoError(
    'worker-died',
    'A payload worker ended by itself (out of memory?). What it held is lost: start new workers and run the round again.',
    options,
  )
}
