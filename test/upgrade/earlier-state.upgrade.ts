/** What an earlier version left in the middle of a job (write-fixture.ts) is opened, and gone on with. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { auditLog } from '../../src/cli/audit-log.ts'
import { publicationStatement } from '../../src/protocol/publication.ts'
import { parseStatement } from '../../src/protocol/statement.ts'
import { readMigrations } from '../../src/store/migrations.ts'
import { openPgliteDatabase } from '../../src/store/pglite-database.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'
import { acceptedOf } from '../support/round-fixtures.ts'
import { logKey } from '../support/test-log.ts'

const FIXTURES = join(import.meta.dirname, 'fixtures')

interface About {
  readonly job: string
  readonly rounds: number
  readonly published: number
  readonly holders: readonly string[]
}

function readFixture(version: string) {
  const read = (name: string) => gunzipSync(readFileSync(join(FIXTURES, version, `${name}.gz`)))
  const about = JSON.parse(read('about.json').toString()) as About
  const artifacts = JSON.parse(read('artifacts.json').toString()) as Record<string, string>
  return { about, artifacts, read }
}

/** Puts everything where the coordinator and the holders of the earlier version had it. */
async function restore(directory: string, { about, artifacts, read }: ReturnType<typeof readFixture>): Promise<void> {
  mkdirSync(join(directory, 'artifacts'), { recursive: true })
  for (const [digest, bytes] of Object.entries(artifacts)) {
    writeFileSync(join(directory, 'artifacts', digest), Buffer.from(bytes, 'base64'))
  }
  for (const name of about.holders) {
    mkdirSync(join(directory, name))
    writeFileSync(join(directory, name, 'journal.sqlite'), read(`${name}.sqlite`))
  }
  const database = await openPgliteDatabase(join(directory, 'database'))
  await database.transaction((transaction) => transaction.script(read('database.sql').toString()))
  await database.close()
}

describe.each(readdirSync(FIXTURES))('the state of version %s', (version) => {
  it('opens, its job goes on to the end, and its log is whole and continues what it was', async () => {
    const fixture = readFixture(version)
    const { job, rounds, published, holders } = fixture.about
    const venue = await InProcessVenue.open(undefined, { prepare: (directory) => restore(directory, fixture) })
    try {
      const before = await auditLog(venue.log.source, { log: logKey })
      if (!before.ok) throw new Error(JSON.stringify(before))
      const earlier = await venue.store.listJobOutputs(job)
      const plans = (await venue.store.listRounds(job)).filter(({ phase }) => phase === 'published')
      expect(plans).toHaveLength(published)
      for (const name of holders) {
        expect(venue.journalOf(name).countContributions('heart'), name).toBe(published)
        for (const { planDigest, publication } of plans) {
          expect(venue.journalOf(name).findVerified(planDigest)).toBeDefined()
          expect(acceptedOf(parseStatement(publicationStatement, publication!)).plan).toBe(planDigest)
        }
      }

      const { coordinator, stopped } = venue.startCoordinator()
      for await (const _ of coordinator.watch(job, 0, new AbortController().signal));
      const { record, outputs } = await coordinator.result(job)
      expect(record.state, record.reason).toBe('completed')
      expect(outputs.filter(({ name }) => name === 'model').map((output) => output.version)).toEqual(
        Array.from({ length: rounds + 1 }, (_, i) => i),
      )
      expect(outputs).toEqual(expect.arrayContaining(earlier))
      // Statistics, the training rounds, the evaluation: each question was answered once, by every holder.
      for (const name of holders) expect(venue.journalOf(name).countContributions('heart'), name).toBe(rounds + 2)
      coordinator.stop()
      await stopped

      const after = await auditLog(venue.log.source, { log: logKey, earlier: [before.checkpoint] })
      expect(after).toMatchObject({ ok: true, payloads: { missing: 0 } })
      expect(after.ok && after.checkpoint.size).toBeGreaterThan(before.checkpoint.size)
      expect(venue.faults).toEqual([])
    } finally {
      await venue.close()
    }
  })

  it('has a schema that this version knows every step of', async () => {
    const sql = readFixture(version).read('database.sql').toString()
    const steps = await readMigrations()
    // Steps that were released are never edited.
    const kept = steps.filter((step) => sql.includes(step.sql)).map((step) => step.version)
    const applied = [...sql.matchAll(/"name": ?"[a-z0-9-]+", ?"version": ?(\d+)/g)].map(([, number]) => Number(number))
    expect(applied.length).toBeGreaterThan(0)
    expect(kept).toEqual(expect.arrayContaining(applied))
  })
})
