import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { describeLogStorage } from '../contract/log-storage.contract.ts'

let place = new MemoryLogStorage()

describeLogStorage(
  'memory',
  async () => place,
  async () => {
    place = new MemoryLogStorage()
  },
)
