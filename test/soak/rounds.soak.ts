/**
 * Many rounds of a small job through real processes: what a coordinator and a holder take of memory and disk stays as it is.
 *
 *     npm run test:soak                  1,000 rounds
 *     SLUICE_SOAK_ROUNDS=60 npm run test:soak    for CI: a minute or two; used memory and disks, not resident memory
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { processMemory } from '../support/process-memory.ts'
import { ProcessVenue } from '../support/process-venue.ts'

const ROUNDS = Number(process.env.SLUICE_SOAK_ROUNDS ?? 1000)
/** A process has not reached the size that it works at before this many rounds: of fewer its resident memory says nothing. */
const SETTLED_ROUNDS = 400
/** Rounds between two samples. */
const EVERY = Math.max(1, Math.floor(ROUNDS / 100))
/** A heap that the collector has just cleaned differs by this much from one that it is about to clean. */
const SLACK_BYTES = 8 * 2 ** 20

/** One moment of a process. */
interface Sample {
  readonly rssBytes: number
  /** Heap, and buffers outside of it. */
  readonly usedBytes: number
}

let venue: ProcessVenue
beforeAll(async () => {
  venue = await ProcessVenue.start()
}, 120_000)
afterAll(() => venue?.close())

async function sample(name: string, pid: number): Promise<Sample> {
  const metrics = await venue.metrics(name)
  const usedBytes = metrics.get('nodejs_heap_size_used_bytes')! + metrics.get('nodejs_external_memory_bytes')!
  return { rssBytes: processMemory(pid).rssBytes, usedBytes }
}

/** Bytes of all files under a directory of the venue; 0 for what is not there. */
function bytesUnder(...path: string[]): number {
  const directory = join(venue.root, ...path)
  try {
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
  } catch {
    return 0
  }
}

const lowest = (values: readonly number[]) => Math.min(...values)
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]
const quarter = <T>(all: readonly T[], which: 1 | 2 | 3 | 4) =>
  all.slice(Math.floor(((which - 1) * all.length) / 4), Math.floor((which * all.length) / 4))
const mb = (bytes: number) => Math.round(bytes / 2 ** 20)

describe(`${ROUNDS} rounds`, () => {
  it('leave memory flat and disks bounded', { timeout: 0 }, async () => {
    const [name] = venue.holderNames
    const processes = { coordinator: venue.coordinator.pid!, [name]: venue.holders[0].pid! }
    const samples = new Map<string, Sample[]>(Object.keys(processes).map((each) => [each, []]))
    const disks: Record<string, number>[] = []
    const connection = await venue.connect()
    const started = performance.now()
    const job = await connection.submit(heartJob('logistic', 'ab'.repeat(32), ROUNDS))
    const abandoned: string[] = []
    let published = 0
    for await (const { event } of connection.watch(job)) {
      if (event.kind === 'round-abandoned') abandoned.push(event.reason)
      if (event.kind !== 'round-published' || ++published % EVERY !== 0) continue
      for (const [each, pid] of Object.entries(processes)) samples.get(each)!.push(await sample(each, pid))
      disks.push({
        // Without what is written ahead of it, which SQLite keeps to some megabytes, however few rounds there were.
        journal: statSync(join(venue.root, name, 'journal', 'journal.sqlite')).size,
        outbox: bytesUnder(name, 'journal', 'outbox'),
        openings: bytesUnder('venue', 'state', 'openings'),
        spool: bytesUnder('venue', 'state', 'spool'),
        database: bytesUnder('venue', 'state', 'database'),
      })
    }
    const { summary } = await connection.result(job)
    connection.close()
    expect(summary.state, summary.reason).toBe('completed')
    expect(abandoned).toEqual([])

    const secondsPerRound = (performance.now() - started) / 1000 / (ROUNDS + 2)
    const lines = [`${ROUNDS} rounds, ${secondsPerRound.toFixed(3)} s each`]
    for (const [each, all] of samples) {
      const of = (which: 1 | 2 | 3 | 4) =>
        `${mb(median(quarter(all, which).map(({ rssBytes }) => rssBytes)))} MB resident, ` +
        `${mb(lowest(quarter(all, which).map(({ usedBytes }) => usedBytes)))} MB used`
      lines.push(`${each}: ${([1, 2, 3, 4] as const).map((which) => `Q${which} ${of(which)}`).join('; ')}`)
    }
    for (const where of Object.keys(disks[0])) {
      const at = (index: number) => Math.round(disks.at(index)![where] / 1024)
      lines.push(`${where}: ${at(0)} kB, ${at(disks.length >> 1)} kB, ${at(-1)} kB`)
    }
    console.log(lines.join('\n'))

    for (const [each, all] of samples) {
      const resident = (which: 2 | 4) => median(quarter(all, which).map(({ rssBytes }) => rssBytes))
      const used = (which: 2 | 4) => lowest(quarter(all, which).map(({ usedBytes }) => usedBytes))
      if (ROUNDS >= SETTLED_ROUNDS) {
        expect(resident(4), `resident memory of ${each}`).toBeLessThan(1.05 * resident(2) + SLACK_BYTES)
      }
      expect(used(4), `used memory of ${each}`).toBeLessThan(1.05 * used(2) + SLACK_BYTES)
    }
    // What is kept for rounds that are over does not grow with their number.
    for (const where of ['outbox', 'openings', 'spool']) {
      const [half, end] = [disks.slice(0, disks.length >> 1), disks.slice(disks.length >> 1)]
      const most = (some: typeof disks) => Math.max(...some.map((disk) => disk[where]))
      expect(most(end), where).toBeLessThanOrEqual(1.5 * most(half) + 64 * 1024)
    }
    // A journal remembers every plan, and nothing else of it.
    const perRound = (disks.at(-1)!.journal - disks[0].journal) / ROUNDS
    expect(perRound, 'bytes of journal for a round').toBeLessThan(16 * 1024)
  })
})
