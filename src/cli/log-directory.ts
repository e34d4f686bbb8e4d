import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isDigest } from '../crypto/digest.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { encodeEntries, tileBytesMax } from '../log/entry-bundle.ts'
import { encodeHashTile } from '../log/hash-tile.ts'
import { decodeLogEntry } from '../log/log-entry.ts'
import { LogError } from '../log/log-error.ts'
import { type LogSource, PAYLOAD_BYTES_MAX } from '../log/log-source.ts'
import { proveConsistency } from '../log/merkle-proof.ts'
import { NOTE_BYTES_MAX, noteFromBytes, parseNote } from '../log/note.ts'
import { parseTilePath, TILE_WIDTH, type TileAddress, tileInTree, tilePath } from '../log/tile-path.ts'
import { hashReaderOf, readEntries, readHashes } from '../log/tile-reader.ts'
import { verifyConsistency } from '../log/verify-proof.ts'
import { CliError } from './cli-error.ts'
import { writeWholeFile } from './files.ts'

const payloadPath = (payloadSha256: string) => join('statement', payloadSha256)

/**
 * A copy of a log in a directory: files under the paths of tlog-tiles, payloads under `statement/`. Nothing in it is
 * believed; no file takes more memory than its kind can have.
 * @throws (when reading) CliError `file-not-readable`; LogError `malformed-note`, `malformed-tile-path`
 */
export function logDirectory(directory: string): LogSource {
  return {
    async readCheckpoint() {
      const bytes = await readLimited(join(directory, 'checkpoint'), NOTE_BYTES_MAX)
      return bytes && noteFromBytes(bytes)
    },
    readTile: async (path) => readLimited(join(directory, path), tileBytesMax(parseTilePath(path))),
    readPayload: async (payloadSha256) =>
      isDigest(payloadSha256) ? readLimited(join(directory, payloadPath(payloadSha256)), PAYLOAD_BYTES_MAX) : undefined,
  }
}

export interface LogCopy {
  /** Entries of the log, and those that an earlier copy in this place had. */
  readonly size: number
  readonly previousSize: number
  /** Payloads that the entries name and the log does not serve. */
  readonly payloadsMissing: number
}

/**
 * Copies a log into a directory, or brings an earlier copy there up to date. The checkpoint is written last: a copy that
 * was interrupted is the earlier one, and may be repeated. Only that the log continues the earlier copy is checked, so
 * that a rewritten log does not replace the evidence against itself; `verifyLog` checks the rest.
 * @throws CliError `log-invalid` when it does not, or when there is no log; `file-not-writable`; what the source throws
 */
export async function copyLog(
  source: LogSource,
  directory: string,
  onProgress: (entries: number, size: number) => void = () => {},
): Promise<LogCopy> {
  const note = await source.readCheckpoint()
  if (note === undefined) throw new CliError('log-invalid', 'There is no checkpoint at this address: it is not a log.')
  const { size } = parseCheckpoint(parseNote(note).text)
  const copy = logDirectory(directory)
  const previousSize = await requireContinuation(source, copy, note)
  let payloadsMissing = 0
  for (let start = 0; start < size; start += TILE_WIDTH) {
    const end = Math.min(size, start + TILE_WIDTH)
    // A full bundle that is there stays: nothing at its path ever changes.
    const kept = end <= previousSize && end - start === TILE_WIDTH
    const entries = await readEntries(kept ? copy : source, start, end, size)
    const path = tilePath(tileInTree('entries', start / TILE_WIDTH, size)!)
    if (!kept) await writeWholeFile(join(directory, path), encodeEntries(entries))
    for (const entry of entries) payloadsMissing += (await copyPayload(source, copy, directory, entry)) ? 0 : 1
    onProgress(end, size)
  }
  for (const tile of hashTiles(previousSize, size)) {
    const hashes = await readHashes(source, tile)
    await writeWholeFile(join(directory, tilePath(tile)), encodeHashTile(hashes))
  }
  await writeWholeFile(join(directory, 'checkpoint'), note)
  return { size, previousSize, payloadsMissing }
}

/** @returns the size of the earlier copy, 0 when there is none. */
async function requireContinuation(source: LogSource, copy: LogSource, note: string): Promise<number> {
  const previous = await copy.readCheckpoint()
  if (previous === undefined) return 0
  const [older, newer] = [previous, note].map((each) => parseCheckpoint(parseNote(each).text))
  if (older.origin === newer.origin && older.size <= newer.size) {
    const proof = await proveConsistency(hashReaderOf(source, newer.size), older.size, newer.size)
    if (verifyConsistency(older, newer, proof).ok) return older.size
  }
  throw new CliError(
    'log-invalid',
    `The log (${newer.origin}, ${newer.size} entries) does not continue the copy (${older.origin}, ${older.size} entries): keep the copy, and fetch into another directory.`,
  )
}

/** The hash tiles of the tree of `size` entries but for full ones that the tree of `previousSize` had. */
function* hashTiles(previousSize: number, size: number): Generator<TileAddress> {
  for (let level = 0, below = 1; tileInTree(level, 0, size); level++, below *= TILE_WIDTH) {
    const first = Math.floor(Math.floor(previousSize / below) / TILE_WIDTH)
    for (let index = first; ; index++) {
      const tile = tileInTree(level, index, size)
      if (!tile) break
      yield tile
    }
  }
}

/** @returns false when an entry needs a payload that nobody has. What is no entry needs none: that is the audit's to say. */
async function copyPayload(source: LogSource, copy: LogSource, directory: string, bytes: Uint8Array): Promise<boolean> {
  let entry: ReturnType<typeof decodeLogEntry>
  try {
    entry = decodeLogEntry(bytes)
  } catch (fault) {
    if (fault instanceof LogError) return true
    throw fault
  }
  if (entry.kind === 'whole' || (await copy.readPayload(entry.payloadSha256))) return true
  const payload = await source.readPayload(entry.payloadSha256)
  if (payload) await writeWholeFile(join(directory, payloadPath(entry.payloadSha256)), payload)
  return payload !== undefined
}

async function readLimited(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    const { size } = await stat(path)
    if (size > maxBytes) throw new CliError('file-not-readable', `${path} has ${size} bytes: it is no file of a log.`)
    return new Uint8Array(await readFile(path))
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (cause instanceof CliError) throw cause
    throw new CliError('file-not-readable', `${path} cannot be read (${code}): check that this user may read it.`, {
      cause,
    })
  }
}
