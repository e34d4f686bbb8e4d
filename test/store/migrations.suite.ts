import { afterAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrations.ts'

const first = { version: 1, name: 'first', sql: 'CREATE TABLE one (n integer); INSERT INTO one VALUES (1);' }
const second = { version: 2, name: 'second', sql: 'ALTER TABLE one ADD m integer; UPDATE one SET m = n + 1;' }
const broken = { version: 2, name: 'add-two', sql: 'CREATE TABLE two (n integer); INSERT INTO three VALUES (1);' }

/** Migrations of a database that is empty, and is so again afterwards. */
export function describeMigrations(database: () => Database): void {
  describe('Migrating', () => {
    afterAll(() => database().query('DROP TABLE schema_migrations, one'))

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
}
