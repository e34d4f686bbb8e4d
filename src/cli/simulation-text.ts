import type { RoundReport, SimulationReport } from '../simulate/report.ts'

/** What a simulation came to, as a table for people. */
export function simulationText({ options, setupMs, rounds, exact, peakRssBytes }: SimulationReport): string {
  const { holders, weights, precisionBits, seed, clear } = options
  const how = clear ? 'in the clear' : 'protected'
  const lines = [
    `${holders} holders × ${weights} weights, ${precisionBits} bits, ${how}; seed ${seed}`,
    '',
    ...columns([header(rounds), ...rounds.map(row)]),
    '',
    ...rounds.flatMap(trafficLines).slice(0, 2),
    ...rounds.flatMap(({ round, abandoned }) => abandoned.map((reason) => `before round ${round}: ${reason}`)),
    `set up in ${seconds(setupMs)}; peak memory ${mebibytes(peakRssBytes)}`,
    exact ? 'every sum is exact' : 'NOT EXACT: an opened sum differs from the sum of the updates',
  ]
  return `${lines.join('\n')}\n`
}

function header(rounds: readonly RoundReport[]): string[] {
  const phases = Object.keys(rounds[0]?.phasesMs ?? {}).map((phase) => `${phase} ms`)
  return ['round', 'holders', 'gone', ...phases, 'total ms', 'verified', 'exact']
}

function row({ round, contributors, droppedOut, phasesMs, totalMs, verified, exact }: RoundReport): string[] {
  const phases = Object.values(phasesMs).map((ms) => String(Math.round(ms)))
  const counts = [round, contributors, droppedOut].map(String)
  return [...counts, ...phases, String(Math.round(totalMs)), String(verified), exact ? 'yes' : 'NO']
}

/** Rounds are alike: those of the first are told. */
function trafficLines({ traffic, ciphertextBytes }: RoundReport): string[] {
  if (!traffic) return [`each holder sends ${mebibytes(ciphertextBytes)} in the clear`]
  const { contributor, member } = traffic
  const text = ({ upBytes, downBytes }: { upBytes: number; downBytes: number }) =>
    `${mebibytes(upBytes)} up, ${mebibytes(downBytes)} down`
  return [
    `a holder's traffic: ${text(contributor)}; its ciphertext has ${mebibytes(ciphertextBytes)}`,
    `a committee member's: ${text(member)}`,
  ]
}

function columns(rows: readonly string[][]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)))
  return rows.map((cells) => cells.map((cell, column) => cell.padStart(widths[column])).join('  '))
}

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : 1)} MiB`
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
