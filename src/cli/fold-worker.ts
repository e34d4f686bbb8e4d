import { resolve } from 'node:path'
import { helpToFold } from '../coordinator/fold-claims.ts'
import { startPayloadWorkers } from '../crypto/payload-workers.ts'
import { openCoordinatorStore } from '../store/coordinator-store.ts'
import { openBlobStore } from '../store/open-blob-store.ts'
import { patientStore } from '../store/patient-store.ts'
import { storesOver } from '../store/stores-over.ts'
import { CliError } from './cli-error.ts'
import { readDatabaseUrl } from './database-url.ts'
import { openLog, stopSignal, tellOfDatabase } from './process-life.ts'
import { type CoordinatorConfig, readCoordinatorConfig } from './venue-files.ts'

export interface FoldWorkerOptions {
  readonly directory: string
  readonly config: string
  readonly databaseUrl?: string
  readonly logLevel: string
}

/**
 * What `sluice coordinator worker` does: adds ciphertexts up for the coordinators of a venue until it is stopped. Of the venue's
 * directory it reads the configuration alone, no key; nobody connects to it.
 * @throws CliError `not-shared` when it would be alone with its state; what reading the configuration and opening the stores throw
 */
export async function runFoldWorker({ directory, config: configFile, databaseUrl, logLevel }: FoldWorkerOptions) {
  const signal = stopSignal()
  const log = openLog('worker', logLevel)
  const { config } = await readCoordinatorConfig(directory, { configFile })
  const shared = requireShared(config, await readDatabaseUrl(databaseUrl))
  await using stack = new AsyncDisposableStack()
  const workers = stack.adopt(await startPayloadWorkers({ threads: config.payloadThreads }), (open) => open.close())
  const { spool, openings } = storesOver(await openBlobStore(shared.blobs, resolve(directory, config.state)))
  const opened = stack.adopt(await openCoordinatorStore({ databaseUrl: shared.databaseUrl }), (open) => open.close())
  const store = patientStore(opened, { signal, onChange: (error) => tellOfDatabase(log, error) })
  log.info({ event: 'working', venue: config.venue, threads: workers.threads }, 'waiting for parts of sums')
  const listener = {
    onFolded: ({ planDigest, part }: { planDigest: string; part: number }) =>
      log.info({ event: 'folded', plan: planDigest, part }, 'a part of a sum was added up'),
    onFault: (error: unknown) => log.error({ event: 'fault', err: error }, 'a part of a sum could not be added up'),
  }
  await helpToFold({ store, spool, openings, workers }, listener, signal)
}

/** A worker shares everything with coordinators: with a database or blobs of its own it would wait for ever. */
function requireShared({ blobs }: CoordinatorConfig, databaseUrl: string | undefined) {
  if (databaseUrl !== undefined && blobs !== undefined) return { databaseUrl, blobs }
  throw new CliError(
    'not-shared',
    databaseUrl === undefined
      ? 'A worker needs the PostgreSQL database of its coordinators: set DATABASE_URL, or give --database-url.'
      : 'A worker needs the blobs of its coordinators: set the same "blobs" in the configuration of all of them.',
  )
}
