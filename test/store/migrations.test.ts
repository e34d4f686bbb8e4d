import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { readMigrations } from '../../src/store/migrations.ts'
import { someStatement } from '../contract/coordinator-fixtures.ts'
import { createPostgresDatabase, noPostgresReason } from '../contract/postgres-server.ts'

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
    // Each batch shares a statement with the one before it, which is being appended elsewhere at the same moment.
    const shared = Array.from({ length: 61 }, () => someStatement())
    const appends = Array.from({ length: 60 }, (_, i) =>
      stores[i % 3].appendStatements([shared[i], someStatement(), shared[i + 1]]),
    )
    const positions = await Promise.all(appends)
    expect([...new Set(positions.flat())].sort((a, b) => a - b)).toEqual(Array.from({ length: 121 }, (_, i) => i))
    for (let i = 1; i < 60; i++) expect(positions[i][0]).toBe(positions[i - 1][2])
    expect(await stores[0].appendStatements(shared)).toEqual([...positions.map(([first]) => first), positions[59][2]])
    await Promise.all(stores.map((store) => store.close()))
    await drop()
  })
})
