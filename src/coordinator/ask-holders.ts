import type { Verdict } from '../sluice-error.ts'
import type { HolderRefusal, ReceivedReply } from './ports.ts'

export interface HolderAnswer {
  readonly holder: string
  readonly verdict: Verdict<ReceivedReply, HolderRefusal>
}

/** Asks one holder; never rejects for what a holder does. */
export type AskHolder = (holder: string, signal: AbortSignal) => Promise<Verdict<ReceivedReply, HolderRefusal>>

/**
 * Asks several holders, and gives their answers one at a time in the order in which they arrive. Leaving the loop early
 * stops waiting for the rest.
 */
export async function* askHolders(
  holders: readonly string[],
  ask: AskHolder,
  signal: AbortSignal,
): AsyncGenerator<HolderAnswer> {
  const left = new AbortController()
  const arrived: HolderAnswer[] = []
  const faults: unknown[] = []
  let wake = () => {}
  for (const holder of holders) {
    ask(holder, AbortSignal.any([signal, left.signal]))
      .then(
        (verdict) => arrived.push({ holder, verdict }),
        (fault) => faults.push(fault),
      )
      .finally(() => wake())
  }
  try {
    for (let given = 0; given < holders.length; given++) {
      if (arrived.length + faults.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      // A fault of our own, the log's storage for instance: nobody's refusal.
      if (faults.length > 0) throw faults[0]
      yield arrived.shift()!
    }
  } finally {
    left.abort()
  }
}
