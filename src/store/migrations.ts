import { readdir, readFile } from 'node:fs/promises'
import type { Database, Transaction } from './database.ts'
import { databaseError, StoreError } from './store-error.ts'

/** One step of the schema: `migrations/NNNN-name.sql`. A step that has been released is never edited: add another. */
export interface Migration {
  /** Counts from 1, without gaps. */
  readonly version: number
  readonly name: string
  readonly sql: string
}

/** Any number that nothing else on the database locks: the first 4 bytes of SHA-256("sluice migrations"). */
const MIGRATION_LOCK = 120_554_118
const FILE_NAME = /^(\d{4})-([a-z0-9-]+)\.sql$/

/** The migrations of a directory, in order. @throws StoreError `migration-failed` when a number is missing or doubled. */
export async function readMigrations(directory: URL = new URL('./migrations/', import.meta.url)): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => FILE_NAME.test(name)).sort()
  return Promise.all(
    names.map(async (file, i) => {
      const [, number, name] = FILE_NAME.exec(file)!
      if (Number(number) !== i + 1) {
        throw new StoreError('migration-failed', `${file} is not migration ${i + 1}: number the files without gaps.`)
      }
      return { version: i + 1, name, sql: await readFile(new URL(file, directory), 'utf8') }
    }),
  )
}

/**
 * Brings a database to the newest of `migrations`, in one transaction: it has all of them afterwards, or is as before.
 * Processes that start at once take turns (an advisory lock); the later ones find nothing to do.
 *
 * @throws StoreError `database-too-new` when the database has steps that this code does not know; `migration-failed`
 * with the step's name; `database-unreachable`, `disk-full`.
 */
export async function migrate(database: Database, migrations: readonly Migration[]): Promise<void> {
  await database.transaction(async (transaction) => {
    await transaction.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
    await transaction.script(`CREATE TABLE IF NOT EXISTS schema_migrations (
      version integer PRIMARY KEY CHECK (version >= 1),
      name text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`)
    const applied = await transaction.query<{ version: number; name: string }>(
      'SELECT version, name FROM schema_migrations ORDER BY version DESC LIMIT 1',
    )
    const current = applied[0]?.version ?? 0
    if (current > migrations.length) throw tooNew(applied[0], migrations.length)
    for (const migration of migrations.slice(current)) await apply(transaction, migration)
  })
}

async function apply(transaction: Transaction, { version, name, sql }: Migration): Promise<void> {
  try {
    await transaction.script(sql)
    await transaction.query('INSERT INTO schema_migrations (version, name) VALUES ($1, $2)', [version, name])
  } catch (cause) {
    const failure = databaseError(cause, 'The database')
    if (failure.code === 'database-unreachable' || failure.code === 'disk-full') throw failure
    throw new StoreError(
      'migration-failed',
      `Migration ${version} (${name}) failed; the database is as before. Its user needs the right to create tables in its schema. ${failure.message}`,
      { cause },
    )
  }
}

function tooNew({ version, name }: { version: number; name: string }, known: number): StoreError {
  return new StoreError(
    'database-too-new',
    `The database has schema version ${version} (${name}); this release knows up to ${known}. Start the newer release that migrated it, or restore a copy from before.`,
  )
}
