import type { HolderRequest } from '../protocol/holder-messages.ts'
import type { Verdict } from '../sluice-error.ts'
import type { HolderDirectory, HolderRefusal, ReceivedReply } from './ports.ts'

export interface HolderAnswer {
  readonly holder: string
  readonly verdict: Verdict<ReceivedReply, HolderRefusal>
}

/**
 * Asks several holders the same, and gives their answers one at a time in the order in which they arrive. Leaving the
 * loop early stops waiting for the rest.
 */
export async function* askHolders(
  directory: HolderDirectory,
  holders: readonly string[],
  request: HolderRequest,
  signal: AbortSignal,
): AsyncGenerator<HolderAnswer> {
  const left = new AbortController()
  const arrived: HolderAnswer[] = []
  let wake = () => {}
  for (const holder of holders) {
    void directory.ask(holder, request, AbortSignal.any([signal, left.signal])).then((verdict) => {
      arrived.push({ holder, verdict })
      wake()
    })
  }
  try {
    for (let given = 0; given < holders.length; given++) {
      if (arrived.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      yield arrived.shift()!
    }
  } finally {
    left.abort()
  }
}
