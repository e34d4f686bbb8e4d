import { SluiceError } from '../sluice-error.ts'

/** Faults of the store that pass by themselves, or when its operator has seen to them, by the code of its error. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'database-unreachable',
  'blobs-unreachable',
  // Room is made on a disk, a mount comes back; a committee that has answered cannot be asked the question again.
  'disk-full',
  'io-failed',
])

/**
 * Whether waiting may cure a fault: a database that restarts, a line that is cut, a disk that is full. Whatever it hit is as it
 * was stored, and may be taken up again from there; nothing is given up for it.
 */
export function isTransient(error: unknown): boolean {
  return error instanceof SluiceError && TRANSIENT.has(error.code)
}
