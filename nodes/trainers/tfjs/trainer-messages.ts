import type { LearningErrorCode } from '../../../src/learning/learning-error.ts'
import type { EvaluateRequest, Examples, TrainRequest } from '../../../src/learning/trainer.ts'

/** A request whose examples were sent before, under a number; its signal stays with the caller. */
export type Sent<Request> = Omit<Request, 'examples' | 'signal'> & { readonly examplesId: number }

/** From the caller's thread to the worker. Messages arrive in order, so examples are there before a call names them. */
export type MessageToTrainer =
  | { readonly kind: 'keep-examples'; readonly examplesId: number; readonly examples: Examples }
  | { readonly kind: 'drop-examples'; readonly examplesId: number }
  | { readonly kind: 'describe'; readonly callId: number }
  | { readonly kind: 'train'; readonly callId: number; readonly request: Sent<TrainRequest> }
  | { readonly kind: 'evaluate'; readonly callId: number; readonly request: Sent<EvaluateRequest> }
  | { readonly kind: 'abort'; readonly callId: number }

/** From the worker: exactly one for each call. `code` is absent for errors that are not `LearningError`s. */
export type MessageFromTrainer =
  | { readonly callId: number; readonly ok: true; readonly value: unknown }
  | { readonly callId: number; readonly ok: false; readonly code?: LearningErrorCode; readonly message: string }
