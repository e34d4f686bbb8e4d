import { setTimeout as sleep } from 'node:timers/promises'
import type { CoordinatorStore } from '../coordinator/ports.ts'
import { StoreError } from './store-error.ts'

const PAUSE_FIRST_MS = 50
const PAUSE_MAX_MS = 2000
/** How long a call waits for a database that is away: its restart, with recovery, or the failover to a standby. */
const PATIENCE_MS = 60_000

export interface PatienceOptions {
  /** Ends all waiting: the process stops. */
  readonly signal: AbortSignal
  readonly patienceMs?: number
  /** The database is away, or back; told once each time. @param error undefined when it is back */
  readonly onChange?: (error: StoreError | undefined) => void
}

/**
 * The same store, whose calls wait for a database that is away and are made again, with growing pauses: a server that restarts costs a
 * running job seconds, and fails nothing. Every write of the store may be repeated, whether its first attempt has taken effect or not.
 * The log's `compareAndSwap` has no such promise: a swap that took effect unnoticed comes back as none, so that its writer takes itself
 * for overtaken, opens the log anew, and goes on from its own commit.
 *
 * @throws as the store does; `database-unreachable` when the database is away for longer than the patience, or the signal fires
 */
export function patientStore(store: CoordinatorStore, options: PatienceOptions): CoordinatorStore {
  const call = patientCalls(options)
  return {
    ...withPatience(store, call),
    log: withPatience(store.log, call),
    // These ask the database nothing, and give back the way to stop, not a promise.
    onJobChange: (listener) => store.onJobChange(listener),
    onFoldChange: (listener) => store.onFoldChange(listener),
    close: () => store.close(),
  }
}

type Call = <T>(attempt: () => Promise<T>) => Promise<T>

/** @param port an object of functions, all of which give a promise */
function withPatience<T extends object>(port: T, call: Call): T {
  const methods = Object.entries(port).map(([name, member]) => [
    name,
    typeof member === 'function' ? (...args: unknown[]) => call(() => member.apply(port, args)) : member,
  ])
  return Object.fromEntries(methods)
}

function patientCalls({ signal, patienceMs = PATIENCE_MS, onChange = () => {} }: PatienceOptions): Call {
  let isAway = false
  const note = (error: StoreError | undefined) => {
    if (isAway === (error !== undefined)) return
    isAway = error !== undefined
    onChange(error)
  }
  return async (attempt) => {
    const until = performance.now() + patienceMs
    for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      try {
        const result = await attempt()
        note(undefined)
        return result
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'database-unreachable') throw error
        note(error)
        if (signal.aborted || performance.now() + pauseMs > until) throw error
        await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }
}
