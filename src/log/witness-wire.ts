import { fromBase64, toBase64 } from './base64.ts'
import { parseDecimal } from './checkpoint.ts'
import { LogError } from './log-error.ts'
import { HASH_BYTES } from './merkle-hash.ts'
import { formatSignatureLine, NOTE_BYTES_MAX, type NoteSignature, parseNote } from './note.ts'
import { PROOF_HASHES_MAX } from './verify-proof.ts'

/** What a log sends to a witness (tlog-witness, add-checkpoint). */
export interface AddCheckpointRequest {
  /** Size of the checkpoint that the log believes the witness cosigned last; 0 for none. */
  readonly oldSize: number
  /** Consistency proof from the old size to the checkpoint's, 32 bytes each. */
  readonly proof: readonly Uint8Array[]
  /** The checkpoint as a signed note in wire form. */
  readonly note: string
}

/** UTF-8 bytes of the longest request that is parsed. */
export const ADD_CHECKPOINT_BYTES_MAX: number = NOTE_BYTES_MAX + (PROOF_HASHES_MAX + 2) * 64

/** The request body: `old <size>`, the proof, an empty line, the checkpoint (tlog-witness, add-checkpoint). */
export function formatAddCheckpoint({ oldSize, proof, note }: AddCheckpointRequest): string {
  return `${[`old ${oldSize}`, ...proof.map(toBase64), ''].join('\n')}\n${note}`
}

/**
 * The inverse of {@link formatAddCheckpoint}. The note is one by its form; nothing is verified.
 * @throws LogError `malformed-request`, `malformed-note`
 */
export function parseAddCheckpoint(body: string): AddCheckpointRequest {
  if (body.length > ADD_CHECKPOINT_BYTES_MAX) throw malformedRequest()
  const headerEnd = body.indexOf('\n\n')
  const [first = '', ...lines] = body.slice(0, Math.max(headerEnd, 0)).split('\n', PROOF_HASHES_MAX + 2)
  const oldSize = first.startsWith('old ') ? parseDecimal(first.slice('old '.length)) : undefined
  if (headerEnd < 0 || oldSize === undefined || lines.length > PROOF_HASHES_MAX) throw malformedRequest()
  const note = body.slice(headerEnd + 2)
  parseNote(note)
  return { oldSize, proof: lines.map(parseHash), note }
}

/** The body of a granted request: the cosignature as a signature line (tlog-witness, add-checkpoint). */
export function formatCosignatures(cosignatures: readonly NoteSignature[]): string {
  return cosignatures.map(formatSignatureLine).join('')
}

/** The body of a size conflict: the size that the witness knows (tlog-witness, add-checkpoint). */
export function formatKnownSize(size: number): string {
  return `${size}\n`
}

/** The inverse of {@link formatKnownSize}. @throws LogError `malformed-response` */
export function parseKnownSize(body: string): number {
  const size = body.endsWith('\n') ? parseDecimal(body.slice(0, -1)) : undefined
  if (size === undefined) {
    throw new LogError('malformed-response', "Not a tree size; the witness's answer is not of tlog-witness. Ask again.")
  }
  return size
}

function parseHash(line: string): Uint8Array {
  const hash = fromBase64(line)
  if (hash?.length !== HASH_BYTES) throw malformedRequest()
  return hash
}

function malformedRequest(): LogError {
  return new LogError('malformed-request', 'Not an add-checkpoint request; see C2SP tlog-witness for its form.')
}
