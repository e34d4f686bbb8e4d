import { enableCompileCache } from 'node:module'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { logLevelOption } from './log-level-option.ts'
import { parseDuration } from './parse-count.ts'
import { SOFTWARE } from './version.ts'

const directoryOption = () =>
  new Option('-d, --directory <path>', 'where the venue lies').env('SLUICE_VENUE').default('venue')

const configOption = () =>
  new Option('--config <file>', 'of one of several coordinators of the venue, in its directory').default(
    'coordinator.yaml',
  )

const databaseOption = () =>
  new Option('--database-url <url>', 'PostgreSQL instead of the embedded database').env('DATABASE_URL')

/** `sluice coordinator …`: for the operator of a venue. What a command needs is loaded when it runs. */
export function addCoordinatorCommands(program: Command): void {
  const coordinator = program
    .command('coordinator')
    .description('run a venue: found it, invite members, run its coordinator')

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
      console.log(`Next: sluice coordinator start --directory ${directory}`)
      console.log(`      sluice coordinator invite NAME --directory ${directory} --organisation ORGANISATION`)
    })

  coordinator
    .command('invite <name>')
    .description(
      'invite a data holder (or, with --researcher, a researcher): prints one line to hand over on a channel that you both trust',
    )
    .addOption(directoryOption())
    .option('--organisation <name>', 'the organisation behind a holder; distinct ones count towards minContributors')
    .option('--researcher', 'may submit jobs; holds no data')
    .option('--expires <duration>', 'how long it counts: 30m, 12h, 7d', parseDuration, parseDuration('7d'))
    .action(async (name, { directory, organisation, researcher, expires }) => {
      const { makeInvite } = await import('./coordinator-actions.ts')
      console.log(await makeInvite(directory, name, { organisation, researcher, expiresMs: expires }))
    })

  coordinator
    .command('revoke <name>')
    .description(
      'take back what a holder or researcher was given: its certificates at once, its membership by the members',
    )
    .addOption(directoryOption())
    .requiredOption('--reason <text>', 'for the members, who sign it, and for the log')
    .option('--researcher', 'a researcher’s certificates')
    .action(async (name, { directory, reason, researcher }) => {
      const { revokeParty } = await import('./coordinator-actions.ts')
      console.log(await revokeParty(directory, name, { reason, researcher }))
    })

  coordinator
    .command('start')
    .description('run the coordinator; the log is one JSON object a line on standard output')
    .addOption(directoryOption())
    .addOption(configOption())
    .addOption(databaseOption())
    .addOption(logLevelOption())
    .action(async ({ directory, config, databaseUrl, logLevel }) => {
      const { loadVenueToRun } = await import('./venue-files.ts')
      const venue = await loadVenueToRun(directory, new Date(), config)
      // A coordinator that was killed is to be back soon: what it is compiled to is kept with its state.
      enableCompileCache(resolve(directory, venue.config.state, 'compiled'))
      const [{ runCoordinator }, { openLog, stopSignal }] = await Promise.all([
        import('./coordinator-process.ts'),
        import('./process-life.ts'),
      ])
      await runCoordinator(directory, venue, databaseUrl, SOFTWARE, openLog('coordinator', logLevel), stopSignal())
    })
}
