import { heartFeatures } from '../../../nodes/examples/heart/features.ts'
import { heartDirectory, heartHospitals } from '../../../nodes/examples/heart/hospitals.ts'
import { type HeartJobName, heartJobs } from '../../../nodes/examples/heart/jobs.ts'
import { loadHospitalRecords } from '../../../nodes/examples/heart/reference.ts'
import { openTrainerThread } from '../../../nodes/trainers/tfjs/trainer-thread.ts'
import { digestOf } from '../../crypto/digest.ts'
import { JobsConnection } from '../../wire/jobs-client.ts'
import { CliError } from '../cli-error.ts'
import { stopSignal } from '../process-life.ts'
import { loadResearcher } from '../venue-files.ts'
import { collectEvidence } from './demo-evidence.ts'
import { bytesUp, meanOver, median, roundTimes } from './demo-figures.ts'
import { demoProgress, printSummary } from './demo-output.ts'
import { comparisonRows, type DemoModel, type DemoResult, writeReport } from './demo-report.ts'
import { compareWithReference, type DemoJob, runDemoJob } from './demo-run.ts'
import { type DemoVenue, startDemoVenue } from './demo-venue.ts'

export interface DemoOptions {
  readonly json?: boolean
  readonly seeds: number
  readonly rounds?: number
  readonly model?: HeartJobName
  readonly out: string
}

/**
 * Runs the demo: venue, jobs, comparison, report; everything is stopped and removed at the end, and when it is interrupted.
 * @throws CliError `interrupted`, `job-failed`, `process-failed`
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const started = performance.now()
  const progress = demoProgress()
  const interrupted = interruption()
  const venue = await startDemoVenue(progress.note, interrupted)
  try {
    const models = await Promise.race([runModels(venue, options, progress), interrupted])
    progress.note('auditing the log with the keys of one hospital')
    const jobs = models.flatMap((model) => model.jobs)
    const evidence = await Promise.race([collectEvidence(venue, jobs), interrupted])
    const result: DemoResult = {
      models,
      evidence,
      backend: String(venue.holders[0].lines.find(({ event }) => event === 'ready')?.backend),
      processes: 1 + venue.holders.length,
      wallS: (performance.now() - started) / 1000,
    }
    const files = await writeReport(result, options.out)
    if (options.json) console.log(JSON.stringify(summarise(result)))
    else printSummary(result, files, comparisonRows)
  } finally {
    progress.end()
    await venue.close()
  }
}

/** Without it, SIGTERM would leave five processes running, and a directory of keys. */
function interruption(): Promise<never> {
  const stop = stopSignal()
  const interrupted = new Promise<never>((_, reject) => {
    stop.addEventListener('abort', () => {
      reject(new CliError('interrupted', 'Interrupted: the processes of the demo were stopped and its keys removed.'))
    })
  })
  interrupted.catch(() => undefined)
  return interrupted
}

async function runModels(
  venue: DemoVenue,
  options: DemoOptions,
  progress: ReturnType<typeof demoProgress>,
): Promise<DemoModel[]> {
  const { config, tls } = await loadResearcher(venue.researcherDirectory)
  const connection = new JobsConnection(config.coordinator, config.venue, tls)
  const names = options.model ? [options.model] : (Object.keys(heartJobs) as HeartJobName[])
  try {
    const jobsByName: DemoJob[][] = []
    for (const name of names) {
      const jobs: DemoJob[] = []
      for (let i = 0; i < options.seeds; i++) {
        const title = options.seeds > 1 ? `${name}, seed ${i + 1} of ${options.seeds}` : name
        jobs.push(await runDemoJob(connection, name, seedOf(i), options.rounds, progress.round(title)))
      }
      jobsByName.push(jobs)
    }
    progress.note('comparing with each hospital alone and with all records pooled')
    return await compareAll(jobsByName, venue, options.rounds)
  } finally {
    connection.close()
  }
}

async function compareAll(jobsByName: readonly DemoJob[][], venue: DemoVenue, rounds: number | undefined) {
  const records = await loadHospitalRecords(heartHospitals, heartDirectory, heartFeatures)
  const trainer = openTrainerThread()
  const models: DemoModel[] = []
  try {
    for (const jobs of jobsByName) {
      const comparisons = []
      for (const job of jobs) comparisons.push(await compareWithReference(job, records, trainer, rounds))
      models.push({ jobs, comparisons, times: roundTimes(jobs[0], venue.holders) })
    }
  } finally {
    await trainer.close()
  }
  return models
}

/** Public seeds of the demo's runs. */
function seedOf(index: number): string {
  return digestOf(Buffer.from(`sluice demo ${index}`))
}

/** The demo in one JSON object: scores are means over hospitals (and seeds) of the last model. */
function summarise({ models, evidence: { audit, sumVerifiedBy }, processes, wallS, backend }: DemoResult) {
  const model = models.at(-1)!
  const { jobs, comparisons } = model
  const trainingRounds = jobs[0].rounds.filter(({ step }) => step === 'training')
  const scores = (metric: 'accuracy' | 'auc') => ({
    federated: meanOver(comparisons, 'federated', metric)?.mean ?? null,
    alone: meanOver(comparisons, 'alone', metric)?.mean ?? null,
    pooled: meanOver(comparisons, 'pooled', metric)?.mean ?? null,
  })
  return {
    model: jobs[0].name,
    rounds: trainingRounds.length,
    holders: heartHospitals.length,
    seeds: jobs.length,
    accuracy: scores('accuracy'),
    auc: scores('auc'),
    bytesUpPerWeight: bytesUp(jobs[0]).perWeight,
    ciphertextBytesPerWeight: bytesUp(jobs[0]).ciphertextPerWeight,
    wallS,
    roundMsMedian: median(trainingRounds.map(({ durations }) => durations.totalMs)),
    processes,
    backend,
    logVerified: audit.ok,
    logSize: 'fault' in audit ? null : audit.checkpoint.size,
    sumVerifiedBy,
  }
}
