import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPayloadWorkers } from '../crypto/payload-workers.ts'
import { runSimulation, type SimulationProgress } from '../simulate/run-simulation.ts'
import type { SimulationParts } from '../simulate/simulated-venue.ts'
import type { SimulationOptions } from '../simulate/simulation-options.ts'
import { openDirectoryBlobStore } from '../store/directory-blob-store.ts'
import { openMemoryCoordinatorStore } from '../store/memory-coordinator-store.ts'
import { storesOver } from '../store/stores-over.ts'
import { systemClock } from './coordinator-process.ts'
import { simulationText } from './simulation-text.ts'

/** A line of progress, at most so often. */
const PROGRESS_EVERY_MS = 1000

/**
 * Runs a simulation, and prints what it came to.
 * @returns the exit code: 0 when every sum was exact
 * @throws SimulationError, StoreError
 */
export async function simulateHere(options: SimulationOptions, threads: number, json: boolean): Promise<number> {
  await using stack = new AsyncDisposableStack()
  const report = await runSimulation(options, () => openParts(threads, stack), progressWriter())
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : simulationText(report))
  return report.exact ? 0 : 1
}

/**
 * A store in memory: at a thousand holders the embedded one would take over half of the memory that a simulation needs
 * altogether. Ciphertexts lie in a directory that goes when the simulation ends.
 */
async function openParts(threads: number, stack: AsyncDisposableStack): Promise<SimulationParts> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-simulate-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const workers = await startPayloadWorkers({ threads })
  stack.defer(() => workers.close())
  const store = openMemoryCoordinatorStore()
  const { spool, openings } = storesOver(await openDirectoryBlobStore(directory))
  return {
    store,
    spool,
    openings,
    workers,
    clock: systemClock,
    forgetContributions: (planDigest) => store.forgetContributions(planDigest),
  }
}

function progressWriter(): (progress: SimulationProgress) => void {
  let toldAt = performance.now()
  return ({ round, doing, done }) => {
    if (performance.now() - toldAt < PROGRESS_EVERY_MS) return
    toldAt = performance.now()
    process.stderr.write(`round ${round}: ${doing}, ${done} answers\n`)
  }
}
