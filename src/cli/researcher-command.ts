import { type Command, Option } from 'commander'
import { INVITE_HELP } from './holder-command.ts'

/** `sluice researcher …`. */
export function addResearcherCommands(program: Command): void {
  const researcher = program
    .command('researcher')
    .description('be a researcher of a venue: its jobs are under "sluice job"')

  researcher
    .command('join <invite>')
    .description('join a venue: draws this researcher’s key here, fetches its certificate')
    .addOption(new Option('-d, --directory <path>', 'the directory to make, or to go on with').env('SLUICE_RESEARCHER'))
    .addHelpText('after', INVITE_HELP)
    .action(async (invite, { directory }) => (await import('./join-actions.ts')).researcherJoin(invite, directory))
}
