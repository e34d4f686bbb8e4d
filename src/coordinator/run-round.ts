import type { Digest } from '../crypto/digest.ts'
import { statementDigest } from '../crypto/envelope.ts'
import { LearningError } from '../learning/learning-error.ts'
import {
  advanceRound,
  type CoordinatorRound,
  closedContributions,
  manifestOf,
  planRound,
} from '../protocol/coordinator-round.ts'
import type { SignedHash } from '../protocol/publication.ts'
import type { RoundPlan } from '../protocol/round-plan.ts'
import { certifyManifest, logCertificate, logForm } from './certify-manifest.ts'
import { checkShares, closeRound, type SealedRound, sealContributions, takeLogged } from './check-shares.ts'
import { collectContributions } from './collect-contributions.ts'
import { collectHashes, type HashCollection } from './collect-hashes.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { discardPayloads } from './end-rounds.ts'
import { foldCiphertexts } from './fold-ciphertexts.ts'
import type { NotedCheckpoint } from './logged-requests.ts'
import type { OpenedAggregate } from './open-aggregate.ts'
import { type OpenedRoundSum, openSum } from './open-sum.ts'
import type { RoundDurations } from './ports.ts'
import {
  cosign,
  cosignedRange,
  evidenceUnder,
  type OpeningContext,
  type RoundContext,
  readLogged,
} from './round-context.ts'
import { isTransient } from './transient.ts'

/** What a round came to, and what was made of it: nothing of it is stored yet. */
export interface OpenedRound<Made> extends OpenedAggregate<Made> {
  readonly round: CoordinatorRound
  /** In the manifest's order. */
  readonly contributors: readonly string[]
  /** Signed, of those contributors that gave one that fits. */
  readonly hashes: readonly SignedHash[]
  /** Of the largest contribution: its packed ciphertext, and its signed statement with the sealed shares. */
  readonly ciphertextBytes: number
  readonly statementBytes: number
  readonly durations: Durations
}

type Durations = Omit<RoundDurations, 'publishMs' | 'totalMs'>

/**
 * One protected round, from the plan to the opened sum (protocol §4.1–4.6, docs/adr/0009).
 *
 * @throws as {@link carryRound}; `StoreError` when the plan could not be stored, and then nobody has seen it
 */
export async function runRound<Made>(plan: RoundPlan, context: OpeningContext<Made>): Promise<OpenedRound<Made>> {
  const planned = planRound(plan, context.key)
  await context.store.addRound(planned)
  return carryRound(planned, context)
}

/**
 * Carries a round from where it is stored to be, whoever left it there, to its opened sum (docs/adr/0015). Every transition is
 * stored before it has an effect, and whoever is asked again answers the same: so a round that a dead process left goes on from
 * any phase. One that cannot go on is abandoned with the reason, and its payloads are forgotten.
 *
 * @throws CoordinatorError `round-abandoned`; LearningError when nothing can be made of the sum; the signal’s reason when it
 *   fires; what {@link isTransient} names, and then the round stays as it is stored.
 */
export async function carryRound<Made>(
  round: CoordinatorRound,
  context: OpeningContext<Made>,
): Promise<OpenedRound<Made>> {
  context.openRounds.set(round)
  context.observer.planned(round.planDigest, round.plan.cohort.length)
  const clock = stopwatch()
  try {
    const collected = await reachCandidates(round, clock, context)
    const sealed = await reachSeal(collected.round, context)
    const earlier = { planMs: collected.planMs, collectMs: collected.collectMs, checkMs: clock() }
    return await openSealed(sealed.round, sealed.checkpoint, earlier, clock, context)
  } catch (error) {
    throw await abandonRound(round.planDigest, error, context)
  }
}

/** Collects until the round has candidates; one that has them has collected before. */
async function reachCandidates(round: CoordinatorRound, clock: () => number, context: RoundContext) {
  if (round.phase !== 'collecting') return { round, planMs: 0, collectMs: 0 }
  const { observer } = context
  const cosigned = await observer.part('plan', () => logPlan(round, context))
  const planMs = clock()
  const collected = await observer.part('collect', () => collectContributions(round, cosigned, context))
  return { round: await closeRound(collected, context), planMs, collectMs: clock() }
}

/**
 * Has shares checked until the round has a manifest. The set of one that has it stands: its committee may have answered, and
 * asking the question again is not possible (docs/adr/0009).
 */
async function reachSeal(round: CoordinatorRound, context: RoundContext): Promise<SealedRound> {
  if (round.phase === 'checking') {
    return context.observer.part('check', async () => sealContributions(await checkShares(round, context), context))
  }
  const checkpoint = await context.logged.append([round.planEnvelope, logForm(round.manifest!)])
  const checked = takeLogged(round, readLogged(round, await evidenceUnder(round, checkpoint, context), context))
  // An opened sum was in the memory of a process that is no more: it is opened again.
  const phase = round.phase === 'sealed' ? 'sealed' : 'certified'
  return { round: { ...checked, phase }, checkpoint }
}

async function logPlan(planned: CoordinatorRound, context: RoundContext) {
  const checkpoint = await context.logged.append([planned.planEnvelope])
  return cosign(planned, checkpoint, context)
}

/** Certifies and opens a sealed set; meanwhile its ciphertexts are added up, and its contributors hash theirs. */
async function openSealed<Made>(
  sealed: CoordinatorRound,
  checkpoint: NotedCheckpoint,
  earlier: Pick<RoundDurations, 'planMs' | 'collectMs' | 'checkMs'>,
  clock: () => number,
  context: OpeningContext<Made>,
): Promise<OpenedRound<Made>> {
  const failed = new AbortController()
  const folding = foldCiphertexts(sealed, context, AbortSignal.any([context.signal, failed.signal]))
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
    // Whoever has the round next adds up as well: nothing here writes to its sum any more when the round is let go of.
    failed.abort(error)
    await folding.catch(() => undefined)
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

async function finishRound<Made>(
  { round, aggregate }: Pick<OpenedRoundSum<Made>, 'round' | 'aggregate'>,
  hashes: HashCollection,
  durations: Durations,
  context: RoundContext,
): Promise<OpenedRound<Made>> {
  const signed = await hashes.end(aggregate.hash, HASH_PATIENCE_MS)
  await context.store.setRoundPhase(round.planDigest, 'opened')
  const advanced = advanceRound(round, 'opened')
  context.openRounds.set(advanced)
  return { ...aggregate, round: advanced, hashes: signed, ...describeContributions(advanced), durations }
}

function describeContributions(round: CoordinatorRound) {
  const received = closedContributions(round)
  return {
    contributors: manifestOf(round).contributions.map(({ holder }) => holder),
    ciphertextBytes: Math.max(...received.map(({ contribution }) => contribution.payload.bytes)),
    statementBytes: Math.max(...received.map(({ envelope }) => envelope.payload.length)),
  }
}

/**
 * Records why a round ended early and forgets its payloads. A coordinator that only stops, or whose database is away, leaves
 * it as it is, to be carried on.
 * @returns the error to throw on.
 */
async function abandonRound(planDigest: Digest, error: unknown, context: RoundContext): Promise<unknown> {
  const reason = error instanceof Error ? error.message : String(error)
  context.openRounds.delete(planDigest)
  if (isStopping(context.signal)) return context.signal.reason
  if (isTransient(error) && !context.signal.aborted) return error
  await context.store.setRoundPhase(planDigest, 'abandoned', { reason })
  await discardPayloads(planDigest, context)
  if (context.signal.aborted) return context.signal.reason
  // Nothing can be made of the sum of this set: asking again would not help.
  if (error instanceof CoordinatorError || error instanceof LearningError) return error
  return new CoordinatorError('round-abandoned', reason, { cause: error })
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
