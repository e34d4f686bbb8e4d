import { type Digest, digestOf } from '../crypto/digest.ts'
import type { CommittedWrites, LeafPosition, LogStorage, TileFile } from './log-storage.ts'

/**
 * A log in memory, for the simulator and for tests. Durable as long as the object lives: several writers, one after the
 * other or at once, may work on it as on any storage. The steps of {@link writeCommitted} are methods of their own: tests
 * stop between them, and damage what was written.
 */
export class MemoryLogStorage implements LogStorage {
  #commit: Uint8Array | undefined
  #published: { readonly size: number; readonly note: string } | undefined
  readonly #tiles = new Map<string, Uint8Array>()
  readonly #positions = new Map<Digest, number>()

  async readCommit(): Promise<Uint8Array | undefined> {
    return this.#commit && new Uint8Array(this.#commit)
  }

  async compareAndSwap(expected: Digest | undefined, next: Uint8Array): Promise<boolean> {
    if ((this.#commit && digestOf(this.#commit)) !== expected) return false
    this.#commit = new Uint8Array(next)
    return true
  }

  async writeCommitted({ tiles, leaves, size, note }: CommittedWrites): Promise<void> {
    await this.putTiles(tiles)
    await this.putPositions(leaves)
    await this.publish(size, note)
  }

  async putTiles(tiles: readonly TileFile[]): Promise<void> {
    for (const { path, bytes } of tiles) this.#tiles.set(path, new Uint8Array(bytes))
  }

  async readTile(path: string): Promise<Uint8Array | undefined> {
    const bytes = this.#tiles.get(path)
    return bytes && new Uint8Array(bytes)
  }

  async discardPartialTiles(paths: readonly string[]): Promise<void> {
    // At most 255 widths: looked up one by one, because the map may hold a million paths.
    for (const path of paths) for (let width = 1; width < 256; width++) this.#tiles.delete(`${path}.p/${width}`)
  }

  async putPositions(leaves: readonly LeafPosition[]): Promise<void> {
    for (const { leafHash, position } of leaves) {
      if (!this.#positions.has(leafHash)) this.#positions.set(leafHash, position)
    }
  }

  async findPositions(leafHashes: readonly Digest[]): Promise<(number | undefined)[]> {
    return leafHashes.map((hash) => this.#positions.get(hash))
  }

  async publish(size: number, note: string): Promise<void> {
    if (!this.#published || size >= this.#published.size) this.#published = { size, note }
  }

  async readCheckpoint(): Promise<string | undefined> {
    return this.#published?.note
  }
}
