import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { type Checkpoint, openCheckpoint, parseCheckpoint, signaturesOf } from './checkpoint.ts'
import { cosign, type WitnessSigner } from './cosignature.ts'
import { LogError } from './log-error.ts'
import { EMPTY_ROOT } from './merkle-hash.ts'
import { formatNote, type NoteSignature, parseNote } from './note.ts'
import type { NoteKey } from './note-key.ts'
import { verifyConsistency } from './verify-proof.ts'
import type { AddCheckpointRequest } from './witness-wire.ts'

/** Why a witness does not cosign. `malformed` is for bytes that are no checkpoint at all. */
export type WitnessRefusal =
  | 'malformed'
  | 'unknown-origin'
  | 'not-signed-by-log'
  | 'old-size-too-large'
  | 'size-conflict'
  | 'bad-proof'
  | 'forked'

/** The HTTP status of each refusal (tlog-witness, add-checkpoint); 200 is for a cosignature. */
export const WITNESS_STATUS: Readonly<Record<WitnessRefusal, number>> = {
  malformed: 400,
  'unknown-origin': 404,
  'not-signed-by-log': 403,
  'old-size-too-large': 400,
  'size-conflict': 409,
  'bad-proof': 422,
  forked: 409,
}

/** Two checkpoints of one log that no append-only log can have signed both; the notes are their own proof of authorship. */
export interface ForkEvidence {
  /** The signed note that this witness had cosigned. */
  readonly known: string
  /** The signed note that contradicts it. */
  readonly contradicting: string
  /** Base64 consistency proof under which the second tree has another prefix; empty for two roots at one size. */
  readonly proof: readonly string[]
}

/** What a witness remembers of one log, for ever. */
export interface WitnessedLog {
  /** The latest checkpoint that it cosigned, as the log signed it; cosignatures are not kept. */
  readonly latest: string
  /** Set once, never cleared: nothing of this log is cosigned again. */
  readonly fork?: ForkEvidence
}

/** A witness's memory, by origin; `witness-state.ts` writes it down. Begins as {@link NEW_WITNESS}. */
export type WitnessState = ReadonlyMap<string, WitnessedLog>

export const NEW_WITNESS: WitnessState = new Map()

/** Which logs it witnesses, and with what key. */
export interface WitnessConfig {
  /** One key a log. */
  readonly logs: readonly NoteKey[]
  readonly signer: WitnessSigner
}

export interface WitnessStep {
  /**
   * What to store *before* the answer leaves, also after a refusal: a fork is remembered by it. The caller takes one
   * request at a time from reading the state to having stored it (tlog-witness names the race otherwise).
   */
  readonly state: WitnessState
  readonly answer: WitnessAnswer
}

export type WitnessAnswer =
  | { readonly kind: 'cosigned'; readonly cosignature: NoteSignature; readonly checkpoint: Checkpoint }
  | {
      readonly kind: 'refused'
      readonly code: WitnessRefusal
      readonly reason: string
      /** With `size-conflict`: the size that the next request must start from. */
      readonly knownSize?: number
    }

/**
 * One request to a witness, in the order of checks of tlog-witness (add-checkpoint). It cosigns only a checkpoint that
 * continues the last one it cosigned, and none of a log that it has seen forked.
 *
 * A fork is what is proved by the log's own signatures: two roots at one size, or a proof that fits the new tree and shows
 * another past in it. A proof that fits nothing is refused and forgotten, because anyone on the way can send one.
 * @param nowS seconds since 1970
 */
export function addCheckpoint(
  state: WitnessState,
  request: AddCheckpointRequest,
  config: WitnessConfig,
  nowS: number,
): WitnessStep {
  const opened = openRequest(request, config)
  if (!opened.ok) return { state, answer: { kind: 'refused', code: opened.code, reason: opened.reason } }
  const { checkpoint, logNote, text } = opened.value
  const known = state.get(checkpoint.origin)
  if (known?.fork) return { state, answer: forkedAnswer(checkpoint.origin) }

  const latest = known ? parseCheckpoint(parseNote(known.latest).text) : { size: 0, root: EMPTY_ROOT }
  if (known && checkpoint.size === latest.size && Buffer.compare(checkpoint.root, latest.root) !== 0) {
    return freeze(state, checkpoint.origin, { known: known.latest, contradicting: logNote, proof: [] })
  }
  if (request.oldSize !== latest.size) {
    const reason = `The latest checkpoint cosigned here is of size ${latest.size}: prove consistency from there.`
    return { state, answer: { kind: 'refused', code: 'size-conflict', reason, knownSize: latest.size } }
  }
  const consistent = verifyConsistency(latest, checkpoint, request.proof)
  if (!consistent.ok && consistent.code === 'old-root-mismatch' && known) {
    const proof = request.proof.map((hash) => Buffer.from(hash).toString('base64'))
    return freeze(state, checkpoint.origin, { known: known.latest, contradicting: logNote, proof })
  }
  if (!consistent.ok) return { state, answer: { kind: 'refused', code: 'bad-proof', reason: consistent.reason } }
  return {
    state: new Map(state).set(checkpoint.origin, { latest: logNote }),
    answer: { kind: 'cosigned', cosignature: cosign(text, config.signer, nowS), checkpoint },
  }
}

interface OpenedRequest {
  readonly checkpoint: Checkpoint
  readonly text: string
  /** The note with the log's own signature alone: what is kept must not grow with what others attach. */
  readonly logNote: string
}

function openRequest(
  { note, oldSize }: AddCheckpointRequest,
  config: WitnessConfig,
): Verdict<OpenedRequest, WitnessRefusal> {
  try {
    const parsed = parseNote(note)
    const { origin, size } = parseCheckpoint(parsed.text)
    const log = config.logs.find(({ name }) => name === origin)
    if (!log) return refused('unknown-origin', `The log ${origin} is not witnessed here: configure its key first.`)
    const checkpoint = openCheckpoint(parsed, log)
    if (!checkpoint.ok) return refused('not-signed-by-log', checkpoint.reason)
    if (oldSize > size) return refused('old-size-too-large', `The old size ${oldSize} is above the new one, ${size}.`)
    const logNote = formatNote({ text: parsed.text, signatures: signaturesOf(parsed, log) })
    return accepted({ checkpoint: checkpoint.value, text: parsed.text, logNote })
  } catch (fault) {
    if (fault instanceof LogError) return refused('malformed', fault.message)
    throw fault
  }
}

function freeze(state: WitnessState, origin: string, fork: ForkEvidence): WitnessStep {
  return { state: new Map(state).set(origin, { latest: fork.known, fork }), answer: forkedAnswer(origin) }
}

function forkedAnswer(origin: string): WitnessAnswer {
  const reason = `The log ${origin} has signed two histories; nothing of it is cosigned again. The evidence is kept here.`
  return { kind: 'refused', code: 'forked', reason }
}
