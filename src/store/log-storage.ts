import { type Digest, digestOf } from '../crypto/digest.ts'
import type { CommittedWrites, LogStorage, TileFile } from '../log/log-storage.ts'
import { parseTilePath, TILE_WIDTH, type TileAddress } from '../log/tile-path.ts'
import type { Database } from './database.ts'

/*
 * Bytes travel as base64 text and lie as `bytea`. PGlite takes a Uint8Array as a parameter too, byte by byte in JavaScript:
 * measured at 128 KiB, 13.6 ms to insert against 2.6 ms as text, and 7.1 ms to read against 0.8 ms.
 */

/** Level of the entry bundles in `log_tiles`; hash tiles have 0…63. */
const ENTRIES_LEVEL = -1

/** A tile from its pieces: a partial one stands on its base, and that on its own. */
const READ_TILE = `
  WITH RECURSIVE pieces AS (
    SELECT width, base_width, bytes FROM log_tiles WHERE level = $1 AND tile = $2 AND width = $3
    UNION ALL
    SELECT base.width, base.base_width, base.bytes
    FROM pieces JOIN log_tiles base ON base.level = $1 AND base.tile = $2 AND base.width = pieces.base_width
  )
  SELECT encode(string_agg(bytes, '' ORDER BY width), 'base64') AS base64 FROM pieces`

/** A smaller tree than the published one is not published. */
const PUBLISH = `
  INSERT INTO log_checkpoint (size, note) VALUES ($1, $2)
  ON CONFLICT (only_row) DO UPDATE SET size = excluded.size, note = excluded.note
  WHERE log_checkpoint.size <= excluded.size`

/** One statement, so that no reader and no failure comes between: the checkpoint is there with all that is under it. */
const WRITE_COMMITTED = `
  WITH stored_tiles AS (
    INSERT INTO log_tiles (level, tile, width, base_width, bytes)
    SELECT level, tile, width, base_width, decode(base64, 'base64')
    FROM unnest(string_to_array($3, ' ')::smallint[], string_to_array($4, ' ')::bigint[],
      string_to_array($5, ' ')::smallint[], string_to_array($6, ' ', '')::smallint[], string_to_array($7, ' '))
      AS given (level, tile, width, base_width, base64)
    ON CONFLICT DO NOTHING
  ), stored_positions AS (
    INSERT INTO log_positions (leaf_hash, position)
    SELECT * FROM unnest(string_to_array($8, ' '), string_to_array($9, ' ')::bigint[])
    ON CONFLICT (leaf_hash) DO NOTHING
  ) ${PUBLISH}`

/** By level: the partial tile that this process stored last. What is written next mostly begins with its bytes. */
type StoredEdge = Map<number, { readonly tile: number; readonly width: number; readonly bytes: number }>

interface TilePiece {
  readonly level: number
  readonly tile: number
  readonly width: number
  /** Of the tile that the piece continues; empty when it stands on its own. */
  readonly baseWidth: number | ''
  readonly piece: Uint8Array
  /** The whole tile. */
  readonly bytes: Uint8Array
}

/**
 * A transparency log in the coordinator's database; contracts on {@link LogStorage}, durability is the database's. Each
 * write is one statement. A tile that is stored stays as it is: the first write wins.
 *
 * @throws StoreError, codes of `databaseError`; LogError `malformed-tile-path` for what is no path of tlog-tiles
 */
export function databaseLogStorage(database: Database): LogStorage {
  const edge: StoredEdge = new Map()
  return {
    readCommit: () => readBytes(database, "SELECT encode(record, 'base64') AS base64 FROM log_commit", []),
    compareAndSwap: (expected, next) => compareAndSwap(database, expected, next),
    writeCommitted: (committed) => writeCommitted(database, committed, edge),
    discardPartialTiles: (paths) => discardPartialTiles(database, paths),
    readTile: (path) => {
      const { level, tile, width } = keyOf(parseTilePath(path))
      return readBytes(database, READ_TILE, [level, tile, width])
    },
    findPositions: (leafHashes) => findPositions(database, leafHashes),
    publish: async (size, note) => void (await database.query(PUBLISH, [size, note])),
    readCheckpoint: async () => {
      const [row] = await database.query<{ note: string }>('SELECT note FROM log_checkpoint')
      return row?.note
    },
  }
}

/** Of two swaps at once the second waits on the row, or on the key, and then finds the first one's record. */
async function compareAndSwap(database: Database, expected: Digest | undefined, next: Uint8Array): Promise<boolean> {
  const values = [digestOf(next), toBase64(next)]
  const swapped = expected
    ? await database.query(
        `UPDATE log_commit SET digest = $1, record = decode($2, 'base64') WHERE digest = $3 RETURNING only_row`,
        [...values, expected],
      )
    : await database.query(
        `INSERT INTO log_commit (digest, record) VALUES ($1, decode($2, 'base64'))
         ON CONFLICT DO NOTHING RETURNING only_row`,
        values,
      )
  return swapped.length > 0
}

async function writeCommitted(
  database: Database,
  { tiles, leaves, size, note }: CommittedWrites,
  edge: StoredEdge,
): Promise<void> {
  const rows = tilePieces(tiles, edge)
  await database.query(WRITE_COMMITTED, [
    size,
    note,
    rows.map(({ level }) => level).join(' '),
    rows.map(({ tile }) => tile).join(' '),
    rows.map(({ width }) => width).join(' '),
    rows.map(({ baseWidth }) => baseWidth).join(' '),
    rows.map(({ piece }) => toBase64(piece)).join(' '),
    leaves.map(({ leafHash }) => leafHash).join(' '),
    leaves.map(({ position }) => position).join(' '),
  ])
  // Only what is certainly there may be built upon.
  for (const { level, tile, width, bytes } of rows) {
    if (width < TILE_WIDTH) edge.set(level, { tile, width, bytes: bytes.length })
  }
}

/** Each tile as its row holds it: whole, or as what it adds to the one of {@link StoredEdge}. */
function tilePieces(tiles: readonly TileFile[], edge: StoredEdge): TilePiece[] {
  return tiles.map(({ path, bytes }) => {
    const key = keyOf(parseTilePath(path))
    const stored = edge.get(key.level)
    const grows = key.width < TILE_WIDTH && stored?.tile === key.tile && stored.width < key.width
    return { ...key, bytes, baseWidth: grows ? stored.width : '', piece: grows ? bytes.subarray(stored.bytes) : bytes }
  })
}

async function discardPartialTiles(database: Database, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return
  const keys = paths.map((path) => keyOf(parseTilePath(path)))
  await database.query(
    `DELETE FROM log_tiles USING unnest(string_to_array($1, ' ')::smallint[], string_to_array($2, ' ')::bigint[])
       AS filled (level, tile)
     WHERE log_tiles.level = filled.level AND log_tiles.tile = filled.tile AND log_tiles.width < 256`,
    [keys.map(({ level }) => level).join(' '), keys.map(({ tile }) => tile).join(' ')],
  )
}

async function findPositions(database: Database, leafHashes: readonly Digest[]): Promise<(number | undefined)[]> {
  if (leafHashes.length === 0) return []
  const rows = await database.query<{ leaf_hash: Digest; position: number | string }>(
    `SELECT leaf_hash, position FROM log_positions WHERE leaf_hash = ANY (string_to_array($1, ' '))`,
    [leafHashes.join(' ')],
  )
  const positions = new Map(rows.map((row) => [row.leaf_hash, Number(row.position)]))
  return leafHashes.map((hash) => positions.get(hash))
}

async function readBytes(
  database: Database,
  sql: string,
  parameters: readonly number[],
): Promise<Uint8Array | undefined> {
  const [row] = await database.query<{ base64: string | null }>(sql, parameters)
  return row?.base64 == null ? undefined : new Uint8Array(Buffer.from(row.base64, 'base64'))
}

function keyOf({ level, index, width }: TileAddress): { level: number; tile: number; width: number } {
  return { level: level === 'entries' ? ENTRIES_LEVEL : level, tile: index, width }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
