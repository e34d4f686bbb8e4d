import { randomUUID } from 'node:crypto'
import type { CoordinatorStore, JobPriority, JobQueue, QueuedJob } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import type { Database, Queryable, Transaction } from './database.ts'
import { JOB_COLUMNS, type JobRow, toJobRecord, unknownJob } from './job-records.ts'
import { StoreError } from './store-error.ts'
import { storableReason } from './stored-text.ts'

interface QueueRow {
  readonly job: Digest
  readonly state: 'queued' | 'running'
  readonly submitted_at: Date
  readonly priority: JobPriority
  readonly submitted_by: string
  readonly holders: string | null
  readonly min_contributors: number
  readonly retries: number
  readonly idle_claims: number
  readonly retry_at: Date | null
  readonly reason: string | null
  readonly owner: string | null
}

type ClaimedRow = JobRow & Pick<QueueRow, 'retries' | 'idle_claims'> & { readonly cancel_requested: boolean }

const LIVES = 'lease_incarnation IS NOT NULL AND lease_ends > clock_timestamp()'
const IS_FREE = `(NOT coalesce(${LIVES}, false))`
const AFTER = (parameter: string) => `clock_timestamp() + ${parameter}::double precision * interval '1 millisecond'`

const READ_JOBS = `
  SELECT job, state, submitted_at, priority, submitted_by, holders::text AS holders, min_contributors, retries, idle_claims, retry_at,
    reason, CASE WHEN ${LIVES} THEN (SELECT name FROM coordinators WHERE incarnation = lease_incarnation) END AS owner
  FROM jobs WHERE ended_at IS NULL ORDER BY submitted_at, arrival`

const READ_TURNS = `
  SELECT submitted_by, max(claimed_at) AS turn FROM jobs
  WHERE claimed_at IS NOT NULL AND submitted_by IN (SELECT submitted_by FROM jobs WHERE ended_at IS NULL)
  GROUP BY submitted_by`

/** A job whose row somebody else is writing now is not waited for: `choose` is asked again, without it. */
const CLAIM = `
  UPDATE jobs SET lease_incarnation = $2, lease_ends = ${AFTER('$3')}, claimed_at = clock_timestamp(), retry_at = NULL,
    idle_claims = idle_claims + 1
  WHERE job = (SELECT job FROM jobs WHERE job = $1 AND ended_at IS NULL AND ${IS_FREE} FOR UPDATE SKIP LOCKED)
  RETURNING ${JOB_COLUMNS}, retries, idle_claims, cancel_requested`

const RENEW = `
  UPDATE jobs SET lease_ends = ${AFTER('$2')}
  WHERE lease_incarnation = $1 AND ended_at IS NULL AND job = ANY (string_to_array($3, ' '))
  RETURNING job, cancel_requested AS "isCancelled"`

const GIVE_BACK = `
  UPDATE jobs SET lease_incarnation = NULL, lease_ends = NULL, retries = $3, idle_claims = 0, reason = $5,
    retry_at = CASE WHEN $4::double precision IS NOT NULL THEN ${AFTER('$4')} END
  WHERE job = $1 AND lease_incarnation = $2 AND ended_at IS NULL`

const CANCEL = `
  UPDATE jobs SET cancel_requested = true WHERE job = $1 AND ended_at IS NULL RETURNING ${IS_FREE} AS is_free`

/** The queue's part of the store; contracts on {@link CoordinatorStore}. */
export function jobQueueRecords(
  database: Database,
): Pick<
  CoordinatorStore,
  'enterCoordinator' | 'readQueue' | 'claimJob' | 'renewLeases' | 'giveBackJob' | 'requestCancel' | 'onJobChange'
> {
  return {
    enterCoordinator: async (name) => {
      const incarnation = randomUUID()
      // Leases refer to the incarnation: they end with it.
      await database.query(
        `INSERT INTO coordinators (name, incarnation, entered_at) VALUES ($1, $2, clock_timestamp())
         ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation, entered_at = excluded.entered_at`,
        [name, incarnation],
      )
      return { name, incarnation }
    },
    readQueue: () => readQueue(database),
    claimJob: (claimant, leaseMs, choose) =>
      database.transaction(async (transaction) => {
        await transaction.query('SELECT FROM job_queue FOR UPDATE')
        await requireCurrent(transaction, claimant)
        const queue = await readQueue(transaction)
        return claimNext(transaction, [claimant.incarnation, leaseMs], choose, queue)
      }),
    renewLeases: async ({ incarnation }, leaseMs, jobs) =>
      jobs.length === 0 ? [] : database.query(RENEW, [incarnation, leaseMs, jobs.join(' ')]),
    giveBackJob: async ({ incarnation }, job, pause) => {
      const { retries, pauseMs, reason } = pause ?? { retries: 0, pauseMs: null, reason: undefined }
      await database.query(GIVE_BACK, [job, incarnation, retries, pauseMs, storableReason(reason)])
    },
    requestCancel: async (job) => {
      const [row] = await database.query<{ is_free: boolean }>(CANCEL, [job])
      if (row) return row.is_free ? 'free' : 'leased'
      const known = await database.query('SELECT FROM jobs WHERE job = $1', [job])
      if (known.length === 0) throw unknownJob(job)
      return 'ended'
    },
    onJobChange: (listener) => database.listen('sluice_jobs', listener),
  }
}

async function requireCurrent(transaction: Transaction, { name, incarnation }: { name: string; incarnation: string }) {
  const current = await transaction.query('SELECT FROM coordinators WHERE incarnation = $1 FOR SHARE', [incarnation])
  if (current.length > 0) return
  throw new StoreError(
    'conflict',
    `Another process has entered as the coordinator ${name}: give each a state directory of its own, and stop one of them.`,
  )
}

async function readQueue(database: Queryable): Promise<JobQueue> {
  const [{ now }] = await database.query<{ now: Date }>('SELECT clock_timestamp() AS now')
  const jobs = await database.query<QueueRow>(READ_JOBS)
  const turns = await database.query<{ submitted_by: string; turn: Date }>(READ_TURNS)
  return {
    now,
    jobs: jobs.map(toQueuedJob),
    lastTurns: new Map(turns.map(({ submitted_by, turn }) => [submitted_by, turn])),
  }
}

function toQueuedJob(row: QueueRow): QueuedJob {
  return {
    job: row.job,
    state: row.state,
    submittedAt: row.submitted_at,
    priority: row.priority,
    submittedBy: row.submitted_by,
    ...(row.holders !== null && { holders: JSON.parse(row.holders) as string[] }),
    minContributors: row.min_contributors,
    retries: row.retries,
    idleClaims: row.idle_claims,
    ...(row.retry_at && { retryAt: row.retry_at }),
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.owner !== null && { owner: row.owner }),
  }
}

async function claimNext(
  transaction: Transaction,
  [incarnation, leaseMs]: readonly [string, number],
  choose: (queue: JobQueue) => Digest | undefined,
  queue: JobQueue,
) {
  for (let left = queue; ; ) {
    const job = choose(left)
    if (job === undefined) return undefined
    const [row] = await transaction.query<ClaimedRow>(CLAIM, [job, incarnation, leaseMs])
    if (row) {
      const { retries, idle_claims: idleClaims, cancel_requested: isCancelled } = row
      return { record: toJobRecord(row), retries, idleClaims, isCancelled }
    }
    left = { ...left, jobs: left.jobs.filter((other) => other.job !== job) }
  }
}
