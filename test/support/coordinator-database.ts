/**
 * Where a coordinator of the tests keeps its records: the embedded database, or, when the tests have a PostgreSQL server
 * (SLUICE_TEST_POSTGRES_URL), a new database there.
 */
import { join } from 'node:path'
import type { CoordinatorStoreOptions } from '../../src/store/coordinator-store.ts'
import type { Database } from '../../src/store/database.ts'
import { openPgliteDatabase } from '../../src/store/pglite-database.ts'
import { openPostgresDatabase } from '../../src/store/postgres-database.ts'
import { createPostgresDatabase, noPostgresReason } from '../contract/postgres-server.ts'

export interface CoordinatorDatabase {
  /** For `openCoordinatorStore`. */
  readonly options: CoordinatorStoreOptions
  /** Beneath any store; the embedded one while no other process has it. */
  open(): Promise<Database>
  /** Removes what is not in the directory. */
  drop(): Promise<void>
}

/** For one coordinator, whose state is in `directory` otherwise. */
export async function coordinatorDatabase(directory: string): Promise<CoordinatorDatabase> {
  if (noPostgresReason) return embeddedDatabase(directory)
  const { url, drop } = await createPostgresDatabase()
  return { options: { databaseUrl: url }, open: async () => openPostgresDatabase(url), drop }
}

/** Whatever server the tests have. */
export function embeddedDatabase(directory: string): CoordinatorDatabase {
  const place = join(directory, 'database')
  return { options: { directory: place }, open: () => openPgliteDatabase(place), drop: async () => {} }
}

/**
 * For one coordinator in a process of its own, which finds it in its environment: every process that is started from now on, until
 * it is dropped, has it.
 * @param state the venue's state directory
 */
export async function databaseOfProcesses(state: string): Promise<CoordinatorDatabase> {
  const database = await coordinatorDatabase(state)
  const { databaseUrl } = database.options
  if (databaseUrl === undefined) return database
  process.env.DATABASE_URL = databaseUrl
  const drop = async () => {
    delete process.env.DATABASE_URL
    await database.drop()
  }
  return { ...database, drop }
}
