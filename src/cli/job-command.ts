import { type Command, Option } from 'commander'
import { parseCount } from './parse-count.ts'

const asOption = () =>
  new Option('--as <path>', 'the researcher’s directory, from "sluice researcher join"')
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
    .option('--table', 'with --watch: end with a table of the rounds')
    .option('--invite <file>', 'where the directory has not joined a venue: wait for this file, and join with it')
    .option('--json', 'print JSON, one object a line')
    .action(async (file, options) => (await import('./job-actions.ts')).submitJob(file, options))

  job
    .command('list')
    .description('the latest jobs of the venue: their states, and where those that wait stand in the queue')
    .addOption(asOption())
    .option('--limit <n>', 'how many', parseCount, 20)
    .option('--json', 'print one JSON array')
    .action(async (options) => (await import('./job-actions.ts')).listJobs(options))

  job
    .command('show <job>')
    .description('show a job: its state, its place in the queue or why it waits, what it has made')
    .addOption(asOption())
    .option('--json', 'print one JSON object')
    .action(async (id, options) => (await import('./job-actions.ts')).showJob(id, options))

  job
    .command('watch <job>')
    .description('show a job’s rounds until it ends; exit code 1 when it fails')
    .addOption(asOption())
    .option('--json', 'print one JSON object a line')
    .action(async (id, options) => (await import('./job-actions.ts')).watchJob(id, options))

  job
    .command('result <job>')
    .description('fetch what a job made: its model, its statistics, its evaluation')
    .addOption(asOption())
    .option('--out <path>', 'directory to write to', 'out')
    .option('--json', 'print one JSON object')
    .action(async (id, options) => (await import('./job-actions.ts')).fetchJobResult(id, options))

  job
    .command('cancel <job>')
    .description('stop a job; what its rounds have published stays')
    .addOption(asOption())
    .option('--json', 'print one JSON object')
    .action(async (id, options) => (await import('./job-actions.ts')).cancelJob(id, options))
}
