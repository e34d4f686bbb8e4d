import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { certificateFingerprint, createSigningRequest, type Identity, spiffeId } from '../crypto/certificates.ts'
import { digestOf, fromHex } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { digestField } from '../protocol/statement.ts'
import { checkOwnCertificate, joinKeyAndCertificate, type TlsMaterial } from '../wire/credentials.ts'
import { enrol } from '../wire/enrolment-client.ts'
import { WireError } from '../wire/wire-error.ts'
import { CliError } from './cli-error.ts'
import { readSchemaFile, readTextFile, writeSecretFile, writeWholeFile } from './files.ts'
import type { Invite } from './invite.ts'
import { TLS_FILES } from './venue-files.ts'

/**
 * `secrets/join.json`: how far a directory has joined. It carries the key over an interruption, because a venue answers an
 * invite's first enrolment again, and no second one.
 */
const joinStateSchema = z.strictObject({
  /** SPIFFE id of whose directory this is. */
  identity: z.string(),
  /** SHA-256 of the secret of the latest invite. */
  invite: digestField,
  /** Absent when the certificate has been received. The key, PEM, is secret; the request is PKCS #10, base64. */
  request: z.strictObject({ keyPem: z.string(), signingRequest: z.base64() }).optional(),
})

type JoinState = z.output<typeof joinStateSchema>

const statePath = (directory: string) => join(directory, 'secrets/join.json')

async function writeState(directory: string, state: JoinState): Promise<void> {
  await writeSecretFile(statePath(directory), `${JSON.stringify(state, null, 2)}\n`)
}

/**
 * Gets the certificate of an invite: draws a key here, which stays, checks the venue against the invite, and enrols. Run
 * again after an interruption it goes on with the same key; after its end it does nothing.
 * @param application of a data holder
 * @throws CliError `directory-not-empty`; WireError as `enrol`, and `credential-invalid` for a certificate of someone else
 */
export async function joinVenue(directory: string, invite: Invite, application?: Envelope): Promise<void> {
  const identity: Identity = { venue: invite.venue, role: invite.role, name: invite.name }
  const state = await prepareRequest(directory, invite, identity)
  if (!state.request) return
  const { keyPem } = state.request
  const signingRequest = new Uint8Array(Buffer.from(state.request.signingRequest, 'base64'))
  const at = { address: invite.enrol, venue: invite.venue, authority: invite.authority }
  const issued = await enrol(at, { secret: fromHex(invite.secret), signingRequest, application })
  const tls = { keyPem, ...issued }
  requireOwnCertificate(tls, identity)
  await writeWholeFile(join(directory, TLS_FILES.authority), tls.authorityPem)
  await writeSecretFile(join(directory, TLS_FILES.identity), joinKeyAndCertificate(tls))
  await writeState(directory, { identity: state.identity, invite: state.invite })
}

async function prepareRequest(directory: string, invite: Invite, identity: Identity): Promise<JoinState> {
  const known = await readState(directory)
  const id = spiffeId(identity)
  const authorityPath = join(directory, TLS_FILES.authority)
  const foreign = existsSync(authorityPath)
    ? certificateFingerprint(await readTextFile(authorityPath)) !== invite.authority
    : false
  if (foreign || (known && known.identity !== id)) {
    throw new CliError(
      'directory-not-empty',
      `${directory} belongs to ${known?.identity ?? 'another venue'}, the invite to ${id}: choose another directory.`,
    )
  }
  const digest = digestOf(fromHex(invite.secret))
  if (known && (known.request || known.invite === digest)) return { ...known, invite: digest }
  const { keyPem, signingRequest } = await createSigningRequest(identity)
  const request = { keyPem, signingRequest: Buffer.from(signingRequest).toString('base64') }
  const state = { identity: id, invite: digest, request }
  // Before anything is sent: the venue knows this request from now on, and no other.
  await writeState(directory, state)
  return state
}

async function readState(directory: string): Promise<JoinState | undefined> {
  return existsSync(statePath(directory)) ? readSchemaFile(statePath(directory), joinStateSchema) : undefined
}

function requireOwnCertificate(tls: TlsMaterial, identity: Identity): void {
  const named = spiffeId(checkOwnCertificate(tls, new Date()))
  if (named !== spiffeId(identity)) {
    throw new WireError('credential-invalid', `The venue answered with a certificate of ${named}: tell its operator.`)
  }
}
