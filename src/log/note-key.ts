import { sha256, toHex } from '../crypto/digest.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import { fromBase64, toBase64 } from './base64.ts'
import { LogError } from './log-error.ts'
import { isKeyName } from './note.ts'

/** Signature type identifiers (signed-note, Signature types): a log's plain Ed25519, a witness's timestamped cosignature. */
export const NOTE_KEY_TYPES = { log: 0x01, witness: 0x04 } as const

export type NoteKeyRole = keyof typeof NOTE_KEY_TYPES

/** Whose signatures are looked for and believed. Public. */
export interface NoteKey {
  readonly role: NoteKeyRole
  /** For a log the origin of its checkpoints; for a witness a name of its own. */
  readonly name: string
  /** Ed25519. */
  readonly publicKey: StatementPublicKey
}

/**
 * The key id: SHA-256(name ‖ 0x0A ‖ type ‖ 32-byte public key), its first four bytes, big-endian (signed-note,
 * Signatures; tlog-cosignature, Format).
 */
export function noteKeyId({ role, name, publicKey }: NoteKey): number {
  const id = sha256(
    Buffer.from(`${name}\n`, 'utf8'),
    Uint8Array.of(NOTE_KEY_TYPES[role]),
    Buffer.from(publicKey, 'hex'),
  )
  return Buffer.from(id).readUInt32BE(0)
}

/**
 * The key in the form in which operators exchange it, a *vkey*: `<name>+<key id>+<base64(type ‖ key)>`, the key id in
 * eight hexadecimal digits (signed-note, Verifier keys; golang.org/x/mod/sumdb/note).
 */
export function formatNoteKey(key: NoteKey): string {
  requireKeyName(key.name)
  const material = Buffer.concat([Uint8Array.of(NOTE_KEY_TYPES[key.role]), Buffer.from(key.publicKey, 'hex')])
  return `${key.name}+${noteKeyId(key).toString(16).padStart(8, '0')}+${toBase64(material)}`
}

/**
 * The inverse of {@link formatNoteKey}.
 * @throws LogError `malformed-key`, also for another type than the two of {@link NOTE_KEY_TYPES}
 */
export function parseNoteKey(text: string): NoteKey {
  const [, name, id, base64] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})$/.exec(text) ?? []
  const material = base64 ? fromBase64(base64) : undefined
  const role = (['log', 'witness'] as const).find((each) => NOTE_KEY_TYPES[each] === material?.[0])
  if (name && isKeyName(name) && material?.length === 33 && role) {
    const key = { role, name, publicKey: toHex(material.subarray(1)) }
    if (noteKeyId(key) === Number.parseInt(id, 16)) return key
  }
  throw new LogError('malformed-key', 'Not the key of a log or witness, <name>+<id>+<base64>: copy the whole line.')
}

/** @throws LogError `bad-key-name` */
export function requireKeyName(name: string): void {
  if (!isKeyName(name)) {
    const reason = 'The name of a log or witness is 1–255 characters without spaces and plus signs: choose another.'
    throw new LogError('bad-key-name', reason)
  }
}
