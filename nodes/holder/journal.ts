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
  /** Set before the share check leaves the node. */
  readonly checkedCandidates?: Digest
  /** Set before the endorsement, or the answer, leaves the node. */
  readonly endorsedManifest?: Digest
  /** Set before the share sum leaves the node. */
  readonly answered: boolean
  /** Set before the promise never to answer leaves the node. */
  readonly abandoned: boolean
}

/** What a plan is about, for the rules that span rounds. */
export interface RoundSubject {
  readonly job: Digest
  /** See `questionOf`. */
  readonly question: Digest
  readonly dataset: string
}

/** What came of the attempt to be the one contribution: to this plan, to this question. */
export type ContributionClaim = 'claimed' | 'already-contributed' | 'round-abandoned' | 'question-answered'

/**
 * A holder's durable memory of rounds: what makes it contribute once to a plan and once to a question, check one candidate
 * set, endorse one manifest, and never both answer and give up, after a restart too (protocol §4.4, §4.5, docs/adr/0009).
 * No plaintext, key or share is in it.
 *
 * - *Durability*: when a method that writes returns, the write survives a crash of the process and of the machine
 *   (SQLite, WAL, synchronous = FULL).
 * - *Idempotency*: repeating a write with the same arguments changes nothing; other arguments are refused.
 * - *Concurrency*: one process at a time; a second one gets `journal-in-use`.
 */
export class HolderJournal {
  /** For the tables of others in the same file: what must be true together is written by one database. */
  readonly database: DatabaseSync
  /** Where it lies; the files of its one process beside it are under the same lock. */
  readonly directory: string

  /** @throws HolderError `journal-in-use`, `journal-unreadable` */
  constructor(directory: string) {
    this.directory = directory
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const file = join(directory, 'journal.sqlite')
    try {
      this.database = new DatabaseSync(file)
      this.database.exec(SCHEMA)
    } catch (cause) {
      throw openingError(file, cause)
    }
  }

  /**
   * Notes a plan that this holder has examined and accepted, and what it is about. Durable against a crash of the machine
   * only with the next claim: without it nothing has left, and a plan that is forgotten is one that no duty is done for.
   */
  accept(planDigest: Digest, plan: Envelope, { job, question, dataset }: RoundSubject): void {
    this.#withoutWaiting(() =>
      this.database
        .prepare('INSERT OR IGNORE INTO rounds (plan_digest, plan, job, question, dataset) VALUES (?, ?, ?, ?, ?)')
        .run(planDigest, encodeEnvelope(plan), job, question, dataset),
    )
  }

  /** A write that survives this process at once, and the machine with the next one that waits for the disk. */
  #withoutWaiting(write: () => void): void {
    this.database.exec('PRAGMA synchronous = NORMAL')
    try {
      write()
    } finally {
      this.database.exec('PRAGMA synchronous = FULL')
    }
  }

  find(planDigest: Digest): JournalRound | undefined {
    const row = this.database
      .prepare(
        'SELECT plan, contributed, checked_candidates, endorsed_manifest, answered, abandoned FROM rounds WHERE plan_digest = ?',
      )
      .get(planDigest)
    if (!row) return undefined
    return {
      plan: decodeEnvelope(row.plan as string),
      contributed: row.contributed === 1,
      ...(row.checked_candidates === null ? {} : { checkedCandidates: row.checked_candidates as string }),
      ...(row.endorsed_manifest === null ? {} : { endorsedManifest: row.endorsed_manifest as string }),
      answered: row.answered === 1,
      abandoned: row.abandoned === 1,
    }
  }

  /** Plans of a question that are not known to be dead: a contribution of this holder has left for one of them, or may yet. */
  livePlansOf(question: Digest): Digest[] {
    const rows = this.database
      .prepare('SELECT plan_digest FROM rounds WHERE question = ? AND dead = 0 ORDER BY rowid')
      .all(question)
    return rows.map((row) => row.plan_digest as string)
  }

  /** Notes that a plan will never be opened: its abandonment, with t signatures, was verified. */
  markDead(planDigest: Digest): void {
    this.database.prepare('UPDATE rounds SET dead = 1 WHERE plan_digest = ?').run(planDigest)
  }

  /**
   * Notes that a contribution is about to leave, if it is the only one: to the plan, and to its question. None leaves for a plan
   * that was given up while the update was computed: it would stand in the way of the one that asks again.
   */
  claimContribution(planDigest: Digest): ContributionClaim {
    const { changes } = this.database
      .prepare(
        `UPDATE rounds SET contributed = 1 WHERE plan_digest = ?1 AND contributed = 0 AND abandoned = 0 AND dead = 0 AND NOT EXISTS (
           SELECT 1 FROM rounds AS earlier
           WHERE earlier.question = rounds.question AND earlier.contributed = 1 AND earlier.dead = 0)`,
      )
      .run(planDigest)
    if (changes === 1) return 'claimed'
    const row = this.database
      .prepare('SELECT contributed, abandoned, dead FROM rounds WHERE plan_digest = ?')
      .get(planDigest)
    if (row?.contributed === 1) return 'already-contributed'
    return row?.abandoned === 1 || row?.dead === 1 ? 'round-abandoned' : 'question-answered'
  }

  /** Binds this member to a candidate set. @returns false when it is bound to another one, or has given the round up. */
  claimCandidates(planDigest: Digest, candidates: Digest): boolean {
    const { changes } = this.database
      .prepare(
        `UPDATE rounds SET checked_candidates = ?2 WHERE plan_digest = ?1 AND abandoned = 0
           AND (checked_candidates IS NULL OR checked_candidates = ?2)`,
      )
      .run(planDigest, candidates)
    return changes === 1
  }

  /**
   * Binds this member to a manifest.
   * @param answered whether its share sum is about to leave
   * @returns false when it is bound to another one, or has given the round up
   */
  claimManifest(planDigest: Digest, manifest: Digest, answered: boolean): boolean {
    const { changes } = this.database
      .prepare(
        `UPDATE rounds SET endorsed_manifest = ?2, answered = max(answered, ?3) WHERE plan_digest = ?1 AND abandoned = 0
           AND (endorsed_manifest IS NULL OR endorsed_manifest = ?2)`,
      )
      .run(planDigest, manifest, answered ? 1 : 0)
    return changes === 1
  }

  /** Binds this member never to answer. @returns false when it has answered */
  claimAbandonment(planDigest: Digest): boolean {
    const { changes } = this.database
      .prepare('UPDATE rounds SET abandoned = 1 WHERE plan_digest = ? AND answered = 0')
      .run(planDigest)
    return changes === 1
  }

  /** Notes that the sum that was published for a plan is not the sum. */
  markWrongSum(planDigest: Digest): void {
    this.database.prepare('UPDATE rounds SET wrong_sum = 1 WHERE plan_digest = ?').run(planDigest)
  }

  /**
   * Notes which publication of a plan this holder has verified: another one of the plan is a lie. Durable against a crash of
   * the machine with the next claim: forgotten, the round is one that this holder did not verify.
   */
  noteVerified(planDigest: Digest, publication: Digest): void {
    this.#withoutWaiting(() =>
      this.database
        .prepare('UPDATE rounds SET publication = ?, unverified = 0 WHERE plan_digest = ?')
        .run(publication, planDigest),
    )
  }

  /** Notes that the sum that was published for a plan could not be verified. */
  noteUnverified(planDigest: Digest): void {
    this.database
      .prepare('UPDATE rounds SET unverified = 1 WHERE plan_digest = ? AND publication IS NULL AND unverified = 0')
      .run(planDigest)
  }

  /** How many sums of a job this holder could not verify: what the policy's `maxUnverifiedSums` counts. */
  countUnverified(job: Digest): number {
    const row = this.database.prepare('SELECT count(*) AS sums FROM rounds WHERE job = ? AND unverified = 1').get(job)
    return row!.sums as number
  }

  /** The publication of a plan that this holder has verified. */
  findVerified(planDigest: Digest): Digest | undefined {
    const row = this.database.prepare('SELECT publication FROM rounds WHERE plan_digest = ?').get(planDigest)
    return (row?.publication ?? undefined) as Digest | undefined
  }

  /** Whether a wrong sum was published in this job. */
  hasWrongSum(job: Digest): boolean {
    return this.database.prepare('SELECT 1 FROM rounds WHERE job = ? AND wrong_sum = 1 LIMIT 1').get(job) !== undefined
  }

  /** In how many rounds this dataset has been used: what the policy's `maxRounds` counts. */
  countContributions(dataset: string): number {
    const row = this.database
      .prepare('SELECT count(*) AS uses FROM rounds WHERE dataset = ? AND contributed = 1')
      .get(dataset)
    return row!.uses as number
  }

  /** The memory of this holder as a witness, as it was last written; undefined before the first time. */
  readWitnessState(): string | undefined {
    const row = this.database.prepare('SELECT state FROM witness WHERE only_row = 1').get()
    return row?.state as string | undefined
  }

  writeWitnessState(state: string): void {
    this.database
      .prepare('INSERT INTO witness (only_row, state) VALUES (1, ?1) ON CONFLICT (only_row) DO UPDATE SET state = ?1')
      .run(state)
  }

  /** What showed that this memory is not all that this identity has done; undefined as long as nothing has. */
  readLostMemory(): string | undefined {
    const row = this.database.prepare('SELECT evidence FROM lost_memory WHERE only_row = 1').get()
    return row?.evidence as string | undefined
  }

  /** Notes it for ever; the first evidence stays. */
  noteLostMemory(evidence: string): void {
    this.database.prepare('INSERT OR IGNORE INTO lost_memory (only_row, evidence) VALUES (1, ?)').run(evidence)
  }

  close(): void {
    this.database.close()
  }
}

const SCHEMA = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS rounds (
    plan_digest        TEXT PRIMARY KEY,
    plan               TEXT NOT NULL,
    job                TEXT NOT NULL,
    question           TEXT NOT NULL,
    dataset            TEXT NOT NULL,
    contributed        INTEGER NOT NULL DEFAULT 0 CHECK (contributed IN (0, 1)),
    checked_candidates TEXT,
    endorsed_manifest  TEXT,
    answered           INTEGER NOT NULL DEFAULT 0 CHECK (answered IN (0, 1)),
    abandoned          INTEGER NOT NULL DEFAULT 0 CHECK (abandoned IN (0, 1)),
    dead               INTEGER NOT NULL DEFAULT 0 CHECK (dead IN (0, 1)),
    unverified         INTEGER NOT NULL DEFAULT 0 CHECK (unverified IN (0, 1)),
    wrong_sum          INTEGER NOT NULL DEFAULT 0 CHECK (wrong_sum IN (0, 1)),
    publication        TEXT,
    CHECK (answered = 0 OR abandoned = 0)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS rounds_by_dataset ON rounds (dataset, contributed);
  CREATE INDEX IF NOT EXISTS rounds_by_question ON rounds (question, contributed);
  CREATE INDEX IF NOT EXISTS rounds_by_job ON rounds (job, wrong_sum);
  CREATE TABLE IF NOT EXISTS lost_memory (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    evidence TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS witness (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    state    TEXT NOT NULL
  ) STRICT;
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
