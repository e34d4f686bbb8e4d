import type { CoordinatorStore } from '../coordinator/ports.ts'
import { type Digest, isDigest } from '../crypto/digest.ts'
import { type Envelope, encodeEnvelope, statementDigest } from '../crypto/envelope.ts'
import type { Database, Queryable } from './database.ts'
import { retryOnConflict } from './retry-on-conflict.ts'
import { readStoredEnvelope } from './stored-text.ts'

/**
 * Finds the statements, and puts those that are new at the end, in the order given. The row lock on the head makes appends
 * wait for each other, and a refused one gives its positions back, so that there are no gaps. Two appends of one statement
 * at once: neither sees the other's row, the second then meets the unique digest and is repeated.
 */
const APPEND = `
  WITH given AS (
    SELECT * FROM ROWS FROM (string_to_table($1, ' '), json_array_elements($2::json)) WITH ORDINALITY
      AS given (digest, envelope, place)
  ),
  known AS (SELECT digest, position FROM statements WHERE digest = ANY (string_to_array($1, ' '))),
  fresh AS (
    SELECT digest, envelope, row_number() OVER (ORDER BY place) - 1 AS place
    FROM given WHERE NOT EXISTS (SELECT FROM known WHERE known.digest = given.digest)
  ),
  head AS (
    UPDATE journal_head SET next_position = next_position + fresh.count FROM (SELECT count(*) FROM fresh) AS fresh
    WHERE fresh.count > 0 RETURNING next_position - fresh.count AS position
  ),
  appended AS (
    INSERT INTO statements (position, digest, envelope)
    SELECT head.position + fresh.place, fresh.digest, fresh.envelope FROM head, fresh RETURNING digest, position
  )
  SELECT digest, position FROM known UNION ALL SELECT digest, position FROM appended`

/** The journal's part of the store; contracts on {@link CoordinatorStore}. */
export function statementJournal(
  database: Database,
): Pick<CoordinatorStore, 'appendStatements' | 'listStatements' | 'findStatement' | 'findPayload'> {
  return {
    // Each conflict is of another of the statements.
    appendStatements: (envelopes) => retryOnConflict(() => appendStatements(database, envelopes), envelopes.length),
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

/**
 * One query, whatever the number of statements; none for none.
 * @returns their positions in the order given, the earlier one of a statement that is known
 * @throws StoreError `conflict` when one of them raced itself: nothing was appended
 */
export async function appendStatements(database: Queryable, envelopes: readonly Envelope[]): Promise<number[]> {
  if (envelopes.length === 0) return []
  const digests = envelopes.map(statementDigest)
  const texts = new Map<Digest, string>()
  for (const [i, digest] of digests.entries()) {
    if (!texts.has(digest)) texts.set(digest, encodeEnvelope(envelopes[i]))
  }
  const rows = await database.query<{ digest: Digest; position: number | string }>(APPEND, [
    [...texts.keys()].join(' '),
    `[${[...texts.values()].join(',')}]`,
  ])
  const positions = new Map(rows.map(({ digest, position }) => [digest, Number(position)]))
  return digests.map((digest) => Number(positions.get(digest)))
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
