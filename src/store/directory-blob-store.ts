import type { Dirent } from 'node:fs'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import type { BlobStore } from '../coordinator/ports.ts'
import { keySegments, rangeWithin } from './blob-key.ts'
import { PENDING, PendingFile, preparePending } from './pending-file.ts'
import { fileError, StoreError } from './store-error.ts'
import { systemFileSystem, type WritingFileSystem } from './writing-file-system.ts'

/**
 * Blobs as files of a directory, each at the path that its key is; readable by this user only. Several processes may share the
 * directory, over a network file system too if its renames are atomic and its syncs durable.
 *
 * @throws StoreError `directory-unusable`, `disk-full`, `io-failed`; the methods as their port says
 */
export async function openDirectoryBlobStore(
  directory: string,
  files: WritingFileSystem = systemFileSystem,
): Promise<BlobStore> {
  try {
    await preparePending(files, directory)
  } catch (cause) {
    throw fileError(cause, `Opening the directory of blobs ${directory}`)
  }
  const directories = new DurableDirectories(files, directory)
  return {
    put: (key, bytes) => putFile(files, directories, pathOf(directory, key), bytes),
    get: (key, range) => readWithin(key, pathOf(directory, key), range),
    size: (key) => fileSize(pathOf(directory, key)),
    list: async (prefix) => (await filesUnder(directory, prefix)).map((path) => keyOf(directory, path)).sort(),
    bytesUnder: async (prefix) => {
      const sizes = await Promise.all((await filesUnder(directory, prefix)).map(fileSize))
      return sizes.reduce<number>((sum, bytes = 0) => sum + bytes, 0)
    },
    delete: async (prefix) => {
      const path = pathOf(directory, prefix)
      await files.remove(path).catch((cause) => {
        throw fileError(cause, `Deleting ${path}`)
      })
    },
  }
}

function pathOf(directory: string, key: string): string {
  const segments = keySegments(key)
  if (segments[0] === PENDING) throw new StoreError('invalid-value', `Keys under ${PENDING}/ are the store's own.`)
  return join(directory, ...segments)
}

function keyOf(directory: string, path: string): string {
  return relative(directory, path).split(sep).join('/')
}

async function putFile(
  files: WritingFileSystem,
  directories: DurableDirectories,
  path: string,
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<void> {
  const doing = `Writing ${path}`
  const pending = await PendingFile.create(files, directories.root).catch((cause) => {
    throw fileError(cause, doing)
  })
  const write = (piece: Uint8Array) =>
    pending.write(piece).catch((cause) => {
      throw fileError(cause, doing)
    })
  try {
    // What the iterable throws is its own, and passes through.
    if (bytes instanceof Uint8Array) await write(bytes)
    else for await (const piece of bytes) await write(piece)
  } catch (error) {
    await pending.discard()
    throw error
  }
  try {
    await directories.make(dirname(path))
    await pending.publish(path)
  } catch (cause) {
    await pending.discard()
    throw fileError(cause, doing)
  }
}

/** Makes directories; whoever needs one that is just being made waits until its name is durable, too. */
class DurableDirectories {
  readonly #files: WritingFileSystem
  readonly root: string
  readonly #making = new Map<string, Promise<void>>()

  constructor(files: WritingFileSystem, root: string) {
    this.#files = files
    this.root = root
  }

  /** @param path below the root */
  make(path: string): Promise<void> {
    if (path === this.root) return Promise.resolve()
    const known = this.#making.get(path)
    if (known) return known
    const making = this.make(dirname(path))
      .then(() => this.#files.makeDirectory(path))
      .finally(() => this.#making.delete(path))
    this.#making.set(path, making)
    return making
  }
}

async function readWithin(key: string, path: string, range?: { readonly offset: number; readonly bytes: number }) {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    const information = await file.stat()
    if (!information.isFile()) throw notFound(key)
    const { offset, bytes } = rangeWithin(range, information.size)
    return await readExactly(file, offset, bytes)
  } catch (cause) {
    if (isAbsent(cause)) throw notFound(key, cause)
    throw fileError(cause, `Reading ${path}`)
  } finally {
    await file?.close()
  }
}

/** Shown to peers: names no path of this machine. */
function notFound(key: string, cause?: unknown): StoreError {
  return new StoreError('not-found', `Nothing is stored as ${key}.`, { cause })
}

/** A file never changes: a put makes another one of the same name. So it has what its size says, or the disk is damaged. */
async function readExactly(file: FileHandle, position: number, bytes: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(bytes)
  for (let done = 0; done < bytes; ) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, position + done)
    if (bytesRead === 0) throw new Error('a file ended before its size')
    done += bytesRead
  }
  return buffer
}

async function fileSize(path: string): Promise<number | undefined> {
  try {
    const information = await stat(path)
    return information.isFile() ? information.size : undefined
  } catch (cause) {
    if (isAbsent(cause)) return undefined
    throw fileError(cause, `Looking at ${path}`)
  }
}

/** Paths of all files below a prefix, in no order. */
function filesUnder(directory: string, prefix: string): Promise<string[]> {
  return walk(pathOf(directory, prefix))
}

async function walk(path: string): Promise<string[]> {
  let entries: Dirent[]
  try {
    entries = await readdir(path, { withFileTypes: true })
  } catch (cause) {
    // A file has nothing under it; what is deleted while it is looked at is not there.
    if (isAbsent(cause)) return []
    throw fileError(cause, `Listing ${path}`)
  }
  const found = await Promise.all(
    entries.map((entry) => {
      const below = join(path, entry.name)
      if (entry.isDirectory()) return walk(below)
      return entry.isFile() ? [below] : []
    }),
  )
  return found.flat()
}

/** Neither a file nor a directory is there, or a file where a directory would have to be. */
function isAbsent(fault: unknown): boolean {
  const code = (fault as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}
