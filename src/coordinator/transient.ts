import { SluiceError } from '../sluice-error.ts'

/** Faults of the store that pass by themselves, by the code of its error. */
const TRANSIENT: ReadonlySet<string> = new Set(['database-unreachable', 'blobs-unreachable'])

/**
 * Whether waiting may cure a fault: a database that restarts, a line that is cut. Whatever it hit is as it was stored, and may be
 * taken up again from there; nothing is given up for it.
 */
export function isTransient(error: unknown): boolean {
  return error instanceof SluiceError && TRANSIENT.has(error.code)
}
