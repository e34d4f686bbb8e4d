import type { CoordinatorStore, ProposedStatement, RegistryRequestRecord } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { type Envelope, type EnvelopeSignature, encodeEnvelope, statementDigest } from '../crypto/envelope.ts'
import type { Database, Queryable } from './database.ts'
import { StoreError } from './store-error.ts'
import { readStoredEnvelope, storableReason } from './stored-text.ts'

interface RequestRow {
  readonly digest: Digest
  readonly envelope: string
  readonly state: RegistryRequestRecord['state']
  readonly reason: string | null
  readonly filed_at: Date
}

interface StatementRow {
  readonly sequence: number
  readonly digest: Digest
  readonly request: Digest
  readonly envelope: string
}

const SELECT_REQUESTS = 'SELECT digest, envelope::text AS envelope, state, reason, filed_at FROM registry_requests'
const SELECT_STATEMENTS = 'SELECT sequence, digest, request, envelope::text AS envelope FROM registry_statements'

/** The registry's part of the store; contracts on {@link CoordinatorStore}. */
export function registryRecords(
  database: Database,
): Pick<
  CoordinatorStore,
  | 'addRegistryRequest'
  | 'findRegistryRequest'
  | 'listPendingRequests'
  | 'refuseRegistryRequest'
  | 'addRegistrySignature'
  | 'proposeRegistryStatement'
  | 'findProposedStatement'
  | 'enterRegistryStatement'
  | 'listRegistryStatements'
> {
  return {
    addRegistryRequest: async (request, filedAt) => {
      await database.query(
        'INSERT INTO registry_requests (digest, envelope, filed_at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING',
        [statementDigest(request), encodeEnvelope(request), filedAt.toISOString()],
      )
    },
    findRegistryRequest: async (request) =>
      (await readRequests(database, `${SELECT_REQUESTS} WHERE digest = $1`, [request]))[0],
    listPendingRequests: () => readRequests(database, `${SELECT_REQUESTS} WHERE state = 'pending' ORDER BY arrival`),
    refuseRegistryRequest: async (request, reason) => {
      await database.query(
        "UPDATE registry_requests SET state = 'refused', reason = $2 WHERE digest = $1 AND state = 'pending'",
        [request, storableReason(reason)],
      )
    },
    addRegistrySignature: async (statement, { keyid, sig }) => {
      await database.query(
        `INSERT INTO registry_signatures (statement, keyid, sig) VALUES ($1, $2, $3)
         ON CONFLICT (statement, keyid) DO NOTHING`,
        [statement, keyid, Buffer.from(sig).toString('base64')],
      )
    },
    proposeRegistryStatement: (sequence, request, statement) => propose(database, sequence, request, statement),
    findProposedStatement: () => findProposed(database),
    enterRegistryStatement: (sequence, statement) => database.transaction((tx) => enter(tx, sequence, statement)),
    listRegistryStatements: async (after, limit) => {
      const rows = await database.query<StatementRow>(
        `${SELECT_STATEMENTS} WHERE entered AND sequence > $1 ORDER BY sequence LIMIT $2`,
        [after, limit],
      )
      return rows.map(readStatementRow)
    },
  }
}

async function readRequests(
  database: Queryable,
  sql: string,
  parameters: Digest[] = [],
): Promise<RegistryRequestRecord[]> {
  const rows = await database.query<RequestRow>(sql, parameters)
  return Promise.all(
    rows.map(async ({ digest, envelope, state, reason, filed_at }) => ({
      digest,
      request: await withSignatures(database, digest, readStoredEnvelope(envelope, `The registry request ${digest}`)),
      state,
      ...(reason !== null && { reason }),
      filedAt: filed_at,
    })),
  )
}

/** The envelope with what members have signed since, in the order in which it came. */
async function withSignatures(database: Queryable, digest: Digest, envelope: Envelope): Promise<Envelope> {
  const rows = await database.query<{ keyid: string; sig: string }>(
    'SELECT keyid, sig FROM registry_signatures WHERE statement = $1 ORDER BY arrival',
    [digest],
  )
  const added: EnvelopeSignature[] = rows.map(({ keyid, sig }) => ({
    keyid,
    sig: new Uint8Array(Buffer.from(sig, 'base64')),
  }))
  return { ...envelope, signatures: [...envelope.signatures, ...added] }
}

/** Of two coordinators that propose at once the second finds the first one's statement, at its number or still open. */
async function propose(database: Database, sequence: number, request: Digest, statement: Envelope) {
  await database.query(
    `INSERT INTO registry_statements (sequence, digest, request, envelope) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING`,
    [sequence, statementDigest(statement), request, encodeEnvelope(statement)],
  )
  const proposed = await findProposed(database)
  if (proposed?.sequence === sequence) return proposed
  throw new StoreError('conflict', `Registry statement ${sequence} is not the next one: read the registry again.`)
}

async function findProposed(database: Queryable): Promise<ProposedStatement | undefined> {
  const [row] = await database.query<StatementRow>(`${SELECT_STATEMENTS} WHERE NOT entered`)
  if (!row) return undefined
  const { sequence, digest, request } = row
  return { sequence, request, statement: await withSignatures(database, digest, readStatementRow(row)) }
}

async function enter(transaction: Queryable, sequence: number, statement: Envelope): Promise<void> {
  const digest = statementDigest(statement)
  const entered = await transaction.query<{ request: Digest }>(
    `UPDATE registry_statements SET entered = true, envelope = $3
     WHERE sequence = $1 AND digest = $2 AND NOT entered RETURNING request`,
    [sequence, digest, encodeEnvelope(statement)],
  )
  if (entered.length > 0) {
    await transaction.query("UPDATE registry_requests SET state = 'entered' WHERE digest = $1", [entered[0].request])
    return
  }
  const [stored] = await transaction.query<{ digest: Digest }>(
    'SELECT digest FROM registry_statements WHERE sequence = $1',
    [sequence],
  )
  if (!stored) throw new StoreError('not-found', `No registry statement ${sequence} is proposed.`)
  if (stored.digest !== digest) {
    throw new StoreError('conflict', `Registry statement ${sequence} is another one: read the registry again.`)
  }
}

function readStatementRow({ sequence, envelope }: StatementRow): Envelope {
  return readStoredEnvelope(envelope, `The registry statement ${sequence}`)
}
