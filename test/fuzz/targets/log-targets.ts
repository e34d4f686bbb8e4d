import fc from 'fast-check'
import { signEnvelope } from '../../../src/crypto/envelope.ts'
import { formatCheckpoint, openCheckpoint, parseCheckpoint } from '../../../src/log/checkpoint.ts'
import { addCosignatures, cosign, openCosignedCheckpoint } from '../../../src/log/cosignature.ts'
import { decodeEntries, encodeEntries } from '../../../src/log/entry-bundle.ts'
import { decodeHashTile, encodeHashTile } from '../../../src/log/hash-tile.ts'
import { decodeCommit, encodeCommit } from '../../../src/log/log-commit.ts'
import { attachPayload, decodeLogEntry, encodeLogEntry } from '../../../src/log/log-entry.ts'
import { leafHash } from '../../../src/log/merkle-hash.ts'
import { proveConsistency, proveInclusion } from '../../../src/log/merkle-proof.ts'
import { formatNote, noteFromBytes, parseNote, parseSignatureLines } from '../../../src/log/note.ts'
import { formatNoteKey, parseNoteKey } from '../../../src/log/note-key.ts'
import { proveRange, verifyRange } from '../../../src/log/range-proof.ts'
import { parseTilePath, tilePath } from '../../../src/log/tile-path.ts'
import { hashReaderOf } from '../../../src/log/tile-reader.ts'
import { verifyConsistency, verifyInclusion } from '../../../src/log/verify-proof.ts'
import { addCheckpoint, NEW_WITNESS, type WitnessState } from '../../../src/log/witness.ts'
import { decodeWitnessState, encodeWitnessState } from '../../../src/log/witness-state.ts'
import {
  formatAddCheckpoint,
  formatCosignatures,
  formatKnownSize,
  parseAddCheckpoint,
  parseKnownSize,
} from '../../../src/log/witness-wire.ts'
import { SluiceError } from '../../../src/sluice-error.ts'
import { entriesUpTo, entryAt, LOG_KEY, logOfSizes, SIGNER, WITNESS_KEYS, WITNESSES } from '../../log/log-fixtures.ts'
import { type FuzzTarget, target } from '../fuzz-target.ts'

const NOW_S = 1_800_000_000
const SIZES = [1, 3, 8, 300] as const
const HASHES = 3
const ENTRIES = 4
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'))
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

/** The formats of the transparency log, and what is decided by them alone (docs/adr/0005). */
export async function logTargets(): Promise<FuzzTarget[]> {
  const { storage, notes } = await logOfSizes(...SIZES)
  const signed = SIZES.map((size) => notes.get(size)!)
  const cosigned = signed.map((note) => {
    const { text } = parseNote(note)
    return addCosignatures(note, formatCosignatures(WITNESSES.map((each) => cosign(text, each, NOW_S))), WITNESS_KEYS)
  })
  const noteTargets = targetsOfNotes([...signed, ...cosigned])
  const proofs = await proofTargets(storage, signed)
  const witnesses = await witnessTargets(storage, signed)
  return [...noteTargets, ...tileTargets(), ...entryTargets(signed), ...proofs, ...witnesses]
}

function targetsOfNotes(notes: readonly string[]): FuzzTarget[] {
  const policy = { log: LOG_KEY, witnesses: WITNESS_KEYS, quorum: 2 }
  const corpus = notes.map(bytesOf)
  const lines = notes.map((note) => bytesOf(note.slice(note.lastIndexOf('\n\n') + 2)))
  return [
    target({
      name: 'log: note',
      corpus,
      decode: (bytes) => parseNote(noteFromBytes(bytes)),
      encode: (note) => bytesOf(formatNote(note)),
      roundTrip: 'bytes',
    }),
    target({
      name: 'log: signed checkpoint',
      corpus,
      decode: (bytes) => openCheckpoint(parseNote(textOf(bytes)), LOG_KEY),
    }),
    target({
      name: 'log: cosigned checkpoint',
      corpus: corpus.slice(SIZES.length),
      decode: (bytes) => openCosignedCheckpoint(parseNote(noteFromBytes(bytes)), policy),
    }),
    target({
      name: 'log: signature lines',
      corpus: lines,
      decode: (bytes) => parseSignatureLines(noteFromBytes(bytes)),
      encode: (signatures) => bytesOf(formatCosignatures(signatures)),
      roundTrip: 'bytes',
    }),
    target({
      name: 'log: cosignatures of a witness',
      corpus: lines,
      decode: (bytes) => addCosignatures(notes[0], textOf(bytes), WITNESS_KEYS),
    }),
    target({
      name: 'log: checkpoint',
      corpus: [
        ...notes.map((note) => bytesOf(parseNote(note).text)),
        bytesOf(
          formatCheckpoint({ origin: 'other', size: 2 ** 53 - 1, root: new Uint8Array(32), extensions: ['a', 'b c'] }),
        ),
      ],
      decode: (bytes) => parseCheckpoint(noteFromBytes(bytes)),
      encode: (checkpoint) => bytesOf(formatCheckpoint(checkpoint)),
      roundTrip: 'bytes',
    }),
    target({
      name: 'log: key',
      corpus: [LOG_KEY, ...WITNESS_KEYS].map((key) => bytesOf(formatNoteKey(key))),
      decode: (bytes) => parseNoteKey(noteFromBytes(bytes)),
      encode: (key) => bytesOf(formatNoteKey(key)),
      roundTrip: 'bytes',
    }),
  ]
}

function tileTargets(): FuzzTarget[] {
  return [
    target({
      name: 'log: tile path',
      corpus: ['tile/0/000', 'tile/entries/x001/234.p/5', 'tile/63/x001/x234/067.p/255'].map(bytesOf),
      decode: (bytes) => parseTilePath(noteFromBytes(bytes)),
      encode: (address) => bytesOf(tilePath(address)),
      roundTrip: 'bytes',
      structured: fc
        .tuple(
          fc.constantFrom('entries', 0, 63, 64, '00'),
          fc.array(fc.stringMatching(/^x?\d{3}$/), { maxLength: 8 }),
          fc.nat(300),
        )
        .map(([level, groups, width]) => bytesOf(`tile/${level}/${groups.join('/')}${width > 0 ? `.p/${width}` : ''}`)),
    }),
    target({
      name: 'log: hash tile',
      corpus: [encodeHashTile(Array.from({ length: HASHES }, (_, i) => leafHash(entryAt(i))))],
      decode: (bytes) => decodeHashTile(bytes, HASHES),
      encode: encodeHashTile,
      roundTrip: 'bytes',
    }),
    target({
      name: 'log: entry bundle',
      corpus: [encodeEntries(entriesUpTo(ENTRIES)), encodeEntries(Array(ENTRIES).fill(new Uint8Array(0)))],
      decode: (bytes) => decodeEntries(bytes, ENTRIES),
      encode: encodeEntries,
      roundTrip: 'bytes',
    }),
  ]
}

function entryTargets(notes: readonly string[]): FuzzTarget[] {
  const small = signEnvelope('application/vnd.sluice.v1.candidates+json', bytesOf('{"plan":"é"}'), SIGNER.key)
  const large = signEnvelope('application/vnd.sluice.v1.manifest+json', new Uint8Array(70_000).fill(0x20), SIGNER.key)
  const unsigned = { ...small, signatures: [] }
  const commits = [
    { fromSize: 0, note: notes[1], entries: entriesUpTo(3) },
    { fromSize: 3, note: notes[2], entries: entriesUpTo(8, 3) },
  ]
  return [
    target({
      name: 'log: entry',
      corpus: [small, large, unsigned].map(encodeLogEntry),
      decode: (bytes) => {
        const entry = decodeLogEntry(bytes)
        return entry.kind === 'detached' ? attachPayload(entry, large.payload) : entry
      },
      encode: encodeLogEntry,
      roundTrip: 'bytes',
    }),
    target({
      name: 'log: commit record',
      corpus: commits.map(encodeCommit),
      decode: decodeCommit,
      encode: encodeCommit,
      roundTrip: 'bytes',
    }),
  ]
}

async function witnessTargets(
  storage: Awaited<ReturnType<typeof logOfSizes>>['storage'],
  notes: readonly string[],
): Promise<FuzzTarget[]> {
  const hashes = hashReaderOf(storage, 300)
  const config = { logs: [LOG_KEY], signer: WITNESSES[0] }
  const known: WitnessState = new Map([[SIGNER.origin, { latest: notes[1] }]])
  const fork = { known: notes[1], contradicting: notes[2], proof: [Buffer.alloc(32).toString('base64')] }
  const states: WitnessState[] = [NEW_WITNESS, known, new Map([[SIGNER.origin, { latest: notes[1], fork }]])]
  const requests = [
    { oldSize: 0, proof: [], note: notes[0] },
    { oldSize: 3, proof: await proveConsistency(hashes, 3, 8), note: notes[2] },
    { oldSize: 3, proof: await proveConsistency(hashes, 3, 300), note: notes[3] },
  ]
  return [
    target({
      name: 'log: add-checkpoint request',
      corpus: requests.map((request) => bytesOf(formatAddCheckpoint(request))),
      decode: (bytes) => parseAddCheckpoint(noteFromBytes(bytes)),
      encode: (request) => bytesOf(formatAddCheckpoint(request)),
      roundTrip: 'bytes',
    }),
    target({
      name: 'log: witness, a whole step',
      corpus: requests.map((request) => bytesOf(formatAddCheckpoint(request))),
      decode: (bytes) => addCheckpoint(known, parseAddCheckpoint(textOf(bytes)), config, NOW_S).answer.kind,
    }),
    target({
      name: 'log: witness state',
      corpus: states.map((state) => bytesOf(encodeWitnessState(state))),
      decode: (bytes) => decodeWitnessState(textOf(bytes)),
      encode: (state) => bytesOf(encodeWitnessState(state)),
      roundTrip: 'value',
    }),
    target({
      name: 'log: known size',
      corpus: [0, 20, 2 ** 53 - 1].map((size) => bytesOf(formatKnownSize(size))),
      decode: (bytes) => parseKnownSize(textOf(bytes)),
      encode: (size) => bytesOf(formatKnownSize(size)),
      roundTrip: 'bytes',
    }),
  ]
}

/** Two numbers and hashes, as protobuf brings them to a verifier: doubles of any value, pieces of up to 32 bytes. */
function proofFrom(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const numbers = [0, 8].map((at) => (at + 8 <= bytes.length ? view.getFloat64(at, true) : 0))
  const hashes: Uint8Array[] = []
  for (let at = 16; at < bytes.length; at += 32) hashes.push(bytes.subarray(at, at + 32))
  return { first: numbers[0], second: numbers[1], hashes }
}

function proofBytes(first: number, second: number, hashes: readonly Uint8Array[]): Uint8Array {
  const numbers = new Uint8Array(new Float64Array([first, second]).buffer)
  return new Uint8Array(Buffer.concat([numbers, ...hashes]))
}

async function proofTargets(
  storage: Awaited<ReturnType<typeof logOfSizes>>['storage'],
  notes: readonly string[],
): Promise<FuzzTarget[]> {
  const heads = notes.map((note) => parseCheckpoint(parseNote(note).text))
  const head = heads[3]
  const hashes = hashReaderOf(storage, head.size)
  const inclusion = await Promise.all(
    [0, 7, 255, 299].map(async (i) => proofBytes(head.size, i, await proveInclusion(hashes, i, head.size))),
  )
  const consistency = await Promise.all(
    heads
      .slice(0, 3)
      .map(async ({ size }) => proofBytes(size, head.size, await proveConsistency(hashes, size, head.size))),
  )
  const range = await proveRange(storage, 297, head.size)
  return [
    target({
      name: 'log: inclusion proof',
      corpus: inclusion,
      decode: (bytes) => {
        const { first: size, second: index, hashes: path } = proofFrom(bytes)
        return verifyInclusion({ size, root: head.root }, index, leafHash(entryAt(index)), path)
      },
    }),
    target({
      name: 'log: consistency proof',
      corpus: consistency,
      decode: (bytes) => {
        const { first, second, hashes: path } = proofFrom(bytes)
        const older = heads.find(({ size }) => size === first) ?? { size: first, root: heads[0].root }
        return verifyConsistency(older, { size: second, root: head.root }, path)
      },
    }),
    target({
      name: 'log: range proof',
      corpus: [proofBytes(range.start, head.size, range.before)],
      decode: (bytes) => {
        const { first: start, second: size, hashes: before } = proofFrom(bytes)
        return verifyRange({ start, before, entries: range.entries }, { size, root: head.root })
      },
    }),
    target({
      name: 'log: tiles of a stranger',
      corpus: [proofBytes(head.size, 299, [(await storage.readTile('tile/0/001.p/44'))!])],
      decode: (bytes) => proveFromOddTiles(storage, bytes),
    }),
  ]
}

/** A proof made from a storage that gives these bytes for one of its tiles. */
async function proveFromOddTiles(storage: Awaited<ReturnType<typeof logOfSizes>>['storage'], bytes: Uint8Array) {
  const { first: size, second: index } = proofFrom(bytes)
  const tile = bytes.subarray(16)
  const readTile = async (path: string) => (path === 'tile/0/001.p/44' ? tile : storage.readTile(path))
  const path = await proveInclusion(hashReaderOf({ readTile }, size), index, size)
  if (path.length > 64) throw new SluiceError('proof-too-long', 'No proof has so many hashes.')
  return path.length
}
