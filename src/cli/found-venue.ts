import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment, overlayEnvironment, variableOf } from '../configuration/environment.ts'
import { CliError } from './cli-error.ts'
import { coordinatorConfigSchema, createVenue, type VenueOptions } from './venue-files.ts'

/**
 * Founds the venue that the environment describes, where there is none: `SLUICE_VENUE` and `SLUICE_LISTEN` at least.
 * @returns whether one was founded; a directory that has one is left as it is
 * @throws CliError `usage` when the environment does not describe one, and as `createVenue`; ConfigurationError
 */
export async function foundVenueOnce(directory: string, env: Environment = process.env): Promise<boolean> {
  if (existsSync(join(directory, 'coordinator.yaml'))) return false
  const { input } = await overlayEnvironment(coordinatorConfigSchema, {}, env)
  const options = input as Partial<VenueOptions>
  for (const field of ['venue', 'listen'] as const) {
    if (options[field] === undefined) {
      throw new CliError(
        'usage',
        `There is no venue in ${directory} yet: set ${variableOf(field)} to found one, or restore its directory.`,
      )
    }
  }
  const { venue, listen, address, enrolListen, enrolAddress, logListen, adminListen } = options as VenueOptions
  await createVenue(directory, { venue, listen, address, enrolListen, enrolAddress, logListen, adminListen })
  return true
}
