import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { stringify as toYaml } from 'yaml'
import { CliError } from './cli-error.ts'
import { writeWholeFile } from './files.ts'
import type { Invite } from './invite.ts'
import { joinVenue } from './join-venue.ts'
import { loadResearcher } from './venue-files.ts'

/**
 * Makes the directory of a researcher out of an invite: its key is drawn here. Run again as `joinHolder`.
 * @throws CliError `not-invited`, `directory-not-empty`, `file-not-writable`; WireError as `joinVenue`
 */
export async function joinResearcher(invite: Invite, directory: string): Promise<void> {
  const { role, name, venue, coordinator } = invite
  if (role !== 'researcher') {
    throw new CliError('not-invited', 'This invite is for a data holder: use "sluice holder join".')
  }
  const path = join(directory, 'researcher.yaml')
  if (existsSync(path)) {
    const { config } = await loadResearcher(directory)
    if (config.name !== name || config.venue !== venue) {
      throw new CliError(
        'directory-not-empty',
        `${directory} belongs to ${config.name} at ${config.venue}, the invite to ${name} at ${venue}: choose another directory.`,
      )
    }
  }
  await joinVenue(directory, invite)
  if (!existsSync(path)) await writeWholeFile(path, toYaml({ name, venue, coordinator }))
}
