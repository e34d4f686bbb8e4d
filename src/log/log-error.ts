import { SluiceError } from '../sluice-error.ts'

/** Everything that `src/log` refuses, by name. Closed: a caller that switches over it is checked by the compiler. */
export type LogErrorCode =
  // inputs of the caller
  | 'out-of-range'
  | 'bad-key-name'
  | 'bad-witness-set'
  | 'entry-too-large'
  | 'batch-too-large'
  | 'not-this-log'
  // what came over the wire, or from a disk
  | 'malformed-key'
  | 'malformed-note'
  | 'malformed-checkpoint'
  | 'malformed-signature'
  | 'malformed-tile-path'
  | 'malformed-tile'
  | 'malformed-bundle'
  | 'malformed-entry'
  | 'malformed-request'
  | 'malformed-response'
  | 'malformed-witness-state'
  | 'malformed-commit'
  | 'tile-missing'
  | 'payload-mismatch'
  // verification
  | 'wrong-origin'
  | 'not-signed'
  | 'bad-signature'
  | 'quorum-not-met'
  | 'proof-length'
  | 'root-mismatch'
  | 'old-root-mismatch'
  // the writer
  | 'log-exists'
  | 'log-not-found'
  | 'storage-corrupt'
  | 'writer-overtaken'
  | 'writer-stopped'

/** The one error of `src/log`. Everything in a log is public to its readers, so messages may name sizes and paths. */
export class LogError extends SluiceError<LogErrorCode> {}
