import { type Command, Option } from 'commander'
import { CliError } from './cli-error.ts'
import { logLevelOption } from './log-level-option.ts'
import { SOFTWARE } from './version.ts'

const directoryOption = () =>
  new Option('-d, --directory <path>', 'where the venue lies').env('SLUICE_VENUE').default('venue')

/** `sluice coordinator …`: for the operator of a venue. What a command needs is loaded when it runs. */
export function addCoordinatorCommands(program: Command): void {
  const coordinator = program
    .command('coordinator')
    .description('run a venue: found it, admit members, run its coordinator')

  coordinator
    .command('init')
    .description('found a venue: its root of certificates, the coordinator’s keys, coordinator.yaml')
    .addOption(directoryOption())
    .option('--venue <name>', 'the name in every identity, such as heart.example.org', 'venue.local')
    .option('--listen <host:port>', 'where to listen', '127.0.0.1:7443')
    .option('--address <host:port>', 'where holders and researchers dial; the same unless told')
    .action(async ({ directory, ...options }) => {
      const { createVenue } = await import('./venue-files.ts')
      await createVenue(directory, options)
      console.log(`Founded ${options.venue} in ${directory}.`)
      console.log(`Next: sluice coordinator admit NAME --directory ${directory} --organisation ORGANISATION --out NAME`)
    })

  coordinator
    .command('admit <name>')
    .description(
      'admit a data holder (or, with --researcher, a researcher): makes a directory with its keys to hand over',
    )
    .addOption(directoryOption())
    .option('--organisation <name>', 'the organisation behind a holder; distinct ones count towards minContributors')
    .option('--researcher', 'may submit jobs; holds no data')
    .requiredOption('--out <path>', 'the directory to make')
    .action(async (name, { directory, organisation, researcher, out }) => {
      const { admitHolder, admitResearcher } = await import('./venue-files.ts')
      if (researcher) {
        await admitResearcher(directory, name, out)
        console.log(`Admitted researcher ${name}: hand over ${out}.`)
        return
      }
      if (!organisation) throw new CliError('usage', 'A holder needs --organisation: which organisation is it?')
      await admitHolder(directory, name, organisation, out)
      console.log(
        `Admitted ${name} of ${organisation}: hand over ${out}, and the new ${directory}/members.json to all holders.`,
      )
      console.log('The coordinator and the holders read the list of members when they start: restart those that run.')
      console.log(
        `Next: name its datasets in ${out}/holder.yaml and ${out}/policy.yaml; sluice holder start --directory ${out}`,
      )
    })

  coordinator
    .command('start')
    .description('run the coordinator; the log is one JSON object a line on standard output')
    .addOption(directoryOption())
    .addOption(new Option('--database-url <url>', 'PostgreSQL instead of the embedded database').env('DATABASE_URL'))
    .addOption(logLevelOption())
    .action(async ({ directory, databaseUrl, logLevel }) => {
      const [{ runCoordinator }, { loadVenue }, { openLog, stopSignal }] = await Promise.all([
        import('./coordinator-process.ts'),
        import('./venue-files.ts'),
        import('./process-life.ts'),
      ])
      const log = openLog('coordinator', logLevel)
      await runCoordinator(directory, await loadVenue(directory), databaseUrl, SOFTWARE, log, stopSignal())
    })
}
