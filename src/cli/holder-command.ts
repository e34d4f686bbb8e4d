import { type Command, Option } from 'commander'
import { addHolderMembersCommands } from './holder-members-command.ts'
import { logLevelOption } from './log-level-option.ts'

const directoryOption = () =>
  new Option('-d, --directory <path>', 'where holder.yaml lies').env('SLUICE_DIRECTORY').default('.')

/** Of every command that takes an invite. */
export const INVITE_HELP = `
The invite is the line that the venue's operator sent, a file that holds it, or - for standard input. It counts once; until
then whoever has it can join in your place. Run again after an interruption, with the same invite and directory.`

/** `sluice holder …`: for the operator of a data holder. What a command needs is loaded when it runs. */
export function addHolderCommands(program: Command): void {
  const holder = program.command('holder').description('run a data holder’s node: it dials out and opens no port')

  holder
    .command('join <invite>')
    .description('join a venue: draws this holder’s keys here, applies with them, writes a configuration to complete')
    .addOption(new Option('-d, --directory <path>', 'the directory to make, or to go on with').env('SLUICE_DIRECTORY'))
    .addHelpText('after', INVITE_HELP)
    .action(async (invite, { directory }) => (await import('./join-actions.ts')).holderJoin(invite, directory))

  holder
    .command('start')
    .description('run the node; the log is one JSON object a line on standard output')
    .addOption(directoryOption())
    .option('--invite <file>', 'where the directory has not joined a venue: wait for this file, and join with it')
    .addOption(logLevelOption())
    .action(async (options) => (await import('./start-holder.ts')).startHolder(options))

  holder
    .command('check')
    .description('read the configuration and open every dataset, without dialling')
    .addOption(directoryOption())
    .option('--json', 'print one JSON object')
    .action(async ({ directory, json }) => {
      const [{ loadHolderSettings }, { openDataset }] = await Promise.all([
        import('../../nodes/holder/configuration-files.ts'),
        import('../../nodes/holder/datasets.ts'),
      ])
      const { config, policy } = await loadHolderSettings(directory)
      const datasets = []
      for (const dataset of config.datasets) {
        using open = await openDataset(dataset, { baseDirectory: directory })
        const { name, recordCount, columns } = open
        datasets.push({ name, recordCount, columns, offered: Object.hasOwn(policy.datasets, name) })
      }
      if (json) return console.log(JSON.stringify({ name: config.name, coordinator: config.coordinator, datasets }))
      console.log(
        `${config.name} dials ${[config.coordinator].flat().join(', ')}; its policy demands ${policy.minContributors} contributors.`,
      )
      for (const { name, recordCount, columns, offered } of datasets) {
        const terms = offered ? 'offered by the policy' : 'NOT offered: name it in the policy'
        console.log(`  ${name}: ${recordCount} records, ${columns.length} columns, ${terms}`)
      }
    })

  addHolderMembersCommands(holder)
}
