import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { describeCoordinatorStore } from './coordinator-store.contract.ts'
import { createPostgresDatabase, noPostgresReason } from './postgres-server.ts'

describeCoordinatorStore('PGlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-store-'))
  return {
    open: () => openCoordinatorStore({ directory }),
    remove: () => rm(directory, { recursive: true }),
  }
})

if (noPostgresReason) {
  describe('CoordinatorStore on PostgreSQL', () => {
    it.skip(noPostgresReason!, () => {})
  })
} else {
  describeCoordinatorStore('PostgreSQL', async () => {
    const { url, drop } = await createPostgresDatabase()
    return { open: () => openCoordinatorStore({ databaseUrl: url }), remove: drop }
  })
}
