import { SluiceError } from '../sluice-error.ts'

export type CliErrorCode =
  | 'usage'
  | 'file-not-readable'
  | 'file-invalid'
  | 'directory-not-empty'
  | 'already-admitted'
  | 'job-failed'
  | 'process-failed'

/** What a person at the command line has to correct. */
export class CliError extends SluiceError<CliErrorCode> {}
