import { type StatementKey, verifySignature } from '../crypto/statement-key.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { fromBase64, toBase64 } from './base64.ts'
import { LogError } from './log-error.ts'
import { HASH_BYTES } from './merkle-hash.ts'
import { formatNote, isKeyName, type Note, type NoteSignature } from './note.ts'
import { type NoteKey, noteKeyId, requireKeyName } from './note-key.ts'
import type { TreeHead } from './verify-proof.ts'

/** What a log says about itself: this is my tree (C2SP tlog-checkpoint). */
export interface Checkpoint extends TreeHead {
  /** The log's name, of the form of a key name. */
  readonly origin: string
  /** Opaque lines after the root; our logs write none. */
  readonly extensions: readonly string[]
}

/** The log's side of its checkpoints. */
export interface LogSigner {
  readonly origin: string
  /** Signs checkpoints and nothing else: a log has a key of its own. */
  readonly key: StatementKey
}

/** The public half of a {@link LogSigner}. */
export function logKeyOf({ origin, key }: LogSigner): NoteKey {
  return { role: 'log', name: origin, publicKey: key.publicKey }
}

/** The note text of a checkpoint: origin, size, root, extensions, a line each (tlog-checkpoint, Note text). */
export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  return `${[origin, size, toBase64(root), ...extensions].join('\n')}\n`
}

/**
 * The inverse of {@link formatCheckpoint}.
 * @throws LogError `malformed-checkpoint`, also for a size of 2^53 or more
 */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin, decimal, base64, ...rest] = text.split('\n')
  const [extensions, end] = [rest.slice(0, -1), rest.at(-1)]
  const size = parseDecimal(decimal ?? '')
  const root = fromBase64(base64 ?? '')
  const complete = isKeyName(origin) && size !== undefined && root?.length === HASH_BYTES
  if (!complete || end !== '' || extensions.includes('')) {
    throw new LogError('malformed-checkpoint', 'Not a log checkpoint; fetch it again. See C2SP tlog-checkpoint.')
  }
  return { origin, size, root, extensions }
}

/** A tree size as these formats write it: decimal without leading zeroes; undefined for anything else. */
export function parseDecimal(text: string): number | undefined {
  const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : undefined
}

/**
 * A tree head signed by its log, in wire form: Ed25519 over the note text (signed-note, Ed25519 signatures).
 * @throws LogError `bad-key-name`
 */
export function signCheckpoint(head: TreeHead, signer: LogSigner): string {
  requireKeyName(signer.origin)
  const text = formatCheckpoint({ origin: signer.origin, size: head.size, root: head.root, extensions: [] })
  const signature = signer.key.sign(Buffer.from(text, 'utf8'))
  return formatNote({ text, signatures: [{ keyName: signer.origin, keyId: noteKeyId(logKeyOf(signer)), signature }] })
}

/**
 * The checkpoint of a parsed note, if this log signed it. Signatures of other keys are passed over; one that claims to be
 * of this key and is not spoils the note (signed-note, Signatures).
 *
 * Refusals: `wrong-origin`, `not-signed`, `bad-signature`.
 * @throws LogError `malformed-checkpoint`
 */
export function openCheckpoint(
  note: Note,
  log: NoteKey,
): Verdict<Checkpoint, 'wrong-origin' | 'not-signed' | 'bad-signature'> {
  const checkpoint = parseCheckpoint(note.text)
  if (checkpoint.origin !== log.name) {
    return refused('wrong-origin', `The checkpoint is of the log ${checkpoint.origin}, not of ${log.name}.`)
  }
  const signatures = signaturesOf(note, log)
  if (signatures.length === 0) return refused('not-signed', `The log ${log.name} has not signed this checkpoint.`)
  const message = Buffer.from(note.text, 'utf8')
  if (!signatures.every(({ signature }) => verifySignature(log.publicKey, message, signature))) {
    return refused(
      'bad-signature',
      `A signature in the name of the log ${log.name} is not its: do not use the checkpoint.`,
    )
  }
  return accepted(checkpoint)
}

/** The signature lines that name this key, by name and id; not verified. */
export function signaturesOf(note: Note, key: NoteKey): NoteSignature[] {
  const keyId = noteKeyId(key)
  return note.signatures.filter((signature) => signature.keyName === key.name && signature.keyId === keyId)
}
