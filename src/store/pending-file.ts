import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { WritingFile, WritingFileSystem } from './writing-file-system.ts'

/** Where files grow until they are published: in the same directory as their places, on one file system, so that a rename is atomic. */
export const PENDING = 'pending'

/** A pending file that nothing was written to for so long is what a dead process left; another process may share the directory. */
const STALE_MS = 3_600_000

/**
 * Makes `directory` ready for pending files and removes those that a dead process left: nobody was told that they were stored.
 * Should it remove one of a process that only slept, that one's put fails, and is repeated.
 */
export async function preparePending(files: WritingFileSystem, directory: string): Promise<void> {
  const pending = join(directory, PENDING)
  await files.makeDirectory(pending)
  for (const name of await files.list(pending)) {
    const path = join(pending, name)
    const writtenAt = await files.writtenAt(path)
    if (writtenAt && writtenAt.getTime() < Date.now() - STALE_MS) await files.remove(path)
  }
}

/**
 * A file that has no name of its own yet: it grows among the pending ones, and gets its place whole or not at all.
 * After an error it can only be discarded. (A failed fsync in particular must not be repeated: the kernel may have
 * dropped the pages and would report success; Rebello et al., "Can applications recover from fsync failures?", 2020.)
 */
export class PendingFile {
  readonly #files: WritingFileSystem
  readonly #path: string
  readonly #file: WritingFile
  #closed = false

  private constructor(files: WritingFileSystem, path: string, file: WritingFile) {
    this.#files = files
    this.#path = path
    this.#file = file
  }

  static async create(files: WritingFileSystem, directory: string): Promise<PendingFile> {
    const path = join(directory, PENDING, randomBytes(16).toString('hex'))
    return new PendingFile(files, path, await files.createFile(path))
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#file.write(bytes)
  }

  /**
   * Gives the file its place, replacing what is there: bytes first, then the name, then the directory, so that a crash
   * at any point leaves the old file or the new one. Durable when it resolves.
   */
  async publish(path: string): Promise<void> {
    await this.#file.sync()
    await this.#close()
    await this.#files.rename(this.#path, path)
    await this.#files.syncDirectory(dirname(path))
  }

  /** Forgets the file. Never rejects: what cannot be removed now is removed at a later start. */
  async discard(): Promise<void> {
    await this.#close().catch(() => {})
    await this.#files.remove(this.#path).catch(() => {})
  }

  async #close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#file.close()
  }
}
