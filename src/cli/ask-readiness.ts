import { CliError } from './cli-error.ts'

/** Below the timeout of the images' health checks. */
const PATIENCE_MS = 4000

/**
 * Asks `/readyz` of an administrator's listener.
 * @returns undefined when the process is ready, otherwise what is in the way, in a line
 * @throws CliError `usage` for what is no URL
 */
export async function askReadiness(base: string, timeoutMs = PATIENCE_MS): Promise<string | undefined> {
  if (!/^https?:\/\//.test(base) || !URL.canParse('/readyz', base)) {
    throw new CliError('usage', `${base} is not http://host:port: give the address of adminListen.`)
  }
  try {
    const response = await fetch(new URL('/readyz', base), { signal: AbortSignal.timeout(timeoutMs) })
    if (response.ok) return undefined
    const { checks = {} } = (await response.json()) as { readonly checks?: Readonly<Record<string, string>> }
    const failing = Object.entries(checks).filter(([, result]) => result !== 'ok')
    return `not ready: ${failing.map(([name, result]) => `${name} ${result}`).join(', ') || response.status}`
  } catch {
    return `no answer from ${base}`
  }
}
