import { type Digest, toHex } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { type LogSigner, logKeyOf } from '../log/checkpoint.ts'
import { COMMIT_ENTRIES_MAX, COMMIT_ENTRY_BYTES_MAX } from '../log/log-commit.ts'
import { encodeLogEntry } from '../log/log-entry.ts'
import { LogError } from '../log/log-error.ts'
import type { LogSource } from '../log/log-source.ts'
import type { LogStorage } from '../log/log-storage.ts'
import { createLog, type LogWriter, openLogWriter, type SignedCheckpoint } from '../log/log-writer.ts'
import { equalBytes, leafHash } from '../log/merkle-hash.ts'
import { proveConsistency, proveInclusion } from '../log/merkle-proof.ts'
import type { NoteKey } from '../log/note-key.ts'
import { type LogRange, proveRange } from '../log/range-proof.ts'
import { cacheTiles } from '../log/tile-cache.ts'
import { hashReaderOf } from '../log/tile-reader.ts'
import type { CoordinatorStore } from './ports.ts'

/** Statements that are read from the journal at once: a payload may have megabytes. */
const JOURNAL_PAGE = 64

/** As much of the store as the log needs. */
export type LogJournal = Pick<
  CoordinatorStore,
  'appendStatements' | 'listStatements' | 'findStatement' | 'findPayload' | 'log'
>

/**
 * The venue's transparency log as its coordinator uses it. The journal of statements is the queue: a statement's position
 * is the same in both (docs/adr/0009).
 *
 * Calls may overlap, and several coordinators may share a journal: each follows it to its end, and entries go in once.
 * After a fault of the storage the next call opens the log anew and goes on; a call that rejected may be repeated.
 * Errors of all: `StoreError`; `LogError` `storage-corrupt` when log and journal are not of one past.
 */
export interface TransparencyLog {
  /** Origin and public key. */
  readonly key: NoteKey
  /** The latest tree that this process published, as the log signed it: without cosignatures. */
  readonly checkpoint: SignedCheckpoint
  /** What readers are served: checkpoint with its cosignatures, tiles, payloads. */
  readonly source: LogSource
  /**
   * Puts statements into the journal, in this order, where they are not there yet, and brings the log up to it. Resolves
   * when a published checkpoint covers them all.
   * @returns positions in the order given
   * @throws LogError `entry-too-large` for a statement with too many signatures; then nothing was stored
   */
  append(statements: readonly Envelope[]): Promise<{ positions: number[]; checkpoint: SignedCheckpoint }>
  /** Brings the log up to what others put into the journal: a publication enters it in the transaction of its round. */
  catchUp(): Promise<SignedCheckpoint>
  /** Position of a statement, undefined when it was never appended. @param digest of `statementDigest` */
  find(digest: Digest): Promise<number | undefined>
  /** Audit path of an entry in the tree of a published size, see `proveInclusion`. */
  inclusion(position: number, size: number): Promise<Uint8Array[]>
  /** Between the trees of any size and a published one, see `proveConsistency`. */
  consistency(oldSize: number, size: number): Promise<Uint8Array[]>
  /** All entries from `start` to a published size, see `proveRange`. */
  range(start: number, size: number): Promise<LogRange>
  /** Publishes the latest checkpoint with cosignatures. @returns false when the log has grown since */
  publishCosigned(note: string): Promise<boolean>
}

/**
 * Opens the log of a journal, and brings it up to the journal; begins it when both are empty. A log that is gone while its
 * journal has statements is not begun anew: that would be a fork under the first key.
 * @throws LogError `log-not-found` then; those of `openLogWriter`; StoreError
 */
export async function openTransparencyLog(store: LogJournal, signer: LogSigner): Promise<TransparencyLog> {
  const storage = cacheTiles(store.log)
  if ((await storage.readCommit()) === undefined) {
    if ((await store.listStatements(0, 1)).length > 0) {
      const reason =
        'The journal has statements and no log: restore the whole database from one backup, or found a new venue.'
      throw new LogError('log-not-found', reason)
    }
    await createUnlessThere(storage, signer)
  }
  const writer = await openLogWriter(storage, signer)
  await requireSameEnd(store, writer.checkpoint.size)
  const log = new JournalLog(store, storage, signer, writer)
  await log.catchUp()
  return log
}

/** Of two coordinators that start at once over a new database, one creates. */
async function createUnlessThere(storage: LogStorage, signer: LogSigner): Promise<void> {
  try {
    await createLog(storage, signer)
  } catch (fault) {
    if (!(fault instanceof LogError && fault.code === 'log-exists')) throw fault
  }
}

class JournalLog implements TransparencyLog {
  readonly key: NoteKey
  readonly source: LogSource
  readonly #store: LogJournal
  readonly #storage: LogStorage
  readonly #signer: LogSigner
  /** Undefined after a fault, until the next call. */
  #writer: LogWriter | undefined
  #checkpoint: SignedCheckpoint
  /** The pass over the journal that is under way, and the one that will begin after it. */
  #running: Promise<unknown> = Promise.resolve()
  #next: Promise<SignedCheckpoint> | undefined

  constructor(store: LogJournal, storage: LogStorage, signer: LogSigner, writer: LogWriter) {
    this.key = logKeyOf(signer)
    this.#store = store
    this.#storage = storage
    this.#signer = signer
    this.#writer = writer
    this.#checkpoint = writer.checkpoint
    this.source = {
      readCheckpoint: () => storage.readCheckpoint(),
      readTile: (path) => storage.readTile(path),
      readPayload: (payloadSha256) => store.findPayload(payloadSha256),
    }
  }

  get checkpoint(): SignedCheckpoint {
    return this.#checkpoint
  }

  async append(statements: readonly Envelope[]): Promise<{ positions: number[]; checkpoint: SignedCheckpoint }> {
    // Before the journal has it: a statement that has no entry would stop the log for ever.
    for (const statement of statements) encodeLogEntry(statement)
    const positions = await this.#store.appendStatements(statements)
    const covered = positions.every((position) => position < this.#checkpoint.size)
    return { positions, checkpoint: covered ? this.#checkpoint : await this.catchUp() }
  }

  /** A pass that began before this call may have read the journal too early; all calls until the next begins share it. */
  catchUp(): Promise<SignedCheckpoint> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      const pass = this.#followJournal()
      this.#running = pass.catch(() => undefined)
      return pass
    })
    return this.#next
  }

  find(digest: Digest): Promise<number | undefined> {
    return this.#store.findStatement(digest)
  }

  inclusion(position: number, size: number): Promise<Uint8Array[]> {
    return proveInclusion(hashReaderOf(this.#storage, size), position, size)
  }

  consistency(oldSize: number, size: number): Promise<Uint8Array[]> {
    return proveConsistency(hashReaderOf(this.#storage, size), oldSize, size)
  }

  range(start: number, size: number): Promise<LogRange> {
    return proveRange(this.#storage, start, size)
  }

  async publishCosigned(note: string): Promise<boolean> {
    return this.#withWriter((writer) => writer.publishCosigned(note))
  }

  /**
   * Appends to the log what the journal has beyond it. Another coordinator may do the same at any moment: then this one is
   * overtaken, and goes on from where the log now ends.
   */
  async #followJournal(): Promise<SignedCheckpoint> {
    for (;;) {
      try {
        if (await this.#withWriter((writer) => this.#appendNext(writer))) return this.#checkpoint
      } catch (fault) {
        if (!(fault instanceof LogError && fault.code === 'writer-overtaken')) throw fault
      }
    }
  }

  /**
   * Appends what the journal has where the log ends, as much as one commit takes. Nothing of it is looked up in the log:
   * the statements of a journal are all different, an entry holds its statement or the hash of it, and the log is the
   * journal's beginning: since its writer was opened (`requireSameEnd`), and by each commit, which is of no other tree.
   * @returns whether that was all
   */
  async #appendNext(writer: LogWriter): Promise<boolean> {
    const { size } = writer.checkpoint
    const { entries, isRest } = await this.#readJournal(size)
    await writer.appendNew(size, entries)
    return isRest
  }

  /** The entries that the journal has from a position, as many as one commit takes, and whether these are all. */
  async #readJournal(from: number): Promise<{ entries: Uint8Array[]; isRest: boolean }> {
    const entries: Uint8Array[] = []
    let bytes = 0
    for (;;) {
      const page = await this.#store.listStatements(from + entries.length, JOURNAL_PAGE)
      for (const statement of page) {
        const entry = encodeLogEntry(statement)
        bytes += entry.length + 2
        if (bytes > COMMIT_ENTRY_BYTES_MAX || entries.length === COMMIT_ENTRIES_MAX) {
          return { entries, isRest: false }
        }
        entries.push(entry)
      }
      if (page.length < JOURNAL_PAGE) return { entries, isRest: true }
    }
  }

  async #withWriter<T>(use: (writer: LogWriter) => Promise<T>): Promise<T> {
    const writer = this.#writer ?? (await this.#openWriter())
    try {
      return await use(writer)
    } catch (fault) {
      // A writer may stop for any fault; one that goes on costs a few reads to open again.
      this.#writer = undefined
      throw fault
    } finally {
      if (writer.checkpoint.size > this.#checkpoint.size) this.#checkpoint = writer.checkpoint
    }
  }

  /**
   * The log as it is stored now. Over a database that was put back beneath this process it would not go on from what this
   * process published: the next tree would be a fork.
   */
  async #openWriter(): Promise<LogWriter> {
    const { size, root } = this.#checkpoint
    const writer = await openLogWriter(this.#storage, this.#signer)
    await requireSameEnd(this.#store, writer.checkpoint.size)
    if (
      writer.checkpoint.size < size ||
      (writer.checkpoint.size === size && !equalBytes(writer.checkpoint.root, root))
    ) {
      throw notOnePast(`the log does not go on from the tree of size ${size} that was published`)
    }
    this.#writer = writer
    if (writer.checkpoint.size > this.#checkpoint.size) this.#checkpoint = writer.checkpoint
    return writer
  }
}

/** The last entry of the log is the statement of the journal at its position: a journal from an older backup has another, or none. */
async function requireSameEnd(store: LogJournal, size: number): Promise<void> {
  if (size === 0) return
  const [last] = await store.listStatements(size - 1, 1)
  const [position] = last ? await store.log.findPositions([toHex(leafHash(encodeLogEntry(last)))]) : []
  if (position !== size - 1) throw notOnePast(`the last of ${size} entries is not the journal's statement ${size - 1}`)
}

function notOnePast(what: string): LogError {
  const reason = `The log and the journal of statements are not of one past: ${what}. Restore both from one backup.`
  return new LogError('storage-corrupt', reason)
}
