import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from './limits.ts'
import { WireError, type WireErrorCode } from './wire-error.ts'

/**
 * The one list of codes after which the same call may succeed: a line that was cut, a coordinator that starts, a limit that
 * others of this identity use up for now. All other codes are final: the files, the versions or the round have to change.
 */
const TRANSIENT_CODES: ReadonlySet<string> = new Set<WireErrorCode | 'database-unreachable' | 'blobs-unreachable'>([
  'coordinator-unreachable',
  'connection-lost',
  'transfer-idle',
  'too-many-calls',
  'too-many-uploads',
  'coordinator-certificate-expired',
  'database-unreachable',
  'blobs-unreachable',
])

export function isTransientCall(error: unknown): boolean {
  return error instanceof WireError && TRANSIENT_CODES.has(error.code)
}

/**
 * Pauses from the first to the longest, until something moves again. They grow slowly: a coordinator that was restarted is found
 * again soon after it listens.
 */
export const pauses = { firstMs: 250, longestMs: 15_000, growth: 1.3 } as const

/**
 * Attempts at one transfer. It is tried again after transient errors, with growing pauses, until the request that wants it
 * is over, or nothing has moved for as long as its holder bears it. Where nobody says either, that is `limits.stallMs`.
 */
export class Retries {
  readonly #until: AbortSignal | undefined
  readonly #stallMs: number
  #pauseMs: number = pauses.firstMs
  #movedAt = performance.now()

  /** @param until fires when the request is over */
  constructor(until?: AbortSignal, stallMs: number = until ? Number.POSITIVE_INFINITY : limits.stallMs) {
    this.#until = until
    this.#stallMs = stallMs
  }

  /** The other side took or gave something: the line is good, and the next pause a short one. */
  readonly moved = (): void => {
    this.#movedAt = performance.now()
    this.#pauseMs = pauses.firstMs
  }

  /** Waits until it is time for the next attempt. @throws the error when it is final, or the request over */
  async pause(error: unknown): Promise<void> {
    if (this.#until?.aborted && !(error instanceof WireError)) {
      throw new WireError('connection-lost', 'The request was over before its transfer was.', { cause: error })
    }
    const isStalled = performance.now() - this.#movedAt >= this.#stallMs
    if (!isTransientCall(error) || isStalled || this.#until?.aborted) throw error
    const pauseMs = this.#pauseMs
    this.#pauseMs = Math.min(pauseMs * pauses.growth, pauses.longestMs)
    await sleep(pauseMs, undefined, { signal: this.#until }).catch(() => {
      throw error
    })
  }
}
