import { access, constants, statfs } from 'node:fs/promises'
import type { Logger } from 'pino'
import { CoordinatorError } from '../coordinator/coordinator-error.ts'
import type { CoordinatorStore, RoundObserver } from '../coordinator/ports.ts'
import type { TransparencyLog } from '../coordinator/transparency-log.ts'
import { certificateTimes } from '../crypto/certificates.ts'
import { type CoordinatorReadings, coordinatorMetrics } from '../observe/coordinator-metrics.ts'
import type { Observation } from '../observe/observed-process.ts'
import { countingArtifacts, countingWrites } from '../observe/observed-stores.ts'
import { observeRounds } from '../observe/round-observer.ts'
import { StoreError } from '../store/store-error.ts'
import type { BlobStores } from '../store/stores-over.ts'

interface Stores extends BlobStores {
  readonly store: CoordinatorStore
}

export interface CoordinatorObservationParts {
  readonly observation: Observation
  readonly stores: Stores
  readonly stateDirectory: string
  readonly certificatePem: string
  readonly log: Logger
  readonly transparencyLog: TransparencyLog
  readonly connected: () => readonly string[]
  readonly members: () => readonly string[]
}

/** A coordinator's rounds, watched; and its stores as the server is to have them, so that bytes are counted. */
export function observeCoordinator(parts: CoordinatorObservationParts): {
  readonly observer: RoundObserver
  readonly served: Pick<Stores, 'artifacts' | 'spool' | 'openings'> & { readonly openingSent: (bytes: number) => void }
} {
  const { observation, stores, log } = parts
  const metrics = coordinatorMetrics(observation.registry, readingsOf(parts))
  return {
    observer: observeRounds({ traces: observation.traces, metrics, log }),
    served: {
      spool: countingWrites(stores.spool, metrics.received),
      artifacts: countingArtifacts(stores.artifacts, metrics.sent),
      openings: stores.openings,
      openingSent: metrics.sent,
    },
  }
}

function readingsOf({
  stores,
  certificatePem,
  transparencyLog,
  connected,
  members,
}: CoordinatorObservationParts): CoordinatorReadings {
  return {
    connected,
    members,
    unfinishedJobs: async () =>
      (await stores.store.listUnfinishedJobs()).flatMap(({ state }) =>
        state === 'queued' || state === 'running' ? [state] : [],
      ),
    logEntries: () => transparencyLog.checkpoint.size,
    spoolBytes: async () => ({
      contributions: await stores.blobs.bytesUnder('spool'),
      openings: await stores.blobs.bytesUnder('openings'),
    }),
    certificateNotAfter: () => certificateTimes(certificatePem).notAfter,
  }
}

/** Below this a coordinator should get no more work: a round of a large model would not fit. */
const FREE_BYTES_MIN = 64 * 2 ** 20

/** When a coordinator that listens is ready: its store answers, its log takes what waits for it, its disk takes more, its blobs answer. */
export function coordinatorReadiness(
  { stores, stateDirectory, transparencyLog }: CoordinatorObservationParts,
  signal: AbortSignal,
) {
  return {
    running: () => requireRunning(signal),
    store: () => stores.store.listUnfinishedJobs(),
    log: () => transparencyLog.catchUp(),
    disk: () => requireWritable(stateDirectory),
    // A bucket that cannot be reached takes no ciphertext; whether this blob is there does not matter.
    blobs: () => stores.blobs.size('readiness'),
  }
}

function requireRunning({ aborted }: AbortSignal): void {
  if (aborted) throw new CoordinatorError('coordinator-stopping', 'The coordinator is stopping.')
}

async function requireWritable(directory: string): Promise<void> {
  await access(directory, constants.W_OK)
  const { bavail, bsize } = await statfs(directory)
  if (bavail * bsize < FREE_BYTES_MIN) throw new StoreError('disk-full', `The disk of ${directory} is nearly full.`)
}
