import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { Command } from 'commander'
import { parseCount, parsePosition } from './parse-count.ts'

/** Holders that verify a sum unless told: all of a small federation, some of a large one. */
const VERIFIERS_DEFAULT = 16

interface SimulateFlags {
  readonly holders: number
  readonly weights: number
  readonly rounds: number
  readonly precisionBits: number
  readonly minContributors: number
  readonly dropOuts: number
  readonly verify?: number
  readonly seed?: string
  readonly threads: number
  readonly clear?: boolean
  readonly json?: boolean
}

/** Makes a command one that simulates: a federation of any size in this process, over a wire in memory. */
export function describeSimulate(command: Command): Command {
  return command
    .description('run protected rounds of a simulated federation in this process: real protocol, real ciphertexts')
    .addHelpText(
      'after',
      `
Updates are drawn from the seed, not trained: what is simulated is the protocol and its cost. Everything else is what a
venue runs: plans, the log and its witnesses, protection, key shares and their check, certificate, opening, verification.
Each opened sum is compared with the sum of what all holders drew, value by value.

Exit code 0: every sum was exact. 1: one was not, or the simulation could not be run.`,
    )
    .option('--holders <n>', 'data holders, each an organisation of its own', parseCount, 10)
    .option('--weights <n>', 'values of an update', parseCount, 10_000)
    .option('--rounds <n>', 'rounds, one after the other', parseCount, 1)
    .option('--precision-bits <n>', 'bits of one quantised value, 1 to 32', parseCount, 16)
    .option('--min-contributors <n>', 'no sum over fewer holders is opened', parseCount, 3)
    .option('--drop-outs <p>', 'probability that a holder vanishes before the set is sealed', Number, 0)
    .option('--verify <n>', `holders that verify each sum (default: all, at most ${VERIFIERS_DEFAULT})`, parsePosition)
    .option('--seed <hex>', '32 bytes that updates, identities and drop-outs follow from (default: drawn, and told)')
    .option('--threads <n>', 'threads that protect, add and open', parseCount, availableParallelism())
    .option('--clear', 'no protection and no protocol: the same sums, to compare with')
    .option('--json', 'print one JSON object; progress goes to standard error')
    .action(async ({ json = false, threads, verify, seed, clear = false, ...flags }: SimulateFlags) => {
      const { simulateHere } = await import('./simulate-actions.ts')
      const verifiers = verify ?? Math.min(VERIFIERS_DEFAULT, flags.holders)
      const options = { ...flags, verifiers, seed: seed ?? randomBytes(32).toString('hex'), clear }
      process.exitCode = await simulateHere(options, threads, json)
    })
}
