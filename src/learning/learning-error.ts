import { SluiceError } from '../sluice-error.ts'

/** Why a model description, a weight vector, examples or options are refused before anything runs. */
export type ModelErrorCode =
  /** Not a model description of this version: unknown layer, activation, key or value. */
  | 'model-invalid'
  /** The layers do not fit each other: a convolution on a flat input, a kernel larger than its input. */
  | 'model-shape-mismatch'
  /** The last layer does not give what the output needs. */
  | 'model-output-mismatch'
  /** More weights or activations than a holder node will take memory for. */
  | 'model-too-large'
  /** The flat vector is not as long as the model says. */
  | 'weights-length-mismatch'
  | 'weights-not-finite'
  | 'examples-empty'
  | 'examples-length-mismatch'
  | 'examples-not-finite'
  | 'label-out-of-range'
  | 'options-invalid'
  /** Seeds are 32 bytes everywhere. */
  | 'seed-length-mismatch'

/** What can go wrong while a trainer works. */
export type TrainerErrorCode =
  /** Loss or weights stopped being finite. */
  | 'training-diverged'
  /** The caller's AbortSignal fired. */
  | 'training-aborted'
  | 'trainer-timed-out'
  /** The trainer's worker ended under the call; the next call starts another. */
  | 'trainer-crashed'
  | 'trainer-closed'
  /** The trainer met an error without a code of ours. */
  | 'trainer-failed'
  /** The asked-for backend does not load, or failed its self-test. */
  | 'backend-unavailable'
  /** One JavaScript thread runs one backend; another was asked for. */
  | 'backend-already-chosen'
  | 'kernel-unsupported'

/** What is wrong with the bytes of a safetensors file, or with tensors that should become one. */
export type SafetensorsErrorCode =
  | 'safetensors-truncated'
  | 'safetensors-header-too-large'
  | 'safetensors-header-invalid'
  | 'safetensors-dtype-unsupported'
  | 'safetensors-shape-invalid'
  | 'safetensors-offsets-invalid'
  | 'safetensors-trailing-bytes'
  | 'safetensors-tensor-invalid'

/** Inputs from which no metric can be computed. */
export type MetricsErrorCode = 'metrics-input-invalid'

/** What can go wrong between a holder's records and a trainer's examples: feature schema, statistics, split. */
export type TabularErrorCode =
  /** Not a feature schema: unknown kind, bounds the wrong way round, the label read as a feature. */
  | 'feature-schema-invalid'
  | 'split-fraction-invalid'
  /** The quantiser's range cannot carry the counts that the step would have to sum. */
  | 'statistics-options-invalid'
  /** More records than the bound of the statistics step: its sums would be clipped. */
  | 'examples-too-many'
  /** Opened sums or statistics that do not belong to this schema, or that no set of records can give. */
  | 'statistics-mismatch'
  /** Every holder together has no record to train on. */
  | 'statistics-empty'

/** What is wrong with a job, or with the opened sums of its rounds. */
export type JobErrorCode =
  | 'job-invalid'
  /** The sums of a round hold no training record, or no held-out one. */
  | 'training-empty'
  | 'evaluation-empty'

export type LearningErrorCode =
  | JobErrorCode
  | ModelErrorCode
  | TrainerErrorCode
  | SafetensorsErrorCode
  | MetricsErrorCode
  | TabularErrorCode

/**
 * Every error that model descriptions, weights, trainers, model files and metrics throw on purpose. A message may name
 * layers, shapes and positions, never a feature, a label or a weight.
 */
export class LearningError extends SluiceError<LearningErrorCode> {}
