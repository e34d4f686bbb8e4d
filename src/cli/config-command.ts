import { type Command, Option } from 'commander'

/** `sluice config …`: what a coordinator or a holder node would start with. */
export function addConfigCommands(program: Command): void {
  const config = program.command('config').description('the configuration of a coordinator or a holder node')

  config
    .command('check')
    .description(
      'show what is in force, and whether file, environment or default says so; exit code 1 when it is wrong',
    )
    .addOption(
      new Option('-d, --directory <path>', 'where coordinator.yaml or holder.yaml lies')
        .env('SLUICE_DIRECTORY')
        .default('.'),
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
A field comes from SLUICE_ and its name in capitals, from a file that the same with _FILE names, or from the YAML file. Passwords in
URLs are left out.`,
    )
    .action(async ({ directory, json }) => {
      const { checkConfig, configText } = await import('./check-config.ts')
      const checked = await checkConfig(directory)
      console.log(json ? JSON.stringify(checked) : configText(checked))
    })
}
