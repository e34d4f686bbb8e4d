import type { CoordinatorStore } from '../coordinator/ports.ts'
import { type Envelope, encodeEnvelope, statementDigest } from '../crypto/envelope.ts'
import type { Database, Queryable } from './database.ts'
import { retryOnConflict } from './retry-on-conflict.ts'

/**
 * Finds the statement or puts it at the end. The row lock on the head makes appends wait for each other, and a refused
 * one gives its position back, so that there are no gaps. Two appends of one statement at once: neither sees the other's
 * row, the second then meets the unique digest and is repeated.
 */
const APPEND = `
  WITH known AS (SELECT position FROM statements WHERE digest = $1),
  head AS (
    UPDATE journal_head SET next_position = next_position + 1
    WHERE NOT EXISTS (SELECT FROM known) RETURNING next_position - 1 AS position
  ),
  appended AS (
    INSERT INTO statements (position, digest, envelope) SELECT position, $1, $2::json FROM head RETURNING position
  )
  SELECT position FROM known UNION ALL SELECT position FROM appended`

/** The journal's part of the store; contracts on {@link CoordinatorStore}. */
export function statementJournal(database: Database): Pick<CoordinatorStore, 'appendStatement'> {
  return { appendStatement: (envelope) => retryOnConflict(() => appendStatement(database, envelope)) }
}

/** @returns the statement's position, its earlier one when it is known. @throws StoreError `conflict` when it raced itself */
export async function appendStatement(database: Queryable, envelope: Envelope): Promise<number> {
  const [row] = await database.query<{ position: number | string }>(APPEND, [
    statementDigest(envelope),
    encodeEnvelope(envelope),
  ])
  return Number(row.position)
}
