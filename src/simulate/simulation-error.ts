import { SluiceError } from '../sluice-error.ts'

export type SimulationErrorCode =
  /** An option is out of its range, or the options do not go together; nothing has been started. */
  | 'option-invalid'
  /** A round was given up again and again: the options let too many holders vanish. */
  | 'round-abandoned'

/** Why a simulation cannot be run, or not to its end. */
export class SimulationError extends SluiceError<SimulationErrorCode> {}
