import { destination } from 'pino'
import type { JobEvent } from '../coordinator/ports.ts'
import { isDigest } from '../crypto/digest.ts'
import { type JobSummary, JobsConnection } from '../wire/jobs-client.ts'
import { CliError } from './cli-error.ts'
import { readDataFile, writeWholeFile } from './files.ts'
import { describeEvent } from './job-progress.ts'
import { roundTable } from './job-table.ts'
import { joinOnce } from './join-once.ts'
import { joinResearcher } from './join-researcher.ts'
import { openLog } from './process-life.ts'
import { loadCurrentResearcher } from './renew-researcher.ts'

/*
 * What the `sluice job` commands do. Loaded when one runs, so that help and wrong command lines answer at once.
 */

export interface JobOptions {
  /** The researcher's directory. */
  readonly as: string
  readonly json?: boolean
}

export interface SubmitOptions extends JobOptions {
  readonly watch?: boolean
  /** Ends the watch with a table. */
  readonly table?: boolean
  /** A file that holds an invite, now or later. */
  readonly invite?: string
}

export async function submitJob(file: string, options: SubmitOptions): Promise<void> {
  if (options.invite !== undefined) await joinAsResearcher(options.as, options.invite)
  return withConnection(options.as, async (connection) => {
    const job = await connection.submit(await readDataFile(file))
    console.log(options.json ? JSON.stringify({ job }) : job)
    if (!options.watch) return
    const events = await watchToEnd(connection, job, options.json)
    if (options.table && !options.json) console.log(`\n${roundTable(events)}`)
  })
}

function joinAsResearcher(directory: string, invite: string): Promise<void> {
  const party = { configuration: 'researcher.yaml', join: joinResearcher } as const
  // On standard error: what is asked for goes to standard output.
  return joinOnce(directory, invite, party, openLog('researcher', 'info', destination(2)), new AbortController().signal)
}

export function listJobs(options: JobOptions & { readonly limit: number }): Promise<void> {
  return withConnection(options.as, async (connection) => {
    const jobs = await connection.list(options.limit)
    if (options.json) return console.log(JSON.stringify(jobs))
    for (const { job, name, state, submittedAt, ...about } of jobs) {
      console.log(`${job.slice(0, 12)}…  ${state.padEnd(9)}  ${submittedAt}  ${name}${describeStanding(about)}`)
    }
    if (jobs.length === 0) console.log('No jobs yet: sluice job submit job.yaml')
  })
}

export function showJob(id: string, options: JobOptions): Promise<void> {
  return withConnection(options.as, async (connection) => {
    const { summary, outputs } = await connection.result(await resolveJob(connection, id))
    if (options.json) return console.log(JSON.stringify({ ...summary, outputs }))
    const { job, name, state, submittedBy, submittedAt, endedAt, ...about } = summary
    console.log(`${job}\n${name}, submitted by ${submittedBy} at ${submittedAt}`)
    console.log(`${state}${endedAt ? ` at ${endedAt}` : ''}${describeStanding(about)}`)
    for (const { name, version, digest } of outputs) console.log(`${name} ${version}  ${digest}`)
  })
}

type Standing = Pick<JobSummary, 'reason' | 'priority' | 'place' | 'standing'>

/** Where a job stands in the queue, or why it ended; empty when there is nothing to say. */
function describeStanding({ reason, priority, place, standing }: Standing): string {
  const said = [
    ...(priority && priority !== 'normal' ? [`priority ${priority}`] : []),
    ...(place ? [`no. ${place} in the queue`] : []),
    ...(standing ? [standing] : reason ? [reason] : []),
  ]
  return said.length > 0 ? `  (${said.join('; ')})` : ''
}

export function watchJob(id: string, options: JobOptions): Promise<void> {
  return withConnection(options.as, async (connection) =>
    watchToEnd(connection, await resolveJob(connection, id), options.json),
  )
}

export function fetchJobResult(id: string, options: JobOptions & { readonly out: string }): Promise<void> {
  return withConnection(options.as, async (connection) => {
    const written = await fetchResult(connection, await resolveJob(connection, id), options.out)
    console.log(options.json ? JSON.stringify(written) : written.files.map((path) => `wrote ${path}`).join('\n'))
  })
}

export function cancelJob(id: string, options: JobOptions): Promise<void> {
  return withConnection(options.as, async (connection) => {
    const cancelled = await connection.cancel(await resolveJob(connection, id))
    if (options.json) return console.log(JSON.stringify({ cancelled }))
    console.log(cancelled ? 'cancelled' : 'had ended before')
  })
}

async function withConnection(directory: string, use: (connection: JobsConnection) => Promise<unknown>): Promise<void> {
  const { config, tls } = await loadCurrentResearcher(directory, new Date())
  const connection = new JobsConnection(config.coordinator, config.venue, tls)
  try {
    await use(connection)
  } finally {
    connection.close()
  }
}

/** A full id, or the first characters of one of the venue's jobs. @throws CliError `usage` */
async function resolveJob(connection: JobsConnection, id: string): Promise<string> {
  if (isDigest(id)) return id
  const prefix: string = id
  const matches = (await connection.list(1000)).filter(({ job }) => prefix.length >= 4 && job.startsWith(prefix))
  if (matches.length === 1) return matches[0].job
  throw new CliError(
    'usage',
    `${matches.length || 'No'} jobs begin with "${prefix}": give more of the id, see "sluice job list".`,
  )
}

/** @returns the job's events. @throws CliError `job-failed` */
async function watchToEnd(connection: JobsConnection, job: string, json = false): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const stored of connection.watch(job)) {
    console.log(json ? JSON.stringify(stored) : describeEvent(stored))
    events.push(stored.event)
  }
  const { summary } = await connection.result(job)
  if (summary.state === 'completed') return events
  throw new CliError(
    'job-failed',
    `The job ended ${summary.state}: ${summary.reason ?? events.at(-1)?.kind ?? 'no reason'}`,
  )
}

/** File names of what a job gives. */
const OUTPUT_FILES: Record<string, string> = {
  model: 'model.safetensors',
  statistics: 'statistics.json',
  evaluation: 'evaluation.json',
}

/** Writes the latest version of every output of a job. @throws CliError `job-failed` when there is none yet */
async function fetchResult(connection: JobsConnection, job: string, out: string) {
  const { summary, outputs } = await connection.result(job)
  const latest = new Map(outputs.map((output) => [output.name, output]))
  if (latest.size === 0) throw new CliError('job-failed', `The job is ${summary.state} and has made nothing yet.`)
  const files: string[] = []
  for (const { name, digest } of latest.values()) {
    const path = `${out}/${OUTPUT_FILES[name] ?? name}`
    await writeWholeFile(path, await connection.output(job, digest))
    files.push(path)
  }
  return { job, state: summary.state, modelVersion: latest.get('model')?.version ?? 0, files }
}
