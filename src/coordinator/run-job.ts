import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { type Job, type JobSpecification, jobStatement } from '../learning/job-specification.ts'
import type { JobStep } from '../learning/job-steps.ts'
import { initialModel, outputReading, type RoundOutput } from '../learning/round-output.ts'
import { advanceRound, type CoordinatorRound } from '../protocol/coordinator-round.ts'
import { openingDigest } from '../protocol/opening.ts'
import { publicationStatement } from '../protocol/publication.ts'
import { questionOf } from '../protocol/question.ts'
import type { RoundPlan } from '../protocol/round-plan.ts'
import { parseStatement, signStatement } from '../protocol/statement.ts'
import type { SumReading } from '../protocol/sum-reading.ts'
import { collectAbandonments } from './abandonments.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { discardPayloads } from './end-rounds.ts'
import { awaitCommittee, type GatheringParts, gatherCohort, planStep } from './plan-next-round.ts'
import type { ArtifactStore, JobEvent, JobOutput, JobRecord } from './ports.ts'
import { announce, restoreOpenings } from './published-rounds.ts'
import type { HolderNote, RoundParts } from './round-context.ts'
import { carryRound, manifestDigest, type OpenedRound, runRound } from './run-round.ts'
import { isTransient } from './transient.ts'

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
  /** By the digest of their output. */
  readonly publications: Map<Digest, Envelope>
  /** A round that another life of the process left open: the next step goes on with it. */
  open?: CoordinatorRound
  /** Of the round that was published last in this life of the process. */
  lastPlan?: RoundPlan
  /** A round was abandoned: its question may have been asked before. */
  hasAbandoned: boolean
}

/**
 * Runs a job to its end, or on from where a dead process left it: what earlier rounds published is kept, and a round that was open
 * goes on from its phase. Outputs: `statistics`, `model` (version 0 is the initial one), `evaluation`.
 *
 * @throws CoordinatorError `too-few-holders`, `round-abandoned` when a step fails three times in a row; LearningError;
 *   StoreError, and then all is as it was stored; the signal's reason.
 */
export async function runJob(record: JobRecord, parts: JobParts, signal: AbortSignal): Promise<void> {
  const progress = await resumeProgress(record, parts)
  const { specification } = progress
  progress.statistics ??= (await runStep('statistics', {}, progress, parts, signal)).digest
  const { statistics } = progress
  while (progress.model.version < specification.training.rounds) {
    progress.model = await runStep('training', { statistics, model: progress.model.digest }, progress, parts, signal)
  }
  const outputs = await parts.store.listJobOutputs(record.job)
  if (!outputs.some(({ name }) => name === 'evaluation')) {
    await runStep('evaluation', { statistics, model: progress.model.digest }, progress, parts, signal)
  }
  await settleLog(progress, parts, signal)
}

/**
 * The last publication of a job goes into the log with the next statement, and there may be none for long: it goes now, and is
 * cosigned by those who were there. A log without their cosignatures is as whole, so that nothing fails for the lack of them.
 */
async function settleLog({ lastPlan }: JobProgress, { logged, committeeTimeoutMs }: JobParts, signal: AbortSignal) {
  const checkpoint = await logged.catchUp()
  if (!lastPlan) return
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(committeeTimeoutMs)])
  try {
    await logged.publish(await logged.cosign(lastPlan, checkpoint, inTime, () => {}))
  } catch (error) {
    if (!(error instanceof CoordinatorError)) throw error
  }
}

/** The job of a stored record; the coordinator signed it itself. */
export function readJob(record: JobRecord): Job {
  const read = parseStatement(jobStatement, record.envelope)
  if (!read.ok)
    throw new CoordinatorError('job-not-found', `The stored job ${record.job} is not readable: ${read.reason}`)
  return read.value
}

async function resumeProgress(record: JobRecord, parts: JobParts): Promise<JobProgress> {
  const { store } = parts
  const { specification } = readJob(record)
  const outputs = await store.listJobOutputs(record.job)
  const rounds = await store.listRounds(record.job)
  // An earlier life may have died between the end of a round and this.
  const last = rounds.at(-1)
  for (const { phase, planDigest } of rounds) {
    if (phase === 'abandoned') await discardPayloads(planDigest, parts)
    else if (phase === 'published' && planDigest === last?.planDigest) await parts.spool.discard(planDigest)
  }
  // Nor may the holders of the latest have been told, or have verified them.
  for (const restored of await restoreOpenings(rounds, parts)) {
    announce(restored, parts, tellOf(restored.plan.round, record.job, parts))
  }
  return {
    record,
    specification,
    absent: new Set(),
    publications: new Map(rounds.flatMap(({ publication }) => (publication ? [byOutput(publication)] : []))),
    open: last && !['published', 'abandoned'].includes(last.phase) ? await store.loadRound(last.planDigest) : undefined,
    hasAbandoned: rounds.some(({ phase }) => phase === 'abandoned'),
    nextRound: Math.max(0, ...rounds.map(({ round }) => round)) + 1,
    statistics: latest(outputs, 'statistics')?.digest,
    model: latest(outputs, 'model') ?? (await storeInitialModel(record.job, specification, parts)),
  }
}

function latest(outputs: readonly JobOutput[], name: string): JobOutput | undefined {
  return outputs.filter((output) => output.name === name).at(-1)
}

/** @throws CoordinatorError `job-not-found` when it is not readable: the coordinator signed it itself */
function byOutput(publication: Envelope): [Digest, Envelope] {
  const read = parseStatement(publicationStatement, publication)
  if (!read.ok) throw new CoordinatorError('job-not-found', `A stored publication is not readable: ${read.reason}`)
  return [read.value.output.digest, publication]
}

async function storeInitialModel(job: Digest, specification: JobSpecification, parts: JobParts) {
  const digest = await parts.artifacts.put(initialModel(job, specification))
  const initial = { name: 'model', version: 0, digest }
  await parts.store.addJobOutput(job, initial)
  return initial
}

type StepInputs = Readonly<Record<string, Digest>>

/** Plans, runs and publishes rounds until one succeeds. @returns its output */
async function runStep(
  step: JobStep,
  inputs: StepInputs,
  progress: JobProgress,
  parts: JobParts,
  signal: AbortSignal,
): Promise<JobOutput> {
  for (let attempt = 1; ; attempt++) {
    const { open } = progress
    progress.open = undefined
    const round = open ? open.plan.round : progress.nextRound++
    try {
      return await parts.observer.round({ job: progress.record.job, round, step }, async () => {
        const opened = open
          ? await goOn(step, open, inputs, progress, parts, signal)
          : await planAndRun(step, round, inputs, progress, parts, signal)
        return parts.observer.part('publish', async () => {
          const publishing = performance.now()
          const stored = await orDiscard(opened, parts, storeOpened(opened, parts))
          await publishRound(opened, stored, performance.now() - publishing, { step, round }, progress, parts)
          return stored
        })
      })
    } catch (error) {
      if (!(error instanceof CoordinatorError) || error.code !== 'round-abandoned') throw error
      progress.hasAbandoned = true
      await emit(progress.record.job, { kind: 'round-abandoned', round, step, reason: error.message }, parts)
      if (attempt === ATTEMPTS) throw error
    }
  }
}

/** What the step makes of the round's sum, while that opens. */
function readingOf(
  step: JobStep,
  inputs: StepInputs,
  { record, specification }: JobProgress,
  { artifacts }: JobParts,
): SumReading<RoundOutput> {
  // A step without a model never asks for it.
  return outputReading({ job: record.job, specification, step, loadModel: () => artifacts.get(inputs.model!) })
}

/** What a round that is published must find again: its output; its key sum, with which its holders verify it (docs/adr/0011). */
async function storeOpened(
  { made: { name, version, pieces }, keySum, round }: OpenedRound<RoundOutput>,
  { artifacts, openings }: JobParts,
): Promise<JobOutput> {
  await openings.putKeySum(round.planDigest, keySum)
  return { name, version, digest: await artifacts.put(pieces) }
}

/** When an output can never be stored (a bucket that refuses), the round does not stay open, nor its payloads. */
async function orDiscard<T>({ round }: OpenedRound<RoundOutput>, parts: JobParts, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    parts.openRounds.delete(round.planDigest)
    if (isTransient(error)) throw error
    await parts.store.setRoundPhase(round.planDigest, 'abandoned', { reason })
    await discardPayloads(round.planDigest, parts)
    throw error
  }
}

async function planAndRun(
  step: JobStep,
  round: number,
  inputs: StepInputs,
  progress: JobProgress,
  parts: JobParts,
  signal: AbortSignal,
): Promise<OpenedRound<RoundOutput>> {
  const { record, specification, absent } = progress
  const cohort = await parts.observer.part('gather', () => gatherCohort(specification, absent, parts, signal))
  const plan = planStep(
    record.job,
    specification,
    round,
    step,
    inputs,
    cohort,
    parts.logged.head,
    parts.clock.now(),
    parts.randomness,
  )
  const abandonments = await proveAbandoned(plan, progress, parts, signal)
  await emit(
    record.job,
    { kind: 'round-planned', round, step, holders: plan.cohort.map(({ holder }) => holder) },
    parts,
  )
  const reading = readingOf(step, inputs, progress, parts)
  return withNotes(round, progress, parts, (note) =>
    runRound(plan, { ...parts, ...evidenceOf(inputs, progress), abandonments, note, signal, reading }),
  )
}

/** Goes on with a round from its phase, when those are back who have to speak in it. */
async function goOn(
  step: JobStep,
  open: CoordinatorRound,
  inputs: StepInputs,
  progress: JobProgress,
  parts: JobParts,
  signal: AbortSignal,
): Promise<OpenedRound<RoundOutput>> {
  await parts.observer.part('gather', () => awaitCommittee(open.plan, parts, signal))
  const isCollecting = open.phase === 'collecting'
  const abandonments = isCollecting ? await proveAbandoned(open.plan, progress, parts, signal) : []
  const reading = readingOf(step, inputs, progress, parts)
  return withNotes(open.plan.round, progress, parts, (note) =>
    carryRound(open, { ...parts, ...evidenceOf(inputs, progress), abandonments, note, signal, reading }),
  )
}

/** That earlier rounds of a plan's question are dead, so that holders may answer it again. */
async function proveAbandoned(
  plan: RoundPlan,
  { record, hasAbandoned }: JobProgress,
  parts: JobParts,
  signal: AbortSignal,
): Promise<Envelope[]> {
  const rounds = hasAbandoned ? await parts.store.listRounds(record.job) : []
  return collectAbandonments(questionOf(plan), rounds, parts, signal)
}

function evidenceOf(inputs: StepInputs, { record, specification, publications }: JobProgress) {
  return {
    job: record.envelope,
    collection: specification.collection,
    publications: Object.values(inputs).flatMap((digest) => publications.get(digest) ?? []),
  }
}

/** Runs a round, and tells those who watch the job what holders say in it. */
async function withNotes(
  round: number,
  { record }: JobProgress,
  parts: JobParts,
  run: (note: (refusal: HolderNote) => void) => Promise<OpenedRound<RoundOutput>>,
): Promise<OpenedRound<RoundOutput>> {
  const notes: Promise<void>[] = []
  const note = (refusal: HolderNote) => {
    parts.observer.refused(refusal.holder, refusal.code)
    const noted = emit(record.job, { kind: 'holder-refused', round, ...refusal }, parts)
    // Awaited at the end of the round; until then a store that is away must not end the process.
    noted.catch(() => undefined)
    notes.push(noted)
  }
  try {
    const opened = await run(note)
    await orDiscard(opened, parts, Promise.all(notes))
    return opened
  } finally {
    // When the round failed, that is the error to know of.
    await Promise.allSettled(notes)
  }
}

async function publishRound(
  opened: OpenedRound<RoundOutput>,
  stored: JobOutput,
  publishMs: number,
  { step, round }: { readonly step: JobStep; readonly round: number },
  progress: JobProgress,
  parts: JobParts,
): Promise<void> {
  const { record } = progress
  const { name, digest } = stored
  const publication = signStatement(
    publicationStatement,
    {
      job: record.job,
      plan: opened.round.planDigest,
      manifest: manifestDigest(opened.round),
      contributors: opened.contributors.length,
      aggregate: opened.aggregate,
      sum: opened.sum,
      opening: openingDigest(opened.keySum, opened.sum),
      hashes: [...opened.hashes],
      output: { name, digest },
    },
    parts.key,
  )
  const published = advanceRound(opened.round, 'published')
  const { contributors, ciphertextBytes, statementBytes, durations } = opened
  const totalMs = Object.values(durations).reduce((sum, ms) => sum + ms, publishMs)
  const allDurations = { ...durations, publishMs, totalMs }
  const event: JobEvent = {
    kind: 'round-published',
    round,
    step,
    contributors,
    ciphertextBytes,
    statementBytes,
    durations: allDurations,
    ...(opened.made.evaluation ? { evaluation: opened.made.evaluation } : {}),
    ...(name === 'model' ? { modelVersion: stored.version } : {}),
  }
  await parts.store.publishRound(published.planDigest, publication, stored, parts.clock.now(), event)
  parts.observer.published(contributors.length, allDurations)
  progress.publications.set(digest, publication)
  progress.lastPlan = published.plan
  parts.notify(record.job)
  const overdue = parts.openRounds.publish(published, opened.keySum)
  // Last: of what is published everybody is told, also when the disk fails now.
  await parts.spool.discard(published.planDigest)
  for (const planDigest of overdue) await parts.openings.discard(planDigest)
  const { plan, planDigest } = published
  announce({ plan, planDigest, publication }, parts, tellOf(round, record.job, parts))
}

/** A holder that finds a published sum wrong is told of to the researcher. */
function tellOf(round: number, job: Digest, parts: JobParts) {
  return (refusal: HolderNote) => {
    parts.observer.refused(refusal.holder, refusal.code)
    // A store that is away must not end the process for the sake of this note.
    emit(job, { kind: 'holder-refused', round, ...refusal }, parts).catch(() => undefined)
  }
}

async function emit(job: Digest, event: JobEvent, { store, clock, notify }: JobParts): Promise<void> {
  await store.appendJobEvent(job, clock.now(), event)
  notify(job)
}
