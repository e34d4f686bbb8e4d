import type { Digest } from '../crypto/digest.ts'
import type { LogReader } from './tile-reader.ts'

/** Where a leaf is in the log. */
export interface LeafPosition {
  /** The RFC 6962 leaf hash of the entry. */
  readonly leafHash: Digest
  /** Counts from 0. */
  readonly position: number
}

/** A resource of tlog-tiles. */
export interface TileFile {
  /** See `tilePath`. */
  readonly path: string
  readonly bytes: Uint8Array
}

/** What follows from a commit record, and may be written any number of times. */
export interface CommittedWrites {
  /** Every bundle and hash tile that changes. */
  readonly tiles: readonly TileFile[]
  /** Of the entries that the commit adds. */
  readonly leaves: readonly LeafPosition[]
  /** Of the tree after the commit. */
  readonly size: number
  /** Its checkpoint as the log signed it, up to `NOTE_BYTES_MAX` bytes. */
  readonly note: string
}

/**
 * Where a log lives. One writer uses it at a time; that a second one cannot do harm is the work of `compareAndSwap`, not
 * of a lock.
 *
 * The order of the writes is what makes a log crash-safe (`log-writer.ts`): the *commit record*, which holds the signed
 * checkpoint and the entries it adds, is swapped in first, and from then on the tree is decided; tiles and leaf positions
 * follow from it and are written next, as often as it takes; the checkpoint is published last, when everything under it
 * can be read. The first step is a call of its own, {@link LogStorage.compareAndSwap}; the order of the others is kept
 * within {@link LogStorage.writeCommitted}.
 *
 * - *Durability*: when a method that writes resolves, the write survives the death of the process and of the machine.
 *   When it rejects, the write may have happened or not, or a beginning of it; half a tile is never seen.
 * - *Idempotency*: every write may be repeated with the same arguments and resolves alike, `compareAndSwap` excepted.
 * - *Concurrency*: calls may overlap, also from several processes. A read sees every write that resolved before it began.
 * - *Retries*: an implementation may retry within a call what it knows not to have happened. The writer does not retry: it
 *   stops, and a new writer continues from the commit record.
 * - *Errors* are the implementation's own; the writer passes them on.
 *
 * `describeLogStorage` in test/contract is this contract as a test suite.
 */
export interface LogStorage extends LogReader {
  /** The commit record; undefined before a log is created. */
  readCommit(): Promise<Uint8Array | undefined>
  /**
   * Replaces the commit record, atomically, if it is the one expected.
   * @param expected SHA-256 of the record to be replaced; undefined when there must be none. No two records are alike.
   * @param next up to `COMMIT_BYTES_MAX` bytes
   * @returns false when the record was another one: then nothing was written
   */
  compareAndSwap(expected: Digest | undefined, next: Uint8Array): Promise<boolean>
  /**
   * Writes what follows from a commit: tiles, then positions, then the publication, as by {@link publish}. Whoever sees a
   * later one sees all before it, also when the call fails or its process dies; all at once is best (a transaction).
   *
   * All writers that ever write to a path write the same bytes there, so the last may win, or the first. The bytes of a
   * tile begin with those of every narrower tile of its number. A leaf that has a position already keeps it.
   */
  writeCommitted(committed: CommittedWrites): Promise<void>
  /** Forgets the partial tiles (`<path>.p/…`) of the paths of full tiles; there may be none. */
  discardPartialTiles(paths: readonly string[]): Promise<void>
  /** Positions of these leaves, in this order; undefined for a leaf that the log does not have. */
  findPositions(leafHashes: readonly Digest[]): Promise<(number | undefined)[]>
  /**
   * Makes this the published checkpoint, what {@link LogReader.readCheckpoint} gives, unless one of a larger tree is
   * published already: publication never goes back, whatever a slow writer still does. At the same size the later call
   * wins: it adds cosignatures.
   * @param size of the tree; @param note the signed note, up to `NOTE_BYTES_MAX` bytes
   */
  publish(size: number, note: string): Promise<void>
}
