import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { coordinatorStoreOver } from '../../src/store/coordinator-store.ts'
import type { Database } from '../../src/store/database.ts'
import { migrate, readMigrations } from '../../src/store/migrations.ts'
import { openPgliteDatabase } from '../../src/store/pglite-database.ts'
import { someDigest, someStatement } from '../contract/coordinator-fixtures.ts'

/** What the schema refuses on its own, whatever the code above it does. */
describe('The registry’s schema', () => {
  let directory: string
  let database: Database
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sluice-registry-schema-'))
    database = await openPgliteDatabase(directory)
    await migrate(database, await readMigrations())
    const store = coordinatorStoreOver(database)
    const [request, statement] = [someStatement(), someStatement()]
    await store.addRegistryRequest(request, new Date())
    await store.addRegistrySignature(statementDigest(request), request.signatures[0])
    await store.proposeRegistryStatement(1, statementDigest(request), statement)
    await store.enterRegistryStatement(1, statement)
  })
  afterAll(async () => {
    await database.close()
    await rm(directory, { recursive: true })
  })

  it.each([
    'DELETE FROM registry_statements',
    'TRUNCATE registry_statements',
    'DELETE FROM registry_requests',
    'DELETE FROM registry_signatures',
    "UPDATE registry_signatures SET sig = ''",
  ])('refuses to rewrite history: %s', async (sql) => {
    await expect(database.query(sql)).rejects.toMatchObject({ message: expect.stringContaining('append-only') })
  })

  it.each([
    'UPDATE registry_statements SET entered = false',
    `UPDATE registry_statements SET digest = '${'0'.repeat(64)}'`,
    `UPDATE registry_statements SET envelope = '{"payload": "b3RoZXI="}'`,
  ])('refuses to rewrite an entered statement: %s', async (sql) => {
    await expect(database.query(sql)).rejects.toMatchObject({ message: expect.stringContaining('is final') })
  })

  it.each(["UPDATE registry_requests SET state = 'pending'", "UPDATE registry_requests SET envelope = '{}'"])(
    'refuses to change a settled request: %s',
    async (sql) => {
      await expect(database.query(sql)).rejects.toMatchObject({ message: expect.stringContaining('is settled') })
    },
  )

  it('refuses a second proposed statement', async () => {
    const [{ digest }] = await database.query<{ digest: string }>('SELECT digest FROM registry_requests')
    const insert = (sequence: number) =>
      database.query(
        "INSERT INTO registry_statements (sequence, digest, request, envelope) VALUES ($1, $2, $3, '{}')",
        [sequence, someDigest(), digest],
      )
    await insert(2)
    await expect(insert(3)).rejects.toMatchObject({ code: 'conflict' })
  })
})
