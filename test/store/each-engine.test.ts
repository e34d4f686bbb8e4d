import { beforeAll, describe } from 'vitest'
import { databaseLogStorage } from '../../src/store/log-storage.ts'
import { migrate, readMigrations } from '../../src/store/migrations.ts'
import { describeLogStorage } from '../contract/log-storage.contract.ts'
import { describeOnEachEngine } from './engines.ts'
import { describeFailedWrites } from './failed-writes.suite.ts'
import { describeInterruptedLog } from './log-interrupted.suite.ts'
import { describeMigrations } from './migrations.suite.ts'
import { describeSchema } from './schema.suite.ts'

/** What no one but the database's owner can do: the triggers that guard the log are off meanwhile. */
const emptyLog = ['log_commit', 'log_tiles', 'log_positions', 'log_checkpoint']
  .map(
    (table) =>
      `ALTER TABLE ${table} DISABLE TRIGGER USER; TRUNCATE ${table}; ALTER TABLE ${table} ENABLE TRIGGER USER;`,
  )
  .join('\n')

// One database for all suites: making one takes seconds.
describeOnEachEngine('Storage', (database) => {
  describeMigrations(database)
  describe('once migrated', () => {
    beforeAll(async () => migrate(database(), await readMigrations()))
    describeSchema(database)
    describeFailedWrites(database)
    const reset = () => database().transaction((transaction) => transaction.script(emptyLog))
    describeLogStorage('the database', async () => databaseLogStorage(database()), reset)
    describeInterruptedLog(database, reset)
  })
})
