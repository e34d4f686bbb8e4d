import { beforeAll, describe, expect, it } from 'vitest'
import type { CoordinatorStore } from '../../src/coordinator/ports.ts'
import type { CoordinatorRound } from '../../src/protocol/coordinator-round.ts'
import { coordinatorStoreOver } from '../../src/store/coordinator-store.ts'
import type { Database } from '../../src/store/database.ts'
import { databaseLogStorage } from '../../src/store/log-storage.ts'
import {
  someAbandonment,
  someCandidates,
  someContribution,
  someDigest,
  someJob,
  someManifest,
  someRound,
  someStatement,
} from '../contract/coordinator-fixtures.ts'

/** What the schema refuses on its own, whatever the code above it does. `database` is migrated, and otherwise empty. */
export function describeSchema(database: () => Database): void {
  describe('The schema of the log', () => {
    it.each([
      'DELETE FROM log_commit',
      'DELETE FROM log_checkpoint',
      'TRUNCATE log_checkpoint',
      'UPDATE log_checkpoint SET size = size - 1',
      "UPDATE log_tiles SET bytes = ''",
      'TRUNCATE log_tiles',
      'DELETE FROM log_tiles WHERE width = 256',
      'DELETE FROM log_positions',
      'UPDATE log_positions SET position = position + 1',
    ])('refuses to rewrite the transparency log: %s', async (sql) => {
      const log = databaseLogStorage(database())
      await log.compareAndSwap(undefined, new Uint8Array([1]))
      await log.writeCommitted({
        tiles: [{ path: 'tile/0/000', bytes: new Uint8Array(8192) }],
        leaves: [{ leafHash: '0'.repeat(64), position: 0 }],
        size: 256,
        note: 'note',
      })
      await expect(database().query(sql)).rejects.toMatchObject({ message: expect.stringContaining('append-only') })
    })
  })

  describe('A slow writer of the log', () => {
    it('cannot add to a partial tile that another one has discarded, which would give half a tile', async () => {
      const [slow, fast] = [databaseLogStorage(database()), databaseLogStorage(database())]
      const tile = (width: number) => ({
        path: `tile/0/900${width < 256 ? `.p/${width}` : ''}`,
        bytes: new Uint8Array(width * 32).fill(7),
      })
      const commit = (width: number) => ({ tiles: [tile(width)], leaves: [], size: 256, note: `note at ${width}` })
      await slow.writeCommitted(commit(2))
      await fast.writeCommitted(commit(256))
      await fast.discardPartialTiles([tile(256).path])
      const leaves = [{ leafHash: someDigest(), position: 9_000 }]
      await expect(slow.writeCommitted({ ...commit(3), leaves })).rejects.toMatchObject({ code: 'not-found' })
      expect(await fast.readTile(tile(3).path)).toBeUndefined()
      // Nor is anything else of that commit there: it is one write.
      expect(await fast.findPositions([leaves[0].leafHash])).toEqual([undefined])
      expect(await fast.readCheckpoint()).toBe('note at 256')
      expect(await fast.readTile(tile(256).path)).toHaveLength(8192)
    })
  })

  describe('The schema', () => {
    let store: CoordinatorStore
    beforeAll(async () => {
      store = coordinatorStoreOver(database())
      const { job, envelope } = someJob()
      await store.appendStatements([someStatement()])
      await store.addJob(job, envelope, new Date())
      await store.addJobOutput(job, { name: 'model', version: 0, digest: someDigest() })
      await store.appendJobEvent(job, new Date(), { kind: 'job-state', state: 'queued' })
      const round = someRound(job)
      await store.addRound(round)
      await store.addContribution(round.planDigest, 'zurich', someContribution(round, 'zurich'))
      await store.setRoundPhase(round.planDigest, 'checking', { candidates: someCandidates(round) })
      await store.setRoundPhase(round.planDigest, 'sealed', { manifest: someManifest(round) })
    })

    const count = async (table: string) =>
      Number((await database().query<{ n: number | string }>(`SELECT count(*) AS n FROM ${table}`))[0].n)

    it.each([
      'UPDATE statements SET position = position + 1',
      'DELETE FROM statements',
      'TRUNCATE statements',
      'UPDATE contributions SET holder = holder',
      'DELETE FROM contributions',
      'UPDATE job_events SET sequence = sequence + 1',
      'DELETE FROM job_events',
      'UPDATE job_outputs SET version = version + 1',
      'DELETE FROM job_outputs',
      'DELETE FROM rounds',
      'TRUNCATE rounds CASCADE',
    ])('refuses to rewrite history: %s', async (sql) => {
      await expect(database().query(sql)).rejects.toMatchObject({ message: expect.stringContaining('append-only') })
      for (const table of ['statements', 'contributions', 'job_events', 'job_outputs', 'rounds']) {
        expect(await count(table)).toBe(1)
      }
    })

    it.each([
      `UPDATE rounds SET manifest_digest = '${'0'.repeat(64)}'`,
      'UPDATE rounds SET manifest_digest = NULL, manifest = NULL',
      `UPDATE rounds SET manifest = '{"payload": "b3RoZXI="}'`,
      `UPDATE rounds SET candidates = '{"payload": "b3RoZXI="}'`,
      'UPDATE rounds SET candidates = NULL',
      "UPDATE rounds SET phase = 'collecting'",
      "UPDATE rounds SET phase = 'checking'",
      "UPDATE rounds SET plan_envelope = '{}'",
      'UPDATE rounds SET round = 2',
    ])('refuses to rewrite a sealed round: %s', async (sql) => {
      await expect(database().query(sql)).rejects.toMatchObject({ message: expect.stringContaining('is final') })
    })

    it('refuses to rewrite a publication, an abandonment, or the phase of a round that has one', async () => {
      const { job, envelope } = someJob()
      await store.addJob(job, envelope, new Date())
      const [published, abandoned] = [someRound(job, 1), someRound(job, 2)]
      for (const round of [published, abandoned]) await store.addRound(round)
      const options = { candidates: someCandidates(published), manifest: someManifest(published) }
      for (const phase of ['checking', 'sealed', 'certified', 'opened'] as const) {
        await store.setRoundPhase(published.planDigest, phase, options)
      }
      const output = { name: 'model', version: 0, digest: someDigest() }
      const event = { kind: 'job-state', state: 'queued' } as const
      await store.publishRound(published.planDigest, someStatement(), output, new Date(), event)
      await store.setRoundPhase(abandoned.planDigest, 'abandoned')
      await store.setAbandonment(abandoned.planDigest, someAbandonment(abandoned))
      const update = (round: CoordinatorRound, what: string) =>
        database().query(`UPDATE rounds SET ${what} WHERE plan_digest = $1`, [round.planDigest])
      for (const [round, what] of [
        [published, 'publication = NULL'],
        [published, `publication = '{"payload": "b3RoZXI="}'`],
        [published, "phase = 'abandoned'"],
        [abandoned, 'abandonment = NULL'],
        [abandoned, `abandonment = '{"payload": "b3RoZXI="}'`],
        [abandoned, "phase = 'collecting'"],
      ] as const) {
        await expect(update(round, what), what).rejects.toMatchObject({ message: expect.stringContaining('is final') })
      }
    })

    it.each([
      `INSERT INTO statements (position, digest, envelope) VALUES (-1, '${someDigest()}', '{}')`,
      `INSERT INTO statements (position, digest, envelope) VALUES (9, 'ABC', '{}')`,
      `INSERT INTO statements (position, digest, envelope) VALUES (9, '${someDigest()}', 'no json')`,
      `INSERT INTO journal_head (only_row, next_position) VALUES (false, 0)`,
      "UPDATE jobs SET state = 'paused'",
      "UPDATE jobs SET state = 'running', started_at = NULL",
      "UPDATE jobs SET state = 'completed', ended_at = NULL",
      "UPDATE rounds SET phase = 'closed'",
      "UPDATE rounds SET abandonment = '{}' WHERE phase = 'sealed'",
    ])('refuses what has no meaning: %s', async (sql) => {
      await expect(database().query(sql)).rejects.toMatchObject({ code: 'invalid-value' })
    })

    it('reports an envelope that is none any more', async () => {
      await database().query(`INSERT INTO jobs (job, envelope, submitted_at) VALUES ($1, '{"payload": 1}', now())`, [
        someDigest(),
      ])
      await expect(store.listJobs(10)).rejects.toMatchObject({ code: 'corrupt' })
    })
  })
}
