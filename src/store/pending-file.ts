import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { WritingFile, WritingFileSystem } from './writing-file-system.ts'

/** Where files grow until they are published; beside their place, on the same file system, so that a rename is atomic. */
export function pendingDirectory(directory: string): string {
  return join(directory, 'pending')
}

/**
 * Makes `directory` ready for pending files and removes those that a dead process left: nobody was told that they were
 * stored. Call it before the first write, and only from the one process that uses the directory.
 */
export async function preparePending(files: WritingFileSystem, directory: string): Promise<void> {
  const pending = pendingDirectory(directory)
  await files.makeDirectory(pending)
  for (const name of await files.list(pending)) await files.remove(join(pending, name))
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
    const path = join(pendingDirectory(directory), randomBytes(16).toString('hex'))
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

  /** Forgets the file. Never rejects: what cannot be removed now is removed at the next start. */
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
