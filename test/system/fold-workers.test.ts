/** Real worker processes over a real PostgreSQL database and a shared directory of blobs; one is killed in the midst of a part. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify as toYaml } from 'yaml'
import { SluiceProcess } from '../../src/cli/demo/demo-processes.ts'
import { foldCiphertexts } from '../../src/coordinator/fold-ciphertexts.ts'
import type { SharedFolding } from '../../src/coordinator/fold-claims.ts'
import { type CoordinatorStore, PART_CHUNKS } from '../../src/coordinator/ports.ts'
import { type PayloadWorkers, startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { storesOver } from '../../src/store/stores-over.ts'
import { createPostgresDatabase, noPostgresReason } from '../contract/postgres-server.ts'
import { runSluice } from '../support/processes.ts'
import { type SealedPayloads, sealPayloads } from '../support/sealed-payloads.ts'

const NAMES = Array.from({ length: 8 }, (_, i) => `holder-${i}`)
const PARTS = 4
const never = new AbortController().signal

const root = mkdtempSync(join(tmpdir(), 'sluice-workers-'))
afterAll(() => rmSync(root, { recursive: true }))

/** What a worker has of a venue: its configuration, and none of its keys. */
function writeConfig(file: string, blobs?: string): void {
  const address = '127.0.0.1:7443'
  const listeners = { listen: address, address, enrolListen: address, enrolAddress: address, logListen: address }
  writeFileSync(
    join(root, file),
    toYaml({ venue: 'workers.test', ...listeners, payloadThreads: 1, ...(blobs && { blobs }) }),
  )
}

describe('sluice coordinator worker', () => {
  it('refuses, by name, to start where it would share nothing', async () => {
    writeConfig('alone.yaml')
    const start = (...args: string[]) =>
      runSluice(['coordinator', 'worker', '--directory', root, '--config', 'alone.yaml', ...args])
    const withoutDatabase = await start()
    expect(withoutDatabase).toMatchObject({ code: 1 })
    expect(withoutDatabase.stderr).toMatch(/DATABASE_URL.*\[not-shared\]/)
    const withoutBlobs = await start('--database-url', 'postgres://nobody@127.0.0.1:1/none')
    expect(withoutBlobs).toMatchObject({ code: 1 })
    expect(withoutBlobs.stderr).toMatch(/"blobs".*\[not-shared\]/)
  })
})

if (noPostgresReason) describe('workers', () => void it.skip(noPostgresReason!, () => {}))
else {
  describe('workers over one database and one directory of blobs', () => {
    let database: Awaited<ReturnType<typeof createPostgresDatabase>>
    let store: CoordinatorStore
    let pool: PayloadWorkers
    let parts: SharedFolding
    let client: pg.Client
    const everyProcess: SluiceProcess[] = []

    beforeAll(async () => {
      database = await createPostgresDatabase()
      const directory = join(root, 'blobs')
      writeConfig('coordinator.yaml', pathToFileURL(directory).href)
      store = await openCoordinatorStore({ databaseUrl: database.url })
      pool = await startPayloadWorkers({ threads: 1 })
      const { spool, openings } = storesOver(await openDirectoryBlobStore(directory))
      parts = { store, spool, openings, workers: pool }
      client = new pg.Client({ connectionString: database.url })
      await client.connect()
    })
    afterAll(async () => {
      await Promise.all(everyProcess.map((running) => running.stop()))
      await client.end()
      await Promise.all([store.close(), pool.close()])
      await database.drop()
    })

    async function startWorker(name: string): Promise<SluiceProcess> {
      const worker = new SluiceProcess(name, [
        'coordinator',
        'worker',
        '--directory',
        root,
        '--database-url',
        database.url,
      ])
      everyProcess.push(worker)
      await worker.ready('working')
      return worker
    }

    const seal = (): Promise<SealedPayloads> =>
      sealPayloads((PARTS - 1) * PART_CHUNKS + 5, NAMES, { store, spool: parts.spool, workers: pool })
    const claimed = async (plan: string) => {
      const { rows } = await client.query(
        'SELECT part FROM fold_parts WHERE plan_digest = $1 AND claim_ends > clock_timestamp() AND digest IS NULL',
        [plan],
      )
      return rows.map(({ part }) => part as number)
    }
    const foldedBy = (worker: SluiceProcess, plan: string) =>
      worker.lines.filter((line) => line.event === 'folded' && line.plan === plan).map(({ part }) => part)

    it('add up what is put up, and the coordinator joins it to the same bytes', async () => {
      const { round, sum } = await seal()
      const workers = await Promise.all(['one', 'two'].map(startWorker))
      // A coordinator that is asleep: all is done without it.
      await store.addFoldParts(round.planDigest, PARTS)
      const isDone = async () => (await store.listFoldParts(round.planDigest)).every(({ digest }) => digest)
      for (const end = Date.now() + 30_000; !(await isDone()) && Date.now() < end; ) await sleep(20)
      expect(await foldCiphertexts(round, parts, never)).toBe(sum)
      const byAll = workers.flatMap((worker) => foldedBy(worker, round.planDigest))
      expect(byAll.sort()).toEqual([0, 1, 2, 3])
      await store.setRoundPhase(round.planDigest, 'abandoned', { reason: 'the test is over' })
      await Promise.all(workers.map((worker) => worker.stop()))
      expect(workers.map(({ lines }) => lines.filter(({ event }) => event === 'fault'))).toEqual([[], []])
    }, 120_000)

    it('may be killed in the midst of a part: it is added up by another, and the sum is the same bytes', async () => {
      const { round, sum } = await seal()
      const victim = await startWorker('victim')
      await store.addFoldParts(round.planDigest, PARTS)
      let left: number[] = []
      for (const end = Date.now() + 30_000; left.length === 0 && Date.now() < end; )
        left = await claimed(round.planDigest)
      await victim.kill()
      left = await claimed(round.planDigest)
      // What it held is still its own by the database's clock, and nobody has added it up.
      expect(left).toHaveLength(1)
      const since = performance.now()
      const worker = await startWorker('heir')
      expect(await foldCiphertexts(round, parts, never)).toBe(sum)
      console.log(
        `the sum was whole ${(performance.now() - since).toFixed(0)} ms after the kill; part ${left} was left, ` +
          `the coordinator's worker added up ${foldedBy(worker, round.planDigest)}`,
      )
      await store.setRoundPhase(round.planDigest, 'abandoned', { reason: 'the test is over' })
    }, 120_000)
  })
}
