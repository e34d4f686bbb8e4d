import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CoordinatorStoreOptions } from './coordinator-store.ts'
import type { Database } from './database.ts'
import { readMigrations } from './migrations.ts'
import { openPgliteDatabase } from './pglite-database.ts'
import { openPostgresDatabase } from './postgres-database.ts'

/** A database as it was found; nothing in it was changed. */
export interface DatabaseInspection {
  /** Steps of the schema that it has. */
  readonly applied: number
  /** Steps that this release knows. */
  readonly known: number
  /** The database's clock. */
  readonly now: Date
}

/**
 * Looks at the coordinator's database without migrating it.
 * @returns undefined for an embedded one that was not made yet
 * @throws StoreError `directory-in-use` for an embedded one whose coordinator runs, `database-unreachable`, `bad-database-url`, …
 */
export async function inspectDatabase({
  databaseUrl,
  directory,
}: CoordinatorStoreOptions): Promise<DatabaseInspection | undefined> {
  if (!databaseUrl && !existsSync(join(directory!, 'database'))) return undefined
  const database = databaseUrl ? openPostgresDatabase(databaseUrl) : await openPgliteDatabase(directory!)
  try {
    return { ...(await readState(database)), known: (await readMigrations()).length }
  } finally {
    await database.close()
  }
}

async function readState(database: Database): Promise<Pick<DatabaseInspection, 'applied' | 'now'>> {
  const [{ now, migrated }] = await database.query<{ now: Date; migrated: string | null }>(
    `SELECT now() AS now, to_regclass('schema_migrations')::text AS migrated`,
  )
  if (migrated === null) return { applied: 0, now }
  const [{ applied }] = await database.query<{ applied: number | null }>(
    'SELECT max(version) AS applied FROM schema_migrations',
  )
  return { applied: applied ?? 0, now }
}
