import { type Command, InvalidArgumentError, Option } from 'commander'
import type { StoredJobEvent } from '../coordinator/ports.ts'
import { isDigest } from '../crypto/digest.ts'
import { JobsConnection } from '../wire/jobs-client.ts'
import { CliError } from './cli-error.ts'
import { readDataFile, writeWholeFile } from './files.ts'
import { describeEvent } from './job-progress.ts'
import { loadResearcher } from './venue-files.ts'

const asOption = () =>
  new Option('--as <path>', 'the researcher’s directory, from "sluice coordinator admit --researcher"')
    .env('SLUICE_RESEARCHER')
    .default('researcher')

/** `sluice job …`: for researchers. */
export function addJobCommands(program: Command): void {
  const job = program.command('job').description('ask for models and fetch them')

  job
    .command('submit <file>')
    .description('submit a job (YAML or JSON, see docs/JOBS.md); prints its id')
    .addOption(asOption())
    .option('--watch', 'stay and show its rounds')
    .option('--json', 'print JSON, one object a line')
    .action(async (file, options) => {
      const specification = await readDataFile(file)
      await withConnection(options.as, async (connection) => {
        const id = await connection.submit(specification)
        console.log(options.json ? JSON.stringify({ job: id }) : id)
        if (options.watch) await watchToEnd(connection, id, options.json)
      })
    })

  job
    .command('list')
    .description('the latest jobs of the venue')
    .addOption(asOption())
    .option('--limit <n>', 'how many', parseCount, 20)
    .option('--json', 'print one JSON array')
    .action((options) =>
      withConnection(options.as, async (connection) => {
        const jobs = await connection.list(options.limit)
        if (options.json) return console.log(JSON.stringify(jobs))
        for (const { job: id, name, state, submittedAt, reason } of jobs) {
          console.log(
            `${id.slice(0, 12)}…  ${state.padEnd(9)}  ${submittedAt}  ${name}${reason ? `  (${reason})` : ''}`,
          )
        }
        if (jobs.length === 0) console.log('No jobs yet: sluice job submit job.yaml')
      }),
    )

  job
    .command('watch <job>')
    .description('show a job’s rounds until it ends; exit code 1 when it fails')
    .addOption(asOption())
    .option('--json', 'print one JSON object a line')
    .action((id, options) =>
      withConnection(options.as, async (connection) =>
        watchToEnd(connection, await resolveJob(connection, id), options.json),
      ),
    )

  job
    .command('result <job>')
    .description('fetch what a job made: its model, its statistics, its evaluation')
    .addOption(asOption())
    .option('--out <path>', 'directory to write to', 'out')
    .option('--json', 'print one JSON object')
    .action((id, options) =>
      withConnection(options.as, async (connection) => {
        const written = await fetchResult(connection, await resolveJob(connection, id), options.out)
        console.log(options.json ? JSON.stringify(written) : written.files.map((path) => `wrote ${path}`).join('\n'))
      }),
    )

  job
    .command('cancel <job>')
    .description('stop a job; what its rounds have published stays')
    .addOption(asOption())
    .action((id, options) =>
      withConnection(options.as, async (connection) => {
        const cancelled = await connection.cancel(await resolveJob(connection, id))
        console.log(cancelled ? 'cancelled' : 'had ended before')
      }),
    )
}

async function withConnection(directory: string, use: (connection: JobsConnection) => Promise<unknown>): Promise<void> {
  const { config, tls } = await loadResearcher(directory)
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

async function watchToEnd(connection: JobsConnection, job: string, json: boolean): Promise<void> {
  let last: StoredJobEvent | undefined
  for await (const stored of connection.watch(job)) {
    console.log(json ? JSON.stringify(stored) : describeEvent(stored))
    last = stored
  }
  const { summary } = await connection.result(job)
  if (summary.state === 'completed') return
  throw new CliError(
    'job-failed',
    `The job ended ${summary.state}: ${summary.reason ?? last?.event.kind ?? 'no reason'}`,
  )
}

/** File names of what a job gives. */
const OUTPUT_FILES: Record<string, string> = {
  model: 'model.safetensors',
  statistics: 'statistics.json',
  evaluation: 'evaluation.json',
}

/** Writes the latest version of every output of a job. @throws CliError `job-failed` when there is none yet */
export async function fetchResult(connection: JobsConnection, job: string, out: string) {
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

export function parseCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('a whole number of 1 or more')
  return count
}
