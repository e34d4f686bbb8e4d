import { decodeEntries, encodeEntries } from './entry-bundle.ts'
import { encodeHashTile } from './hash-tile.ts'
import { LogError } from './log-error.ts'
import type { LogStorage, TileFile } from './log-storage.ts'
import { equalBytes, leafHash } from './merkle-hash.ts'
import { TILE_WIDTH, tileInTree, tilePath } from './tile-path.ts'
import { readTileOrFull } from './tile-reader.ts'
import { edgeRoot, extendEdge, loadEdge, type TreeEdge } from './tree-edge.ts'

/** What a writer keeps of the tree to go on: under 17 MB, and mostly a few hundred KB. */
export interface CommittedTree {
  readonly edge: TreeEdge
  /** MTH of the tree, 32 bytes. */
  readonly root: Uint8Array
  /** The entries of the rightmost bundle while it is partial. */
  readonly lastBundle: readonly Uint8Array[]
}

/** What a commit leads to. */
export interface WrittenTree {
  readonly tree: CommittedTree
  /** Every bundle and hash tile that changes. */
  readonly tiles: readonly TileFile[]
  /** Leaf hashes of the new entries. */
  readonly leaves: readonly Uint8Array[]
}

/**
 * The tree after these entries. The bytes of its tiles follow from the entries alone, so whoever writes a committed tree,
 * however often, writes the same.
 */
export function writeTiles(before: CommittedTree, entries: readonly Uint8Array[]): WrittenTree {
  const leaves = entries.map(leafHash)
  const { edge, tiles } = extendEdge(before.edge, leaves)
  const pending = [...before.lastBundle, ...entries]
  const firstBundle = Math.floor(before.edge.size / TILE_WIDTH)
  const bundles: TileFile[] = []
  for (let i = 0; i * TILE_WIDTH < pending.length; i++) {
    const bundle = pending.slice(i * TILE_WIDTH, (i + 1) * TILE_WIDTH)
    const path = tilePath({ level: 'entries', index: firstBundle + i, width: bundle.length })
    bundles.push({ path, bytes: encodeEntries(bundle) })
  }
  const hashTiles = tiles.map((tile) => ({ path: tilePath(tile), bytes: encodeHashTile(tile.hashes) }))
  const lastBundle = pending.slice(pending.length - (edge.size % TILE_WIDTH))
  return { tree: { edge, root: edgeRoot(edge), lastBundle }, tiles: [...bundles, ...hashTiles], leaves }
}

/**
 * The stored tree of this size; the caller compares its root with a checkpoint.
 * @throws LogError `tile-missing`, `malformed-tile`, `malformed-bundle`, `storage-corrupt`
 */
export async function loadTree(storage: LogStorage, size: number): Promise<CommittedTree> {
  const edge = await loadEdge(storage, size)
  const address = tileInTree('entries', Math.floor(size / TILE_WIDTH), size)
  const bundle = address && (await readTileOrFull(storage, address))
  const lastBundle = bundle ? decodeEntries(bundle.bytes, bundle.width).slice(0, address.width) : []
  // The root vouches for the hash tiles only; a damaged bundle would be copied into every later one.
  const leaves = edge.levels[0] ?? []
  if (lastBundle.length !== leaves.length || !lastBundle.every((entry, i) => equalBytes(leafHash(entry), leaves[i]))) {
    const reason = `The log's storage is damaged: the last entries of ${size} are not those that were hashed. Restore it.`
    throw new LogError('storage-corrupt', reason)
  }
  return { edge, root: edgeRoot(edge), lastBundle }
}

/**
 * Forgets the partial tiles and bundles of those that became full between the two sizes; a log may, and ours does: the
 * partial bundles of a full one are a hundred times its size (tlog-tiles, Partial Tiles).
 */
export async function discardFilledPartials(storage: LogStorage, fromSize: number, size: number): Promise<void> {
  const paths: string[] = []
  for (const level of ['entries', 0, 1, 2, 3, 4, 5, 6] as const) {
    const span = TILE_WIDTH ** (level === 'entries' ? 1 : level + 1)
    for (let index = Math.floor(fromSize / span); index < Math.floor(size / span); index++) {
      paths.push(tilePath({ level, index, width: TILE_WIDTH }))
    }
  }
  if (paths.length > 0) await storage.discardPartialTiles(paths)
}
