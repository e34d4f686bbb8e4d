import { heartHospitals } from '../../../nodes/examples/heart/hospitals.ts'
import type { Score } from '../../../nodes/examples/heart/reference.ts'
import { writeWholeFile } from '../files.ts'
import { describeFinding } from '../log-audit-text.ts'
import { barChart, lineChart } from './demo-charts.ts'
import type { DemoEvidence } from './demo-evidence.ts'
import { bytesUp, comparisonNames, meanOver, type RoundTimes } from './demo-figures.ts'
import type { Comparison, DemoJob } from './demo-run.ts'

/** One model of the demo: its jobs, one per seed, with what they are compared with. */
export interface DemoModel {
  readonly jobs: readonly DemoJob[]
  readonly comparisons: readonly Comparison[]
  readonly times: RoundTimes
}

export interface DemoResult {
  readonly models: readonly DemoModel[]
  readonly evidence: DemoEvidence
  readonly backend: string
  readonly processes: number
  readonly wallS: number
}

/** The comparison of one model as rows of text: a header, then federated, alone, pooled. */
export function comparisonRows({ comparisons }: DemoModel): string[][] {
  const header = ['', ...heartHospitals.map(({ name }) => name), 'mean']
  const rows = comparisonNames.map((name) => [
    name,
    ...heartHospitals.map((_, i) => cell(comparisons, (comparison) => comparison[name].hospitals[i])),
    cell(comparisons, (comparison) => comparison[name].mean),
  ])
  return [header, ...rows]
}

/** Accuracy and AUC, mean over the seeds; a dash where the held-out records are of one class only. */
function cell(comparisons: readonly Comparison[], of: (comparison: Comparison) => Score | null): string {
  const [accuracy, auc] = (['accuracy', 'auc'] as const).map((metric) => meanOver(comparisons, 'federated', metric, of))
  return `${show(accuracy)} / ${show(auc)}`
}

function show(value: { readonly mean: number } | null): string {
  return value ? value.mean.toFixed(3) : '–'
}

/** What the audit of the log and the hospitals' own verification came to, one line each. */
export function evidenceLines({ evidence: { audit, sumVerifiedBy } }: DemoResult): string[] {
  const sums = `Every published sum was verified by at least ${sumVerifiedBy} of the ${heartHospitals.length} hospitals.`
  if ('fault' in audit) return [`The log is not whole: ${audit.fault.reason}`, sums]
  const faults = audit.statements!.findings.filter(({ severity }) => severity === 'fault')
  const says = audit.ok ? 'what it says is in order' : `${faults.length} faults in what it says`
  const { length: cosigned } = audit.statements!.cosigningOrganisations!
  const log = `The log of ${audit.checkpoint.size} statements is whole, cosigned by ${cosigned} hospitals; ${says}.`
  return [log, ...faults.map(describeFinding), sums]
}

/** Writes report.md, its charts and the models under `out`. @returns the paths written */
export async function writeReport(result: DemoResult, out: string): Promise<string[]> {
  const files = new Map<string, string | Uint8Array>()
  for (const model of result.models) {
    const [job] = model.jobs
    // The last model of the demo is the one that it is about.
    const prefix = model === result.models.at(-1) ? '' : `${job.name}/`
    files.set(`${prefix}model.safetensors`, job.modelFile)
    files.set(`${prefix}model.json`, modelDescription(job))
    files.set(`${prefix}statistics.json`, job.statisticsFile)
    files.set(`charts/${job.name}-rounds.svg`, roundsChart(job))
    files.set(`charts/${job.name}-comparison.svg`, comparisonChart(model))
  }
  files.set('report.md', reportText(result))
  for (const [name, content] of files) await writeWholeFile(`${out}/${name}`, content)
  return [...files.keys()].map((name) => `${out}/${name}`)
}

function modelDescription(job: DemoJob): string {
  // The safetensors header carries the description in its metadata; here it is for people and other tools.
  const headerBytes = Number(new DataView(job.modelFile.buffer, job.modelFile.byteOffset).getBigUint64(0, true))
  const header = JSON.parse(new TextDecoder().decode(job.modelFile.subarray(8, 8 + headerBytes)))
  const model = JSON.parse(header.__metadata__['sluice.model'])
  return `${JSON.stringify({ job: job.job, seed: job.seed, weights: job.weightCount, model }, null, 2)}\n`
}

function roundsChart(job: DemoJob): string {
  const evaluated = job.rounds.flatMap(({ evaluation }) => evaluation ?? [])
  const labels = evaluated.map((_, version) => String(version))
  return lineChart(`${job.name}: held-out records of all hospitals, by protected sums`, 'model version', '', labels, [
    { name: 'accuracy', values: evaluated.map(({ accuracy }) => accuracy.value) },
    { name: 'AUC', values: evaluated.map(({ auc }) => auc?.value ?? null) },
    { name: 'loss (nats)', values: evaluated.map(({ meanLoss }) => meanLoss) },
  ])
}

function comparisonChart({ jobs, comparisons }: DemoModel): string {
  const labels = [...heartHospitals.map(({ name }) => name), 'mean']
  const series = comparisonNames.map((name) => ({
    name,
    values: [
      ...heartHospitals.map((_, i) => meanOver(comparisons, name, 'auc', (c) => c[name].hospitals[i])?.mean ?? null),
      meanOver(comparisons, name, 'auc')?.mean ?? null,
    ],
  }))
  return barChart(`${jobs[0].name}: AUC on each hospital's held-out fifth`, 'AUC', labels, series)
}

function reportText(result: DemoResult): string {
  return `# Four hospitals, one model, no record shared

920 patients of four hospitals (Janosi, Steinbrunn, Pfisterer, Detrano: *Heart Disease*, UCI Machine Learning Repository,
1989, DOI 10.24432/C52P4X, CC BY 4.0). ${result.processes} processes on this machine, ${result.wallS.toFixed(1)} s in all; the
nodes trained with TensorFlow.js on ${result.backend}.

${result.models.map(modelSection).join('\n')}
## What the coordinator saw

- of each holder and round: one ciphertext, one signed statement with key shares sealed to the committee, both opaque to
  it; and that the holder took part;
- of each round: the sum over all contributors of the vectors, and the sum of their one-time keys;
- never: a record, an update, an example count, a metric or a key of one hospital.

What a sum itself tells is not hidden: two jobs over cohorts that differ by one holder differ by that holder's vector.
Holders count the uses of a dataset in their policy; differential privacy is not part of this demo.

The rows *alone* and *pooled* exist because the demo owns all four files. A venue with real holders cannot compute them.

## What was verified

${evidenceLines(result)
  .map((line) => `- ${line}`)
  .join('\n')}
`
}

function modelSection(model: DemoModel): string {
  const [job] = model.jobs
  const up = bytesUp(job)
  const { trainingMs, protectionMs, transportMs, loggingMs, openingMs, totalMs } = model.times
  const last = job.rounds.flatMap(({ evaluation }) => evaluation ?? []).at(-1)!
  const trainingRounds = job.rounds.filter(({ step }) => step === 'training').length
  const ms = (value: number) => value.toFixed(1)
  return `## ${job.name}: ${job.weightCount} weights, ${trainingRounds} training rounds

Accuracy / AUC on each hospital's held-out fifth, ${seedsText(model)}:

${markdownTable(comparisonRows(model))}

![comparison](charts/${job.name}-comparison.svg)

The protected evaluation of the final model over all ${last.exampleCount} held-out records (first seed): accuracy
${last.accuracy.value.toFixed(3)}, AUC ${last.auc ? `${last.auc.value.toFixed(3)} ± ${last.auc.errorBound.toFixed(3)} (histogram bound)` : '–'}, loss ${last.meanLoss.toFixed(3)}.

![rounds](charts/${job.name}-rounds.svg)

| median of a training round | ms |
| --- | ---: |
| training and evaluation (slowest holder) | ${ms(trainingMs)} |
| protection (slowest holder) | ${ms(protectionMs)} |
| transport and records | ${ms(transportMs)} |
| log, share check, certificate | ${ms(loggingMs)} |
| opening, next version | ${ms(openingMs)} |
| whole round | ${ms(totalMs)} |

Up from one holder in one training round: ${up.ciphertext} bytes of ciphertext (${up.ciphertextPerWeight.toFixed(2)} a weight, evaluation
included) and ${up.statement} bytes of statement with sealed key shares, of one size however large the model: ${up.perWeight.toFixed(2)} bytes a weight in all.
`
}

function seedsText({ jobs }: DemoModel): string {
  return jobs.length === 1 ? `seed ${jobs[0].seed.slice(0, 8)}…` : `mean over ${jobs.length} seeds`
}

function markdownTable([header, ...rows]: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}
