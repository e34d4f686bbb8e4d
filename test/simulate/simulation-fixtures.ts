import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/cli/coordinator-process.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { type PayloadWorkers, startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import type { SimulationParts } from '../../src/simulate/simulated-venue.ts'
import type { SimulationOptions } from '../../src/simulate/simulation-options.ts'
import { openDirectoryBlobStore } from '../../src/store/directory-blob-store.ts'
import { openMemoryCoordinatorStore } from '../../src/store/memory-coordinator-store.ts'
import { storesOver } from '../../src/store/stores-over.ts'

/** A small federation; everything may be overridden. */
export function someOptions(changes: Partial<SimulationOptions> = {}): SimulationOptions {
  return {
    holders: 20,
    weights: 500,
    rounds: 1,
    precisionBits: 16,
    minContributors: 3,
    dropOuts: 0,
    verifiers: 20,
    seed: digestOf(Buffer.from('simulation')),
    clear: false,
    ...changes,
  }
}

/** What the simulations of one file run on: threads and a directory are theirs together, the store is each one's own. */
export async function openPlace() {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-simulation-'))
  const workers = await startPayloadWorkers({ threads: 1 })
  const { spool, openings } = storesOver(await openDirectoryBlobStore(directory))
  return {
    openParts: (changes: Partial<SimulationParts> = {}) => ({
      store: openMemoryCoordinatorStore(),
      spool,
      openings,
      workers,
      clock: systemClock,
      ...changes,
    }),
    close: async () => {
      await workers.close()
      await rm(directory, { recursive: true })
    },
  }
}

/** Threads that protect one value of the first vector, and no other, as another value than was drawn. */
export function protectingWrongly(workers: PayloadWorkers): PayloadWorkers {
  let isFirst = true
  return {
    ...workers,
    beginProtection: (request) => {
      const vector = workers.beginProtection(request)
      if (!isFirst) return vector
      isFirst = false
      return { ...vector, protect: (values) => vector.protect(values.map((value, i) => (i === 7 ? value ^ 1 : value))) }
    },
  }
}
