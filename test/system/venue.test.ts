/** A venue of five real processes on loopback, some of which are killed. */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { SluiceProcess } from '../../src/cli/demo/demo-processes.ts'
import { foundHeartVenue, joinHeartVenue } from '../../src/cli/demo/demo-venue.ts'
import { loadResearcher } from '../../src/cli/venue-files.ts'
import type { JobEvent } from '../../src/coordinator/ports.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'
import { type CoordinatorDatabase, databaseOfProcesses } from '../support/coordinator-database.ts'
import { runSluice } from '../support/processes.ts'

/** A number and a text that no other record, file or digest has. */
const CANARY_NUMBER = '187.0625'
const CANARY_TEXT = 'quetzalcoatlus'
const SEED = 'cd'.repeat(32)

let root: string
let database: CoordinatorDatabase
let coordinator: SluiceProcess
const holders = new Map<string, SluiceProcess>()
const everyProcess: SluiceProcess[] = []

function start(name: string, args: string[]): SluiceProcess {
  const running = new SluiceProcess(name, args)
  everyProcess.push(running)
  return running
}

async function startCoordinator(): Promise<void> {
  coordinator = start('coordinator', ['coordinator', 'start', '--directory', join(root, 'venue')])
  await coordinator.ready('listening')
}

async function startHolder(name: string): Promise<void> {
  const holder = start(name, ['holder', 'start', '--directory', join(root, name)])
  holders.set(name, holder)
  await holder.ready('connected')
}

async function connect(): Promise<JobsConnection> {
  const { config, tls } = await loadResearcher(join(root, 'researcher'))
  return new JobsConnection(config.coordinator, config.venue, tls)
}

/** Submits a job and gives its events as they come; ends with the job. */
async function* runJob(rounds: number): AsyncGenerator<JobEvent & { job: string }> {
  const connection = await connect()
  try {
    const job = await connection.submit({ ...heartJob('logistic', SEED, rounds), holders: undefined })
    for await (const { event } of connection.watch(job)) yield { ...event, job }
  } finally {
    connection.close()
  }
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-system-'))
  const venueDirectory = await foundHeartVenue(root)
  const config = join(venueDirectory, 'coordinator.yaml')
  // A killed holder is to be missed soon.
  writeFileSync(config, `${readFileSync(config, 'utf8')}reconnectGraceMs: 1000\ngatherMs: 1000\n`)
  database = await databaseOfProcesses(join(venueDirectory, 'state'))
  await startCoordinator()
  await joinHeartVenue(root)
  const file = join(root, 'cleveland', 'cleveland.csv')
  const [header, first, ...rest] = readFileSync(file, 'utf8').split('\n')
  const columns = header.split(',')
  const record = first.split(',')
  record[columns.indexOf('chol')] = CANARY_NUMBER
  record[columns.indexOf('thal')] = CANARY_TEXT
  writeFileSync(file, [header, record.join(','), ...rest].join('\n'))
  await Promise.all(heartHospitals.map(({ name }) => startHolder(name)))
})
afterAll(async () => {
  await Promise.all(everyProcess.map((running) => running.stop()))
  await database.drop()
  rmSync(root, { recursive: true })
})

describe('a venue of real processes', () => {
  it('goes on without a holder that is killed, and with it again when it comes back', async () => {
    const contributors: string[][] = []
    let state = ''
    let isBack = false
    for await (const event of runJob(12)) {
      if (event.kind === 'job-state') state = event.state
      if (event.kind !== 'round-published') continue
      contributors.push([...event.contributors])
      if (contributors.length === 4) await holders.get('hungary')!.kill()
      // Published without it once: then it may come back.
      if (!event.contributors.includes('hungary') && !isBack) {
        isBack = true
        await startHolder('hungary')
      }
    }
    expect(state).toBe('completed')
    expect(contributors).toHaveLength(14)
    expect(contributors.some((names) => !names.includes('hungary'))).toBe(true)
    expect(contributors.at(-1)).toHaveLength(4)
  }, 120_000)

  it('finishes a job whose coordinator was killed, when it is started again', async () => {
    const connection = await connect()
    const job = await connection.submit({ ...heartJob('logistic', SEED, 10), holders: undefined })
    let published = 0
    try {
      for await (const { event } of connection.watch(job)) {
        if (event.kind === 'round-published' && ++published === 4) await coordinator.kill()
      }
    } catch {
      // The stream breaks with the process.
    }
    connection.close()
    await startCoordinator()
    const again = await connect()
    const versions: number[] = []
    let last: JobEvent | undefined
    for await (const { event } of again.watch(job)) {
      if (event.kind === 'round-published' && event.modelVersion !== undefined) versions.push(event.modelVersion)
      last = event
    }
    expect(last).toEqual({ kind: 'job-state', state: 'completed' })
    expect(versions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    const { outputs } = await again.result(job)
    expect(outputs.filter(({ name }) => name === 'model').map(({ version }) => version)).toEqual([0, ...versions])
    again.close()
  }, 120_000)

  it('is driven from the command line: submit, list, watch, result', async () => {
    const file = join(root, 'job.json')
    writeFileSync(file, JSON.stringify({ ...heartJob('mlp', SEED, 2), holders: undefined }))
    const as = ['--as', join(root, 'researcher')]
    const submitted = await runSluice(['job', 'submit', file, ...as, '--json', '--watch'])
    expect(submitted.code, submitted.stderr).toBe(0)
    const [first, ...events] = submitted.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.at(-1).event).toEqual({ kind: 'job-state', state: 'completed' })
    const listed = await runSluice(['job', 'list', ...as, '--json'])
    expect(JSON.parse(listed.stdout)[0]).toMatchObject({
      job: first.job,
      name: 'heart mlp',
      state: 'completed',
      submittedBy: 'researcher',
    })
    const watched = await runSluice(['job', 'watch', first.job.slice(0, 8), ...as])
    expect(watched.stdout).toContain('published over 4 holders')
    const out = join(root, 'out')
    const fetched = await runSluice(['job', 'result', first.job, ...as, '--out', out])
    expect(fetched.code, fetched.stderr).toBe(0)
    expect(readdirSync(out).sort()).toEqual(['evaluation.json', 'model.safetensors', 'statistics.json'])
    const cancelled = await runSluice(['job', 'cancel', first.job, ...as])
    expect(cancelled.stdout.trim()).toBe('had ended before')
    const unknown = await runSluice(['job', 'watch', '0'.repeat(64), ...as])
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('[job-not-found]') })
    writeFileSync(file, JSON.stringify({ ...heartJob('mlp', SEED, 2), training: { rounds: 0 } }))
    const invalid = await runSluice(['job', 'submit', file, ...as])
    expect(invalid).toMatchObject({ code: 1, stderr: expect.stringMatching(/\[job-invalid\]/) })
    expect(invalid.stderr).toContain('rounds')
  }, 120_000)

  it('has no open port but the coordinator’s: for members, for invited parties, for readers of the log, for its operator', () => {
    expect(listeningPorts(coordinator.pid!)).toHaveLength(4)
    for (const { pid } of holders.values()) expect(listeningPorts(pid!)).toEqual([])
  })

  it('shows no record of a hospital in a log, a state file or another party’s directory', () => {
    const logs = everyProcess.map(({ lines, errors }) => JSON.stringify(lines) + errors).join('\n')
    expect(logs.length).toBeGreaterThan(10_000)
    const elsewhere = ['venue', 'researcher', 'out', 'hungary', 'long-beach', 'switzerland', 'cleveland/journal']
    const files = elsewhere.flatMap((name) => listFiles(join(root, name)))
    expect(files.length).toBeGreaterThan(50)
    for (const canary of [CANARY_NUMBER, CANARY_TEXT]) {
      expect(readFileSync(join(root, 'cleveland/cleveland.csv'), 'utf8')).toContain(canary)
      expect(logs).not.toContain(canary)
      expect(files.filter((file) => readFileSync(file).includes(canary))).toEqual([])
    }
  })

  it('holds no secret key of a holder in its logs or at the coordinator', () => {
    const logs = everyProcess.map(({ lines }) => JSON.stringify(lines)).join('\n')
    const { statementSeed, boxSeed } = JSON.parse(readFileSync(join(root, 'cleveland/secrets/identity.json'), 'utf8'))
    const state = listFiles(join(root, 'venue/state'))
    for (const seed of [statementSeed, boxSeed]) {
      expect(logs).not.toContain(seed)
      expect(state.filter((file) => readFileSync(file).includes(seed))).toEqual([])
    }
  })
})

function listFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Local addresses on which a process listens, from /proc: TCP in state 0A. */
function listeningPorts(pid: number): string[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
      } catch {
        return []
      }
    }),
  )
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A' && inodes.has(fields[9]))
      .map((fields) => fields[1]),
  )
}
