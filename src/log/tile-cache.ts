import type { LogStorage } from './log-storage.ts'

/** Bytes of tiles that are kept when nothing else is said: the edge of a log, and the last few hundred proofs' tiles. */
export const TILE_CACHE_BYTES: number = 32 * 1024 * 1024

/**
 * A storage that keeps the tiles it wrote or read last in memory, so that proofs near a log's head read nothing. What is
 * at a path never changes, so a kept tile is right however many processes write the log; it may outlive a partial tile
 * that another process discarded.
 *
 * Callers share the bytes that `readTile` gives, and do not write to them.
 */
export function cacheTiles(storage: LogStorage, maxBytes: number = TILE_CACHE_BYTES): LogStorage {
  const tiles = new RecentTiles(maxBytes)
  return {
    readCommit: () => storage.readCommit(),
    compareAndSwap: (expected, next) => storage.compareAndSwap(expected, next),
    findPositions: (leafHashes) => storage.findPositions(leafHashes),
    publish: (size, note) => storage.publish(size, note),
    readCheckpoint: () => storage.readCheckpoint(),
    async writeCommitted(committed) {
      await storage.writeCommitted(committed)
      for (const { path, bytes } of committed.tiles) tiles.keep(path, bytes)
    },
    async discardPartialTiles(paths) {
      for (const path of paths) tiles.forgetPartials(path)
      await storage.discardPartialTiles(paths)
    },
    async readTile(path) {
      const known = tiles.find(path)
      if (known) return known
      const bytes = await storage.readTile(path)
      if (bytes) tiles.keep(path, bytes)
      return bytes
    },
  }
}

/** Least recently used first: the order of a Map is that of insertion. */
class RecentTiles {
  readonly #maxBytes: number
  readonly #tiles = new Map<string, Uint8Array>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  find(path: string): Uint8Array | undefined {
    const bytes = this.#tiles.get(path)
    if (bytes) this.keep(path, bytes)
    return bytes
  }

  keep(path: string, bytes: Uint8Array): void {
    this.#forget(path)
    this.#tiles.set(path, bytes)
    this.#bytes += bytes.length
    for (const [oldest] of this.#tiles) {
      if (this.#bytes <= this.#maxBytes) break
      this.#forget(oldest)
    }
  }

  forgetPartials(path: string): void {
    for (let width = 1; width < 256; width++) this.#forget(`${path}.p/${width}`)
  }

  #forget(path: string): void {
    this.#bytes -= this.#tiles.get(path)?.length ?? 0
    this.#tiles.delete(path)
  }
}
