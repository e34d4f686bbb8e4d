import { readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from './store-error.ts'

/** A directory that is this process's alone, until `release`. */
export interface DirectoryLock {
  /** Idempotent. */
  release(): void
}

const SQLITE_BUSY = 5

/**
 * Takes an existing directory for this process: two embedded databases over the same files would destroy them.
 *
 * The lock is the operating system's (fcntl, through SQLite's exclusive transaction on the file `lock`), not a file that
 * exists: it ends with its process however that dies, so that none is ever stale, no process id is ever mistaken for
 * another's, and it holds between containers that share the directory. `lock.owner` is only for the message.
 *
 * @throws StoreError `directory-in-use`, also when this same process holds it; `directory-unusable`.
 */
export function lockDirectory(directory: string): DirectoryLock {
  const lock = acquire(directory)
  try {
    writeFileSync(ownerFile(directory), `process ${process.pid} on ${hostname()}\n`)
  } catch {
    // Only the message of a later refusal becomes poorer.
  }
  return {
    release: () => {
      if (lock.isOpen) lock.close()
    },
  }
}

function acquire(directory: string): DatabaseSync {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(directory, 'lock'))
    // No journal file beside it: nothing is ever written.
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock?.close()
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY) throw inUse(directory)
    throw new StoreError(
      'directory-unusable',
      `The directory ${directory} cannot be locked. Give the coordinator a directory that its user may write to.`,
      { cause },
    )
  }
}

function inUse(directory: string): StoreError {
  return new StoreError(
    'directory-in-use',
    `The directory ${directory} is in use by ${readOwner(directory)}. Stop that one, or give this coordinator a directory of its own.`,
  )
}

function readOwner(directory: string): string {
  try {
    return readFileSync(ownerFile(directory), 'utf8').trim() || 'another process'
  } catch {
    return 'another process'
  }
}

function ownerFile(directory: string): string {
  return join(directory, 'lock.owner')
}
