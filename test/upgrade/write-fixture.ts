/**
 * Writes what this version of Sluice leaves behind in the middle of a job, for later versions to open: the database as SQL, the
 * journals of the holders, the artifacts. To be run once for a release, in a checkout of it, with this file copied there if it is
 * older:
 *
 *     node test/upgrade/write-fixture.ts <directory>
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { gzipSync } from 'node:zlib'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { readMigrations } from '../../src/store/migrations.ts'
import { openPgliteDatabase } from '../../src/store/pglite-database.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'

/** As migrations.ts makes it. */
const SCHEMA_MIGRATIONS = `CREATE TABLE schema_migrations (
  version integer PRIMARY KEY CHECK (version >= 1), name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`

/** Rounds of the job, and how many of them are published when the coordinator ends. */
const ROUNDS = 5
const PUBLISHED = 3

const [out] = process.argv.slice(2)
mkdirSync(out, { recursive: true })
const venue = await InProcessVenue.open()
const names = [...venue.agents.keys()]
const { coordinator, stopped } = venue.startCoordinator()
const job = await coordinator.submit(heartJob('logistic', 'ab'.repeat(32), ROUNDS), 'ada')
let published = 0
for await (const { event } of coordinator.watch(job, 0, new AbortController().signal)) {
  // The round that comes next is planned, and reaches nobody.
  if (event.kind === 'round-published' && ++published === PUBLISHED) {
    for (const name of names) {
      venue.interferences.set(name, (request, answer) =>
        request.kind === 'contribute' ? new Promise(() => {}) : answer(),
      )
    }
  }
  if (event.kind === 'round-planned' && event.round > PUBLISHED) break
}
// What is under way after a publication ends: the holders verify its sum.
await new Promise((resolve) => setTimeout(resolve, 3000))
coordinator.stop()
await stopped
const artifacts = readdirSync(join(venue.directory, 'artifacts'), { withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ name }) => [name, readFileSync(join(venue.directory, 'artifacts', name)).toString('base64')])
write('artifacts.json', JSON.stringify(Object.fromEntries(artifacts)))
await venue.store.close()
write('database.sql', await dumpDatabase(join(venue.directory, 'database')))
for (const name of names) write(`${name}.sqlite`, readJournal(name))
write('about.json', JSON.stringify({ job, rounds: ROUNDS, published: PUBLISHED, holders: names }))
process.exit(0)

function write(name: string, content: string | Uint8Array): void {
  writeFileSync(join(out, `${name}.gz`), gzipSync(content, { level: 9 }))
}

/** A journal as one file: what is in its write-ahead log is put into a copy. */
function readJournal(name: string): Uint8Array {
  const copy = join(venue.directory, `${name}.copy`)
  for (const end of ['', '-wal']) copyFileSync(join(venue.directory, name, `journal.sqlite${end}`), `${copy}${end}`)
  const journal = new DatabaseSync(copy)
  journal.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  journal.close()
  return readFileSync(copy)
}

/** Schema by the migrations of this version, rows as JSON. Triggers and references are off while they are put in. */
async function dumpDatabase(directory: string): Promise<string> {
  const database = await openPgliteDatabase(directory)
  const tables = await database.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1`,
  )
  const lines = [
    SCHEMA_MIGRATIONS,
    ...(await readMigrations()).map(({ sql }) => sql),
    'SET session_replication_role = replica',
  ]
  for (const { name } of tables) {
    const [{ rows }] = await database.query<{ rows: unknown }>(
      `SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') AS rows FROM ${name} AS t`,
    )
    const text = JSON.stringify(rows).replaceAll("'", "''")
    lines.push(`DELETE FROM ${name}`)
    lines.push(
      `INSERT INTO ${name} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_recordset(NULL::${name}, '${text}')`,
    )
    const identities = await database.query<{ column: string }>(
      `SELECT column_name AS column FROM information_schema.columns WHERE table_name = $1 AND is_identity = 'YES'`,
      [name],
    )
    for (const { column } of identities) {
      lines.push(
        `SELECT setval(pg_get_serial_sequence('${name}', '${column}'), coalesce(max(${column}), 0) + 1, false) FROM ${name}`,
      )
    }
  }
  lines.push('SET session_replication_role = DEFAULT')
  await database.close()
  return `${lines.join(';\n')};\n`
}
