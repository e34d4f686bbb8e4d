import type { Digest } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import { advanceRound, type CoordinatorRound, manifestOf, planRound } from '../protocol/coordinator-round.ts'
import type { SignedHash } from '../protocol/publication.ts'
import { readRoundLog } from '../protocol/round-log.ts'
import type { RoundPlan } from '../protocol/round-plan.ts'
import { shareCheckStatement } from '../protocol/share-check.ts'
import { bodiesOf } from '../protocol/statement.ts'
import { certifyManifest, logCertificate, logForm } from './certify-manifest.ts'
import { checkShares, sealContributions } from './check-shares.ts'
import { collectContributions } from './collect-contributions.ts'
import { collectHashes, type HashCollection } from './collect-hashes.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { foldCiphertexts } from './fold-ciphertexts.ts'
import type { NotedCheckpoint } from './logged-requests.ts'
import type { OpenedAggregate } from './open-aggregate.ts'
import { openSum } from './open-sum.ts'
import type { RoundDurations } from './ports.ts'
import { cosign, cosignedRange, type RoundContext } from './round-context.ts'

/** What a round came to, before the job has made something of it. */
export interface OpenedRound extends OpenedAggregate {
  readonly round: CoordinatorRound
  /** In the manifest's order. */
  readonly contributors: readonly string[]
  /** Signed, of those contributors that gave one that fits. */
  readonly hashes: readonly SignedHash[]
  /** Of the largest contribution: its packed ciphertext, and its signed statement with the sealed shares. */
  readonly ciphertextBytes: number
  readonly statementBytes: number
  readonly durations: Omit<RoundDurations, 'publishMs' | 'totalMs'>
}

/**
 * One protected round, from the plan to the opened sum (protocol §4.1–4.6, docs/adr/0009). Every transition is stored before it
 * has an effect. A round that cannot go on is abandoned with the reason, and its ciphertexts are forgotten.
 *
 * @throws CoordinatorError `round-abandoned`; the signal's reason when it fires.
 */
export async function runRound(plan: RoundPlan, context: RoundContext): Promise<OpenedRound> {
  const planned = planRound(plan, context.key)
  await context.store.addRound(planned)
  context.openRounds.set(planned)
  context.observer.planned(planned.planDigest, plan.cohort.length)
  try {
    return await carryRound(planned, context)
  } catch (error) {
    throw await abandonRound(planned.planDigest, error, context)
  }
}

/**
 * Goes on with a round that a dead process left sealed, certified or opened: its set stands, its committee may have
 * answered, and asking the question again is not possible (docs/adr/0009). Members that are asked again give the same answers.
 *
 * @throws as {@link runRound}
 */
export async function resumeRound(round: CoordinatorRound, context: RoundContext): Promise<OpenedRound> {
  context.openRounds.set(round)
  context.observer.planned(round.planDigest, round.plan.cohort.length)
  try {
    const clock = stopwatch()
    const checkpoint = await context.logged.append([round.planEnvelope, logForm(round.manifest!)])
    const checks = await readChecks(round, checkpoint, context)
    const phase = round.phase === 'sealed' ? 'sealed' : 'certified'
    const earlier = { planMs: 0, collectMs: 0, checkMs: 0 }
    return await openSealed({ ...round, checks, phase }, checkpoint, earlier, clock, context)
  } catch (error) {
    throw await abandonRound(round.planDigest, error, context)
  }
}

/** The share checks of a round that another life of the process collected: its log has them. */
async function readChecks(
  { plan, planEnvelope }: CoordinatorRound,
  checkpoint: NotedCheckpoint,
  { logged, key }: RoundContext,
): Promise<ReadonlyMap<string, Envelope>> {
  const log = readRoundLog(
    plan,
    planEnvelope,
    await logged.range(plan.after.size, checkpoint),
    checkpoint,
    key.publicKey,
  )
  if (!log.ok) throw new CoordinatorError('round-abandoned', `The log of the round cannot be read: ${log.reason}`)
  return new Map(log.value.checks.map((check) => [bodiesOf(shareCheckStatement, [check])[0].member, check]))
}

async function carryRound(planned: CoordinatorRound, context: RoundContext): Promise<OpenedRound> {
  const { observer } = context
  const clock = stopwatch()
  const cosigned = await observer.part('plan', () => logPlan(planned, context))
  const planMs = clock()
  const collected = await observer.part('collect', () => collectContributions(planned, cosigned, context))
  const collectMs = clock()
  const sealed = await observer.part('check', async () =>
    sealContributions(await checkShares(collected, context), context),
  )
  const checkMs = clock()
  return openSealed(sealed.round, sealed.checkpoint, { planMs, collectMs, checkMs }, clock, context)
}

async function logPlan(planned: CoordinatorRound, context: RoundContext) {
  const checkpoint = await context.logged.append([planned.planEnvelope])
  return cosign(planned, checkpoint, context)
}

/** Certifies and opens a sealed set; meanwhile its ciphertexts are added up, and its contributors hash theirs. */
async function openSealed(
  sealed: CoordinatorRound,
  checkpoint: NotedCheckpoint,
  earlier: Pick<RoundDurations, 'planMs' | 'collectMs' | 'checkMs'>,
  clock: () => number,
  context: RoundContext,
): Promise<OpenedRound> {
  const folding = foldCiphertexts(sealed, context)
  const hashing = folding.then((sum) => collectHashes(sealed, sum, context.holders, context, context.note))
  // A fault of either is met where the round waits for it; until then it must not end the process.
  hashing.catch(() => undefined)
  try {
    const { certified, evidence } = await context.observer.part('certify', () =>
      certifySealed(sealed, checkpoint, context),
    )
    const certifyMs = clock()
    // For auditors: nobody in the round waits for it.
    const logged = logCertificate(certified, context)
    logged.catch(() => undefined)
    const opened = await context.observer.part('answer', async () =>
      openSum(certified, await folding, evidence, context),
    )
    await logged
    const answerMs = clock() - opened.openMs
    return await finishRound(opened, await hashing, { ...earlier, certifyMs, answerMs, openMs: opened.openMs }, context)
  } catch (error) {
    hashing.then((hashes) => hashes.abandon()).catch(() => undefined)
    throw error
  }
}

async function certifySealed(sealed: CoordinatorRound, checkpoint: NotedCheckpoint, context: RoundContext) {
  const evidence = await cosignedRange(sealed, checkpoint, context)
  // Once a round is enough for readers of the log, and nobody in the round waits for it; nor does it fail for the lack of it.
  context.logged.publish(evidence.checkpoint).catch(() => undefined)
  // The certificate of a round that was resumed stands: the store has it, and takes no step back.
  const certified = sealed.phase === 'certified' ? sealed : await certifyManifest(sealed, evidence, context)
  return { certified, evidence }
}

/** Milliseconds since it was last asked. */
function stopwatch(): () => number {
  let last = performance.now()
  return () => {
    const since = last
    last = performance.now()
    return last - since
  }
}

/** How long contributors are waited for that have not hashed their ciphertext when the sum is open. */
const HASH_PATIENCE_MS = 2000

async function finishRound(
  opened: { readonly round: CoordinatorRound; readonly aggregate: OpenedAggregate },
  hashes: HashCollection,
  durations: OpenedRound['durations'],
  context: RoundContext,
): Promise<OpenedRound> {
  const { round, aggregate } = opened
  const signed = await hashes.end(aggregate.hash, HASH_PATIENCE_MS)
  await context.store.setRoundPhase(round.planDigest, 'opened')
  const advanced = advanceRound(round, 'opened')
  context.openRounds.set(advanced)
  return { ...aggregate, round: advanced, hashes: signed, ...describeContributions(advanced), durations }
}

function describeContributions(round: CoordinatorRound) {
  const received = [...round.contributions.values()]
  return {
    contributors: manifestOf(round).contributions.map(({ holder }) => holder),
    ciphertextBytes: Math.max(...received.map(({ contribution }) => contribution.payload.bytes)),
    statementBytes: Math.max(...received.map(({ envelope }) => envelope.payload.length)),
  }
}

/**
 * Records why a round ended early and forgets its ciphertexts; a coordinator that only stops leaves it for the next start.
 * @returns the error to throw on.
 */
async function abandonRound(planDigest: Digest, error: unknown, context: RoundContext): Promise<unknown> {
  const reason = error instanceof Error ? error.message : String(error)
  context.openRounds.delete(planDigest)
  if (isStopping(context.signal)) return context.signal.reason
  await context.store.setRoundPhase(planDigest, 'abandoned', { reason })
  await context.spool.discard(planDigest)
  if (context.signal.aborted) return context.signal.reason
  return error instanceof CoordinatorError ? error : new CoordinatorError('round-abandoned', reason, { cause: error })
}

/** Whether a signal fired because the process ends or has lost the job, and not because the job is cancelled. */
export function isStopping(signal: AbortSignal): boolean {
  const { aborted, reason } = signal
  return aborted && reason instanceof CoordinatorError && ['coordinator-stopping', 'lease-lost'].includes(reason.code)
}

/** The digest of a certificate's manifest, whatever signatures it carries. */
export function manifestDigest(round: CoordinatorRound): Digest {
  return statementDigest(round.manifest!)
}
