/** Two coordinators of one venue, as real processes over one PostgreSQL database and one directory of blobs; one is killed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse as parseYaml, stringify as toYaml } from 'yaml'
import { heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { makeInvite } from '../../src/cli/coordinator-actions.ts'
import { SluiceProcess } from '../../src/cli/demo/demo-processes.ts'
import { foundHeartVenue, joinHeartVenue } from '../../src/cli/demo/demo-venue.ts'
import { decodeInvite } from '../../src/cli/invite.ts'
import { joinResearcher } from '../../src/cli/join-researcher.ts'
import { loadResearcher, loadVenue } from '../../src/cli/venue-files.ts'
import type { JobEvent } from '../../src/coordinator/ports.ts'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'
import { createPostgresDatabase, noPostgresReason } from '../contract/postgres-server.ts'

const SEED = 'cd'.repeat(32)
const LEASE_MS = 3000

if (noPostgresReason) describe('two coordinators', () => void it.skip(noPostgresReason!, () => {}))
else {
  describe('two coordinators over one database', () => {
    let root: string
    let database: Awaited<ReturnType<typeof createPostgresDatabase>>
    const everyProcess: SluiceProcess[] = []
    const coordinators = new Map<string, { readonly process: SluiceProcess; readonly address: string }>()

    function edit(path: string, change: (config: Record<string, unknown>) => Record<string, unknown>, to = path): void {
      writeFileSync(to, toYaml(change(parseYaml(readFileSync(path, 'utf8')))))
    }

    function start(name: string, args: string[]): SluiceProcess {
      const running = new SluiceProcess(name, args)
      everyProcess.push(running)
      return running
    }

    async function startCoordinator(config: string): Promise<void> {
      const venue = join(root, 'venue')
      const args = ['coordinator', 'start', '--directory', venue, '--config', config, '--database-url', database.url]
      const process = start(config, args)
      await process.ready('listening')
      coordinators.set(config, { process, address: (await loadVenue(venue, { configFile: config })).config.address })
    }

    async function connect(config: string): Promise<JobsConnection> {
      const researcher = await loadResearcher(join(root, 'researcher'))
      return new JobsConnection(coordinators.get(config)!.address, researcher.config.venue, researcher.tls)
    }

    const nameOf = (config: string) =>
      coordinators.get(config)!.process.lines.find(({ event }) => event === 'listening')!.name as string

    beforeAll(async () => {
      root = mkdtempSync(join(tmpdir(), 'sluice-replicas-'))
      database = await createPostgresDatabase()
      const venue = await foundHeartVenue(root)
      const other = await foundHeartVenue(join(root, 'ports-of-the-other'))
      const shared = {
        blobs: pathToFileURL(join(root, 'blobs')).href,
        leaseMs: LEASE_MS,
        gatherMs: 3000,
        reconnectGraceMs: 3000,
      }
      edit(join(venue, 'coordinator.yaml'), (config) => ({ ...config, ...shared }))
      const { listen, address, enrolListen, enrolAddress, logListen, adminListen } = parseYaml(
        readFileSync(join(other, 'coordinator.yaml'), 'utf8'),
      )
      const own = { listen, address, enrolListen, enrolAddress, logListen, adminListen, state: 'state-b' }
      edit(join(venue, 'coordinator.yaml'), (config) => ({ ...config, ...own }), join(venue, 'coordinator-b.yaml'))
      await Promise.all([startCoordinator('coordinator.yaml'), startCoordinator('coordinator-b.yaml')])
      await joinHeartVenue(root)
      const addresses = [...coordinators.values()].map((each) => each.address)
      for (const { name } of heartHospitals) {
        edit(join(root, name, 'holder.yaml'), (config) => ({ ...config, coordinator: addresses }))
      }
      const holders = heartHospitals.map(({ name }) =>
        start(name, ['holder', 'start', '--directory', join(root, name)]),
      )
      await Promise.all(holders.map((holder) => holder.ready('connected')))
    }, 120_000)
    afterAll(async () => {
      await Promise.all(everyProcess.map((running) => running.stop()))
      rmSync(root, { recursive: true })
      await database.drop()
    })

    it('admit a party by an invite of either, and both know it', async () => {
      const venue = join(root, 'venue')
      const invite = decodeInvite(await makeInvite(venue, 'eve', { researcher: true, expiresMs: 60_000 }))
      const { config } = await loadVenue(venue, { configFile: 'coordinator-b.yaml' })
      await joinResearcher({ ...invite, enrol: config.enrolAddress }, join(root, 'eve'))
      const { tls } = await loadResearcher(join(root, 'eve'))
      for (const { address } of coordinators.values()) {
        const connection = new JobsConnection(address, config.venue, tls)
        expect(await connection.list(1)).toEqual([])
        connection.close()
      }
    })

    it('show the events of a job at each, whoever runs it, and cancel it from each', async () => {
      const [here, there] = await Promise.all([connect('coordinator.yaml'), connect('coordinator-b.yaml')])
      const job = await here.submit({ ...heartJob('logistic', SEED, 500), holders: undefined })
      const kinds = await Promise.all(
        [here, there].map(async (connection) => {
          let published = 0
          let last: JobEvent | undefined
          for await (const { event } of connection.watch(job)) {
            if (event.kind === 'round-published') published++
            if (published === 3 && event.kind === 'round-published') await there.cancel(job)
            last = event
          }
          return last
        }),
      )
      for (const last of kinds) expect(last).toMatchObject({ kind: 'job-state', state: 'cancelled' })
      here.close()
      there.close()
    }, 60_000)

    it('finish each other’s rounds: one is killed in the middle of a round, and the other publishes it, exactly once', async () => {
      const connections = new Map([...coordinators.keys()].map((config) => [config, connect(config)]))
      const asked = await connections.get('coordinator.yaml')!
      const job = await asked.submit({ ...heartJob('logistic', SEED, 12), holders: undefined })
      let runner = ''
      for (const end = Date.now() + 30_000; runner === '' && Date.now() < end; ) {
        const { summary } = await asked.result(job)
        runner = [...coordinators.keys()].find((config) => summary.standing?.endsWith(nameOf(config))) ?? ''
      }
      const survivor = [...coordinators.keys()].find((config) => config !== runner)!
      const watching = await connections.get(survivor)!
      let killedIn = 0
      let killedAt = 0
      let movedAt = 0
      let last: JobEvent | undefined
      const published: number[] = []
      for await (const { event } of watching.watch(job)) {
        last = event
        if (killedAt > 0 && movedAt === 0) movedAt = performance.now()
        if (event.kind === 'round-published') published.push(event.round)
        if (event.kind !== 'round-planned' || event.round < 5 || killedAt > 0) continue
        killedIn = event.round
        await coordinators.get(runner)!.process.kill()
        killedAt = performance.now()
      }
      expect(last).toEqual({ kind: 'job-state', state: 'completed' })
      console.log(
        `the other coordinator went on ${(movedAt - killedAt).toFixed(0)} ms after the kill (lease ${LEASE_MS} ms)`,
      )
      expect(published.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 14 }, (_, i) => i + 1))
      const store = await openCoordinatorStore({ databaseUrl: database.url })
      const rounds = await store.listRounds(job)
      expect(rounds.map(({ phase }) => phase)).toEqual(Array(14).fill('published'))
      expect(rounds.some(({ round }) => round === killedIn)).toBe(true)
      await store.close()
      const { outputs } = await watching.result(job)
      const { digest } = outputs.find(({ name }) => name === 'statistics')!
      const statistics = JSON.parse(new TextDecoder().decode(await watching.output(job, digest)))
      expect(statistics.exampleCount).toBe(920)
      for (const connection of connections.values()) (await connection).close()
    }, 120_000)
  })
}
