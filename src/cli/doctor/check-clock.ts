import { type Diagnosis, failing, warning, well } from './diagnosis.ts'

/** A difference that times of one second's resolution and the way between two machines explain. */
const NO_SKEW_MS = 5_000
/** Plans have deadlines of minutes, and certificates begin when they are issued. */
const SKEW_MS_MAX = 60_000

/** @param theirs the other clock; undefined when there is none to compare with @param whose where it was read */
export function checkClock(ours: Date, theirs: Date | undefined, whose: string): Diagnosis {
  if (!theirs)
    return warning('clock', `${ours.toISOString()}, with no other clock to compare`, `Reach ${whose}, and look again.`)
  const skewMs = ours.getTime() - theirs.getTime()
  const seconds = Math.abs(Math.round(skewMs / 1000))
  if (Math.abs(skewMs) <= NO_SKEW_MS) return well('clock', `agrees with ${whose}`)
  const found = `${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} ${whose}`
  const todo = 'Have the clocks of both machines kept by NTP, and see which of them is off.'
  return Math.abs(skewMs) > SKEW_MS_MAX ? failing('clock', found, todo) : warning('clock', found, todo)
}

/** The time of an HTTP server, to the second (RFC 9110 §6.6.1); undefined when nobody answers. */
export async function httpDate(url: string): Promise<Date | undefined> {
  try {
    const response = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(5000) })
    const date = new Date(response.headers.get('date') ?? '')
    return Number.isNaN(date.getTime()) ? undefined : date
  } catch {
    return undefined
  }
}
