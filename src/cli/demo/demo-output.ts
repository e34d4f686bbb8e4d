import { type DemoModel, type DemoResult, evidenceLines } from './demo-report.ts'
import type { PublishedRound } from './demo-run.ts'

const BAR_WIDTH = 24
/** Without a terminal, a line for every so many rounds. */
const PLAIN_EVERY = 10

/** Live progress on standard error: one line that renews itself on a terminal, a line now and then elsewhere. */
export function demoProgress() {
  const { stderr } = process
  const live = stderr.isTTY === true
  const show = (line: string) => stderr.write(live ? `\r\x1b[K${line}` : `${line}\n`)
  return {
    note: (line: string) => void stderr.write(`${live ? '\r\x1b[K' : ''}${line}\n`),
    round: (title: string) => {
      const began = performance.now()
      return (round: PublishedRound, of: number) => {
        const line = progressLine(title, round, of, performance.now() - began)
        if (live || round.round % PLAIN_EVERY === 0 || round.round === of) show(line)
        if (live && round.round >= of) stderr.write('\n')
      }
    },
    end: () => {
      if (live) stderr.write('\r\x1b[K')
    },
  }
}

function progressLine(
  title: string,
  { round, step, evaluation, durations }: PublishedRound,
  of: number,
  spentMs: number,
) {
  const done = Math.min(1, round / of)
  const filled = Math.round(done * BAR_WIDTH)
  const bar = `${'█'.repeat(filled)}${'·'.repeat(BAR_WIDTH - filled)}`
  const scores = evaluation
    ? `accuracy ${evaluation.accuracy.value.toFixed(3)}  AUC ${evaluation.auc?.value.toFixed(3) ?? '–'}`
    : step
  const leftS = (spentMs / round) * Math.max(0, of - round) * 1e-3
  return `${title}  ${bar} ${round}/${of}  ${scores}  ${durations.totalMs.toFixed(0)} ms a round, ${leftS.toFixed(0)} s left`
}

/** The end of the demo, for a person. */
export function printSummary(
  result: DemoResult,
  files: readonly string[],
  rowsOf: (model: DemoModel) => string[][],
): void {
  for (const model of result.models) {
    const [job] = model.jobs
    console.log(`\n${job.name} (${job.weightCount} weights): accuracy / AUC on each hospital's held-out fifth`)
    console.log(textTable(rowsOf(model)))
    const { trainingMs, protectionMs, transportMs, loggingMs, openingMs, totalMs } = model.times
    console.log(
      `a training round, median: ${totalMs.toFixed(0)} ms (training ${trainingMs.toFixed(0)}, protection ${protectionMs.toFixed(1)}, transport ${transportMs.toFixed(0)}, log and checks ${loggingMs.toFixed(0)}, opening ${openingMs.toFixed(0)})`,
    )
  }
  console.log(
    `\n${result.processes} processes, ${result.wallS.toFixed(1)} s. The coordinator saw ciphertexts and opened sums over at least three hospitals, nothing else.`,
  )
  for (const line of evidenceLines(result)) console.log(line)
  console.log(`Left behind: ${files.filter((path) => !path.includes('/charts/')).join(', ')}`)
}

function textTable(rows: string[][]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) => `  ${row.map((text, column) => text.padEnd(widths[column])).join('  ')}`).join('\n')
}
