import { SluiceError } from '../sluice-error.ts'

export type CliErrorCode =
  | 'usage'
  | 'file-not-readable'
  | 'file-invalid'
  | 'file-not-writable'
  | 'directory-not-empty'
  | 'invite-malformed'
  | 'not-invited'
  | 'registry-invalid'
  | 'revocation-refused'
  | 'job-failed'
  | 'log-invalid'
  /** A worker that shares no state with a coordinator. */
  | 'not-shared'
  | 'process-failed'
  | 'interrupted'

/** What a person at the command line has to correct. */
export class CliError extends SluiceError<CliErrorCode> {}
