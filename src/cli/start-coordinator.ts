import { enableCompileCache } from 'node:module'
import { resolve } from 'node:path'
import { readDatabaseUrl } from './database-url.ts'
import { foundVenueOnce } from './found-venue.ts'
import { openLog, stopSignal } from './process-life.ts'
import { loadVenueToRun } from './venue-files.ts'
import { SOFTWARE } from './version.ts'

export interface CoordinatorStartOptions {
  readonly directory: string
  /** Which of the venue's coordinators, by its file. */
  readonly config: string
  readonly found?: boolean
  readonly databaseUrl?: string
  readonly logLevel: string
}

/** What `sluice coordinator start` does. @throws what `foundVenueOnce`, `loadVenueToRun` and `runCoordinator` throw */
export async function startCoordinator({ directory, config, found, databaseUrl, logLevel }: CoordinatorStartOptions) {
  const signal = stopSignal()
  const log = openLog('coordinator', logLevel)
  if (found && (await foundVenueOnce(directory))) log.info({ event: 'founded' }, `founded a venue in ${directory}`)
  const venue = await loadVenueToRun(directory, new Date(), { configFile: config })
  // A coordinator that was killed is to be back soon: what it is compiled to is kept with its state.
  enableCompileCache(resolve(directory, venue.config.state, 'compiled'))
  const { runCoordinator } = await import('./coordinator-process.ts')
  await runCoordinator(directory, venue, await readDatabaseUrl(databaseUrl), SOFTWARE, log, signal)
}
