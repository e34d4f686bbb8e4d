import { existsSync } from 'node:fs'
import { text as readStream } from 'node:stream/consumers'
import { z } from 'zod'
import { digestField, identityField, publicKeyField } from '../protocol/statement.ts'
import { CliError } from './cli-error.ts'
import { readTextFile } from './files.ts'

/**
 * What a venue's operator hands to a party over a channel that the party trusts (docs/OPERATING.md): how to reach the
 * venue, how to know it again, and a secret that counts once. Whoever has it can enrol in the party's place until it is used.
 */
export const inviteSchema = z.strictObject({
  version: z.literal(1),
  venue: z.string().regex(/^[a-z0-9.-]{1,120}$/),
  role: z.enum(['holder', 'researcher']),
  name: identityField,
  /** Of a holder. */
  organisation: z.string().min(1).max(120).optional(),
  /** host:port of enrolment, and of the coordinator. */
  enrol: z.string().regex(/^\S+:\d{1,5}$/),
  coordinator: z.string().regex(/^\S+:\d{1,5}$/),
  /** SHA-256 of the venue's authority certificate: checked before the secret is sent. */
  authority: digestField,
  /** Ed25519: the coordinator's statements. */
  coordinatorKey: publicKeyField,
  /** The key of the venue's log, as a note verifier key: `<venue>/log+<id>+<base64>`. */
  logKey: z.string().max(400),
  /** 32 random bytes, hexadecimal. */
  secret: digestField,
})

export type Invite = z.output<typeof inviteSchema>

/** One line of text to hand over. Secret. */
export function encodeInvite(invite: Invite): string {
  return Buffer.from(JSON.stringify(invite), 'utf8').toString('base64url')
}

/** The inverse of {@link encodeInvite}. @throws CliError `invite-malformed`; its message quotes nothing of it */
export function decodeInvite(line: string): Invite {
  try {
    return inviteSchema.parse(JSON.parse(Buffer.from(line.trim(), 'base64url').toString('utf8')))
  } catch {
    // The parser's message would quote the secret.
    throw new CliError('invite-malformed', 'This is no invite of Sluice: copy the whole line that the venue sent you.')
  }
}

/**
 * The invite behind a command's argument: the text itself, a file that holds it, or `-` for standard input. A command line
 * stands in the list of processes for all users of a machine to see, so that a file or standard input is better.
 * @throws CliError `invite-malformed`, `file-not-readable`
 */
export async function readInvite(argument: string, input: NodeJS.ReadableStream = process.stdin): Promise<Invite> {
  if (argument === '-') return decodeInvite(await readStream(input as NodeJS.ReadStream))
  return decodeInvite(existsSync(argument) ? await readTextFile(argument) : argument)
}
