import { SluiceError } from '../sluice-error.ts'

/** Faults that pass without anybody's doing; every other fails a job at once. */
const TRANSIENT = new Set(['too-few-holders', 'holder-unreachable', 'database-unreachable'])

/** Causes of causes: more than anything here is wrapped. */
const DEPTH_MAX = 8

/** Whether it makes sense to try again, as it is: the fault, or what caused it, is of a kind that passes. */
export function isTransient(fault: unknown): boolean {
  let cause = fault
  for (let depth = 0; depth < DEPTH_MAX && cause instanceof Error; depth++) {
    if (cause instanceof SluiceError && TRANSIENT.has(cause.code)) return true
    cause = cause.cause
  }
  return false
}

/** In a row; then a job fails for the reason for which it was tried again. */
export const RETRIES_MAX = 10
const PAUSE_MAX_MS = 300_000

/** Each pause is twice the one before. @param retries how often in a row it has failed, this time included; from 1 */
export function retryPauseMs(retries: number, firstMs: number): number {
  return Math.min(firstMs * 2 ** (retries - 1), PAUSE_MAX_MS)
}
