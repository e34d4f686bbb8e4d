import { type Digest, digestOf, toHex } from '../crypto/digest.ts'
import { type Checkpoint, type LogSigner, logKeyOf, openCheckpoint, signCheckpoint } from './checkpoint.ts'
import { decodeCommit, encodeCommit, requireBatchSize } from './log-commit.ts'
import { LogError } from './log-error.ts'
import type { LogStorage } from './log-storage.ts'
import { EMPTY_ROOT, equalBytes, leafHash } from './merkle-hash.ts'
import { parseNote } from './note.ts'
import { type CommittedTree, discardFilledPartials, loadTree, type WrittenTree, writeTiles } from './write-tiles.ts'

/** A checkpoint and the signed note that says it. */
export interface SignedCheckpoint extends Checkpoint {
  readonly note: string
}

export interface Appended {
  /** Where each entry is, in the order given; an entry that was in the log before has its old place. */
  readonly positions: readonly number[]
  /** The tree that holds them all; published, signed by the log, not yet cosigned. */
  readonly checkpoint: SignedCheckpoint
}

/** The one who appends. Open one at a time for a log; of two, one is stopped. */
export interface LogWriter {
  /** The latest published tree. */
  readonly checkpoint: SignedCheckpoint
  /**
   * Puts the entries at the end of the log, in this order, without gaps, all or none; entries that the log has are found
   * by their leaf hash, not added again. Calls may overlap; they are served in turn.
   *
   * When it resolves the entries are durable, readable, and under the published checkpoint. When it rejects they may be
   * in the log or not: open a new writer and append them again.
   *
   * @throws LogError `entry-too-large`, `batch-too-large` (nothing happened); `writer-overtaken` when another writer has
   * moved the log on; `writer-stopped` after any earlier fault of the storage; what the storage throws
   */
  append(entries: readonly Uint8Array[]): Promise<Appended>
  /**
   * As {@link append}, without the lookup: for the one who knows that the log has none of these entries, and that no two
   * of them are the same. Entries that it does have would be in it twice.
   * @param start where the log ends: the position of the first entry
   * @throws as {@link append}, and `writer-overtaken` when the log ends elsewhere (nothing happened)
   */
  appendNew(start: number, entries: readonly Uint8Array[]): Promise<SignedCheckpoint>
  /**
   * Publishes the note of the latest checkpoint with more signatures on it.
   * @returns false when the log has grown since: cosignatures of an older tree are not published
   * @throws LogError `not-this-log` unless the note is of the very tree; `malformed-note`, `malformed-checkpoint`;
   * `writer-stopped`; what the storage throws
   */
  publishCosigned(note: string): Promise<boolean>
}

/**
 * Begins a log: an empty tree, signed and published. Apart from {@link openLogWriter} on purpose: a storage that was lost
 * must not silently become a new log under the old key, which would be a fork.
 * @throws LogError `log-exists`; `bad-key-name`; what the storage throws, then see with {@link openLogWriter} if it exists
 */
export async function createLog(storage: LogStorage, signer: LogSigner): Promise<LogWriter> {
  const note = signCheckpoint({ size: 0, root: EMPTY_ROOT }, signer)
  const created = await storage.compareAndSwap(undefined, encodeCommit({ fromSize: 0, note, entries: [] }))
  if (!created) throw new LogError('log-exists', 'This storage holds a log already: open it, or choose another place.')
  return openLogWriter(storage, signer)
}

/**
 * Takes up a log where the last writer left it, however that ended: what it committed and did not publish is written and
 * published now. Nothing is signed here.
 * @throws LogError `log-not-found`; `wrong-origin`, `not-signed`, `bad-signature` for the log of another key;
 * `malformed-commit`, `tile-missing`, `malformed-tile`, `malformed-bundle`, `storage-corrupt` when the stored tree is not
 * the one that was signed; what the storage throws
 */
export async function openLogWriter(storage: LogStorage, signer: LogSigner): Promise<LogWriter> {
  // Before the commit record: read after it, a publication of a later commit would look like a lost record.
  const published = await storage.readCheckpoint()
  const record = await storage.readCommit()
  if (!record) throw new LogError('log-not-found', 'There is no log in this storage: create one, or correct the place.')
  const commit = decodeCommit(record)
  const checkpoint = openOwn(commit.note, signer)
  const publishedSize = published === undefined ? -1 : openOwn(published, signer).size
  if (publishedSize > checkpoint.size)
    throw corrupt(`size ${publishedSize} was published, ${checkpoint.size} committed`)

  let tree: CommittedTree
  if (publishedSize < checkpoint.size) {
    const written = writeTiles(await loadTree(storage, commit.fromSize), commit.entries)
    requireRoot(written.tree, checkpoint)
    await applyCommit(storage, written, commit.fromSize, checkpoint)
    tree = written.tree
  } else {
    tree = await loadTree(storage, checkpoint.size)
    requireRoot(tree, checkpoint)
    await discardFilledPartials(storage, commit.fromSize, checkpoint.size)
  }
  return new StorageLogWriter(storage, signer, { tree, checkpoint, record: digestOf(record) })
}

/** What follows from a commit; last what no reader needs, once the full tiles are there. */
async function applyCommit(
  storage: LogStorage,
  { tiles, leaves }: WrittenTree,
  fromSize: number,
  checkpoint: SignedCheckpoint,
): Promise<void> {
  const positions = leaves.map((leaf, i) => ({ leafHash: toHex(leaf), position: fromSize + i }))
  await storage.writeCommitted({ tiles, leaves: positions, size: checkpoint.size, note: checkpoint.note })
  await discardFilledPartials(storage, fromSize, checkpoint.size)
}

interface WriterState {
  readonly tree: CommittedTree
  readonly checkpoint: SignedCheckpoint
  /** Of the commit record in the storage, as this writer knows it. */
  readonly record: Digest
}

class StorageLogWriter implements LogWriter {
  readonly #storage: LogStorage
  readonly #signer: LogSigner
  #state: WriterState
  #stopped = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(storage: LogStorage, signer: LogSigner, state: WriterState) {
    this.#storage = storage
    this.#signer = signer
    this.#state = state
  }

  get checkpoint(): SignedCheckpoint {
    return this.#state.checkpoint
  }

  append(entries: readonly Uint8Array[]): Promise<Appended> {
    return this.#inTurn(() => this.#append(entries))
  }

  appendNew(start: number, entries: readonly Uint8Array[]): Promise<SignedCheckpoint> {
    return this.#inTurn(async () => {
      requireBatchSize(entries)
      if (start !== this.checkpoint.size) throw overtaken()
      await this.#commit(entries)
      return this.checkpoint
    })
  }

  publishCosigned(note: string): Promise<boolean> {
    return this.#inTurn(() => this.#publishCosigned(note))
  }

  async #append(entries: readonly Uint8Array[]): Promise<Appended> {
    requireBatchSize(entries)
    const leafHashes = entries.map((entry) => toHex(leafHash(entry)))
    const found = await this.#storage.findPositions(leafHashes)
    const positions = new Map(leafHashes.map((hash, i) => [hash, found[i]]))
    const fresh: Uint8Array[] = []
    for (const [i, hash] of leafHashes.entries()) {
      if (positions.get(hash) !== undefined) continue
      positions.set(hash, this.#state.tree.edge.size + fresh.length)
      fresh.push(entries[i])
    }
    await this.#commit(fresh)
    return { positions: leafHashes.map((hash) => Number(positions.get(hash))), checkpoint: this.checkpoint }
  }

  async #commit(entries: readonly Uint8Array[]): Promise<void> {
    // A commit of nothing could repeat a record, and no two are alike.
    if (entries.length > 0) await this.#stopOnFault(() => this.#commitSome(entries))
  }

  async #commitSome(entries: readonly Uint8Array[]): Promise<void> {
    const { tree: before, checkpoint, record } = this.#state
    const written = writeTiles(before, entries)
    // The signature stays in this process until the swap is done: a log never lets two continuations of one tree out.
    const note = signCheckpoint({ size: written.tree.edge.size, root: written.tree.root }, this.#signer)
    const bytes = encodeCommit({ fromSize: checkpoint.size, note, entries })
    if (!(await this.#storage.compareAndSwap(record, bytes))) throw overtaken()
    const next = openOwn(note, this.#signer)
    await applyCommit(this.#storage, written, checkpoint.size, next)
    this.#state = { tree: written.tree, checkpoint: next, record: digestOf(bytes) }
  }

  async #publishCosigned(note: string): Promise<boolean> {
    const cosigned = openOwn(note, this.#signer)
    const { size, root } = this.checkpoint
    if (cosigned.size < size) return false
    if (cosigned.size > size || !equalBytes(cosigned.root, root)) {
      throw new LogError(
        'not-this-log',
        `The note is not of this log's tree at size ${size}: collect signatures again.`,
      )
    }
    await this.#stopOnFault(() => this.#storage.publish(size, note))
    return true
  }

  /** After a failed write this process cannot know what the storage holds. Only the commit record can tell a new writer. */
  async #stopOnFault<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write()
    } catch (fault) {
      this.#stopped = true
      throw fault
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => {
      if (this.#stopped) throw new LogError('writer-stopped', 'This log writer has stopped: open the log again.')
      return work()
    })
    this.#turn = result.catch(() => undefined)
    return result
  }
}

/** @throws LogError unless the note is a checkpoint that this log signed */
function openOwn(note: string, signer: LogSigner): SignedCheckpoint {
  const opened = openCheckpoint(parseNote(note), logKeyOf(signer))
  if (!opened.ok) throw new LogError(opened.code, `${opened.reason} Open the log with the key it was created with.`)
  return { ...opened.value, note }
}

function requireRoot({ edge, root }: CommittedTree, checkpoint: Checkpoint): void {
  if (edge.size !== checkpoint.size || !equalBytes(root, checkpoint.root)) {
    throw corrupt(`the tiles do not hash to the signed root at size ${checkpoint.size}`)
  }
}

function overtaken(): LogError {
  return new LogError('writer-overtaken', 'Another writer has moved the log on: open it again to follow.')
}

function corrupt(what: string): LogError {
  return new LogError('storage-corrupt', `The log's storage is damaged: ${what}. Restore it; never sign over it.`)
}
