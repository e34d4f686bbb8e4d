import { existsSync } from 'node:fs'
import { certificateFingerprint, type Role } from '../crypto/certificates.ts'
import { toHex } from '../crypto/digest.ts'
import { systemRandomness } from '../crypto/randomness.ts'
import { logKeyOf } from '../log/checkpoint.ts'
import { formatNoteKey } from '../log/note-key.ts'
import { applicationSchema, departureSchema } from '../protocol/registry-statements.ts'
import { identityField } from '../protocol/statement.ts'
import { CliError } from './cli-error.ts'
import { writeSecretFile } from './files.ts'
import { encodeInvite, type Invite } from './invite.ts'
import { InviteBook } from './invite-book.ts'
import { awaitRevocation, requestRevocation } from './revocation-requests.ts'
import { checkOption, loadVenue } from './venue-files.ts'

/*
 * What `sluice coordinator invite` and `revoke` do: both leave a file in the venue's directory, whether the coordinator runs
 * or not.
 */

export interface InviteOptions {
  readonly organisation?: string
  readonly researcher?: boolean
  readonly expiresMs: number
}

/**
 * Makes an invite. The venue keeps the digest of its secret only.
 * @returns the line to hand over
 * @throws CliError `usage`, `file-not-readable`, `file-not-writable`
 */
export async function makeInvite(directory: string, name: string, options: InviteOptions): Promise<string> {
  checkOption(identityField, name)
  const { config, tls, key, logSigner } = await loadVenue(directory)
  const party = options.researcher
    ? { role: 'researcher' as const, name }
    : { role: 'holder' as const, name, organisation: checkOrganisation(options.organisation) }
  const secret = new Uint8Array(32)
  systemRandomness.fill(secret)
  const expiresAt = new Date(Date.now() + options.expiresMs).toISOString()
  await new InviteBook(directory).add(secret, { ...party, expiresAt })
  const invite: Invite = {
    version: 1,
    venue: config.venue,
    ...party,
    enrol: config.enrolAddress,
    coordinator: config.address,
    authority: certificateFingerprint(tls.authorityPem),
    coordinatorKey: key.publicKey,
    logKey: formatNoteKey(logKeyOf(logSigner)),
    secret: toHex(secret),
  }
  return encodeInvite(invite)
}

/** As {@link makeInvite}, into a file for its owner alone; nothing when the file is there. @returns whether one was made */
export async function writeInviteOnce(
  file: string,
  directory: string,
  name: string,
  options: InviteOptions,
): Promise<boolean> {
  if (existsSync(file)) return false
  await writeSecretFile(file, `${await makeInvite(directory, name, options)}\n`)
  return true
}

function checkOrganisation(organisation: string | undefined): string {
  if (!organisation) throw new CliError('usage', 'A holder needs --organisation: which organisation is it?')
  return checkOption(applicationSchema.shape.member.shape.organisation, organisation)
}

/** How long the command waits for a coordinator that runs; one that does not run finds the request when it starts. */
const REVOCATION_PATIENCE_MS = 15_000

/**
 * Revokes a holder or researcher: its certificates at once, its membership as soon as the members have signed.
 * @returns what to tell the operator
 * @throws CliError `usage`, `revocation-refused`
 */
export async function revokeParty(
  directory: string,
  name: string,
  options: { readonly reason: string; readonly researcher?: boolean },
  patienceMs = REVOCATION_PATIENCE_MS,
): Promise<string> {
  checkOption(identityField, name)
  checkOption(departureSchema.shape.reason, options.reason)
  await loadVenue(directory)
  const role: Exclude<Role, 'coordinator'> = options.researcher ? 'researcher' : 'holder'
  await requestRevocation(directory, { role, name, reason: options.reason })
  const request = await awaitRevocation(directory, { role, name }, patienceMs)
  if (!request) return `Asked for. No coordinator runs over ${directory}: it revokes ${name} when it starts.`
  if (request.state === 'refused')
    throw new CliError('revocation-refused', request.outcome ?? 'The coordinator refused.')
  return request.outcome ?? `Revoked ${name}.`
}
