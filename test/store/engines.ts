import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Database } from '../../src/store/database.ts'
import { openPgliteDatabase } from '../../src/store/pglite-database.ts'
import { openPostgresDatabase } from '../../src/store/postgres-database.ts'
import { createPostgresDatabase, noPostgresReason } from '../contract/postgres-server.ts'

/** Runs `suite` on an empty database of each engine: PGlite always, PostgreSQL when the tests have a server. */
export function describeOnEachEngine(subject: string, suite: (database: () => Database) => void): void {
  describeOn(`${subject} on PGlite`, suite, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-database-'))
    return { database: await openPgliteDatabase(directory), remove: () => rm(directory, { recursive: true }) }
  })
  if (noPostgresReason) {
    describe(`${subject} on PostgreSQL`, () => {
      it.skip(noPostgresReason!, () => {})
    })
    return
  }
  describeOn(`${subject} on PostgreSQL`, suite, async () => {
    const { url, drop } = await createPostgresDatabase()
    return { database: openPostgresDatabase(url), remove: drop }
  })
}

interface OpenedEngine {
  readonly database: Database
  remove(): Promise<void>
}

function describeOn(title: string, suite: (database: () => Database) => void, open: () => Promise<OpenedEngine>): void {
  describe(title, () => {
    let engine: OpenedEngine
    beforeAll(async () => {
      engine = await open()
    })
    afterAll(async () => {
      await engine.database.close()
      await engine.remove()
    })
    suite(() => engine.database)
  })
}
