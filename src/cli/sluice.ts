#!/usr/bin/env node
import { Command } from 'commander'
import { SluiceError } from '../sluice-error.ts'
import { addConfigCommands } from './config-command.ts'
import { addCoordinatorCommands } from './coordinator-command.ts'
import { addDemoCommand } from './demo-command.ts'
import { addDoctorCommand } from './doctor-command.ts'
import { addHolderCommands } from './holder-command.ts'
import { addJobCommands } from './job-command.ts'
import { addLogCommands } from './log-command.ts'
import { addReadyCommand } from './ready-command.ts'
import { addResearcherCommands } from './researcher-command.ts'
import { describeSimulate } from './simulate-command.ts'
import { SOFTWARE_VERSION } from './version.ts'

/*
 * sluice: exit code 0 when what was asked for was done, 1 when it failed (the message says what to do), 2 for a wrong
 * command line.
 */
const program = new Command('sluice')
  .description('A federated privacy-computing gateway: the gate at each data holder that lets only sums through.')
  .version(SOFTWARE_VERSION)
  .showHelpAfterError('(run with --help for what is possible)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .addHelpText(
    'after',
    `
First steps:
  sluice demo                                        four real hospitals train together, on this machine
  sluice coordinator init --directory venue          found a venue
  sluice coordinator start --directory venue         run its coordinator
  sluice coordinator invite cleveland --directory venue --organisation "Cleveland Clinic"
  sluice holder join INVITE --directory cleveland    join as a data holder, with keys of one's own
  sluice holder start --directory cleveland          run a data holder's node
  sluice job submit job.yaml --as researcher         ask for a model`,
  )

addCoordinatorCommands(program)
addHolderCommands(program)
addResearcherCommands(program)
addJobCommands(program)
addLogCommands(program)
addDoctorCommand(program)
addConfigCommands(program)
addReadyCommand(program)
addDemoCommand(program)
describeSimulate(program.command('simulate'))

try {
  await program.parseAsync()
} catch (error) {
  // A named error is for the person at the keyboard; anything else is a fault of ours and shows where.
  if (error instanceof SluiceError) process.stderr.write(`sluice: ${error.message} [${error.code}]\n`)
  else process.stderr.write(`sluice: unexpected fault: ${error instanceof Error ? error.stack : error}\n`)
  process.exitCode = 1
}
