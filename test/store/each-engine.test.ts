import { beforeAll, describe } from 'vitest'
import { migrate, readMigrations } from '../../src/store/migrations.ts'
import { describeOnEachEngine } from './engines.ts'
import { describeFailedWrites } from './failed-writes.suite.ts'
import { describeMigrations } from './migrations.suite.ts'
import { describeSchema } from './schema.suite.ts'

// One database for the three suites: making one takes seconds.
describeOnEachEngine('Storage', (database) => {
  describeMigrations(database)
  describe('once migrated', () => {
    beforeAll(async () => migrate(database(), await readMigrations()))
    describeSchema(database)
    describeFailedWrites(database)
  })
})
