import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type DirectoryLock, lockDirectory } from '../store/directory-lock.ts'
import { readTextFile, writeWholeFile } from './files.ts'

/** A coordinator's name, and what keeps every other process from it. */
export interface HeldName {
  readonly name: string
  readonly lock: DirectoryLock
}

/**
 * The name of the coordinator of a state directory: drawn at its first start, the same for ever, so that a process that starts
 * again takes its own jobs back at once. The directory is this process's until the lock is released.
 * @throws StoreError `directory-in-use`, `directory-unusable`; CliError `file-not-readable`, `file-not-writable`
 */
export async function holdCoordinatorName(stateDirectory: string): Promise<HeldName> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 })
  const lock = lockDirectory(stateDirectory)
  try {
    const file = join(stateDirectory, 'name')
    if (!existsSync(file)) await writeWholeFile(file, `coordinator-${randomUUID().slice(0, 8)}\n`)
    return { name: (await readTextFile(file)).trim(), lock }
  } catch (error) {
    lock.release()
    throw error
  }
}
