import { type Command, Option } from 'commander'
import { logLevelOption } from './log-level-option.ts'
import { parseDuration } from './parse-count.ts'

const directoryOption = () =>
  new Option('-d, --directory <path>', 'where the venue lies').env('SLUICE_DIRECTORY').default('venue')

const configOption = () =>
  new Option('--config <file>', 'of one of several coordinators of the venue, in its directory').default(
    'coordinator.yaml',
  )

const databaseOption = () =>
  new Option(
    '--database-url <url>',
    'PostgreSQL instead of the embedded database; also DATABASE_URL, DATABASE_URL_FILE',
  )

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
    .option('--out <file>', 'write it there instead, for its reader alone; nothing is done when the file is there')
    .action(async (name, { directory, organisation, researcher, expires, out }) => {
      const { makeInvite, writeInviteOnce } = await import('./coordinator-actions.ts')
      const options = { organisation, researcher, expiresMs: expires }
      if (out === undefined) return console.log(await makeInvite(directory, name, options))
      console.log((await writeInviteOnce(out, directory, name, options)) ? `Wrote ${out}.` : `${out} is there already.`)
    })

  coordinator
    .command('database-secret <directory>')
    .description('draw a password for a new PostgreSQL: DIRECTORY/password, and DIRECTORY/url for DATABASE_URL_FILE')
    .option('--host <host:port>', 'of PostgreSQL', 'postgres:5432')
    .option('--user <name>', 'who connects', 'sluice')
    .option('--database <name>', 'which database', 'sluice')
    .action(async (directory, options) => {
      const { drawDatabaseSecret } = await import('./database-secret.ts')
      const isNew = await drawDatabaseSecret(directory, options)
      console.log(isNew ? `Drew a password into ${directory}.` : `${directory} has a password already.`)
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
    .option('--found', 'found the venue that the environment describes, where there is none yet')
    .addOption(logLevelOption())
    .action(async (options) => (await import('./start-coordinator.ts')).startCoordinator(options))

  coordinator
    .command('worker')
    .description(
      'help the coordinators of a venue to add ciphertexts up; needs their PostgreSQL and their blobs, and no key of theirs',
    )
    .addOption(directoryOption())
    .addOption(configOption())
    .addOption(databaseOption())
    .addOption(logLevelOption())
    .action(async (options) => (await import('./fold-worker.ts')).runFoldWorker(options))
}
