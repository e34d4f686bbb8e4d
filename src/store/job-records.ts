import { type CoordinatorStore, type JobOutput, type JobRecord, type JobState, UNPLACED } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { encodeEnvelope } from '../crypto/envelope.ts'
import type { Database, Queryable } from './database.ts'
import { StoreError } from './store-error.ts'
import { readStoredEnvelope, storableReason } from './stored-text.ts'

export interface JobRow {
  readonly job: Digest
  readonly envelope: string
  readonly state: JobState
  readonly reason: string | null
  readonly submitted_at: Date
  readonly started_at: Date | null
  readonly ended_at: Date | null
}

export const JOB_COLUMNS = 'job, envelope::text AS envelope, state, reason, submitted_at, started_at, ended_at'

const SELECT_JOBS = `SELECT ${JOB_COLUMNS} FROM jobs`

const ADD_JOB = `
  INSERT INTO jobs (job, envelope, submitted_at, priority, submitted_by, holders, min_contributors)
  VALUES ($1, $2, $3, $4, $5, $6::json, $7) ON CONFLICT (job) DO NOTHING`

/** A job that has ended stays; one that runs does not queue again. */
const MOVE_JOB = `
  UPDATE jobs SET
    state = $2,
    started_at = CASE WHEN $2 = 'running' THEN coalesce(started_at, $3::timestamptz) ELSE started_at END,
    ended_at = CASE WHEN $2 IN ('completed', 'failed', 'cancelled') THEN $3::timestamptz END,
    reason = $4
  WHERE job = $1 AND ended_at IS NULL AND ($2 <> 'queued' OR state = 'queued')
    AND NOT ($2 IN ('running', 'completed') AND cancel_requested)
  RETURNING job`

/** The jobs' part of the store; contracts on {@link CoordinatorStore}. */
export function jobRecords(
  database: Database,
): Pick<
  CoordinatorStore,
  'addJob' | 'findJob' | 'listJobs' | 'listUnfinishedJobs' | 'setJobState' | 'addJobOutput' | 'listJobOutputs'
> {
  const listJobs = async (tail: string, parameters: (string | number)[] = []) =>
    (await database.query<JobRow>(`${SELECT_JOBS} ${tail}`, parameters)).map(toJobRecord)

  return {
    addJob: async (job, envelope, submittedAt, placing = UNPLACED) => {
      const { priority, submittedBy, holders, minContributors } = placing
      const names = holders ? JSON.stringify(holders) : null
      const document = encodeEnvelope(envelope)
      const parameters = [job, document, submittedAt.toISOString(), priority, submittedBy, names, minContributors]
      await database.query(ADD_JOB, parameters)
    },
    findJob: async (job) => (await listJobs('WHERE job = $1', [job]))[0],
    listJobs: (limit) => listJobs('ORDER BY submitted_at DESC, arrival DESC LIMIT $1', [limit]),
    listUnfinishedJobs: () =>
      listJobs("WHERE ended_at IS NULL ORDER BY (state = 'running') DESC, submitted_at, arrival"),
    setJobState: async (job, state, at, reason) => {
      const parameters = [job, state, at.toISOString(), storableReason(reason)]
      const moved = await database.query(MOVE_JOB, parameters)
      if (moved.length > 0) return true
      const [row] = await database.query<{ state: JobState }>('SELECT state FROM jobs WHERE job = $1', [job])
      if (!row) throw unknownJob(job)
      return row.state === state
    },
    addJobOutput: (job, output) => addJobOutput(database, job, output),
    listJobOutputs: (job) =>
      database.query<JobOutput>(
        'SELECT name, version, digest FROM job_outputs WHERE job = $1 ORDER BY name COLLATE "C", version',
        [job],
      ),
  }
}

/** Contract on `CoordinatorStore.addJobOutput`; also a part of publishing a round. */
export async function addJobOutput(
  database: Queryable,
  job: Digest,
  { name, version, digest }: JobOutput,
): Promise<void> {
  const added = await database.query(
    `INSERT INTO job_outputs (job, name, version, digest) VALUES ($1, $2, $3, $4)
     ON CONFLICT (job, name, version) DO NOTHING RETURNING job`,
    [job, name, version, digest],
  )
  if (added.length > 0) return
  const [stored] = await database.query<{ digest: Digest }>(
    'SELECT digest FROM job_outputs WHERE job = $1 AND name = $2 AND version = $3',
    [job, name, version],
  )
  if (stored.digest !== digest) {
    throw new StoreError('conflict', `The job has another ${name} of version ${version}: give this one a new version.`)
  }
}

export function toJobRecord(row: JobRow): JobRecord {
  return {
    job: row.job,
    envelope: readStoredEnvelope(row.envelope, `The job ${row.job}`),
    state: row.state,
    ...(row.reason !== null && { reason: row.reason }),
    submittedAt: row.submitted_at,
    ...(row.started_at && { startedAt: row.started_at }),
    ...(row.ended_at && { endedAt: row.ended_at }),
  }
}

/** The error of a write to a job that is not there. */
export function unknownJob(job: Digest): StoreError {
  return new StoreError('not-found', `There is no job ${job}: submit it first.`)
}
