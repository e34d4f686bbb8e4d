import type { CoordinatorStore, JobEvent } from '../coordinator/ports.ts'
import { type Digest, digestOf } from '../crypto/digest.ts'
import type { Database, Queryable } from './database.ts'
import { unknownJob } from './job-records.ts'
import { retryOnConflict } from './retry-on-conflict.ts'

/** As in the journal of statements: the row lock on the job puts concurrent events in line, without gaps. */
const APPEND = `
  WITH known AS (SELECT sequence FROM job_events WHERE job = $1 AND digest = $2),
  head AS (
    UPDATE jobs SET event_count = event_count + 1
    WHERE job = $1 AND NOT EXISTS (SELECT FROM known) RETURNING event_count AS sequence
  ),
  appended AS (
    INSERT INTO job_events (job, sequence, digest, at, event) SELECT $1, sequence, $2, $3::timestamptz, $4::json FROM head
    RETURNING sequence
  )
  SELECT sequence FROM known UNION ALL SELECT sequence FROM appended`

/** The job events' part of the store; contracts on {@link CoordinatorStore}. */
export function jobEventRecords(database: Database): Pick<CoordinatorStore, 'appendJobEvent' | 'listJobEvents'> {
  return {
    appendJobEvent: (job, at, event) => retryOnConflict(() => appendJobEvent(database, job, at, event)),
    listJobEvents: async (job, after, limit) => {
      const rows = await database.query<{ sequence: number; at: Date; event: string }>(
        `SELECT sequence, at, event::text AS event FROM job_events
         WHERE job = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
        [job, after, limit],
      )
      return rows.map(({ sequence, at, event }) => ({ sequence, at, event: JSON.parse(event) as JobEvent }))
    },
  }
}

/** Contract on `CoordinatorStore.appendJobEvent`; also a part of publishing a round. @throws StoreError `conflict` when it raced itself */
export async function appendJobEvent(database: Queryable, job: Digest, at: Date, event: JobEvent): Promise<number> {
  const [instant, document] = [at.toISOString(), JSON.stringify(event)]
  const digest = digestOf(Buffer.from(`${instant} ${document}`))
  const [row] = await database.query<{ sequence: number }>(APPEND, [job, digest, instant, document])
  if (!row) throw unknownJob(job)
  return row.sequence
}
