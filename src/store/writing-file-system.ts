import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** A file that is being written; not safe for overlapping calls. */
export interface WritingFile {
  /** Appends all of `bytes`, or rejects. */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when what was written would survive a power failure (fsync). */
  sync(): Promise<void>
  close(): Promise<void>
}

/**
 * The steps of a durable write, one by one, so that a crash test can stop between any two of them. Paths are the
 * caller's to check; errors are the system's (`ENOSPC`, …).
 */
export interface WritingFileSystem {
  /** Recursive; nothing when it exists. For its owner only. What it makes would survive a power failure. */
  makeDirectory(path: string): Promise<void>
  /** A new file, for its owner only; rejects when the path exists. */
  createFile(path: string): Promise<WritingFile>
  /** Atomic; replaces `to`. */
  rename(from: string, to: string): Promise<void>
  /** Resolves when the names in a directory would survive a power failure (fsync on it). */
  syncDirectory(path: string): Promise<void>
  /** Recursive; nothing when it does not exist. */
  remove(path: string): Promise<void>
  list(path: string): Promise<string[]>
  /** When a file was last written to; undefined when it is not there any more. */
  writtenAt(path: string): Promise<Date | undefined>
}

/** The operating system's file system, through node:fs. */
export const systemFileSystem: WritingFileSystem = {
  makeDirectory,
  createFile: async (path) => {
    const file = await open(path, 'wx', 0o600)
    // writeFile on a handle goes on from where it stands, and goes on after a short write.
    return { write: (bytes) => file.writeFile(bytes), sync: () => file.sync(), close: () => file.close() }
  },
  rename,
  syncDirectory,
  remove: (path) => rm(path, { recursive: true, force: true }),
  list: (path) => readdir(path),
  writtenAt: (path) =>
    stat(path).then(
      ({ mtime }) => mtime,
      (fault: NodeJS.ErrnoException) => (fault.code === 'ENOENT' ? undefined : Promise.reject(fault)),
    ),
}

async function makeDirectory(path: string): Promise<void> {
  const firstMade = await mkdir(path, { recursive: true, mode: 0o700 })
  if (firstMade === undefined) return
  // Every directory in which a name is new, from the innermost outwards.
  const outermost = dirname(resolve(firstMade))
  for (let parent = dirname(resolve(path)); parent.length >= outermost.length; parent = dirname(parent)) {
    await syncDirectory(parent)
    if (parent === outermost) break
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
