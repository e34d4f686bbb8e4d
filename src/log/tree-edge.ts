import { EMPTY_ROOT, nodeHash, perfectRoot } from './merkle-hash.ts'
import { TILE_WIDTH, type TileAddress, tileInTree } from './tile-path.ts'
import type { LogReader } from './tile-reader.ts'
import { readHashes } from './tile-reader.ts'

/**
 * The right edge of a tree: all that is needed to go on hashing, and to know the root. At most 255 hashes a level, so
 * under 60 KiB for any tree.
 */
export interface TreeEdge {
  /** Number of entries. */
  readonly size: number
  /** By tile level: the hashes of the rightmost tile while it is partial; empty when the last one is full. */
  readonly levels: readonly (readonly Uint8Array[])[]
}

/** A tile with its hashes. */
export interface HashTile extends TileAddress {
  readonly hashes: readonly Uint8Array[]
}

export const EMPTY_EDGE: TreeEdge = { size: 0, levels: [] }

/**
 * The edge after more leaves, and every hash tile that they changed: those they filled, and the partial one at the end
 * of each level they reached. Lower levels come first.
 * @param leaves leaf hashes in order, 32 bytes each
 */
export function extendEdge(edge: TreeEdge, leaves: readonly Uint8Array[]): { edge: TreeEdge; tiles: HashTile[] } {
  const levels = [...edge.levels]
  const tiles: HashTile[] = []
  let added = leaves
  for (let level = 0; added.length > 0; level++) {
    const hashes = [...(levels[level] ?? []), ...added]
    const firstTile = Math.floor(edge.size / TILE_WIDTH ** (level + 1))
    const rows = Array.from({ length: Math.ceil(hashes.length / TILE_WIDTH) }, (_, i) =>
      hashes.slice(i * TILE_WIDTH, (i + 1) * TILE_WIDTH),
    )
    tiles.push(...rows.map((row, i) => ({ level, index: firstTile + i, width: row.length, hashes: row })))
    const filled = rows.filter((row) => row.length === TILE_WIDTH)
    levels[level] = rows[filled.length] ?? []
    added = filled.map(perfectRoot)
  }
  return { edge: { size: edge.size + leaves.length, levels }, tiles }
}

/** MTH of the whole tree: its complete subtrees, joined from the right (RFC 6962 §2.1). 32 bytes. */
export function edgeRoot(edge: TreeEdge): Uint8Array {
  let root: Uint8Array | undefined
  for (const hashes of edge.levels) {
    let end = hashes.length
    for (let count = 1; count < TILE_WIDTH; count *= 2) {
      if (!(hashes.length & count)) continue
      const subtree = perfectRoot(hashes.slice(end - count, end))
      root = root ? nodeHash(subtree, root) : subtree
      end -= count
    }
  }
  return root ?? EMPTY_ROOT
}

/**
 * The edge of a stored tree of `size` entries; the caller compares its root with a checkpoint.
 * @throws LogError `tile-missing`, `malformed-tile`
 */
export async function loadEdge(reader: Pick<LogReader, 'readTile'>, size: number): Promise<TreeEdge> {
  const levels: (readonly Uint8Array[])[] = []
  for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
    const last = tileInTree(level, Math.floor(hashes / TILE_WIDTH), size)
    levels.push(last ? await readHashes(reader, last) : [])
  }
  return { size, levels }
}
