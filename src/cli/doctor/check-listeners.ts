import type { TlsMaterial } from '../../wire/credentials.ts'
import { listenObstacle, peerIdentity } from '../../wire/probe-listener.ts'
import { type Diagnosis, failing, well } from './diagnosis.ts'

/** An address that a process of ours listens on. */
export interface Listener {
  /** The field of the configuration. */
  readonly field: string
  readonly address: string
  /** Whether what answers there is that process. */
  readonly isOurs: () => Promise<boolean>
}

export interface ListenerDiagnosis extends Diagnosis {
  /** Our process listens there now. */
  readonly isRunning: boolean
}

/** Whether an address is free for us, or taken by the process that it is for. */
export async function checkListener({ field, address, isOurs }: Listener): Promise<ListenerDiagnosis> {
  const check = `port ${field}`
  const answer = (diagnosis: Diagnosis, isRunning = false) => ({ ...diagnosis, isRunning })
  if (address.endsWith(':0')) return answer(well(check, 'any that is free'))
  const obstacle = await listenObstacle(address)
  if (obstacle === undefined) return answer(well(check, `${address} is free`))
  if (obstacle === 'EADDRINUSE') {
    if (await isOurs()) return answer(well(check, `${address} is served by this party's process`), true)
    return answer(
      failing(
        check,
        `${address} is taken by another process`,
        `Stop that process (ss -ltnp shows which), or change ${field}.`,
      ),
    )
  }
  return answer(
    failing(
      check,
      `${address} cannot be listened on: ${obstacle}`,
      `Change ${field} to an address of this machine and a port that this user may take.`,
    ),
  )
}

/** Whether the coordinator of a venue answers there, by its certificate. */
export async function isCoordinator(address: string, venue: string, tls: TlsMaterial): Promise<boolean> {
  const identity = await peerIdentity(address, tls)
  return identity?.role === 'coordinator' && identity.venue === venue
}

/** What the administrator's listener says at a path; undefined when it is none of ours. */
export async function askAdmin(address: string, path: string): Promise<Record<string, unknown> | undefined> {
  try {
    const response = await fetch(`http://${reachable(address)}${path}`, { signal: AbortSignal.timeout(5000) })
    const value: unknown = await response.json()
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Whether the process of this party answers at its administrator's listener. */
export async function isAdminOf(address: string, process: string, instance: string): Promise<boolean> {
  const health = await askAdmin(address, '/healthz')
  return health?.process === process && health.instance === instance
}

/** What listens on every address is reached on this machine's own. */
export function reachable(address: string): string {
  return address.replace(/^(0\.0\.0\.0|\[::\])(?=:\d+$)/, 'localhost')
}
