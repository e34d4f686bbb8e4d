import { runCoordinator } from './coordinator-process.ts'
import { readDatabaseUrl } from './database-url.ts'
import { foundVenueOnce } from './found-venue.ts'
import { openLog, stopSignal } from './process-life.ts'
import { loadVenueToRun } from './venue-files.ts'
import { SOFTWARE } from './version.ts'

export interface CoordinatorStartOptions {
  readonly directory: string
  readonly found?: boolean
  readonly databaseUrl?: string
  readonly logLevel: string
}

/** What `sluice coordinator start` does. @throws what `foundVenueOnce`, `loadVenueToRun` and `runCoordinator` throw */
export async function startCoordinator({ directory, found, databaseUrl, logLevel }: CoordinatorStartOptions) {
  const signal = stopSignal()
  const log = openLog('coordinator', logLevel)
  if (found && (await foundVenueOnce(directory))) log.info({ event: 'founded' }, `founded a venue in ${directory}`)
  const url = await readDatabaseUrl(databaseUrl)
  await runCoordinator(directory, await loadVenueToRun(directory, new Date()), url, SOFTWARE, log, signal)
}
