import type { Model } from './model.ts'

/**
 * A holder's examples. They never leave the holder node.
 *
 * An `Examples` object is a value: it and its arrays must not be changed once it was handed to a trainer. Trainers that
 * live elsewhere (a worker thread, another process) send it once and recognise the same *object* in later rounds, so
 * keep one object per dataset instead of making a new one for each call.
 */
export interface Examples {
  /** Row-major, `exampleCount` × product of the model's `inputShape`; finite, already imputed and standardised. */
  readonly features: Float32Array
  /** One per example: 0 or 1 for a binary model, the class index for a multiclass model. */
  readonly labels: Float32Array
  /** At least 1. */
  readonly exampleCount: number
}

/** How to train locally in one round: minibatch stochastic gradient descent. */
export interface TrainOptions {
  /** Passes over the examples, 1 … 10,000. */
  readonly epochs: number
  /** Examples per step, at least 1; the last step of an epoch takes what is left. */
  readonly batchSize: number
  /** Positive. */
  readonly learningRate: number
  /** Heavy-ball momentum in [0, 1), starting from zero in each call; 0 unless told. */
  readonly momentum?: number
  /** Replaces the model's `l2` for this call. */
  readonly l2?: number
  /** 32 bytes; fixes the order of the examples and the dropout masks. */
  readonly shuffleSeed: Uint8Array
}

export interface TrainRequest {
  readonly model: Model
  /** The starting point: flat, in the order of `weightShapes(model)`. Not changed. */
  readonly weights: Float32Array
  readonly examples: Examples
  readonly options: TrainOptions
  /** Stops the call between two steps with `training-aborted`. */
  readonly signal?: AbortSignal
}

/** Plaintext of this holder: `weights` and `meanLoss` must not leave the node unprotected. */
export interface TrainResult {
  /** The trained flat vector, a new array. */
  readonly weights: Float32Array
  readonly exampleCount: number
  /** Mean over the examples of the last epoch of the loss at the time each was used (dropout on, without the penalty). */
  readonly meanLoss: number
  /** Gradient steps taken. */
  readonly steps: number
}

export interface EvaluateRequest {
  readonly model: Model
  /** Flat, in the order of `weightShapes(model)`. */
  readonly weights: Float32Array
  readonly examples: Examples
  readonly signal?: AbortSignal
}

/** Plaintext of this holder: only sums and histograms of it leave the node, through the protected sum. */
export interface EvaluateResult {
  /**
   * Probabilities in [0, 1], row-major: one per example (of class 1) for a binary model, `exampleCount` × classes for a
   * multiclass model.
   */
  readonly scores: Float32Array
  readonly exampleCount: number
  /** Mean cross-entropy over the examples, without the penalty, in nats. */
  readonly meanLoss: number
}

export interface TrainerDescription {
  /** E.g. `tfjs`. */
  readonly name: string
  readonly version: string
  /** What computes, e.g. `wasm-simd`, `cpu`, `tensorflow`. Same backend and same request give the same bits. */
  readonly backend: string
  /** Why no faster backend runs, one line each. */
  readonly notes: readonly string[]
}

/**
 * The contract towards whatever trains. Implementations run in the holder's process, in a worker thread, or behind
 * gRPC in Python.
 *
 * - *Deterministic*: the same request on the same backend gives the same bits. Another backend may differ in rounding.
 * - *Stateless* between calls but for caches: no call changes the result of another.
 * - *Concurrency*: calls may overlap; an implementation may serialise them.
 * - *Errors* are `LearningError`s. Every request is checked first (`model-*`, `weights-*`, `examples-*`, `label-*`,
 *   `options-*`, `seed-*`); then `training-diverged` when loss or weights stop being finite, `training-aborted` when
 *   the signal fires, `trainer-*` when the trainer itself fails. A failed call may be repeated; nobody retries for the
 *   caller.
 */
export interface Trainer {
  describe(): Promise<TrainerDescription>
  train(request: TrainRequest): Promise<TrainResult>
  evaluate(request: EvaluateRequest): Promise<EvaluateResult>
  /** Frees what the trainer holds. Idempotent; later calls are refused as `trainer-closed`. */
  close(): Promise<void>
}
