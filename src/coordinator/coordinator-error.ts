import { SluiceError } from '../sluice-error.ts'

export type CoordinatorErrorCode =
  | 'job-not-found'
  | 'output-not-found'
  /** A job names a holder that the venue has not admitted. */
  | 'holder-unknown'
  /** Fewer holders are connected than the job needs, and no more came in time. */
  | 'too-few-holders'
  /** A round could not end; the reason names the phase and the parties. */
  | 'round-abandoned'
  /** Other bytes of the same holder are stored as its ciphertext. */
  | 'payload-stored'
  /** Coordinators went away again and again while they ran the job, and no round came of it. */
  | 'job-ends-coordinator'
  | 'job-cancelled'
  /** The process ends; what it was at goes on at its next start. */
  | 'coordinator-stopping'
  /** Another coordinator has the job now: this one works on it no more, and changes nothing of it. */
  | 'lease-lost'
  /** What the store holds of the registry of members is not one. */
  | 'registry-broken'

/** What ends a job or a request to the coordinator. */
export class CoordinatorError extends SluiceError<CoordinatorErrorCode> {}
