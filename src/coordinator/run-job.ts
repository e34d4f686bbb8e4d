import { type Digest, fromHex } from '../crypto/digest.ts'
import { type FederatedEvaluation, federatedEvaluation } from '../learning/evaluation-vector.ts'
import { initialWeights } from '../learning/initial-weights.ts'
import { type Job, type JobSpecification, jobStatement, modelOfJob } from '../learning/job-specification.ts'
import type { JobStep } from '../learning/job-steps.ts'
import { decodeModelFile, encodeModelFile } from '../learning/model-file.ts'
import { federatedStatistics } from '../learning/statistics.ts'
import { findStrategy } from '../learning/strategies.ts'
import { aggregateUpdate } from '../learning/training-vector.ts'
import { advanceRound } from '../protocol/coordinator-round.ts'
import { publicationStatement } from '../protocol/publication.ts'
import { parseStatement, signStatement } from '../protocol/statement.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { type GatheringParts, gatherCohort, planStep } from './plan-next-round.ts'
import type { ArtifactStore, JobEvent, JobOutput, JobRecord } from './ports.ts'
import { manifestDigest, type OpenedRound, type RoundParts, runRound } from './run-round.ts'

/** What jobs run on. */
export interface JobParts extends RoundParts, GatheringParts {
  readonly artifacts: ArtifactStore
  /** Tells those who watch that the job has a new event. */
  readonly notify: (job: Digest) => void
}

/** A step that could not end is planned anew this often in a row before the job fails. */
const ATTEMPTS = 3

/** What a job has so far. */
interface JobProgress {
  readonly record: JobRecord
  readonly specification: JobSpecification
  nextRound: number
  /** Holders that were waited for in vain. */
  readonly absent: Set<string>
  statistics?: Digest
  /** Latest version and where it is. */
  model: { readonly version: number; readonly digest: Digest }
}

/**
 * Runs a job to its end, or on from where a dead process left it: what earlier rounds published is kept, a round that
 * was open is abandoned and planned anew under another number. Outputs: `statistics`, `model` (version 0 is the initial
 * one), `evaluation`.
 *
 * @throws CoordinatorError `too-few-holders`, `round-abandoned` when a step fails three times in a row; LearningError;
 *   the signal's reason.
 */
export async function runJob(record: JobRecord, parts: JobParts, signal: AbortSignal): Promise<void> {
  const progress = await resumeProgress(record, parts)
  const { specification } = progress
  if (!progress.statistics) progress.statistics = await runStatistics(progress, parts, signal)
  while (progress.model.version < specification.training.rounds) {
    progress.model = await runTraining(progress, parts, signal)
  }
  const outputs = await parts.store.listJobOutputs(record.job)
  if (!outputs.some(({ name }) => name === 'evaluation')) await runEvaluation(progress, parts, signal)
}

/** The job of a stored record; the coordinator signed it itself. */
export function readJob(record: JobRecord): Job {
  const read = parseStatement(jobStatement, record.envelope)
  if (!read.ok)
    throw new CoordinatorError('job-not-found', `The stored job ${record.job} is not readable: ${read.reason}`)
  return read.value
}

async function resumeProgress(record: JobRecord, parts: JobParts): Promise<JobProgress> {
  const { store, spool } = parts
  const { specification } = readJob(record)
  await store.abandonOpenRounds(record.job, 'the coordinator was restarted')
  const outputs = await store.listJobOutputs(record.job)
  const rounds = await store.listRounds(record.job)
  // All of them, not only those abandoned just now: an earlier start may have died between the two steps. So may one that
  // had just published its last round.
  for (const { phase, planDigest } of rounds) {
    if (phase === 'abandoned' || planDigest === rounds.at(-1)?.planDigest) await spool.discard(planDigest)
  }
  return {
    record,
    specification,
    absent: new Set(),
    nextRound: Math.max(0, ...rounds.map(({ round }) => round)) + 1,
    statistics: latest(outputs, 'statistics')?.digest,
    model: latest(outputs, 'model') ?? (await storeInitialModel(record.job, specification, parts)),
  }
}

function latest(outputs: readonly JobOutput[], name: string): JobOutput | undefined {
  return outputs.filter((output) => output.name === name).at(-1)
}

async function storeInitialModel(job: Digest, specification: JobSpecification, parts: JobParts) {
  const model = modelOfJob(specification)
  const file = encodeModelFile(model, initialWeights(model, fromHex(specification.seed)), { job })
  const initial = { name: 'model', version: 0, digest: await parts.artifacts.put(file) }
  await parts.store.addJobOutput(job, initial)
  return initial
}

/** Statistics step: count, mean, variance, frequencies and missing counts of every feature, over all holders. */
async function runStatistics(progress: JobProgress, parts: JobParts, signal: AbortSignal): Promise<Digest> {
  const { specification } = progress
  return runStep('statistics', {}, progress, parts, signal, async (opened) => {
    const rounding = {
      maxExamples: specification.training.maxExamples,
      precisionBits: specification.protection.statisticsPrecisionBits,
      contributorCount: opened.contributors.length,
    }
    const statistics = federatedStatistics(opened.sums, specification.features, rounding)
    const digest = await parts.artifacts.put(Buffer.from(JSON.stringify(statistics)))
    return { value: digest, output: { name: 'statistics', version: 0, digest } }
  })
}

/** One training step: the mean update, through the strategy, to the next model version; and how good the last one was. */
async function runTraining(progress: JobProgress, parts: JobParts, signal: AbortSignal) {
  const { specification, record, statistics, model: current } = progress
  const inputs = { statistics: statistics!, model: current.digest }
  return runStep('training', inputs, progress, parts, signal, async (opened) => {
    const { model, weights } = decodeModelFile(await parts.artifacts.get(current.digest))
    const aggregate = aggregateUpdate(specification, opened.sums, opened.contributors.length)
    const next = findStrategy(specification.training.strategy).nextWeights(weights, aggregate)
    const version = current.version + 1
    const file = encodeModelFile(model, next, { job: record.job, version: String(version) })
    const output = { name: 'model', version, digest: await parts.artifacts.put(file) }
    return { value: output, output, evaluation: federatedEvaluation(opened.sums), modelVersion: version }
  })
}

/** The last step: the evaluation of the final model. */
async function runEvaluation(
  progress: JobProgress,
  parts: JobParts,
  signal: AbortSignal,
): Promise<FederatedEvaluation> {
  const inputs = { statistics: progress.statistics!, model: progress.model.digest }
  return runStep('evaluation', inputs, progress, parts, signal, async (opened) => {
    const evaluation = federatedEvaluation(opened.sums)
    const digest = await parts.artifacts.put(Buffer.from(JSON.stringify(evaluation)))
    return { value: evaluation, output: { name: 'evaluation', version: 0, digest }, evaluation }
  })
}

/** What a step makes of an opened round; the bytes of its output are in the artifact store already. */
interface StepResult<T> {
  readonly value: T
  readonly output: JobOutput
  readonly evaluation?: FederatedEvaluation
  readonly modelVersion?: number
}

/** Plans, runs and publishes rounds until one succeeds. */
async function runStep<T>(
  step: JobStep,
  inputs: Readonly<Record<string, Digest>>,
  progress: JobProgress,
  parts: JobParts,
  signal: AbortSignal,
  digestOpened: (opened: OpenedRound) => Promise<StepResult<T>>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const round = progress.nextRound++
    try {
      const opened = await planAndRun(step, round, inputs, progress, parts, signal)
      const publishing = performance.now()
      const result = await orDiscard(opened, parts, digestOpened(opened))
      await publishRound(opened, result, performance.now() - publishing, { step, round }, progress, parts)
      return result.value
    } catch (error) {
      if (!(error instanceof CoordinatorError) || error.code !== 'round-abandoned') throw error
      await emit(progress.record.job, { kind: 'round-abandoned', round, step, reason: error.message }, parts)
      if (attempt === ATTEMPTS) throw error
    }
  }
}

/** When nothing can be made of a sum (no example, a full disk), the round does not stay open, nor its ciphertexts. */
async function orDiscard<T>({ round }: OpenedRound, parts: JobParts, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    parts.openRounds.delete(round.planDigest)
    await parts.store.setRoundPhase(round.planDigest, 'abandoned', { reason })
    await parts.spool.discard(round.planDigest)
    throw error
  }
}

async function planAndRun(
  step: JobStep,
  round: number,
  inputs: Readonly<Record<string, Digest>>,
  { record, specification, absent }: JobProgress,
  parts: JobParts,
  signal: AbortSignal,
): Promise<OpenedRound> {
  const cohort = await gatherCohort(specification, absent, parts, signal)
  const plan = planStep(record.job, specification, round, step, inputs, cohort, parts.clock.now())
  await emit(
    record.job,
    { kind: 'round-planned', round, step, holders: plan.cohort.map(({ holder }) => holder) },
    parts,
  )
  const notes: Promise<void>[] = []
  const note = (refusal: { holder: string; code: string; reason: string }) => {
    const noted = emit(record.job, { kind: 'holder-refused', round, ...refusal }, parts)
    // Awaited at the end of the round; until then a store that is away must not end the process.
    noted.catch(() => undefined)
    notes.push(noted)
  }
  try {
    const opened = await runRound(plan, { ...parts, job: record.envelope, note, signal })
    await orDiscard(opened, parts, Promise.all(notes))
    return opened
  } finally {
    // When the round failed, that is the error to know of.
    await Promise.allSettled(notes)
  }
}

async function publishRound(
  opened: OpenedRound,
  result: StepResult<unknown>,
  publishMs: number,
  { step, round }: { readonly step: JobStep; readonly round: number },
  { record }: JobProgress,
  parts: JobParts,
): Promise<void> {
  const publication = signStatement(
    publicationStatement,
    {
      plan: opened.round.planDigest,
      manifest: manifestDigest(opened.round),
      contributors: opened.contributors.length,
      aggregate: opened.aggregate,
      output: { name: result.output.name, digest: result.output.digest },
    },
    parts.key,
  )
  const published = advanceRound(opened.round, 'published')
  const { contributors, ciphertextBytes, statementBytes, durations } = opened
  const totalMs = durations.collectMs + durations.certifyMs + durations.answerMs + durations.openMs + publishMs
  const { evaluation, modelVersion } = result
  const event: JobEvent = {
    kind: 'round-published',
    round,
    step,
    contributors,
    ciphertextBytes,
    statementBytes,
    durations: { ...durations, publishMs, totalMs },
    ...(evaluation ? { evaluation } : {}),
    ...(modelVersion === undefined ? {} : { modelVersion }),
  }
  await parts.store.publishRound(published.planDigest, publication, result.output, parts.clock.now(), event)
  parts.notify(record.job)
  parts.openRounds.delete(published.planDigest)
  // Last: of what is published everybody is told, also when the disk fails now.
  await parts.spool.discard(published.planDigest)
  announce(published.planDigest, publication, published.plan.cohort, parts)
}

/** How long a holder is asked to take note; nothing waits for it. */
const ANNOUNCE_MS = 10_000

function announce(
  planDigest: Digest,
  publication: ReturnType<typeof signStatement>,
  cohort: readonly { readonly holder: string }[],
  { holders }: JobParts,
): void {
  const signal = AbortSignal.timeout(ANNOUNCE_MS)
  for (const { holder } of cohort) void holders.ask(holder, { kind: 'published', planDigest, publication }, signal)
}

async function emit(job: Digest, event: JobEvent, { store, clock, notify }: JobParts): Promise<void> {
  await store.appendJobEvent(job, clock.now(), event)
  notify(job)
}
