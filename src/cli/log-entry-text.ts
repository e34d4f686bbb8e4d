import { isDigest } from '../crypto/digest.ts'
import { statementDigest } from '../crypto/envelope.ts'
import { attachPayload, decodeLogEntry, type LogEntry, type LoggedStatement } from '../log/log-entry.ts'
import { LogError } from '../log/log-error.ts'
import type { LogSource } from '../log/log-source.ts'

/** Fields of a statement that say what it is about, where it has them. */
const TELLING_FIELDS = ['job', 'plan', 'manifest', 'round', 'step', 'name', 'holder', 'member', 'organisation']
/** Of a value that a stranger wrote, on a terminal. */
const VALUE_CHARACTERS_MAX = 40

/** One line: position, kind, the statement's short digest, what it is about, who signed. */
export async function describeEntry(source: LogSource, position: number, bytes: Uint8Array): Promise<string> {
  const entry = decode(bytes)
  if (!entry) return `${position}  not a statement, ${bytes.length} bytes`
  const statement = await wholeStatement(source, entry)
  const body = statement && parseBody(statement.payload)
  const about = TELLING_FIELDS.flatMap((field) => {
    const value = body?.[field]
    return typeof value === 'string' || typeof value === 'number' ? [`${field} ${printable(value)}`] : []
  })
  const signers = entry.signatures.map(({ keyid }) => printable(keyid))
  const name = statement ? statementDigest(statement).slice(0, 12) : 'payload not here'
  return `${position}  ${kindOf(entry)}  ${name}  ${[...about, `signed ${signers.join(' ')}`].join('  ')}`
}

/** The entry as JSON: with the statement's whole body where its payload is here and is JSON. */
export async function entryJson(source: LogSource, position: number, bytes: Uint8Array): Promise<string> {
  const entry = decode(bytes)
  if (!entry) return JSON.stringify({ position, malformed: Buffer.from(bytes).toString('base64') })
  const statement = await wholeStatement(source, entry)
  return JSON.stringify({
    position,
    payloadType: entry.payloadType,
    digest: statement && statementDigest(statement),
    detached: entry.kind === 'detached' ? entry.payloadSha256 : undefined,
    signers: entry.signatures.map(({ keyid }) => keyid),
    body: statement && parseBody(statement.payload),
  })
}

function decode(bytes: Uint8Array): LogEntry | undefined {
  try {
    return decodeLogEntry(bytes)
  } catch (fault) {
    if (fault instanceof LogError) return undefined
    throw fault
  }
}

async function wholeStatement(source: LogSource, entry: LogEntry): Promise<LoggedStatement | undefined> {
  if (entry.kind === 'whole') return entry
  const payload = await source.readPayload(entry.payloadSha256)
  return payload && attachPayload(entry, payload)
}

function parseBody(payload: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(Buffer.from(payload).toString('utf8'))
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** `application/vnd.sluice.v1.round-plan+json` is a round-plan. */
function kindOf({ payloadType }: LogEntry): string {
  return printable(/^application\/vnd\.sluice\.v1\.(.+)\+json$/.exec(payloadType)?.[1] ?? payloadType)
}

/** A digest by its beginning; else the text without what would steer a terminal. */
function printable(value: string | number): string {
  const text = String(value)
  const isHash: boolean = isDigest(text)
  if (isHash) return text.slice(0, 12)
  return text.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?').slice(0, VALUE_CHARACTERS_MAX)
}
