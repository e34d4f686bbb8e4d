import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseCheckpoint } from '../../src/log/checkpoint.ts'
import { decodeEntries, encodeEntries } from '../../src/log/entry-bundle.ts'
import { decodeHashTile } from '../../src/log/hash-tile.ts'
import { decodeCommit, encodeCommit } from '../../src/log/log-commit.ts'
import { decodeLogEntry, encodeLogEntry } from '../../src/log/log-entry.ts'
import { noteFromBytes, parseNote, parseSignatureLines } from '../../src/log/note.ts'
import { formatNoteKey, parseNoteKey } from '../../src/log/note-key.ts'
import { parseTilePath } from '../../src/log/tile-path.ts'
import { decodeWitnessState, encodeWitnessState } from '../../src/log/witness-state.ts'
import { formatAddCheckpoint, parseAddCheckpoint, parseKnownSize } from '../../src/log/witness-wire.ts'
import { codeOf, entriesUpTo, LOG_KEY, logOfSizes, SIGNER } from './log-fixtures.ts'

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')
let decoders: Record<string, { good: Uint8Array; decode: (bytes: Uint8Array) => unknown }>

beforeAll(async () => {
  const { notes } = await logOfSizes(3)
  const note = notes.get(3)!
  const [text, line] = note.split('\n\n')
  const latest = new Map([[SIGNER.origin, { latest: note }]])
  const statement = {
    payloadType: 't',
    payload: Buffer.from('{}'),
    signatures: [{ keyid: 'k', sig: new Uint8Array(64) }],
  }
  const ofText = (good: string, decode: (text: string) => unknown) => ({
    good: Buffer.from(good),
    decode: (bytes: Uint8Array) => decode(textOf(bytes)),
  })
  decoders = {
    note: { good: Buffer.from(note), decode: (bytes) => parseNote(noteFromBytes(bytes)) },
    'signature lines': ofText(line, parseSignatureLines),
    'note key': ofText(formatNoteKey(LOG_KEY), parseNoteKey),
    checkpoint: ofText(`${text}\n`, parseCheckpoint),
    'add-checkpoint': ofText(
      formatAddCheckpoint({ oldSize: 2, proof: [new Uint8Array(32)], note }),
      parseAddCheckpoint,
    ),
    'known size': ofText('20\n', parseKnownSize),
    'tile path': ofText('tile/entries/x001/234.p/5', parseTilePath),
    'hash tile': { good: new Uint8Array(96), decode: (bytes) => decodeHashTile(bytes, 3) },
    'entry bundle': { good: encodeEntries(entriesUpTo(4)), decode: (bytes) => decodeEntries(bytes, 4) },
    'log entry': { good: encodeLogEntry(statement), decode: decodeLogEntry },
    'commit record': { good: encodeCommit({ fromSize: 0, note, entries: entriesUpTo(3) }), decode: decodeCommit },
    'witness state': ofText(encodeWitnessState(latest), decodeWitnessState),
  }
})

/** Cuts, repeats, replaces and inserts bytes. */
const mutations = fc.array(fc.record({ at: fc.nat(), cut: fc.nat(40), insert: fc.uint8Array({ maxLength: 12 }) }), {
  minLength: 1,
  maxLength: 4,
})

function mutate(bytes: Uint8Array, { at, cut, insert }: { at: number; cut: number; insert: Uint8Array }): Uint8Array {
  const start = bytes.length === 0 ? 0 : at % bytes.length
  return Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + (cut > 20 ? 0 : cut))])
}

describe('every decoder of the log', () => {
  it('accepts what was encoded', () => {
    for (const { good, decode } of Object.values(decoders)) expect(codeOf(() => decode(good))).toBeUndefined()
  })

  it('answers damaged bytes with a value or a named error, and nothing else', () => {
    const name = fc.constantFrom('note', ...Object.keys(decoders))
    const refused = new Set<string>()
    fc.assert(
      fc.property(name, mutations, (which, list) => {
        const { good, decode } = decoders[which]
        if (codeOf(() => decode(list.reduce(mutate, good)))) refused.add(which)
      }),
      { numRuns: 5000 },
    )
    expect([...refused].sort()).toEqual(Object.keys(decoders).sort())
  })

  it('answers any bytes with a value or a named error, and nothing else', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(decoders)), fc.uint8Array({ maxLength: 200 }), (which, bytes) => {
        codeOf(() => decoders[which].decode(bytes))
      }),
      { numRuns: 2000 },
    )
  })
})
