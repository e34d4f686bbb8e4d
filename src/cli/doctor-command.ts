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
        .env('SLUICE_DIRECTORY')
        .default('.'),
    )
    .option('--database-url <url>', 'of a venue that has PostgreSQL; also DATABASE_URL, DATABASE_URL_FILE')
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
      const [{ runDoctor, doctorText }, { readDatabaseUrl }] = await Promise.all([
        import('./doctor/run-doctor.ts'),
        import('./database-url.ts'),
      ])
      const diagnoses = await runDoctor(directory, { databaseUrl: await readDatabaseUrl(databaseUrl), logUrl: log })
      console.log(json ? JSON.stringify(diagnoses) : doctorText(diagnoses))
      if (diagnoses.some(({ state }) => state === 'fail')) process.exitCode = 1
    })
}
