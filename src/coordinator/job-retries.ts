import { CoordinatorError } from './coordinator-error.ts'
import { isTransient } from './transient.ts'

/** Whether a job that failed is tried again: for a fault of the store that passes, or for holders that are not there now. */
export function isTriedAgain(fault: unknown): boolean {
  return isTransient(fault) || (fault instanceof CoordinatorError && fault.code === 'too-few-holders')
}

/** In a row; then a job fails for the reason for which it was tried again. */
export const RETRIES_MAX = 10
/** In a row without a published round; then a job fails, for its coordinators seem to die of it. */
export const DEATHS_MAX = 20
const PAUSE_MAX_MS = 300_000

/** Each pause is twice the one before. @param retries how often in a row it has failed, this time included; from 1 */
export function retryPauseMs(retries: number, firstMs: number): number {
  return Math.min(firstMs * 2 ** (retries - 1), PAUSE_MAX_MS)
}
