import { decodeEntries } from './entry-bundle.ts'
import { decodeHashTile } from './hash-tile.ts'
import { LogError } from './log-error.ts'
import { perfectRoot } from './merkle-hash.ts'
import type { HashReader } from './merkle-proof.ts'
import { fullTile, TILE_WIDTH, type TileAddress, tileInTree, tilePath } from './tile-path.ts'

/** Height of a tile: 2^8 = 256 hashes. */
const TILE_HEIGHT = 8

/**
 * Whoever has a log's static resources: the storage, an HTTP client, a directory copied to an auditor. What it gives is
 * not believed but checked.
 *
 * - *Limits*: a reader over a network stops at `tileBytesMax` of the tile, and at `NOTE_BYTES_MAX` of the checkpoint.
 * - *Retries* are the reader's; a rejection is a fault of transport or disk, and passes through unchanged.
 */
export interface LogReader {
  /** The published checkpoint, a signed note; undefined when there is none. */
  readCheckpoint(): Promise<string | undefined>
  /** The bytes at this path (`tile/…`, see {@link tilePath}); undefined when there is no such resource. */
  readTile(path: string): Promise<Uint8Array | undefined>
}

/**
 * A tile or bundle of a published tree. A partial tile may have been removed since the full one exists, so that one is
 * the fallback (tlog-tiles, Partial Tiles); its first hashes, or entries, are those of the partial tile.
 * @returns the bytes and the width that they have
 * @throws LogError `tile-missing`
 */
export async function readTileOrFull(
  reader: Pick<LogReader, 'readTile'>,
  address: TileAddress,
): Promise<{ bytes: Uint8Array; width: number }> {
  const bytes = await reader.readTile(tilePath(address))
  if (bytes) return { bytes, width: address.width }
  const full = address.width < TILE_WIDTH ? await reader.readTile(tilePath(fullTile(address))) : undefined
  if (full) return { bytes: full, width: TILE_WIDTH }
  throw new LogError('tile-missing', `The log does not have ${tilePath(address)}: it is not all of a log.`)
}

/** The hashes of a tile of a published tree. @throws LogError `tile-missing`, `malformed-tile` */
export async function readHashes(
  reader: Pick<LogReader, 'readTile'>,
  address: TileAddress,
): Promise<readonly Uint8Array[]> {
  const { bytes, width } = await readTileOrFull(reader, address)
  return decodeHashTile(bytes, width).slice(0, address.width)
}

/**
 * The entries [start, end) of the tree of `size` entries, 0 ≤ start ≤ end ≤ size; nothing is verified.
 * @throws LogError `tile-missing`, `malformed-bundle`
 */
export async function readEntries(
  reader: Pick<LogReader, 'readTile'>,
  start: number,
  end: number,
  size: number,
): Promise<Uint8Array[]> {
  const entries: Uint8Array[] = []
  for (let index = Math.floor(start / TILE_WIDTH); index * TILE_WIDTH < end; index++) {
    const first = index * TILE_WIDTH
    const { bytes, width } = await readTileOrFull(reader, tileInTree('entries', index, size)!)
    const bundle = decodeEntries(bytes, width)
    for (let i = Math.max(start, first); i < Math.min(end, first + TILE_WIDTH); i++) entries.push(bundle[i - first])
  }
  return entries
}

/**
 * The hashes of the tree of `size` entries, from its tiles. Tiles once read are kept: a proof needs a few, each 8 KiB.
 * Make one reader for a proof, or for a few of the same tree.
 */
export function hashReaderOf(reader: Pick<LogReader, 'readTile'>, size: number): HashReader {
  const tiles = new Map<string, Promise<readonly Uint8Array[]>>()
  const hashesOf = (address: TileAddress) => {
    const path = tilePath(address)
    const known = tiles.get(path) ?? readHashes(reader, address)
    tiles.set(path, known)
    return known
  }
  return {
    async hash(height, index) {
      const level = Math.floor(height / TILE_HEIGHT)
      // The subtree stands on 2^(height mod 8) hashes of one tile, because both are aligned.
      const count = 2 ** (height % TILE_HEIGHT)
      const first = index * count
      const address = tileInTree(level, Math.floor(first / TILE_WIDTH), size)
      const offset = first % TILE_WIDTH
      if (!address || offset + count > address.width) {
        const reason = `The subtree of height ${height} at ${index} is not in a tree of ${size} entries.`
        throw new LogError('out-of-range', reason)
      }
      return perfectRoot((await hashesOf(address)).slice(offset, offset + count))
    },
  }
}
