import { parseCheckpoint, parseDecimal } from './checkpoint.ts'
import { decodeEntries, ENTRY_BYTES_MAX, encodeEntries, requireEntrySize } from './entry-bundle.ts'
import { LogError } from './log-error.ts'
import { NOTE_BYTES_MAX, noteFromBytes, parseNote } from './note.ts'
import { TILE_WIDTH } from './tile-path.ts'

/** Entries of one commit at most. */
export const COMMIT_ENTRIES_MAX = 4096
/** Bytes of the entries of one commit at most, lengths included: room for a full tile of the largest entries. */
export const COMMIT_ENTRY_BYTES_MAX: number = TILE_WIDTH * (ENTRY_BYTES_MAX + 2)
/** Bytes of a commit record at most. */
export const COMMIT_BYTES_MAX: number = COMMIT_ENTRY_BYTES_MAX + NOTE_BYTES_MAX + 128

const HEADER_FORM = /^sluice-log-commit\/v1 ([0-9]+) ([0-9]+)\n/
const HEADER_BYTES_MAX = 64

/**
 * What a writer decides in one step: the next checkpoint, and all that is needed to write the tiles under it, because
 * the process may die between the two.
 */
export interface LogCommit {
  /** Size of the tree before. */
  readonly fromSize: number
  /** The signed checkpoint after, in wire form. */
  readonly note: string
  /** The entries from `fromSize` to the checkpoint's size, in order. */
  readonly entries: readonly Uint8Array[]
}

/**
 * `sluice-log-commit/v1 <fromSize> <bytes of the note>`, a newline, the note, the entries as in a bundle. Private to the
 * log's storage, never served.
 * @throws LogError `entry-too-large`, `batch-too-large`
 */
export function encodeCommit({ fromSize, note, entries }: LogCommit): Uint8Array {
  const noteBytes = Buffer.from(note, 'utf8')
  const header = Buffer.from(`sluice-log-commit/v1 ${fromSize} ${noteBytes.length}\n`, 'utf8')
  requireBatchSize(entries)
  return new Uint8Array(Buffer.concat([header, noteBytes, encodeEntries(entries)]))
}

/**
 * The inverse of {@link encodeCommit}.
 * @throws LogError `malformed-commit`
 */
export function decodeCommit(bytes: Uint8Array): LogCommit {
  const head = Buffer.from(bytes.subarray(0, HEADER_BYTES_MAX)).toString('latin1')
  const [header = '', from = '', length = ''] = HEADER_FORM.exec(head) ?? []
  const [fromSize, noteBytes] = [parseDecimal(from), parseDecimal(length)]
  if (fromSize === undefined || noteBytes === undefined) throw malformed()
  const noteEnd = header.length + noteBytes
  try {
    const note = noteFromBytes(bytes.subarray(header.length, noteEnd))
    const { size } = parseCheckpoint(parseNote(note).text)
    return { fromSize, note, entries: decodeEntries(bytes.subarray(noteEnd), size - fromSize) }
  } catch (cause) {
    if (cause instanceof LogError) throw malformed({ cause })
    throw cause
  }
}

/** @throws LogError `entry-too-large`, `batch-too-large` */
export function requireBatchSize(entries: readonly Uint8Array[]): void {
  entries.forEach(requireEntrySize)
  const bytes = entries.reduce((sum, entry) => sum + entry.length + 2, 0)
  if (entries.length > COMMIT_ENTRIES_MAX || bytes > COMMIT_ENTRY_BYTES_MAX) {
    const limits = `${COMMIT_ENTRIES_MAX} entries and ${COMMIT_ENTRY_BYTES_MAX} bytes`
    throw new LogError('batch-too-large', `One append takes at most ${limits}: split the batch.`)
  }
}

function malformed(options?: ErrorOptions): LogError {
  const reason = 'The commit record of the log is damaged: restore the storage of the log from its last backup.'
  return new LogError('malformed-commit', reason, options)
}
