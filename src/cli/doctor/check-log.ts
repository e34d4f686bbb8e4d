import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { HolderError } from '../../../nodes/holder/holder-error.ts'
import { HolderJournal } from '../../../nodes/holder/journal.ts'
import { openCheckpoint, parseCheckpoint } from '../../log/checkpoint.ts'
import { proveConsistency } from '../../log/merkle-proof.ts'
import { parseNote } from '../../log/note.ts'
import type { NoteKey } from '../../log/note-key.ts'
import { hashReaderOf } from '../../log/tile-reader.ts'
import { verifyConsistency } from '../../log/verify-proof.ts'
import type { WitnessedLog } from '../../log/witness.ts'
import { decodeWitnessState } from '../../log/witness-state.ts'
import { httpLogSource } from '../../wire/log-client.ts'
import { WireError } from '../../wire/wire-error.ts'
import { type Diagnosis, failing, warning, well } from './diagnosis.ts'

const CHECK = 'log'
const KEEP =
  'Keep the journal and the served checkpoint, answer nothing, and ask the venue and another holder what they see.'

/** What a holder has seen of its venue's log. */
export type SeenLog = { readonly kind: 'in-use' } | { readonly kind: 'seen'; readonly log?: WitnessedLog }

/** Reads a holder's journal, unless its node has it open. @throws HolderError `journal-unreadable`; LogError */
export function readSeenLog(journalDirectory: string, origin: string): SeenLog {
  // Looking makes none.
  if (!existsSync(join(journalDirectory, 'journal.sqlite'))) return { kind: 'seen' }
  let journal: HolderJournal
  try {
    journal = new HolderJournal(journalDirectory)
  } catch (error) {
    if (error instanceof HolderError && error.code === 'journal-in-use') return { kind: 'in-use' }
    throw error
  }
  try {
    const state = journal.readWitnessState()
    return { kind: 'seen', log: state === undefined ? undefined : decodeWitnessState(state).get(origin) }
  } finally {
    journal.close()
  }
}

/**
 * Whether the log that is served is signed by the venue's log, and continues what this holder has seen.
 * @param isGuess the address is the default one, and not what anybody told
 * @throws LogError
 */
export async function checkLog(url: string, isGuess: boolean, key: NoteKey, seen: SeenLog): Promise<Diagnosis> {
  const source = httpLogSource(url, { attempts: 1, timeoutMs: 5000 })
  let note: string | undefined
  try {
    note = await source.readCheckpoint()
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    const todo = isGuess ? 'Ask the venue for the address of its log, and give it with --log.' : error.message
    return (isGuess ? warning : failing)(CHECK, `${url} does not answer (${error.code})`, todo)
  }
  if (note === undefined)
    return failing(CHECK, `${url} serves no log`, 'Give the address of the log with --log; it ends in /log.')
  const opened = openCheckpoint(parseNote(note), key)
  if (!opened.ok) return failing(CHECK, `${url}: ${opened.code}`, opened.reason)
  const { size } = opened.value
  if (seen.kind === 'in-use') return well(CHECK, `${size} entries at ${url}; the node runs, and follows the log itself`)
  if (seen.log?.fork) return failing(CHECK, 'this holder has proof of a fork of the log in its journal', KEEP)
  if (!seen.log) return well(CHECK, `${size} entries at ${url}; this holder has seen none yet`)
  const known = parseCheckpoint(parseNote(seen.log.latest).text)
  if (known.size > size) {
    return failing(CHECK, `${url} has ${size} entries, this holder has seen ${known.size}: rolled back`, KEEP)
  }
  const proof = await proveConsistency(hashReaderOf(source, size), known.size, size)
  const continued = verifyConsistency(known, opened.value, proof)
  if (!continued.ok)
    return failing(CHECK, `${url} does not continue what this holder has seen (${continued.code})`, KEEP)
  return well(CHECK, `${size} entries at ${url} continue the ${known.size} that this holder has seen`)
}
