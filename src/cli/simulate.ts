#!/usr/bin/env node
import { Command } from 'commander'
import { SluiceError } from '../sluice-error.ts'
import { describeSimulate } from './simulate-command.ts'

/* The simulator on its own, with the exit codes of `sluice`: 0 done, 1 failed, 2 a wrong command line. */
const program = describeSimulate(new Command('simulate'))
  .showHelpAfterError('(run with --help for what is possible)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof SluiceError) process.stderr.write(`sluice: ${error.message} [${error.code}]\n`)
  else process.stderr.write(`sluice: unexpected fault: ${error instanceof Error ? error.stack : error}\n`)
  process.exitCode = 1
}
