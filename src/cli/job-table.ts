import type { JobEvent } from '../coordinator/ports.ts'

type PublishedRound = Extract<JobEvent, { kind: 'round-published' }>

/**
 * The published rounds of a job, a line each, and what the final model came to. A training round evaluates the version that it
 * starts from, the evaluation the last one.
 */
export function roundTable(events: readonly JobEvent[]): string {
  const rounds = events.filter((event) => event.kind === 'round-published')
  const header = ['round', 'step', 'holders', 'ms', 'accuracy', 'AUC', 'loss']
  const rows = [header, ...rounds.map(cells)]
  const widths = header.map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const lines = rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  )
  return [...lines, ...finalLine(rounds)].join('\n')
}

function cells({ round, step, contributors, durations, evaluation }: PublishedRound): string[] {
  const scores = evaluation
    ? [evaluation.accuracy.value, evaluation.auc?.value, evaluation.meanLoss].map((value) => value?.toFixed(3) ?? '–')
    : ['', '', '']
  return [String(round), step, String(contributors.length), durations.totalMs.toFixed(0), ...scores]
}

function finalLine(rounds: readonly PublishedRound[]): string[] {
  const final = rounds.findLast(({ step }) => step === 'evaluation')?.evaluation
  if (!final) return []
  const { accuracy, auc, exampleCount } = final
  return [
    `final model: accuracy ${accuracy.value.toFixed(3)}, AUC ${auc?.value.toFixed(3) ?? '–'} on ${exampleCount} held-out records`,
  ]
}
