import { type Command, Option } from 'commander'

/** `sluice doctor`: for whoever operates a venue or a holder. */
export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description(
      'look for the common faults of a venue or a holder, and say what to do; exit code 1 when one is in the way',
    )
    .addOption(
      new Option('-d, --directory <path>', 'where coordinator.yaml or holder.yaml lies')
        .env('SLUICE_HOLDER')
        .default('.'),
    )
    .addOption(new Option('--database-url <url>', 'of a venue that has PostgreSQL').env('DATABASE_URL'))
    .option(
      '--log <url>',
      'of a holder: where its venue serves the log; the second port after the coordinator’s unless told',
    )
    .option('--json', 'print one JSON array')
    .addHelpText(
      'after',
      `
Changes nothing, and disturbs no process that runs. It looks at the clock, the certificate, the ports, the disk, the secrets' files,
the versions, the database, the log, the datasets.`,
    )
    .action(async ({ directory, databaseUrl, log, json }) => {
      const { runDoctor, doctorText } = await import('./doctor/run-doctor.ts')
      const diagnoses = await runDoctor(directory, { databaseUrl, logUrl: log })
      console.log(json ? JSON.stringify(diagnoses) : doctorText(diagnoses))
      if (diagnoses.some(({ state }) => state === 'fail')) process.exitCode = 1
    })
}
