import { digestOf, fromHex, toHex } from '../../src/crypto/digest.ts'
import { signEnvelope } from '../../src/crypto/envelope.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { type LogSigner, logKeyOf, signCheckpoint } from '../../src/log/checkpoint.ts'
import { cosign, witnessKeyOf } from '../../src/log/cosignature.ts'
import { encodeEntries } from '../../src/log/entry-bundle.ts'
import { encodeLogEntry } from '../../src/log/log-entry.ts'
import { createLog } from '../../src/log/log-writer.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { proveConsistency, proveInclusion, rootFromReader } from '../../src/log/merkle-proof.ts'
import { formatSignatureLine, parseNote } from '../../src/log/note.ts'
import { formatNoteKey } from '../../src/log/note-key.ts'
import { proveRange } from '../../src/log/range-proof.ts'
import { type TileAddress, tilePath } from '../../src/log/tile-path.ts'
import { hashReaderOf } from '../../src/log/tile-reader.ts'
import { formatAddCheckpoint, formatCosignatures } from '../../src/log/witness-wire.ts'
import { entriesUpTo } from '../log/log-fixtures.ts'

/* The vectors of src/log. */

const LOG = { origin: 'venue.example/log', seed: '01'.repeat(32) }
const WITNESS = { name: 'zurich.example/witness', seed: '0a'.repeat(32), cosignedAtS: 1_800_000_000 }
const signer: LogSigner = { origin: LOG.origin, key: statementKeyFromSeed(fromHex(LOG.seed)) }
const witness = { name: WITNESS.name, key: statementKeyFromSeed(fromHex(WITNESS.seed)) }

/** The entries of the Certificate Transparency project's own test data. */
const ENTRIES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
const LARGE_SIZE = 300

export async function logVectors() {
  const storage = await logOf(ENTRIES.map(fromHex))
  const hashes = (size: number) => hashReaderOf(storage, size)
  const roots: Uint8Array[] = []
  for (let size = 0; size <= ENTRIES.length; size++) roots.push(await rootFromReader(hashes(ENTRIES.length), size))
  const checkpoint = signCheckpoint({ size: 8, root: roots[8] }, signer)
  const cosignature = cosign(parseNote(checkpoint).text, witness, WITNESS.cosignedAtS)
  const proof = await proveConsistency(hashes(8), 6, 8)
  const bundle = ['', 'ff', 'aa'.repeat(257)]
  return {
    description: DESCRIPTION,
    entries: ENTRIES,
    roots: roots.map(toHex),
    inclusion: await makeInclusion(storage),
    consistency: await makeConsistency(storage),
    log: { ...LOG, vkey: formatNoteKey(logKeyOf(signer)) },
    witness: {
      name: WITNESS.name,
      seed: WITNESS.seed,
      vkey: formatNoteKey(witnessKeyOf(witness)),
      cosignedAtS: WITNESS.cosignedAtS,
    },
    checkpoint,
    cosignedCheckpoint: checkpoint + formatSignatureLine(cosignature),
    addCheckpoint: {
      oldSize: 6,
      newSize: 8,
      request: formatAddCheckpoint({ note: checkpoint, oldSize: 6, proof }),
      response: formatCosignatures([cosignature]),
    },
    tilePaths: TILES.map((address) => ({ ...address, path: tilePath(address) })),
    bundle: { entries: bundle, bytes: toHex(encodeEntries(bundle.map(fromHex))) },
    logEntries: makeLogEntries(),
    large: await makeLargeTree(),
  }
}

const DESCRIPTION = [
  'The transparency log (src/log): C2SP tlog-tiles, tlog-checkpoint, signed-note, tlog-cosignature, tlog-witness. Bytes are hexadecimal, texts are UTF-8 with \\n for newline.',
  'roots[n] is the RFC 6962 root of the first n entries; these eight entries and their roots are the test data of the Certificate Transparency project.',
  'inclusion: audit path of entry `index` in the tree of the first `size` entries. consistency: proof from the first `oldSize` to the first `newSize` entries.',
  'Ed25519 keys are given by their 32-byte seeds (RFC 8032). The checkpoint is of all eight entries; the cosigned one has the cosignature/v1 line behind it.',
  'bundle: entries, each behind its length in two bytes, big-endian. logEntries: DSSE envelopes signed by the log key as the entries that they make; the payload of the whole one is {"round":1}, that of the detached one is 80,000 bytes, byte i being i mod 256.',
  'large: the tree of `size` entries, entry i being the text "entry " and i in decimal. tiles: sha256 of the resource at each path. ranges: `before` holds the roots of the complete subtrees of entries [0, start), largest first, one for every bit set in start; with the entries from start on they give the root (src/log/range-proof.ts).',
]

const TILES: readonly TileAddress[] = [
  { level: 'entries', index: 0, width: 256 },
  { level: 'entries', index: 1_234_067, width: 256 },
  { level: 0, index: 273, width: 112 },
  { level: 1, index: 1, width: 17 },
  { level: 2, index: 0, width: 1 },
  { level: 0, index: 1000, width: 256 },
  { level: 3, index: 999_999, width: 255 },
]

async function logOf(entries: readonly Uint8Array[]): Promise<MemoryLogStorage> {
  const storage = new MemoryLogStorage()
  await (await createLog(storage, signer)).append(entries)
  return storage
}

async function makeInclusion(storage: MemoryLogStorage) {
  const places = [
    [0, 1],
    [0, 8],
    [5, 8],
    [2, 3],
    [1, 5],
    [6, 7],
  ]
  return Promise.all(
    places.map(async ([index, size]) => {
      const proof = await proveInclusion(hashReaderOf(storage, ENTRIES.length), index, size)
      return { index, size, proof: proof.map(toHex) }
    }),
  )
}

async function makeConsistency(storage: MemoryLogStorage) {
  const sizes = [
    [1, 1],
    [1, 8],
    [6, 8],
    [2, 5],
    [4, 8],
    [3, 7],
  ]
  return Promise.all(
    sizes.map(async ([oldSize, newSize]) => {
      const proof = await proveConsistency(hashReaderOf(storage, ENTRIES.length), oldSize, newSize)
      return { oldSize, newSize, proof: proof.map(toHex) }
    }),
  )
}

function makeLogEntries() {
  const payloads = { whole: Buffer.from('{"round":1}'), detached: new Uint8Array(80_000).map((_, i) => i) }
  const entryOf = (payload: Uint8Array) =>
    Buffer.from(encodeLogEntry(signEnvelope('application/vnd.example+json', payload, signer.key))).toString('utf8')
  return { whole: entryOf(payloads.whole), detached: entryOf(payloads.detached) }
}

async function makeLargeTree() {
  const storage = await logOf(entriesUpTo(LARGE_SIZE))
  const tiles: readonly TileAddress[] = [
    { level: 'entries', index: 0, width: 256 },
    { level: 'entries', index: 1, width: 44 },
    { level: 0, index: 0, width: 256 },
    { level: 0, index: 1, width: 44 },
    { level: 1, index: 0, width: 1 },
  ]
  return {
    size: LARGE_SIZE,
    root: toHex(await rootFromReader(hashReaderOf(storage, LARGE_SIZE), LARGE_SIZE)),
    tiles: await Promise.all(
      tiles.map(async (address) => {
        const path = tilePath(address)
        return { path, sha256: digestOf((await storage.readTile(path))!) }
      }),
    ),
    ranges: await Promise.all(
      [0, 1, 6, 255, 256, 299, 300].map(async (start) => {
        const { before } = await proveRange(storage, start, LARGE_SIZE)
        return { start, before: before.map(toHex) }
      }),
    ),
  }
}
