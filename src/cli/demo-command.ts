import { type Command, Option } from 'commander'
import { heartJobs } from '../../nodes/examples/heart/jobs.ts'
import { parseCount } from './parse-count.ts'

/** `sluice demo`: the whole of Sluice on one machine, with real records, in a minute. */
export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('four real hospitals train together on this machine: five processes, encrypted sums, a report')
    .option('--json', 'print one JSON object as the last line; progress goes to standard error')
    .option('--seeds <n>', 'repeat with this many seeds and report the means', parseCount, 1)
    .option('--rounds <n>', 'training rounds, instead of the example’s own number', parseCount)
    .addOption(new Option('--model <name>', 'only this model').choices(Object.keys(heartJobs)))
    .option('--out <path>', 'where to leave the model and the report', 'out')
    .action(async (options) => {
      const { runDemo } = await import('./demo/run-demo.ts')
      await runDemo(options)
    })
}
