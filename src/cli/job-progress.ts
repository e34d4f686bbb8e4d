import type { JobEvent, StoredJobEvent } from '../coordinator/ports.ts'

/** One event as a line for a person. */
export function describeEvent({ at, event }: StoredJobEvent): string {
  return `${at.toISOString().slice(11, 23)}  ${describe(event)}`
}

function describe(event: JobEvent): string {
  switch (event.kind) {
    case 'job-state':
      return `job ${event.state}${event.reason ? `: ${event.reason}` : ''}`
    case 'round-planned':
      return `round ${event.round} (${event.step}) planned with ${event.holders.join(', ')}`
    case 'round-abandoned':
      return `round ${event.round} (${event.step}) abandoned: ${event.reason}`
    case 'holder-refused':
      return `round ${event.round}: ${event.holder} refused (${event.code}): ${event.reason}`
    case 'round-published':
      return `round ${event.round} (${event.step}) published over ${event.contributors.length} holders in ${event.durations.totalMs.toFixed(0)} ms${describeEvaluation(event)}`
  }
}

function describeEvaluation({
  evaluation,
  step,
  modelVersion,
}: Extract<JobEvent, { kind: 'round-published' }>): string {
  if (!evaluation) return ''
  // A training round evaluates the version that it started from.
  const version = step === 'training' ? `version ${(modelVersion ?? 1) - 1}` : 'final version'
  const { accuracy, auc, meanLoss } = evaluation
  return `; ${version}: accuracy ${accuracy.value.toFixed(3)}, AUC ${auc ? auc.value.toFixed(3) : '–'}, loss ${meanLoss.toFixed(3)}`
}
