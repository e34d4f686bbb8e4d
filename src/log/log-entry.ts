import { type Digest, digestOf, isDigest } from '../crypto/digest.ts'
import { fromBase64, toBase64 } from './base64.ts'
import { ENTRY_BYTES_MAX } from './entry-bundle.ts'
import { LogError } from './log-error.ts'

/** A signature of a DSSE envelope. */
export interface EntrySignature {
  readonly keyid: string
  readonly sig: Uint8Array
}

/**
 * A signed statement as the log holds it. `whole`: the DSSE envelope itself. `detached`: the statement is too large for
 * an entry, and its payload is served beside the log under its digest; type and signatures are here.
 */
export type LogEntry = {
  readonly payloadType: string
  readonly signatures: readonly EntrySignature[]
} & (
  | { readonly kind: 'whole'; readonly payload: Uint8Array }
  /** SHA-256 of the payload's bytes, not of their base64. */
  | { readonly kind: 'detached'; readonly payloadSha256: Digest }
)

/** A signed statement; an `Envelope` of `src/crypto` is one but for its `kind`. */
export type LoggedStatement = Extract<LogEntry, { kind: 'whole' }>

/**
 * The entry of a statement: its DSSE JSON in the member order payloadType, payload, signatures, without white space; when
 * that has more than 65,535 bytes, the same JSON with `payload` replaced by `payloadSha256` (docs/adr/0005). One statement
 * with its signatures has one entry, so the leaf hash finds it.
 * @throws LogError `entry-too-large` when the signatures alone fill an entry: some 350 do; `malformed-entry` for a type or key id
 *   that is not plain text
 */
export function encodeLogEntry(statement: Omit<LoggedStatement, 'kind'>): Uint8Array {
  if (![statement.payloadType, ...statement.signatures.map(({ keyid }) => keyid)].every(isPlainText)) throw malformed()
  const whole = wholeEntry(statement)
  if (whole.length <= ENTRY_BYTES_MAX) return whole
  const detached = detachedEntry({ ...statement, payloadSha256: digestOf(statement.payload) })
  if (detached.length <= ENTRY_BYTES_MAX) return detached
  const reason = `The ${statement.signatures.length} signatures do not fit into an entry: a quorum of fewer signers must do.`
  throw new LogError('entry-too-large', reason)
}

/**
 * The inverse of {@link encodeLogEntry}: only bytes that it gives are accepted, so that no statement can be in a log in two
 * forms.
 * @throws LogError `malformed-entry`
 */
export function decodeLogEntry(bytes: Uint8Array): LogEntry {
  const value = bytes.length <= ENTRY_BYTES_MAX ? parseJson(bytes) : undefined
  if (!isRecord(value) || !isPlainText(value.payloadType) || !Array.isArray(value.signatures)) throw malformed()
  const common = { payloadType: value.payloadType, signatures: value.signatures.map(parseSignature) }
  const payload = typeof value.payload === 'string' ? fromBase64(value.payload) : undefined
  const entry: LogEntry | undefined = payload
    ? { ...common, kind: 'whole', payload }
    : typeof value.payloadSha256 === 'string' && isDigest(value.payloadSha256)
      ? { ...common, kind: 'detached', payloadSha256: value.payloadSha256 }
      : undefined
  const again = entry && (entry.kind === 'whole' ? wholeEntry(entry) : detachedEntry(entry))
  if (!entry || !again || Buffer.compare(again, bytes) !== 0) throw malformed()
  return entry
}

/**
 * The statement of a detached entry and its payload.
 * @throws LogError `payload-mismatch` for other bytes; `malformed-entry` for a statement that had fitted as a whole
 */
export function attachPayload(entry: Extract<LogEntry, { kind: 'detached' }>, payload: Uint8Array): LoggedStatement {
  if (digestOf(payload) !== entry.payloadSha256) {
    throw new LogError('payload-mismatch', `The payload is not the one that was logged, ${entry.payloadSha256}.`)
  }
  const { payloadType, signatures } = entry
  const statement: LoggedStatement = { kind: 'whole', payloadType, payload, signatures }
  if (wholeEntry(statement).length <= ENTRY_BYTES_MAX) throw malformed()
  return statement
}

/** Texts in which every JSON writer agrees: some escape `<`, `>` and `&`, or what is not ASCII. */
const PLAIN_TEXT = /^[ !#-%'-;=?-[\]-~]*$/

function wholeEntry({ payloadType, payload, signatures }: Omit<LoggedStatement, 'kind'>): Buffer {
  return Buffer.from(
    JSON.stringify({ payloadType, payload: toBase64(payload), signatures: signaturesJson(signatures) }),
    'utf8',
  )
}

function detachedEntry(entry: {
  payloadType: string
  payloadSha256: Digest
  signatures: readonly EntrySignature[]
}): Buffer {
  const { payloadType, payloadSha256, signatures } = entry
  return Buffer.from(JSON.stringify({ payloadType, payloadSha256, signatures: signaturesJson(signatures) }), 'utf8')
}

function signaturesJson(signatures: readonly EntrySignature[]) {
  return signatures.map(({ keyid, sig }) => ({ keyid, sig: toBase64(sig) }))
}

function parseSignature(value: unknown): EntrySignature {
  if (!isRecord(value) || !isPlainText(value.keyid) || typeof value.sig !== 'string') throw malformed()
  const sig = fromBase64(value.sig)
  if (!sig) throw malformed()
  return { keyid: value.keyid, sig }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw malformed({ cause })
  }
}

function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && PLAIN_TEXT.test(value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function malformed(options?: ErrorOptions): LogError {
  const reason = 'Not the entry of a signed statement in its one form (docs/adr/0005): do not rely on it.'
  return new LogError('malformed-entry', reason, options)
}
