import { parentPort, workerData } from 'node:worker_threads'
import { CryptoError, type CryptoErrorCode } from './crypto-error.ts'
import type { ChunkHasher } from './linear-hash.ts'
import { OneTimeKey } from './one-time-key.ts'
import type { PayloadParameters } from './payload-parameters.ts'
import type { ChunkAccumulator, ChunkProtector, Pad, PayloadScheme, PreparedKeySum } from './payload-scheme.ts'
import { createPayloadScheme, type PayloadSchemeName } from './payload-schemes.ts'

/**
 * The thread side of payload-workers.ts: keeps the pads and running sums of the chunks that are assigned to it, so that
 * only values, packed chunks, opened sums and hashes cross between threads. Requests are done in the order of arrival.
 */

/** What a thread is asked. A vector is one protection, aggregation or hashing, numbered by the pool. */
export type WorkerRequest =
  | {
      readonly kind: 'begin-protection'
      readonly vector: number
      readonly parameters: PayloadParameters
      readonly planDigest: Uint8Array
      /** Secret; a copy for this thread, erased when the vector ends. */
      readonly key: { readonly coefficients: Int32Array; readonly noiseSeed: Uint8Array }
    }
  | {
      readonly kind: 'begin-aggregation'
      readonly vector: number
      readonly parameters: PayloadParameters
      readonly planDigest: Uint8Array
    }
  | {
      readonly kind: 'begin-hashing'
      readonly vector: number
      readonly parameters: PayloadParameters
      readonly challenge: Uint8Array
    }
  | {
      readonly kind: 'prepare-pad' | 'expand-ahead' | 'take-sum' | 'open'
      readonly vector: number
      readonly chunkIndex: number
    }
  | {
      readonly kind: 'protect'
      readonly vector: number
      readonly chunkIndex: number
      readonly values: Uint32Array
    }
  | {
      readonly kind: 'add'
      readonly vector: number
      readonly chunkIndex: number
      readonly bytes: Uint8Array
      readonly contributorCount: number
    }
  | { readonly kind: 'hash'; readonly vector: number; readonly chunkIndex: number; readonly bytes: Uint8Array }
  | { readonly kind: 'set-key-sum'; readonly vector: number; readonly keySum: Int32Array }
  | { readonly kind: 'read-hash' | 'end'; readonly vector: number }

/** A packed chunk, opened sums, the two residues of a hash, or nothing. */
export type WorkerResult = Uint8Array | Float64Array | BigUint64Array | undefined

export type WorkerMessage = WorkerRequest & { readonly id: number }

/** The answer to the request of the same id. `id` is -1 for the one message that says the thread is ready, or cannot be. */
export type WorkerReply =
  | { readonly id: number; readonly ok: true; readonly result: WorkerResult }
  | { readonly id: number; readonly ok: false; readonly code: CryptoErrorCode; readonly message: string }

interface Protection {
  readonly key: OneTimeKey
  readonly protector: ChunkProtector
  readonly pads: Map<number, Pad>
}

interface Aggregation {
  readonly parameters: PayloadParameters
  readonly planDigest: Uint8Array
  readonly accumulators: Map<number, ChunkAccumulator>
  keySum: PreparedKeySum | undefined
}

const protections = new Map<number, Protection>()
const aggregations = new Map<number, Aggregation>()
const hashers = new Map<number, ChunkHasher>()

function handle(scheme: PayloadScheme, request: WorkerRequest): WorkerResult {
  switch (request.kind) {
    case 'begin-protection':
      beginProtection(scheme, request)
      return undefined
    case 'begin-aggregation': {
      const { vector, parameters, planDigest } = request
      aggregations.set(vector, { parameters, planDigest, accumulators: new Map(), keySum: undefined })
      return undefined
    }
    case 'begin-hashing':
      hashers.set(request.vector, scheme.createHasher(request.parameters, request.challenge))
      return undefined
    case 'prepare-pad':
      padOf(protectionOf(request.vector), request.chunkIndex)
      return undefined
    case 'protect':
      return protect(protectionOf(request.vector), request.chunkIndex, request.values)
    case 'add':
      accumulatorOf(scheme, request.vector, request.chunkIndex).addSum(request.bytes, request.contributorCount)
      return undefined
    case 'take-sum':
      return takeSum(scheme, request.vector, request.chunkIndex)
    case 'hash':
      hasherOf(request.vector).add(request.chunkIndex, request.bytes)
      return undefined
    case 'read-hash':
      return BigUint64Array.from(hasherOf(request.vector).hash())
    case 'expand-ahead':
      accumulatorOf(scheme, request.vector, request.chunkIndex).expandAhead()
      return undefined
    case 'set-key-sum': {
      const aggregation = aggregationOf(request.vector)
      aggregation.keySum?.dispose()
      aggregation.keySum = scheme.prepareKeySum(request.keySum)
      return undefined
    }
    case 'open':
      return open(scheme, request.vector, request.chunkIndex)
    case 'end':
      end(request.vector)
      return undefined
  }
}

function beginProtection(
  scheme: PayloadScheme,
  request: Extract<WorkerRequest, { readonly kind: 'begin-protection' }>,
): void {
  const key = new OneTimeKey(request.key.coefficients, request.key.noiseSeed)
  const protector = scheme.createProtector(request.parameters, request.planDigest, key)
  protections.set(request.vector, { key, protector, pads: new Map() })
}

function padOf({ protector, pads }: Protection, chunkIndex: number): Pad {
  const pad = pads.get(chunkIndex) ?? protector.preparePad(chunkIndex)
  pads.set(chunkIndex, pad)
  return pad
}

function protect(protection: Protection, chunkIndex: number, values: Uint32Array): Uint8Array {
  const bytes = padOf(protection, chunkIndex).protect(values)
  protection.pads.delete(chunkIndex)
  return bytes
}

function open(scheme: PayloadScheme, vector: number, chunkIndex: number): Float64Array {
  const { keySum } = aggregationOf(vector)
  if (keySum === undefined) throw new CryptoError('nothing-to-open', 'Set the key sum before opening.')
  const accumulator = accumulatorOf(scheme, vector, chunkIndex)
  const sums = accumulator.open(keySum)
  drop(vector, chunkIndex)
  return sums
}

function takeSum(scheme: PayloadScheme, vector: number, chunkIndex: number): Uint8Array {
  const packed = accumulatorOf(scheme, vector, chunkIndex).pack()
  drop(vector, chunkIndex)
  return packed
}

function drop(vector: number, chunkIndex: number): void {
  const { accumulators } = aggregationOf(vector)
  accumulators.get(chunkIndex)?.dispose()
  accumulators.delete(chunkIndex)
}

function accumulatorOf(scheme: PayloadScheme, vector: number, chunkIndex: number): ChunkAccumulator {
  const { parameters, planDigest, accumulators } = aggregationOf(vector)
  const accumulator = accumulators.get(chunkIndex) ?? scheme.createAccumulator(parameters, planDigest, chunkIndex)
  accumulators.set(chunkIndex, accumulator)
  return accumulator
}

function protectionOf(vector: number): Protection {
  const protection = protections.get(vector)
  if (protection === undefined) throw ended()
  return protection
}

function aggregationOf(vector: number): Aggregation {
  const aggregation = aggregations.get(vector)
  if (aggregation === undefined) throw ended()
  return aggregation
}

function hasherOf(vector: number): ChunkHasher {
  const hasher = hashers.get(vector)
  if (hasher === undefined) throw ended()
  return hasher
}

function ended(): CryptoError {
  return new CryptoError('already-disposed', 'This vector was ended: begin it again.')
}

function end(vector: number): void {
  const protection = protections.get(vector)
  for (const pad of protection?.pads.values() ?? []) pad.dispose()
  protection?.key.dispose()
  protections.delete(vector)
  const aggregation = aggregations.get(vector)
  for (const accumulator of aggregation?.accumulators.values() ?? []) accumulator.dispose()
  aggregation?.keySum?.dispose()
  aggregations.delete(vector)
  hashers.get(vector)?.dispose()
  hashers.delete(vector)
}

async function serve(): Promise<void> {
  const port = parentPort!
  const reply = (answer: WorkerReply): void => {
    const result = answer.ok ? answer.result : undefined
    port.postMessage(answer, result ? [result.buffer as ArrayBuffer] : [])
  }
  const refuse = (id: number, error: unknown): void => {
    // Anything but a named refusal ends the thread, which rejects all calls to it: its state is not to be trusted.
    if (!(error instanceof CryptoError)) throw error
    reply({ id, ok: false, code: error.code, message: error.message })
  }
  try {
    const scheme = await createPayloadScheme((workerData as { scheme: PayloadSchemeName }).scheme)
    port.on('message', ({ id, ...request }: WorkerMessage) => {
      try {
        reply({ id, ok: true, result: handle(scheme, request) })
      } catch (error) {
        refuse(id, error)
      }
    })
    reply({ id: -1, ok: true, result: undefined })
  } catch (error) {
    refuse(-1, error)
  }
}

await serve()
