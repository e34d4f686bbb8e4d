import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadVenue } from '../../src/cli/venue-files.ts'
import { decodeModelFile } from '../../src/learning/model-file.ts'
import { documentedTable, fencedBlocks, section } from './pages.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** What the walk calls its place, and the port it listens on: both are a stranger's on the machine of a test. */
const PLACE = '.sluice'
const PORT = '7443'
/** How long the walk's processes have to go. */
const STOP_MS = 10_000

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1')
  const free = await once(probe, 'listening').then(
    () => true,
    () => false,
  )
  probe.close()
  return free
}

/** A port that nobody listens on, nor on the two after it: enrolment and the log take those. */
async function freePort(): Promise<string> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const free = await Promise.all([port, port + 1, port + 2].map(isFree))
    if (free.every(Boolean)) return String(port)
  }
}

/** Runs a script with all that it starts in a process group of its own, and ends the group when the script has ended. */
async function runInGroup(script: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const shell = spawn('bash', ['-c', script], { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
  try {
    const [code] = await once(shell, 'exit')
    return { code, output }
  } finally {
    await endGroup(shell.pid!)
  }
}

async function endGroup(group: number): Promise<void> {
  const signal = (name: NodeJS.Signals | 0) => {
    try {
      return process.kill(-group, name)
    } catch {
      return false
    }
  }
  signal('SIGTERM')
  for (let waitedMs = 0; signal(0); waitedMs += 50) {
    if (waitedMs >= STOP_MS) signal('SIGKILL')
    await sleep(50)
  }
}

describe('the README’s walk to a venue of one’s own', () => {
  const place = mkdtempSync(join(tmpdir(), 'sluice-walk-'))
  let walk: Awaited<ReturnType<typeof runInGroup>>

  beforeAll(async () => {
    const blocks = fencedBlocks(section('README.md', 'Your own venue'), 'sh')
    const port = await freePort()
    const script = ['set -eo pipefail', ...blocks].join('\n').replaceAll(PLACE, place).replaceAll(PORT, port)
    walk = await runInGroup(script)
  }, 120_000)
  afterAll(() => rmSync(place, { recursive: true }))

  it('runs as it stands, to a completed job', () => {
    expect(walk.code, walk.output).toBe(0)
    expect(walk.output).toContain('job completed')
    expect(walk.output).toContain('published over 3 holders')
  })

  it('leaves a model over the three findings and their missing indicators', () => {
    const { weights } = decodeModelFile(readFileSync(join(place, 'result/model.safetensors')))
    expect(weights).toHaveLength(3 + 2 + 1)
    const files = readdirSync(join(place, 'result')).sort()
    expect(files).toEqual(['evaluation.json', 'model.safetensors', 'statistics.json'])
  })

  it('founds a venue whose coordinator.yaml may be what docs/OPERATING.md shows, with the defaults it names', async () => {
    const venue = join(place, 'venue')
    const table = documentedTable('docs/OPERATING.md', 'committeeTimeoutMs')
    const founded: Record<string, unknown> = { ...(await loadVenue(venue)).config }
    for (const [field, { default: documented }] of table) {
      if (/^(`.*`|\d+)$/.test(documented)) expect(String(founded[field]), field).toBe(documented.replaceAll('`', ''))
    }
    const [shown] = fencedBlocks(readFileSync(join(ROOT, 'docs/OPERATING.md'), 'utf8'), 'yaml coordinator')
    writeFileSync(join(venue, 'coordinator.yaml'), shown)
    expect(Object.keys((await loadVenue(venue)).config).sort()).toEqual([...table.keys()].sort())
    expect(Object.keys(parse(shown)).sort()).toEqual([...table.keys()].sort())
  })
})
