import { parseCheckpoint } from './checkpoint.ts'
import { LogError } from './log-error.ts'
import { parseNote } from './note.ts'
import type { ForkEvidence, WitnessedLog, WitnessState } from './witness.ts'

const VERSION = 'sluice-witness/v1'

/** A witness's memory as JSON text, to be stored durably and atomically before an answer leaves. */
export function encodeWitnessState(state: WitnessState): string {
  return JSON.stringify({ version: VERSION, logs: Object.fromEntries(state) })
}

/**
 * The inverse of {@link encodeWitnessState}. A damaged memory is an error and never an empty memory: a witness that forgets
 * cosigns a fork.
 * @throws LogError `malformed-witness-state`
 */
export function decodeWitnessState(text: string): WitnessState {
  try {
    const value: unknown = JSON.parse(text)
    if (!isRecord(value) || value.version !== VERSION || !isRecord(value.logs)) throw malformed()
    return new Map(Object.entries(value.logs).map(([origin, log]) => [origin, decodeLog(origin, log)]))
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof LogError) throw malformed({ cause })
    throw cause
  }
}

function decodeLog(origin: string, value: unknown): WitnessedLog {
  if (!isRecord(value)) throw malformed()
  const latest = requireNoteOf(origin, value.latest)
  return value.fork === undefined ? { latest } : { latest, fork: decodeFork(origin, value.fork) }
}

function decodeFork(origin: string, value: unknown): ForkEvidence {
  if (!isRecord(value) || !Array.isArray(value.proof)) throw malformed()
  const proof = value.proof.map((hash: unknown) => (typeof hash === 'string' ? hash : ''))
  if (proof.includes('')) throw malformed()
  const { known, contradicting } = value
  return { known: requireNoteOf(origin, known), contradicting: requireNoteOf(origin, contradicting), proof }
}

function requireNoteOf(origin: string, note: unknown): string {
  if (typeof note !== 'string' || parseCheckpoint(parseNote(note).text).origin !== origin) throw malformed()
  return note
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function malformed(options?: ErrorOptions): LogError {
  const reason =
    'The stored memory of the witness is damaged: restore it. A witness without memory would cosign a fork.'
  return new LogError('malformed-witness-state', reason, options)
}
