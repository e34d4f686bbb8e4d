import type { CoordinatorStore } from '../coordinator/ports.ts'
import type { Database } from './database.ts'
import { foldRecords } from './fold-records.ts'
import { jobEventRecords } from './job-event-records.ts'
import { jobQueueRecords } from './job-queue-records.ts'
import { jobRecords } from './job-records.ts'
import { databaseLogStorage } from './log-storage.ts'
import { migrate, readMigrations } from './migrations.ts'
import { openPgliteDatabase } from './pglite-database.ts'
import { openPostgresDatabase } from './postgres-database.ts'
import { registryRecords } from './registry-records.ts'
import { roundRecords } from './round-records.ts'
import { statementJournal } from './statement-journal.ts'
import { StoreError } from './store-error.ts'

export interface CoordinatorStoreOptions {
  /** A PostgreSQL server, `postgres://user:password@host:port/database`; goes before `directory`. */
  readonly databaseUrl?: string
  /** Of the embedded database, when there is no server; made when absent, one process at a time. */
  readonly directory?: string
}

/**
 * Opens the coordinator's durable state and brings its schema up to date. What a resolved write survives depends on the
 * engine: see `openPostgresDatabase` and `openPgliteDatabase`. Several coordinators may share a PostgreSQL server, also
 * starting at once; a directory belongs to one.
 *
 * @throws StoreError `bad-database-url`, `database-unreachable`, `database-too-new`, `migration-failed`; with a directory
 * `directory-in-use`, `directory-unusable`, `corrupt`, `disk-full`.
 */
export async function openCoordinatorStore(options: CoordinatorStoreOptions): Promise<CoordinatorStore> {
  const database = await openDatabase(options)
  try {
    await migrate(database, await readMigrations())
    return coordinatorStoreOver(database)
  } catch (error) {
    await database.close()
    throw error
  }
}

async function openDatabase({ databaseUrl, directory }: CoordinatorStoreOptions): Promise<Database> {
  if (databaseUrl) return openPostgresDatabase(databaseUrl)
  if (directory) return openPgliteDatabase(directory)
  throw new StoreError('directory-unusable', 'There is no place to keep state: give a directory, or set DATABASE_URL.')
}

/** The store over a database whose schema is up to date; the store closes it. */
export function coordinatorStoreOver(database: Database): CoordinatorStore {
  return {
    ...statementJournal(database),
    ...jobRecords(database),
    ...jobQueueRecords(database),
    ...jobEventRecords(database),
    ...roundRecords(database),
    ...foldRecords(database),
    ...registryRecords(database),
    log: databaseLogStorage(database),
    close: () => database.close(),
  }
}
