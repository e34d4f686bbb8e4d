import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { migrate, readMigrations } from '../../src/store/migrations.ts'
import { someStatement } from '../contract/coordinator-fixtures.ts'
import { createPostgresDatabase, noPostgresReason } from '../contract/postgres-server.ts'
import { describeOnEachEngine } from './engines.ts'

const first = { version: 1, name: 'first', sql: 'CREATE TABLE one (n integer); INSERT INTO one VALUES (1);' }
const second = { version: 2, name: 'second', sql: 'ALTER TABLE one ADD m integer; UPDATE one SET m = n + 1;' }
const broken = { version: 2, name: 'add-two', sql: 'CREATE TABLE two (n integer); INSERT INTO three VALUES (1);' }

describeOnEachEngine('Migrating', (database) => {
  const versions = async () =>
    (await database().query<{ version: number }>('SELECT version FROM schema_migrations ORDER BY version')).map(
      ({ version }) => version,
    )

  it('applies each step once, in order, however often and however many start at once', async () => {
    await Promise.all([migrate(database(), [first]), migrate(database(), [first]), migrate(database(), [first])])
    await migrate(database(), [first])
    expect(await database().query('SELECT n FROM one')).toEqual([{ n: 1 }])
    expect(await versions()).toEqual([1])
  })

  it('names the step that fails, and leaves the database as it was', async () => {
    await expect(migrate(database(), [first, broken])).rejects.toMatchObject({
      code: 'migration-failed',
      message: expect.stringMatching(/Migration 2 \(add-two\).*three/),
    })
    expect(await versions()).toEqual([1])
    await expect(database().query('SELECT * FROM two')).rejects.toMatchObject({ code: 'database-failed' })
    await migrate(database(), [first, second])
    expect(await database().query('SELECT n, m FROM one')).toEqual([{ n: 1, m: 2 }])
  })

  it('refuses a database that a newer release has migrated, by its version and name', async () => {
    await expect(migrate(database(), [first])).rejects.toMatchObject({
      code: 'database-too-new',
      message: expect.stringMatching(/version 2 \(second\).*up to 1/),
    })
    expect(await versions()).toEqual([1, 2])
  })
})

describe('Reading migrations', () => {
  it('refuses a directory with a gap between the numbers', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-migrations-'))
    await writeFile(join(directory, '0001-first.sql'), '')
    await writeFile(join(directory, '0003-third.sql'), '')
    await expect(readMigrations(pathToFileURL(`${directory}/`))).rejects.toMatchObject({
      code: 'migration-failed',
      message: expect.stringContaining('0003-third.sql'),
    })
    await rm(directory, { recursive: true })
  })
})

describe('Two coordinators on one PostgreSQL database', () => {
  it.skipIf(noPostgresReason)(noPostgresReason ?? 'start at once and share one journal without gaps', async () => {
    const { url, drop } = await createPostgresDatabase()
    const stores = await Promise.all([0, 1, 2].map(() => openCoordinatorStore({ databaseUrl: url })))
    const appends = Array.from({ length: 60 }, (_, i) => stores[i % 3].appendStatement(someStatement()))
    const positions = await Promise.all(appends)
    expect(positions.sort((a, b) => a - b)).toEqual(appends.map((_, i) => i))
    await Promise.all(stores.map((store) => store.close()))
    await drop()
  })
})
