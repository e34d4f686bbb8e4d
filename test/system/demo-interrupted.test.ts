import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { databaseOfProcesses } from '../support/coordinator-database.ts'

const SLUICE = resolve(import.meta.dirname, '../../src/cli/sluice.ts')
const directory = mkdtempSync(join(tmpdir(), 'sluice-interrupted-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** Command lines of the processes that name a path under `directory`. */
function processesOver(path: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return command.includes(path) ? [command] : []
      } catch {
        return []
      }
    })
}

it.skipIf(!existsSync('/proc/self/cmdline'))(
  'a demo that is told to stop in its midst leaves no process and no key behind',
  async () => {
    const args = [SLUICE, 'demo', '--rounds', '1000', '--model', 'logistic', '--out', join(directory, 'out')]
    const database = await databaseOfProcesses(directory)
    const demo = spawn(process.execPath, args, {
      env: { ...process.env, TMPDIR: directory },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let errors = ''
    // The first line about a round: all five processes are at work.
    await new Promise<void>((begun) => {
      demo.stderr.on('data', (chunk) => {
        errors += chunk
        if (/ 10\/1002 /.test(errors)) begun()
      })
    })
    expect(processesOver(join(directory, 'sluice-demo-'))).toHaveLength(5)
    demo.kill('SIGTERM')
    const [code] = await once(demo, 'close')
    await database.drop()
    expect(code).toBe(1)
    expect(errors).toContain('[interrupted]')
    expect(processesOver(join(directory, 'sluice-demo-'))).toEqual([])
    expect(readdirSync(directory)).toEqual([])
  },
  120_000,
)
