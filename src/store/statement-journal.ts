import type { CoordinatorStore } from '../coordinator/ports.ts'
import { type Digest, isDigest } from '../crypto/digest.ts'
import { type Envelope, encodeEnvelope, statementDigest } from '../crypto/envelope.ts'
import type { Database, Queryable } from './database.ts'
import { retryOnConflict } from './retry-on-conflict.ts'
import { readStoredEnvelope } from './stored-text.ts'

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
export function statementJournal(
  database: Database,
): Pick<CoordinatorStore, 'appendStatement' | 'listStatements' | 'findStatement' | 'findPayload'> {
  return {
    appendStatement: (envelope) => retryOnConflict(() => appendStatement(database, envelope)),
    listStatements: (from, limit) => listStatements(database, from, limit),
    findStatement: async (digest) => {
      const [row] = await database.query<{ position: number | string }>(
        'SELECT position FROM statements WHERE digest = $1',
        [digest],
      )
      return row && Number(row.position)
    },
    findPayload: (payloadSha256) => findPayload(database, payloadSha256),
  }
}

/** @returns the statement's position, its earlier one when it is known. @throws StoreError `conflict` when it raced itself */
export async function appendStatement(database: Queryable, envelope: Envelope): Promise<number> {
  const [row] = await database.query<{ position: number | string }>(APPEND, [
    statementDigest(envelope),
    encodeEnvelope(envelope),
  ])
  return Number(row.position)
}

async function listStatements(database: Queryable, from: number, limit: number): Promise<Envelope[]> {
  const rows = await database.query<{ position: number | string; envelope: string }>(
    'SELECT position, envelope::text AS envelope FROM statements WHERE position >= $1 ORDER BY position LIMIT $2',
    [from, limit],
  )
  return rows.map(({ position, envelope }) => readStoredEnvelope(envelope, `The statement ${position}`))
}

/** The condition is the expression of the index `statements_by_payload`. */
async function findPayload(database: Queryable, payloadSha256: Digest): Promise<Uint8Array | undefined> {
  if (!isDigest(payloadSha256)) return undefined
  const [row] = await database.query<{ payload: string }>(
    `SELECT envelope->>'payload' AS payload FROM statements
     WHERE sha256(decode(envelope->>'payload', 'base64')) = decode($1, 'hex') LIMIT 1`,
    [payloadSha256],
  )
  return row && new Uint8Array(Buffer.from(row.payload, 'base64'))
}
