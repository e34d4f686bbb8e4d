import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { MemoryRegistryStore } from '../support/memory-registry-store.ts'
import { createPostgresDatabase, noPostgresReason } from './postgres-server.ts'
import { describeRegistryRecords } from './registry-records.contract.ts'

describeRegistryRecords('PGlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-registry-'))
  return {
    open: () => openCoordinatorStore({ directory }),
    remove: () => rm(directory, { recursive: true }),
  }
})

describeRegistryRecords('the memory of a test', async () => {
  const store = new MemoryRegistryStore()
  return { open: async () => store, remove: async () => undefined }
})

if (noPostgresReason) {
  describe('The registry’s store on PostgreSQL', () => {
    it.skip(noPostgresReason!, () => {})
  })
} else {
  describeRegistryRecords('PostgreSQL', async () => {
    const { url, drop } = await createPostgresDatabase()
    return { open: () => openCoordinatorStore({ databaseUrl: url }), remove: drop }
  })
}
