import { fromBase64, toBase64 } from './base64.ts'
import { LogError } from './log-error.ts'

/** One signature line of a note: who says it signed, and the bytes; believed only after verification. */
export interface NoteSignature {
  readonly keyName: string
  /** First 32 bits of a hash of name, type and key: finds the key, proves nothing. 0…2^32 − 1. */
  readonly keyId: number
  /** What follows the key id: 64 bytes of Ed25519, or a timestamped cosignature. */
  readonly signature: Uint8Array
}

/** A signed note as it is on the wire: a text and signature lines, none of them verified (C2SP signed-note). */
export interface Note {
  /** Ends in a newline; what the signatures are over. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** UTF-8 bytes of the longest note that is parsed: the cosignatures of a thousand witnesses and room to spare. */
export const NOTE_BYTES_MAX = 256 * 1024
/** Signature lines of one note that are parsed. The specification asks for 16 at least; Go's note package stops at 100. */
export const NOTE_SIGNATURES_MAX = 1024

const KEY_ID_BYTES = 4
// A space of any script, a control character or a plus would let one line be read as two things.
const KEY_NAME_FORM = /^[^\s\u0085\p{Z}\p{Cc}+]{1,255}$/u
const SIGNATURE_LINE = /^\u2014 ([^ ]+) ([A-Za-z0-9+/=]+)$/

/** Whether this may name a key, and be the origin of a log: no Unicode space, no plus, no control character; 1–255 UTF-16 units. */
export function isKeyName(name: string): boolean {
  return KEY_NAME_FORM.test(name) && name.isWellFormed()
}

/** The note in its wire form (signed-note, Format). */
export function formatNote({ text, signatures }: Note): string {
  return `${text}\n${signatures.map(formatSignatureLine).join('')}`
}

/** `— <key name> base64(key id ‖ signature)` and a newline (signed-note, Signatures). */
export function formatSignatureLine({ keyName, keyId, signature }: NoteSignature): string {
  const id = Buffer.alloc(KEY_ID_BYTES)
  id.writeUInt32BE(keyId)
  return `\u2014 ${keyName} ${toBase64(Buffer.concat([id, signature]))}\n`
}

/**
 * The inverse of {@link formatNote}; one signature at least. Nothing is verified.
 * @throws LogError `malformed-note`, also above {@link NOTE_BYTES_MAX} and {@link NOTE_SIGNATURES_MAX}
 */
export function parseNote(note: string): Note {
  requireNoteText(note)
  const separator = note.lastIndexOf('\n\n')
  if (separator < 0) throw malformed('it has no blank line before its signatures')
  const lines = note.slice(separator + 2)
  if (!lines.endsWith('\n')) throw malformed('it has no signature, or its last line is cut off')
  return { text: note.slice(0, separator + 1), signatures: parseSignatureLines(lines) }
}

/**
 * Signature lines alone, each ending in a newline; the body of a witness's answer.
 * @throws LogError `malformed-note`
 */
export function parseSignatureLines(lines: string): NoteSignature[] {
  requireNoteText(lines)
  if (!lines.endsWith('\n')) throw malformed('a signature line is cut off')
  const parts = lines.split('\n', NOTE_SIGNATURES_MAX + 2)
  if (parts.pop() !== '' || parts.length > NOTE_SIGNATURES_MAX) {
    throw malformed(`it has more than ${NOTE_SIGNATURES_MAX} signatures`)
  }
  return parts.map(parseSignatureLine)
}

/**
 * The text of a note that arrived as bytes.
 * @throws LogError `malformed-note` unless it is UTF-8 of at most {@link NOTE_BYTES_MAX}
 */
export function noteFromBytes(bytes: Uint8Array): string {
  if (bytes.length > NOTE_BYTES_MAX) throw malformed(`it has more than ${NOTE_BYTES_MAX} bytes`)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw malformed('it is not UTF-8', { cause })
  }
}

function parseSignatureLine(line: string): NoteSignature {
  const [, keyName, base64] = SIGNATURE_LINE.exec(line) ?? []
  const bytes = base64 ? fromBase64(base64) : undefined
  if (!keyName || !isKeyName(keyName) || !bytes || bytes.length <= KEY_ID_BYTES) {
    throw malformed('a line after the blank one is not a signature')
  }
  return { keyName, keyId: Buffer.from(bytes).readUInt32BE(0), signature: bytes.subarray(KEY_ID_BYTES) }
}

/** No control character but newline, and every character a whole one (signed-note, Format). */
function requireNoteText(text: string): void {
  if (text.length > NOTE_BYTES_MAX) throw malformed(`it has more than ${NOTE_BYTES_MAX} bytes`)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification forbids exactly these.
  if (!text.isWellFormed() || /[\u0000-\u0009\u000b-\u001f]/.test(text)) throw malformed('it has control characters')
}

function malformed(what: string, options?: ErrorOptions): LogError {
  return new LogError('malformed-note', `Not a signed note: ${what}. Fetch it again; see C2SP signed-note.`, options)
}
