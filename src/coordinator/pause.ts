import { setTimeout as sleep } from 'node:timers/promises'

/** Waits between two looks at what others may have changed; ends early, and never rejects, when a signal fires. */
export function pause(ms: number, ...signals: AbortSignal[]): Promise<void> {
  return sleep(ms, undefined, { signal: AbortSignal.any(signals) }).catch(() => undefined)
}
