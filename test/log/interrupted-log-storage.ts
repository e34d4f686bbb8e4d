import type { Digest } from '../../src/crypto/digest.ts'
import { decodeCommit } from '../../src/log/log-commit.ts'
import type { CommittedWrites, LogStorage } from '../../src/log/log-storage.ts'
import type { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'

/** The fault that a storage reports; told apart from any error of the log. */
export class StorageFault extends Error {}

export interface WriteCall {
  /** Counts from 0 over all writes of this storage. */
  readonly index: number
  readonly method: string
}

/**
 * A storage as one process sees it, with an intervention around each write. `around` may throw before `write` (the write
 * is lost), after it (it persisted and is reported failed), or wait (another process runs in between). After a throw the
 * process counts as dead and every further write throws. Of what the contract allows it is the worst: a call may be
 * interrupted between any two of its tiles, its positions and its publication.
 *
 * `signed` collects every checkpoint that became durable or public, whatever was reported: the signatures that a log
 * can be held to.
 */
export class InterruptedLogStorage implements LogStorage {
  readonly signed: string[]
  readonly #inner: MemoryLogStorage
  readonly #around: (call: WriteCall, write: () => Promise<void>) => Promise<void>
  #writes = 0
  #dead = false

  constructor(
    inner: MemoryLogStorage,
    around: (call: WriteCall, write: () => Promise<void>) => Promise<void>,
    signed: string[] = [],
  ) {
    this.#inner = inner
    this.#around = around
    this.signed = signed
  }

  get writes(): number {
    return this.#writes
  }

  async #write<T>(method: string, write: () => Promise<T>): Promise<T> {
    if (this.#dead) throw new StorageFault('the process is dead')
    let result: T | undefined
    try {
      await this.#around({ index: this.#writes++, method }, async () => {
        result = await write()
      })
    } catch (fault) {
      this.#dead = true
      throw fault
    }
    return result as T
  }

  compareAndSwap(expected: Digest | undefined, next: Uint8Array): Promise<boolean> {
    return this.#write('compareAndSwap', async () => {
      const swapped = await this.#inner.compareAndSwap(expected, next)
      if (swapped) this.signed.push(decodeCommit(next).note)
      return swapped
    })
  }

  async writeCommitted({ tiles, leaves, size, note }: CommittedWrites): Promise<void> {
    for (const tile of tiles) await this.#write(`putTiles ${tile.path}`, () => this.#inner.putTiles([tile]))
    await this.#write('putPositions', () => this.#inner.putPositions(leaves))
    await this.publish(size, note)
  }

  async discardPartialTiles(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      await this.#write(`discardPartialTiles ${path}`, () => this.#inner.discardPartialTiles([path]))
    }
  }

  publish(size: number, note: string): Promise<void> {
    return this.#write('publish', () => {
      this.signed.push(note)
      return this.#inner.publish(size, note)
    })
  }

  readCommit(): Promise<Uint8Array | undefined> {
    return this.#inner.readCommit()
  }

  findPositions(leafHashes: readonly Digest[]): Promise<(number | undefined)[]> {
    return this.#inner.findPositions(leafHashes)
  }

  readCheckpoint(): Promise<string | undefined> {
    return this.#inner.readCheckpoint()
  }

  readTile(path: string): Promise<Uint8Array | undefined> {
    return this.#inner.readTile(path)
  }
}
