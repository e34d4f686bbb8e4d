import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import type { Database, SqlValue, Transaction } from './database.ts'
import { lockDirectory } from './directory-lock.ts'
import { databaseError, fileError, StoreError } from './store-error.ts'

/** How much is written before a checkpoint is asked for; in bytes, estimated. */
const CHECKPOINT_BYTES = 32 * 1024 * 1024
/** What a small write adds to the write-ahead log besides its parameters, roughly: row, indexes, page images. */
const WRITE_OVERHEAD_BYTES = 4096

/**
 * The embedded PostgreSQL (PGlite, WASM) with its files under `directory/database`. The directory is made when absent,
 * readable by its owner only, and belongs to one process at a time.
 *
 * *Durability.* A resolved write survives the death of this process, by SIGKILL as well: PostgreSQL writes its
 * write-ahead log at each commit (`synchronous_commit` is on) and PGlite's Node file system hands it to the kernel at
 * once; the next opening recovers from it. It does **not** survive a power failure or a kernel crash: PGlite starts
 * PostgreSQL with `-F` (no fsync), and its file system has no fsync to call (electric-sql/pglite issue 1107). A venue
 * that must survive those gives the coordinator a PostgreSQL server (DATABASE_URL). `relaxedDurability` stays off: with
 * it, PGlite would not even wait for its file system.
 *
 * *Size.* PGlite runs PostgreSQL without its background processes, so nothing ever checkpoints by itself and the
 * write-ahead log would grow without end (measured: 1.3 GB after 1.4 GB of rows); this asks for a checkpoint after every
 * {@link CHECKPOINT_BYTES}, and at close.
 *
 * *Concurrency.* One connection: calls queue. Queries run on the calling thread.
 *
 * @throws StoreError `directory-in-use`, `directory-unusable`, `disk-full`, `corrupt` when the files do not open.
 */
export async function openPgliteDatabase(
  directory: string,
  options: { checkpointBytes?: number } = {},
): Promise<Database> {
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause) => {
    throw fileError(cause, `Making the directory ${directory}`)
  })
  const lock = lockDirectory(directory)
  try {
    const engine = await openEngine(directory)
    return pgliteDatabase(engine, directory, options.checkpointBytes ?? CHECKPOINT_BYTES, () => lock.release())
  } catch (error) {
    lock.release()
    throw error
  }
}

/** `database` exists only complete: one that is interrupted while it is first made leaves `database.new`, made again. */
async function openEngine(directory: string): Promise<PGlite> {
  const files = join(directory, 'database')
  try {
    if (!existsSync(files)) {
      const unfinished = join(directory, 'database.new')
      await rm(unfinished, { recursive: true, force: true })
      await mkdir(unfinished, { mode: 0o700 })
      await (await PGlite.create(unfinished)).close()
      await rename(unfinished, files)
    }
    return await PGlite.create(files, { relaxedDurability: false })
  } catch (cause) {
    if (typeof (cause as NodeJS.ErrnoException).syscall === 'string') throw fileError(cause, `Opening ${files}`)
    throw new StoreError(
      'corrupt',
      `The embedded database ${files} does not open: it is damaged, or of another PGlite version. Restore a copy, or move it away to begin anew.`,
      { cause },
    )
  }
}

function pgliteDatabase(engine: PGlite, directory: string, checkpointBytes: number, release: () => void): Database {
  const where = `The embedded database in ${directory}`
  let closing: Promise<void> | undefined
  let bytesSinceCheckpoint = 0

  const guarded = async <T>(run: () => Promise<T>): Promise<T> => {
    if (closing) throw new StoreError('store-closed', `${where} is closed: open it again.`)
    try {
      return await run()
    } catch (cause) {
      throw databaseError(cause, where)
    }
  }
  const checkpointWhenDue = (parameters: readonly SqlValue[]) => {
    bytesSinceCheckpoint += WRITE_OVERHEAD_BYTES
    for (const parameter of parameters) if (typeof parameter === 'string') bytesSinceCheckpoint += parameter.length
    if (bytesSinceCheckpoint < checkpointBytes || closing) return
    bytesSinceCheckpoint = 0
    // Behind the write that made it due, never part of it; what stops it (a full disk) shows in the next write too.
    engine.query('CHECKPOINT').catch(() => {})
  }
  const close = async () => {
    // Queued behind every query that was under way. A log that is not checkpointed is replayed at the next opening.
    await engine.query('CHECKPOINT').catch(() => {})
    await engine.close().finally(release)
  }

  return {
    query: (sql, parameters = []) =>
      guarded(async () => {
        const { rows } = await engine.query(sql, [...parameters])
        checkpointWhenDue(parameters)
        return rows as never
      }),
    transaction: (work) =>
      guarded(() =>
        engine.transaction((open) => {
          const transaction: Transaction = {
            query: async (sql, parameters = []) => (await open.query(sql, [...parameters])).rows as never,
            script: async (sql) => void (await open.exec(sql)),
          }
          return work(transaction)
        }),
      ),
    // The database has one process: it is told of what it does itself where it does it.
    listen: () => () => {},
    close: () => (closing ??= close()),
  }
}
