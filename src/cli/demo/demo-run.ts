import { heartFeatures } from '../../../nodes/examples/heart/features.ts'
import { type HeartJobName, heartJob } from '../../../nodes/examples/heart/jobs.ts'
import {
  type HospitalRecords,
  type Scores,
  scoreAlone,
  scorePooled,
  scoreWeights,
} from '../../../nodes/examples/heart/reference.ts'
import type { JobEvent } from '../../coordinator/ports.ts'
import { fromHex } from '../../crypto/digest.ts'
import { parseFederatedStatistics } from '../../learning/federated-statistics.ts'
import { modelOfJob, parseJobSpecification } from '../../learning/job-specification.ts'
import { weightCount } from '../../learning/model.ts'
import { decodeModelFile } from '../../learning/model-file.ts'
import type { Trainer } from '../../learning/trainer.ts'
import type { JobsConnection } from '../../wire/jobs-client.ts'
import { CliError } from '../cli-error.ts'

export type PublishedRound = Extract<JobEvent, { kind: 'round-published' }>

/** One job of the demo, as the researcher got it. */
export interface DemoJob {
  readonly name: HeartJobName
  readonly seed: string
  readonly job: string
  readonly rounds: readonly PublishedRound[]
  /** Bytes of `model.safetensors`. */
  readonly modelFile: Uint8Array
  readonly statisticsFile: Uint8Array
  readonly weightCount: number
}

/** Federated, alone and pooled on the same splits. */
export interface Comparison {
  readonly federated: Scores
  readonly alone: Scores
  readonly pooled: Scores
}

/** Submits one job, reports each published round, and fetches the result. @throws CliError `job-failed` */
export async function runDemoJob(
  connection: JobsConnection,
  name: HeartJobName,
  seed: string,
  roundCount: number | undefined,
  onRound: (round: PublishedRound, of: number) => void,
): Promise<DemoJob> {
  const specification = heartJob(name, seed, roundCount)
  const parsed = parseJobSpecification(specification)
  const job = await connection.submit(specification)
  const rounds: PublishedRound[] = []
  for await (const { event } of connection.watch(job)) {
    if (event.kind !== 'round-published') continue
    rounds.push(event)
    // One statistics round before the training, one evaluation after it.
    onRound(event, parsed.training.rounds + 2)
  }
  const { summary, outputs } = await connection.result(job)
  if (summary.state !== 'completed')
    throw new CliError('job-failed', `The ${name} job ${summary.state}: ${summary.reason}`)
  const fetchLatest = (wanted: string) =>
    connection.output(job, outputs.filter((output) => output.name === wanted).at(-1)!.digest)
  return {
    name,
    seed,
    job,
    rounds,
    modelFile: await fetchLatest('model'),
    statisticsFile: await fetchLatest('statistics'),
    weightCount: weightCount(modelOfJob(parsed)),
  }
}

/**
 * What the federated model is worth beside the alternatives, on the same held-out records. Only the demo can say this,
 * because it owns all four files; no venue with real holders could.
 */
export async function compareWithReference(
  demoJob: DemoJob,
  records: readonly HospitalRecords[],
  trainer: Trainer,
  roundCount: number | undefined,
): Promise<Comparison> {
  const specification = parseJobSpecification(heartJob(demoJob.name, demoJob.seed, roundCount))
  const { epochs, batchSize, learningRate, rounds } = specification.training
  const training = { epochs, batchSize, learningRate, rounds }
  const options = {
    schema: heartFeatures,
    model: modelOfJob(specification),
    trainer,
    seed: fromHex(demoJob.seed),
    holdoutFraction: specification.evaluation.holdoutFraction,
  }
  const statistics = parseFederatedStatistics(
    JSON.parse(new TextDecoder().decode(demoJob.statisticsFile)),
    specification.features,
  )
  const { weights } = decodeModelFile(demoJob.modelFile)
  return {
    federated: await scoreWeights(records, { weights, statistics }, options),
    alone: await scoreAlone(records, training, options),
    pooled: await scorePooled(records, training, options),
  }
}
