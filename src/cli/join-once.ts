import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { WireError } from '../wire/wire-error.ts'
import { readTextFile } from './files.ts'
import { decodeInvite, type Invite } from './invite.ts'

const LOOK_AGAIN_MS = 500
const DIAL_AGAIN_MS = 2000

/** How a party joins with an invite, and the file by which a directory is known to have joined. */
export interface JoiningParty {
  readonly configuration: 'holder.yaml' | 'researcher.yaml'
  readonly join: (invite: Invite, directory: string) => Promise<unknown>
}

/**
 * Joins a venue in a directory that has not joined one: waits for the file with the invite, then for the venue to answer. Does
 * nothing in a directory that has, whether the invite is still there or not.
 * @returns early, with nothing done, when the signal fires
 * @throws CliError `invite-malformed`, `file-not-readable`; what `join` throws, but for a venue that does not answer
 */
export async function joinOnce(
  directory: string,
  inviteFile: string,
  { configuration, join: joinVenue }: JoiningParty,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  if (existsSync(join(directory, configuration))) return
  const invite = await awaitInvite(inviteFile, log, signal)
  while (invite && !signal.aborted) {
    try {
      await joinVenue(invite, directory)
      log.info({ event: 'joined', venue: invite.venue, party: invite.name }, `joined ${invite.venue}`)
      return
    } catch (error) {
      if (!(error instanceof WireError) || error.code !== 'coordinator-unreachable') throw error
      log.warn({ event: 'venue-awaited', code: error.code }, error.message)
      await pause(DIAL_AGAIN_MS, signal)
    }
  }
}

async function awaitInvite(file: string, log: Logger, signal: AbortSignal): Promise<Invite | undefined> {
  if (!existsSync(file)) log.info({ event: 'invite-awaited' }, `waiting for an invite in ${file}`)
  while (!existsSync(file)) {
    if (signal.aborted) return undefined
    await pause(LOOK_AGAIN_MS, signal)
  }
  return decodeInvite(await readTextFile(file))
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => undefined)
}
