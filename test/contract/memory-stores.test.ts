import { MemoryPlace, openMemoryCoordinatorStore } from '../../src/store/memory-coordinator-store.ts'
import { describeCoordinatorStore } from './coordinator-store.contract.ts'
import { describeFoldStore } from './fold-store.contract.ts'
import { describeJobQueue } from './job-queue.contract.ts'
import { describeRegistryRecords } from './registry-records.contract.ts'

async function makePlace() {
  const place = new MemoryPlace()
  return { open: async () => openMemoryCoordinatorStore(place), remove: async () => undefined }
}

describeCoordinatorStore('memory', makePlace)
describeJobQueue('memory', makePlace)
describeRegistryRecords('memory', makePlace)
describeFoldStore('memory', makePlace)
