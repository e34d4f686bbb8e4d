import { execFile } from 'node:child_process'
import { resolve } from 'node:path'

const SLUICE = resolve(import.meta.dirname, '../../src/cli/sluice.ts')

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a `sluice` command to its end, in a process of its own; killed after a minute. */
export function runSluice(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  return new Promise((done) => {
    const options = { env: { ...process.env, ...env }, timeout: 60_000, maxBuffer: 64 * 2 ** 20 }
    execFile(process.execPath, [SLUICE, ...args], options, (error, stdout, stderr) => {
      done({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr })
    })
  })
}
