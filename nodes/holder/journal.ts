import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Digest } from '../../src/crypto/digest.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope } from '../../src/crypto/envelope.ts'
import { HolderError } from './holder-error.ts'

/** What a holder remembers of a round that it has accepted. */
export interface JournalRound {
  readonly plan: Envelope
  /** Set before anything protected leaves the node. */
  readonly contributed: boolean
  /** Set before the endorsement, or the answer, leaves the node. */
  readonly endorsedManifest?: Digest
}

/**
 * A holder's durable memory of rounds: what makes it contribute once, endorse one manifest and answer for no other,
 * after a restart too (protocol §4.4, §4.5). No plaintext, key or share is in it.
 *
 * - *Durability*: when a method that writes returns, the write survives a crash of the process and of the machine
 *   (SQLite, WAL, synchronous = FULL).
 * - *Idempotency*: repeating a write with the same arguments changes nothing; other arguments are refused.
 * - *Concurrency*: one process at a time; a second one gets `journal-in-use`.
 */
export class HolderJournal {
  readonly #database: DatabaseSync

  /** @throws HolderError `journal-in-use`, `journal-unreadable` */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const file = join(directory, 'journal.sqlite')
    try {
      this.#database = new DatabaseSync(file)
      this.#database.exec(SCHEMA)
    } catch (cause) {
      throw openingError(file, cause)
    }
  }

  /** Notes a plan that this holder has examined and accepted, and the dataset that it touches. */
  accept(planDigest: Digest, plan: Envelope, dataset: string): void {
    this.#database
      .prepare('INSERT OR IGNORE INTO rounds (plan_digest, plan, dataset) VALUES (?, ?, ?)')
      .run(planDigest, encodeEnvelope(plan), dataset)
  }

  find(planDigest: Digest): JournalRound | undefined {
    const row = this.#database
      .prepare('SELECT plan, contributed, endorsed_manifest FROM rounds WHERE plan_digest = ?')
      .get(planDigest)
    if (!row) return undefined
    return {
      plan: decodeEnvelope(row.plan as string),
      contributed: row.contributed === 1,
      ...(row.endorsed_manifest === null ? {} : { endorsedManifest: row.endorsed_manifest as string }),
    }
  }

  /** Notes that a contribution is about to leave. @returns false when one has left before. */
  claimContribution(planDigest: Digest): boolean {
    const { changes } = this.#database
      .prepare('UPDATE rounds SET contributed = 1 WHERE plan_digest = ? AND contributed = 0')
      .run(planDigest)
    return changes === 1
  }

  /** Binds this member to a manifest. @returns false when it is bound to another one. */
  claimManifest(planDigest: Digest, manifest: Digest): boolean {
    const { changes } = this.#database
      .prepare(
        'UPDATE rounds SET endorsed_manifest = ?2 WHERE plan_digest = ?1 AND (endorsed_manifest IS NULL OR endorsed_manifest = ?2)',
      )
      .run(planDigest, manifest)
    return changes === 1
  }

  /** In how many rounds this dataset has been used: what the policy's `maxRounds` counts. */
  countContributions(dataset: string): number {
    const row = this.#database
      .prepare('SELECT count(*) AS uses FROM rounds WHERE dataset = ? AND contributed = 1')
      .get(dataset)
    return row!.uses as number
  }

  close(): void {
    this.#database.close()
  }
}

const SCHEMA = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS rounds (
    plan_digest       TEXT PRIMARY KEY,
    plan              TEXT NOT NULL,
    dataset           TEXT NOT NULL,
    contributed       INTEGER NOT NULL DEFAULT 0 CHECK (contributed IN (0, 1)),
    endorsed_manifest TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS rounds_by_dataset ON rounds (dataset, contributed);
`

function openingError(file: string, cause: unknown): HolderError {
  const locked = /locked|busy/i.test(cause instanceof Error ? cause.message : '')
  return locked
    ? new HolderError('journal-in-use', `Another holder process has ${file} open: stop it first.`, { cause })
    : new HolderError(
        'journal-unreadable',
        `${file} cannot be opened: restore it from backup, never delete it while a round is open.`,
        { cause },
      )
}
