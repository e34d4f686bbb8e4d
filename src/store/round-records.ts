import type { CoordinatorStore, JobEvent, JobOutput, RoundRecord } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope, statementDigest } from '../crypto/envelope.ts'
import { contributionStatement } from '../protocol/contribution.ts'
import type { CoordinatorRound, ReceivedContribution, RoundPhase } from '../protocol/coordinator-round.ts'
import { roundPlanStatement } from '../protocol/round-plan.ts'
import { parseStatement, type StatementKind } from '../protocol/statement.ts'
import type { Database, Queryable, Transaction } from './database.ts'
import { appendJobEvent } from './job-event-records.ts'
import { addJobOutput } from './job-records.ts'
import { retryOnConflict } from './retry-on-conflict.ts'
import { appendStatements } from './statement-journal.ts'
import { StoreError } from './store-error.ts'
import { storableReason } from './stored-text.ts'

/** From where a round may come into a phase; from the phase itself too, so that a write may be repeated. */
const PHASES_BEFORE: Record<RoundPhase, readonly RoundPhase[]> = {
  collecting: ['collecting'],
  checking: ['collecting', 'checking'],
  sealed: ['checking', 'sealed'],
  certified: ['sealed', 'certified'],
  opened: ['certified', 'opened'],
  published: ['opened', 'published'],
  abandoned: ['collecting', 'checking', 'sealed', 'certified', 'opened', 'abandoned'],
}

/**
 * One compare-and-swap: of two coordinators that seal one round at once the second waits on the row, finds the first
 * one's manifest and changes nothing. A manifest is the same by its digest; its signatures may grow.
 */
const MOVE_ROUND = `
  UPDATE rounds SET
    phase = $2,
    manifest_digest = coalesce(manifest_digest, $3),
    manifest = coalesce($4::json, manifest),
    reason = coalesce(reason, $5),
    candidates = coalesce(candidates, $7::json)
  WHERE plan_digest = $1
    AND phase = ANY (string_to_array($6, ' '))
    AND ($3::text IS NULL OR manifest_digest IS NULL OR manifest_digest = $3)
    AND ($7::text IS NULL OR candidates IS NULL OR candidates::text = $7::text)
  RETURNING plan_digest`

/** The rounds' part of the store; contracts on {@link CoordinatorStore}. */
export function roundRecords(
  database: Database,
): Pick<
  CoordinatorStore,
  'addRound' | 'addContribution' | 'setRoundPhase' | 'setAbandonment' | 'publishRound' | 'listRounds' | 'loadRound'
> {
  return {
    addRound: (round) => addRound(database, round),
    addContribution: (planDigest, holder, received) => addContribution(database, planDigest, holder, received),
    setRoundPhase: (planDigest, phase, options = {}) => setRoundPhase(database, planDigest, phase, options),
    setAbandonment: (planDigest, abandonment) => setAbandonment(database, planDigest, abandonment),
    publishRound: (planDigest, publication, output, at, event) =>
      retryOnConflict(() => database.transaction((tx) => publishRound(tx, planDigest, publication, output, at, event))),
    listRounds: async (job) => {
      const rows = await database.query<RoundRow>(
        `SELECT plan_digest AS "planDigest", job, round, step, phase, reason, plan_envelope::text AS plan,
           abandonment::text AS abandonment, publication::text AS publication
         FROM rounds WHERE job = $1 ORDER BY round`,
        [job],
      )
      return rows.map(toRecord)
    },
    loadRound: (planDigest) => loadRound(database, planDigest),
  }
}

type RoundRow = Pick<RoundRecord, 'planDigest' | 'job' | 'round' | 'step' | 'phase'> & {
  readonly reason: string | null
  readonly plan: string
  readonly abandonment: string | null
  readonly publication: string | null
}

function toRecord({ reason, plan, abandonment, publication, ...row }: RoundRow): RoundRecord {
  return {
    ...row,
    plan: decodeEnvelope(plan),
    ...(reason === null ? {} : { reason }),
    ...(abandonment === null ? {} : { abandonment: decodeEnvelope(abandonment) }),
    ...(publication === null ? {} : { publication: decodeEnvelope(publication) }),
  }
}

interface StoredRound {
  readonly phase: RoundPhase
  readonly plan: string
  readonly candidates: string | null
  readonly manifest: string | null
}

async function loadRound(database: Database, planDigest: Digest): Promise<CoordinatorRound> {
  const [round] = await database.query<StoredRound>(
    `SELECT phase, plan_envelope::text AS plan, candidates::text AS candidates, manifest::text AS manifest
     FROM rounds WHERE plan_digest = $1`,
    [planDigest],
  )
  if (!round) throw new StoreError('not-found', `There is no round with the plan ${planDigest}: add it first.`)
  const contributions = await database.query<{ holder: string; envelope: string }>(
    'SELECT holder, envelope::text AS envelope FROM contributions WHERE plan_digest = $1 ORDER BY holder',
    [planDigest],
  )
  const planEnvelope = decodeEnvelope(round.plan)
  return {
    phase: round.phase,
    plan: readStored(roundPlanStatement, planEnvelope),
    planEnvelope,
    planDigest,
    contributions: new Map(contributions.map(({ holder, envelope }) => [holder, toReceived(decodeEnvelope(envelope))])),
    ...(round.candidates === null ? {} : { candidates: decodeEnvelope(round.candidates) }),
    checks: new Map(),
    dealings: new Map(),
    ...(round.manifest === null ? {} : { manifest: decodeEnvelope(round.manifest) }),
    shareSums: new Map(),
  }
}

function toReceived(envelope: Envelope): ReceivedContribution {
  return { envelope, digest: statementDigest(envelope), contribution: readStored(contributionStatement, envelope) }
}

/** What was read once before it was stored. @throws StoreError `corrupt` */
function readStored<T>(kind: StatementKind<T>, envelope: Envelope): T {
  const read = parseStatement(kind, envelope)
  if (read.ok) return read.value
  throw new StoreError('corrupt', `A stored ${kind.payloadType} is not one: ${read.reason} Restore the database.`)
}

async function setAbandonment(database: Database, planDigest: Digest, abandonment: Envelope): Promise<void> {
  const stored = await database.query(
    `UPDATE rounds SET abandonment = $2::json
     WHERE plan_digest = $1 AND phase = 'abandoned'
       AND (abandonment IS NULL OR abandonment->>'payload' = $2::json->>'payload')
     RETURNING plan_digest`,
    [planDigest, encodeEnvelope(abandonment)],
  )
  if (stored.length > 0) return
  const [round] = await database.query<{ phase: RoundPhase }>('SELECT phase FROM rounds WHERE plan_digest = $1', [
    planDigest,
  ])
  if (!round) throw new StoreError('not-found', `There is no round with the plan ${planDigest}: add it first.`)
  throw new StoreError(
    'conflict',
    round.phase === 'abandoned'
      ? 'The round has another abandonment. That one stands: read the round anew.'
      : `The round is ${round.phase}: only an abandoned one has an abandonment.`,
  )
}

async function addRound(database: Database, { plan, planDigest, planEnvelope }: CoordinatorRound): Promise<void> {
  const added = await database.query(
    `INSERT INTO rounds (plan_digest, job, round, step, plan_envelope) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT DO NOTHING RETURNING plan_digest`,
    [planDigest, plan.job, plan.round, plan.step, encodeEnvelope(planEnvelope)],
  )
  if (added.length > 0) return
  const known = await database.query('SELECT plan_digest FROM rounds WHERE plan_digest = $1', [planDigest])
  if (known.length === 0) {
    throw new StoreError('conflict', `The job has another round ${plan.round}: plan the next one under a new number.`)
  }
}

async function addContribution(
  database: Database,
  planDigest: Digest,
  holder: string,
  { digest, envelope }: ReceivedContribution,
): Promise<void> {
  const added = await database.query(
    `INSERT INTO contributions (plan_digest, holder, digest, envelope) VALUES ($1, $2, $3, $4)
     ON CONFLICT (plan_digest, holder) DO NOTHING RETURNING holder`,
    [planDigest, holder, digest, encodeEnvelope(envelope)],
  )
  if (added.length > 0) return
  const [stored] = await database.query<{ digest: Digest }>(
    'SELECT digest FROM contributions WHERE plan_digest = $1 AND holder = $2',
    [planDigest, holder],
  )
  if (stored.digest !== digest) {
    throw new StoreError('conflict', `${holder} has another contribution in this round: that one stays.`)
  }
}

async function setRoundPhase(
  database: Queryable,
  planDigest: Digest,
  phase: RoundPhase,
  { candidates, manifest, reason }: { candidates?: Envelope; manifest?: Envelope; reason?: string },
): Promise<void> {
  const moved = await database.query(MOVE_ROUND, [
    planDigest,
    phase,
    manifest ? statementDigest(manifest) : null,
    manifest ? encodeEnvelope(manifest) : null,
    storableReason(reason),
    PHASES_BEFORE[phase].join(' '),
    candidates ? encodeEnvelope(candidates) : null,
  ])
  if (moved.length === 0) throw await whyNotMoved(database, planDigest, phase)
}

async function publishRound(
  transaction: Transaction,
  planDigest: Digest,
  publication: Envelope,
  output: JobOutput,
  at: Date,
  event: JobEvent,
): Promise<void> {
  // First: the row's lock makes two publishers wait for each other, and a round that may not be published stops here.
  await setRoundPhase(transaction, planDigest, 'published', {})
  const [{ job }] = await transaction.query<{ job: Digest }>('SELECT job FROM rounds WHERE plan_digest = $1', [
    planDigest,
  ])
  await addJobOutput(transaction, job, output)
  await transaction.query('UPDATE jobs SET idle_claims = 0 WHERE job = $1', [job])
  await transaction.query('UPDATE rounds SET publication = coalesce(publication, $2::json) WHERE plan_digest = $1', [
    planDigest,
    encodeEnvelope(publication),
  ])
  await appendStatements(transaction, [publication])
  await appendJobEvent(transaction, job, at, event)
}

async function whyNotMoved(database: Queryable, planDigest: Digest, wanted: RoundPhase): Promise<StoreError> {
  const [round] = await database.query<{ phase: RoundPhase }>('SELECT phase FROM rounds WHERE plan_digest = $1', [
    planDigest,
  ])
  if (!round) return new StoreError('not-found', `There is no round with the plan ${planDigest}: add it first.`)
  if (PHASES_BEFORE[wanted].includes(round.phase)) {
    return new StoreError(
      'conflict',
      'The round has other candidates or another manifest. Those stand: read the round anew.',
    )
  }
  return new StoreError('conflict', `The round is ${round.phase} and cannot become ${wanted}: read the round anew.`)
}
