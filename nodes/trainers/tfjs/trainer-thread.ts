import { Worker } from 'node:worker_threads'
import { LearningError } from '../../../src/learning/learning-error.ts'
import type {
  EvaluateRequest,
  EvaluateResult,
  Examples,
  Trainer,
  TrainerDescription,
  TrainRequest,
  TrainResult,
} from '../../../src/learning/trainer.ts'
import type { BackendPreference } from './backend.ts'
import type { MessageFromTrainer, MessageToTrainer } from './trainer-messages.ts'

/** How long an aborted call may take to stop between two steps before its thread is ended. */
const ABORT_GRACE_MS = 1_000

export interface TrainerThreadOptions {
  /** `auto` unless told. */
  readonly backend?: BackendPreference
  /** Longest a single call may take, its start of the worker included; 10 minutes unless told. */
  readonly timeoutMs?: number
  /** The worker's program; another one must speak `trainer-messages.ts`. */
  readonly workerUrl?: URL
}

/**
 * A tfjs trainer in a worker thread, so that training never stalls the node's RPC loop.
 *
 * The worker starts with the first call. Calls run one after another, in order. Examples are copied to the worker once
 * per `Examples` object and dropped there when the caller drops the object. A worker that crashes, hangs past
 * `timeoutMs`, ignores an abort or meets an error without a code is ended: the call fails (`trainer-crashed`,
 * `trainer-timed-out`, `training-aborted`, `trainer-failed`) and the next call starts a new one. An idle worker does
 * not keep the process alive.
 */
export function openTrainerThread(options: TrainerThreadOptions = {}): Trainer {
  return new TrainerThread(options)
}

class TrainerThread implements Trainer {
  readonly #options: TrainerThreadOptions
  #thread: RunningThread | null = null
  #lastCall: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: TrainerThreadOptions) {
    this.#options = options
  }

  describe(): Promise<TrainerDescription> {
    return this.#inTurn(undefined, (thread, callId) => thread.post({ kind: 'describe', callId }))
  }

  train({ examples, signal, ...request }: TrainRequest): Promise<TrainResult> {
    return this.#inTurn(signal, (thread, callId) => {
      const examplesId = thread.keep(examples)
      const weights = request.weights.slice()
      const options = { ...request.options, shuffleSeed: compact(request.options.shuffleSeed) }
      thread.post({ kind: 'train', callId, request: { ...request, weights, options, examplesId } }, [weights.buffer])
    })
  }

  evaluate({ examples, signal, ...request }: EvaluateRequest): Promise<EvaluateResult> {
    return this.#inTurn(signal, (thread, callId) => {
      const examplesId = thread.keep(examples)
      const weights = request.weights.slice()
      thread.post({ kind: 'evaluate', callId, request: { ...request, weights, examplesId } }, [weights.buffer])
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#thread?.end('trainer-closed', 'the trainer was closed during this call')
  }

  /** One call at a time, so that a timeout measures the call itself and ends no other. */
  #inTurn<Result>(
    signal: AbortSignal | undefined,
    send: (thread: RunningThread, callId: number) => void,
  ): Promise<Result> {
    const call = this.#lastCall.then(() => this.#call<Result>(signal, send))
    this.#lastCall = call.catch(() => undefined)
    return call
  }

  async #call<Result>(
    signal: AbortSignal | undefined,
    send: (thread: RunningThread, callId: number) => void,
  ): Promise<Result> {
    if (this.#closed) throw new LearningError('trainer-closed', 'this trainer is closed: open another')
    if (signal?.aborted) throw new LearningError('training-aborted', 'the caller stopped this call')
    const { backend = 'auto', timeoutMs = 600_000, workerUrl } = this.#options
    if (!this.#thread || this.#thread.ended) this.#thread = new RunningThread(backend, workerUrl)
    return (await this.#thread.call(timeoutMs, signal, send)) as Result
  }
}

/** One life of the worker. */
class RunningThread {
  ended = false
  readonly #worker: Worker
  readonly #keptIds = new WeakMap<Examples, number>()
  readonly #drops: FinalizationRegistry<number>
  #lastId = 0
  #pending: { readonly callId: number; settle(outcome: MessageFromTrainer): void } | null = null

  constructor(backend: BackendPreference, workerUrl = new URL('./trainer-worker.ts', import.meta.url)) {
    this.#worker = new Worker(workerUrl, { workerData: { backend } })
    this.#worker.unref()
    this.#worker.on('message', (message: MessageFromTrainer) => this.#settle(message))
    this.#worker.on('error', (error) => void this.end('trainer-crashed', `the trainer crashed: ${error.message}`))
    this.#worker.on('exit', (code) => void this.end('trainer-crashed', `the trainer's thread ended with code ${code}`))
    this.#drops = new FinalizationRegistry((examplesId) => this.post({ kind: 'drop-examples', examplesId }))
  }

  /** @param moved buffers that the worker gets as they are: a copy that is moved is one, one that is cloned is two */
  post(message: MessageToTrainer, moved: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, moved)
  }

  /** Sends examples the first time this object is seen. */
  keep(examples: Examples): number {
    const known = this.#keptIds.get(examples)
    if (known !== undefined) return known
    const examplesId = ++this.#lastId
    this.#keptIds.set(examples, examplesId)
    this.#drops.register(examples, examplesId)
    const features = compact(examples.features)
    const labels = compact(examples.labels)
    const { exampleCount } = examples
    this.post({ kind: 'keep-examples', examplesId, examples: { features, labels, exampleCount } })
    return examplesId
  }

  async call(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    send: (thread: RunningThread, callId: number) => void,
  ): Promise<unknown> {
    const callId = ++this.#lastId
    const outcome = new Promise<MessageFromTrainer>((settle) => {
      this.#pending = { callId, settle }
    })
    const stop = this.#watch(callId, timeoutMs, signal)
    this.#worker.ref()
    try {
      send(this, callId)
      return await this.#valueOf(await outcome)
    } finally {
      stop()
      this.#worker.unref()
    }
  }

  /** Ends the worker and the call that waits for it; later ends change nothing. */
  async end(code: LearningError['code'], message: string): Promise<void> {
    this.ended = true
    const callId = this.#pending?.callId
    if (callId !== undefined) this.#settle({ callId, ok: false, code, message })
    await this.#worker.terminate()
  }

  #settle(outcome: MessageFromTrainer): void {
    if (this.#pending?.callId !== outcome.callId) return
    const { settle } = this.#pending
    this.#pending = null
    settle(outcome)
  }

  async #valueOf(outcome: MessageFromTrainer): Promise<unknown> {
    if (outcome.ok) return outcome.value
    if (outcome.code !== undefined) throw new LearningError(outcome.code, outcome.message)
    // An error nobody expected may have left the backend's memory in any state.
    await this.end('trainer-failed', outcome.message)
    throw new LearningError('trainer-failed', `the trainer failed and was stopped: ${outcome.message}`)
  }

  /** Timeout and abort of a call. Gives the function that stops watching. */
  #watch(callId: number, timeoutMs: number, signal: AbortSignal | undefined): () => void {
    let grace: NodeJS.Timeout | undefined
    const timeout = setTimeout(
      () => void this.end('trainer-timed-out', `the call took longer than ${timeoutMs} ms: allow more, or train less`),
      timeoutMs,
    )
    const abort = (): void => {
      this.post({ kind: 'abort', callId })
      grace = setTimeout(() => void this.end('training-aborted', 'the caller stopped this call'), ABORT_GRACE_MS)
    }
    signal?.addEventListener('abort', abort, { once: true })
    return () => {
      clearTimeout(timeout)
      clearTimeout(grace)
      signal?.removeEventListener('abort', abort)
    }
  }
}

/** A message with a view carries its whole buffer along: with a small view of a pooled one, other people's bytes too. */
function compact<Values extends Float32Array | Uint8Array>(values: Values): Values {
  return values.byteLength === values.buffer.byteLength ? values : (values.slice() as Values)
}
