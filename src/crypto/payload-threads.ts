import { Worker } from 'node:worker_threads'
import { CryptoError } from './crypto-error.ts'
import type { PayloadSchemeName } from './payload-schemes.ts'
import type { WorkerMessage, WorkerReply, WorkerRequest, WorkerResult } from './payload-worker.ts'

/** One thread and the calls that wait for it. */
export interface Thread {
  readonly ready: Promise<unknown>
  callsWaiting(): number
  call(request: WorkerRequest): Promise<WorkerResult>
  close(): Promise<void>
}

interface Waiting {
  resolve(result: WorkerResult): void
  reject(error: CryptoError): void
}

/** Starts a thread; `ready` tells whether it could load the scheme. */
export function startThread(scheme: PayloadSchemeName): Thread {
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
  const expect = (id: number): Promise<WorkerResult> => {
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

/** One vector's calls to the threads. */
export interface VectorCalls {
  readonly vector: number
  readonly threadCount: number
  /** To the thread of a chunk. */
  toChunk(chunkIndex: number, request: WorkerRequest): Promise<WorkerResult>
  /** To every thread. */
  toAll(request: WorkerRequest): Promise<WorkerResult[]>
  /** Ends the vector in every thread. One that is gone has nothing left to erase. */
  end(): Promise<void>
}

/** Begins a vector in every thread. */
export function beginVector(
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
      const answers = Promise.all(threads.map((thread) => thread.call(request)))
      await Promise.all([begun, answers])
      return answers
    },
    end: async () => {
      await Promise.allSettled(threads.map((thread) => thread.call({ kind: 'end', vector })))
    },
  }
}

/**
 * Memory shared with the threads, in slots of one chunk that are reused when a call settles: a fresh buffer for each chunk,
 * handed over, costs the calling thread several times the copying.
 */
export interface Slots {
  /** Runs `call` with a copy of `array`, which fits a slot, in shared memory; with `array` itself when it is in shared memory already. */
  withShared<A extends Uint8Array | Uint32Array, T>(array: A, call: (shared: A) => Promise<T>): Promise<T>
}

/** @param bytesPerSlot the most that one call takes */
export function createSlots(bytesPerSlot: number): Slots {
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
