/** A venue of real processes over a PostgreSQL server that goes away in the midst of a job. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { SluiceProcess } from '../../src/cli/demo/demo-processes.ts'
import { foundHeartVenue, joinHeartVenue } from '../../src/cli/demo/demo-venue.ts'
import { loadResearcher } from '../../src/cli/venue-files.ts'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { patientStore } from '../../src/store/patient-store.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'
import { noOwnPostgresReason, OwnPostgres } from '../support/own-postgres.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-postgres-restart-'))
const processes: SluiceProcess[] = []
let postgres: OwnPostgres | undefined
afterAll(async () => {
  await Promise.all(processes.map((running) => running.stop()))
  await postgres?.close()
  rmSync(root, { recursive: true })
})

async function start(name: string, args: string[], event: string): Promise<SluiceProcess> {
  const running = new SluiceProcess(name, args)
  processes.push(running)
  await running.ready(event)
  return running
}

/** How long the server is away. */
const AWAY_MS = 10_000

describe.skipIf(noOwnPostgresReason)(noOwnPostgresReason ?? 'a PostgreSQL server that goes away', () => {
  it('in the midst of rounds costs a job the time, and nothing else', async () => {
    postgres = await OwnPostgres.start()
    const venueDirectory = await foundHeartVenue(root)
    const config = join(venueDirectory, 'coordinator.yaml')
    writeFileSync(config, `${readFileSync(config, 'utf8')}gatherMs: 1000\n`)
    process.env.DATABASE_URL = postgres.url
    const coordinator = await start(
      'coordinator',
      ['coordinator', 'start', '--directory', venueDirectory],
      'listening',
    ).finally(() => delete process.env.DATABASE_URL)
    await joinHeartVenue(root)
    await Promise.all(
      heartHospitals.map(({ name }) => start(name, ['holder', 'start', '--directory', join(root, name)], 'connected')),
    )
    const { config: researcher, tls } = await loadResearcher(join(root, 'researcher'))
    const connection = new JobsConnection(researcher.coordinator, researcher.venue, tls)
    const job = await connection.submit({ ...heartJob('logistic', 'cd'.repeat(32), 8), holders: undefined })
    const versions: number[] = []
    let state = ''
    let published = 0
    for await (const { event } of connection.watch(job)) {
      if (event.kind === 'job-state') state = event.state
      if (event.kind !== 'round-published') continue
      expect(event.contributors).toHaveLength(4)
      if (event.modelVersion !== undefined) versions.push(event.modelVersion)
      if (++published !== 3 && published !== 6) continue
      await postgres.stop(published === 3 ? 'immediate' : 'fast')
      await sleep(AWAY_MS)
      await postgres.start()
    }
    connection.close()
    expect(state).toBe('completed')
    expect(versions).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    const events = coordinator.lines.map(({ event }) => event)
    // A server that is starting may answer one connection and refuse the next.
    const away = events.filter((event) => event === 'database-away')
    expect(away.length).toBeGreaterThanOrEqual(2)
    expect(events.filter((event) => event === 'database-back')).toHaveLength(away.length)
    const store = await openCoordinatorStore({ databaseUrl: postgres.url })
    const rounds = await store.listRounds(job)
    await store.close()
    expect(rounds.map(({ phase }) => phase)).toEqual(Array(10).fill('published'))
  }, 180_000)

  it('is waited for by reads and writes alike, until the process stops', async () => {
    postgres ??= await OwnPostgres.start()
    const stopping = new AbortController()
    const raw = await openCoordinatorStore({ databaseUrl: postgres.url })
    const store = patientStore(raw, { signal: stopping.signal })
    await postgres.stop('immediate')
    await expect(raw.listJobs(1)).rejects.toMatchObject({ code: 'database-unreachable' })
    const waiting = [store.listJobs(1), store.log.readCheckpoint(), store.listStatements(0, 1)]
    await sleep(500)
    await postgres.start()
    expect(await Promise.all(waiting)).toHaveLength(3)
    await postgres.stop('fast')
    const lost = store.listJobs(1)
    stopping.abort()
    await expect(lost).rejects.toMatchObject({ code: 'database-unreachable' })
    await store.close()
  }, 60_000)
})
