/**
 * A venue of five real processes, each of which is killed (SIGKILL) at random moments and started again, until so many rounds have been
 * published. SLUICE_KILL_ROUNDS says how many, 200 unless told; SLUICE_KILL_SEED repeats a run's moments, as far as processes repeat.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { SluiceProcess } from '../../src/cli/demo/demo-processes.ts'
import { foundHeartVenue, joinHeartVenue } from '../../src/cli/demo/demo-venue.ts'
import { loadResearcher, loadVenue } from '../../src/cli/venue-files.ts'
import type { ArtifactStore, CoordinatorStore, JobRecord, RoundRecord } from '../../src/coordinator/ports.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { storesOver } from '../../src/store/stores-over.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'
import { type CoordinatorDatabase, databaseOfProcesses } from '../support/coordinator-database.ts'
import { runSluice } from '../support/processes.ts'
import { recordsOf } from '../support/watched-venue.ts'

const ROUNDS = Number(process.env.SLUICE_KILL_ROUNDS ?? 200)
const SEED = Number(process.env.SLUICE_KILL_SEED ?? Date.now() % 1_000_000)
/** Training rounds of one job; statistics and evaluation come on top. */
const ROUNDS_PER_JOB = Math.min(20, Math.max(1, ROUNDS - 2))
/** Between a process's return and the next death. */
const PEACE_MS = [0, 4000] as const
/** One in so many is killed while another is on its way back, or itself. */
const HASTE = 0.2
/** Between a death and the next start of the same process. */
const GONE_MS = [0, 1500] as const
/** In which something must have been published: two deadlines of a round, and the way back of everybody. */
const STUCK_MS = 240_000

/** A small generator (mulberry32): moments need not be unpredictable, they are to be repeatable. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const random = randomFrom(SEED)
const between = ([low, high]: readonly [number, number]) => low + random() * (high - low)

let root: string
let database: CoordinatorDatabase
const commands = new Map<string, string[]>()
const running = new Map<string, SluiceProcess>()
const everyProcess: SluiceProcess[] = []
let kills = 0

function start(name: string): SluiceProcess {
  const started = new SluiceProcess(name, commands.get(name)!)
  running.set(name, started)
  everyProcess.push(started)
  return started
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-kill-'))
  const venueDirectory = await foundHeartVenue(root)
  const config = join(venueDirectory, 'coordinator.yaml')
  writeFileSync(
    config,
    `${readFileSync(config, 'utf8')}reconnectGraceMs: 5000\ngatherMs: 5000\ncommitteeTimeoutMs: 10000\n`,
  )
  commands.set('coordinator', ['coordinator', 'start', '--directory', venueDirectory])
  database = await databaseOfProcesses(join(venueDirectory, 'state'))
  await start('coordinator').ready('listening')
  await joinHeartVenue(root)
  for (const { name } of heartHospitals) commands.set(name, ['holder', 'start', '--directory', join(root, name)])
  await Promise.all(heartHospitals.map(({ name }) => start(name).ready('connected')))
})
afterAll(async () => {
  await Promise.all(everyProcess.map((each) => each.stop()))
  await database?.drop()
  rmSync(root, { recursive: true, force: true })
})

async function withJobs<T>(work: (connection: JobsConnection) => Promise<T>): Promise<T> {
  const { config, tls } = await loadResearcher(join(root, 'researcher'))
  const connection = new JobsConnection(config.coordinator, config.venue, tls)
  try {
    return await work(connection)
  } finally {
    connection.close()
  }
}

/** Asks until a coordinator is there to answer. */
async function persistently<T>(work: (connection: JobsConnection) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await withJobs(work)
    } catch (error) {
      if (attempt === 100) throw error
      await sleep(200)
    }
  }
}

/** Kills one process after the other, and starts each again, until told to stop. */
async function killOnAndOn(signal: AbortSignal): Promise<void> {
  const names = [...commands.keys()]
  while (!signal.aborted) {
    await sleep(between(PEACE_MS), undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    // The coordinator as often as all holders together.
    const name = random() < 0.5 ? 'coordinator' : names[1 + Math.floor(random() * (names.length - 1))]
    await running.get(name)!.kill()
    kills++
    await sleep(between(GONE_MS))
    const back = start(name).ready(name === 'coordinator' ? 'listening' : 'connected')
    // Without it a slow machine would never come to a round. Whoever is late is not waited for, either.
    if (random() > HASTE) await back.catch(() => undefined)
    else back.catch(() => undefined)
  }
}

/** Runs one job to its end, over however many lives of the coordinator. @returns rounds that were published */
async function runOneJob(): Promise<number> {
  const seed = Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(64, '0')
  const job = await persistently((connection) =>
    connection.submit({ ...heartJob('logistic', seed, ROUNDS_PER_JOB), holders: undefined, roundTimeoutMs: 20_000 }),
  )
  let published = 0
  let last = 0
  let progressed = Date.now()
  for (;;) {
    const end = await withJobs(async (connection) => {
      const stuck = AbortSignal.timeout(STUCK_MS)
      for await (const { event, sequence } of connection.watch(job, last, stuck)) {
        last = sequence
        if (event.kind === 'round-published') {
          published++
          progressed = Date.now()
        }
        if (event.kind === 'job-state' && ['completed', 'failed'].includes(event.state)) return event
        if (stuck.aborted) break
      }
      return undefined
    }).catch(() => undefined)
    if (end?.kind === 'job-state') {
      if (end.state === 'failed') expect(end.reason, 'a job that fails says why').toMatch(/\w/)
      return published
    }
    expect(Date.now() - progressed, `no progress (seed ${SEED})`).toBeLessThan(STUCK_MS)
    await sleep(200)
  }
}

/** The count of examples in a job's statistics is that of the very files of those who contributed. @returns 1 if it has statistics */
async function expectExactCount(store: CoordinatorStore, artifacts: ArtifactStore, job: Digest): Promise<number> {
  const outputs = await store.listJobOutputs(job)
  const statistics = outputs.find(({ name }) => name === 'statistics')
  if (!statistics) return 0
  const events = await store.listJobEvents(job, 0, 10_000)
  const published = events.find(({ event }) => event.kind === 'round-published' && event.step === 'statistics')!.event
  if (published.kind !== 'round-published') throw new Error('found by its kind')
  const { exampleCount } = JSON.parse(new TextDecoder().decode(await artifacts.get(statistics.digest)))
  expect(exampleCount).toBe(published.contributors.reduce((sum, holder) => sum + recordsOf.get(holder)!, 0))
  return 1
}

describe(`processes that are killed at random moments (SLUICE_KILL_SEED=${SEED})`, () => {
  let total = 0
  it(`publish ${ROUNDS} rounds all the same`, async () => {
    const peace = new AbortController()
    const killing = killOnAndOn(peace.signal)
    try {
      while (total < ROUNDS) total += await runOneJob()
    } finally {
      peace.abort()
      await killing
    }
    expect(kills).toBeGreaterThan(0)
    console.info(`${total} rounds published, ${kills} processes killed`)
  })

  it('ended every round, and every job, with a result or a reason; nothing is left of them in the spool', async () => {
    // In peace: a job that the last death interrupted comes to its end.
    await persistently(async (connection) => {
      for (const { job } of await connection.list(1000)) for await (const _ of connection.watch(job, 0));
    })
    await Promise.all([...running.values()].map((each) => each.stop()))
    const state = join(root, 'venue/state')
    const store = await openCoordinatorStore(database.options)
    const jobs: JobRecord[] = await store.listJobs(10_000)
    const rounds: RoundRecord[] = []
    for (const { job } of jobs) rounds.push(...(await store.listRounds(job)))
    for (const { state: jobState, reason } of jobs) {
      if (jobState !== 'completed') expect([jobState, reason]).toEqual(['failed', expect.stringMatching(/\w/)])
    }
    for (const { phase, reason } of rounds) {
      if (phase !== 'published') expect([phase, reason]).toEqual(['abandoned', expect.stringMatching(/\w/)])
    }
    expect(rounds.filter(({ phase }) => phase === 'published')).toHaveLength(total)
    for (const { job, state: jobState } of jobs) {
      if (jobState !== 'completed') continue
      const outputs = await store.listJobOutputs(job)
      const versions = outputs.filter(({ name }) => name === 'model').map(({ version }) => version)
      expect(versions).toEqual(Array.from({ length: ROUNDS_PER_JOB + 1 }, (_, i) => i))
    }
    const { artifacts } = storesOver(await openDirectoryBlobStore(state))
    let counted = 0
    for (const { job } of jobs) counted += await expectExactCount(store, artifacts, job)
    expect(counted).toBeGreaterThan(0)
    await store.close()
    expect(readdirSync(join(state, 'spool'))).toEqual([])
    const abandoned = rounds.length - total
    console.info(`${jobs.length} jobs, ${rounds.length} rounds, ${abandoned} of them abandoned`)
  })

  it('gave no holder a sum that is not the sum of its ciphertexts, and most of them verified theirs', () => {
    const lines = everyProcess.flatMap((each) => each.lines)
    const count = (event: string) => lines.filter((line) => line.event === event).length
    expect(count('wrong-sum')).toBe(0)
    expect(count('log-forked')).toBe(0)
    // What a holder said was on its disk before: one that was killed never takes itself for a copy.
    expect(lines.filter(({ code }) => code === 'memory-lost')).toEqual([])
    expect(count('sum-verified')).toBeGreaterThan(total)
    console.info(`${count('sum-verified')} sums verified, ${count('sum-unverified')} not`)
  })

  it('left a log that an auditor verifies: one set for each question, no round abandoned and published', async () => {
    start('coordinator')
    await running.get('coordinator')!.ready('listening')
    const { config } = await loadVenue(join(root, 'venue'))
    const place = `http://${config.logListen}/log`
    const verified = await runSluice(['log', 'verify', place, '--holder', join(root, heartHospitals[0].name)])
    expect(verified.stderr).toBe('')
    expect(verified.code).toBe(0)
  })
})
