/** The simulator as a process, and the page that tells of it. */
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SimulationReport } from '../../src/simulate/report.ts'
import { codeIn, documentedTable, fencedBlocks, readPage } from '../docs/pages.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PROGRAM = 'src/cli/simulate.ts'
const PAGE = 'docs/SIMULATING.md'

function simulate(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [PROGRAM, ...args], { cwd: ROOT, timeout: 60_000 }, (error, stdout, stderr) => {
      done({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr })
    })
  })
}

describe('the simulator’s page', () => {
  const commands = fencedBlocks(readPage(PAGE), 'sh').flatMap((block) => block.trim().split('\n'))
  const argumentsOf = (command: string) => command.split('simulate -- ')[1].split(' ')

  it('shows a command that prints a table and an exact sum', async () => {
    const { code, stdout } = await simulate(argumentsOf(commands[0]))
    expect(code, stdout).toBe(0)
    expect(stdout).toContain('20 holders × 1000 weights')
    expect(stdout).toMatch(/collect ms .*total ms +verified +exact/)
    expect(stdout).toMatch(/ 16 +yes/)
    expect(stdout).toContain('every sum is exact')
  })

  it('shows two commands that come to the same sums, protected and in the clear', async () => {
    const finished = await Promise.all(commands.slice(1).map((command) => simulate(argumentsOf(command))))
    const [protectedRun, clearRun] = finished.map(({ stdout }) => JSON.parse(stdout) as SimulationReport)
    expect(finished.map(({ code }) => code)).toEqual([0, 0])
    expect(protectedRun.rounds.map(({ aggregate }) => aggregate)).toEqual(
      clearRun.rounds.map(({ aggregate }) => aggregate),
    )
    expect(protectedRun.rounds.map(({ contributors }) => contributors)).toEqual(
      clearRun.rounds.map(({ contributors }) => contributors),
    )
    expect(protectedRun.rounds.length).toBe(2)
    expect(Object.keys(protectedRun.rounds[0].phasesMs)).toEqual([
      'plan',
      'collect',
      'check',
      'certify',
      'answer',
      'open',
      'publish',
    ])
  })

  it('lists the options that there are', async () => {
    const { stdout } = await simulate(['--help'])
    const options = [...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, option]) => option)
    const listed = [...documentedTable(PAGE, '--holders').keys()].flatMap((name) => codeIn(`\`${name}\``))
    expect(listed.sort()).toEqual(options.sort())
  })
})

describe('a wrong command line', () => {
  it('ends with 2 for what is no option’s value, and with 1 and a name for options that do not go together', async () => {
    const wrong = await simulate(['--holders', 'many'])
    expect(wrong.code).toBe(2)
    const impossible = await simulate(['--holders', '5000', '--precision-bits', '32'])
    expect(impossible.code).toBe(1)
    expect(impossible.stderr).toContain('[option-invalid]')
    expect(impossible.stdout).toBe('')
  })
})
