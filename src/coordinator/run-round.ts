import { type Digest, digestOf } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import type { PayloadWorkers } from '../crypto/payload-workers.ts'
import type { StatementKey } from '../crypto/statement-key.ts'
import {
  advanceRound,
  type CoordinatorRound,
  candidateKeySums,
  planRound,
  receiveContribution,
  receiveEndorsement,
  receiveShareSum,
  sealRound,
} from '../protocol/coordinator-round.ts'
import type { RoundPlan } from '../protocol/round-plan.ts'
import { SluiceError } from '../sluice-error.ts'
import { askHolders } from './ask-holders.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { type OpenedAggregate, openAggregate } from './open-aggregate.ts'
import type { OpenRounds } from './open-rounds.ts'
import type { Clock, CoordinatorStore, HolderDirectory, PayloadSpool, RoundDurations } from './ports.ts'

/** What rounds run on. */
export interface RoundParts {
  readonly key: StatementKey
  readonly clock: Clock
  readonly store: CoordinatorStore
  readonly spool: PayloadSpool
  readonly holders: HolderDirectory
  readonly openRounds: OpenRounds
  readonly workers: PayloadWorkers
  /** How long a committee has to certify, and then to answer. */
  readonly committeeTimeoutMs: number
}

/** A holder that said no, or did not answer. */
export interface HolderNote {
  readonly holder: string
  readonly code: string
  readonly reason: string
}

/** What one call of {@link runRound} works on. */
interface RoundContext extends RoundParts {
  /** The statement of the job. */
  readonly job: Envelope
  readonly note: (note: HolderNote) => void
  readonly signal: AbortSignal
}

/** What a round came to, before the job has made something of it. */
export interface OpenedRound extends OpenedAggregate {
  readonly round: CoordinatorRound
  readonly contributors: readonly string[]
  /** Of the largest contribution: its packed ciphertext, and its signed statement with the sealed shares. */
  readonly ciphertextBytes: number
  readonly statementBytes: number
  readonly durations: Omit<RoundDurations, 'publishMs' | 'totalMs'>
}

/**
 * One protected round, from the plan to the opened sum (protocol §4.1–4.6). Every transition is stored before it has an
 * effect. A round that cannot go on is abandoned with the reason, and its ciphertexts are forgotten.
 *
 * @throws CoordinatorError `round-abandoned`; the signal's reason when it fires.
 */
export async function runRound(plan: RoundPlan, context: RoundContext): Promise<OpenedRound> {
  const planned = planRound(plan, context.key)
  await context.store.addRound(planned)
  await context.store.appendStatement(planned.planEnvelope)
  context.openRounds.set(planned)
  try {
    return await carryRound(planned, context)
  } catch (error) {
    throw await abandonRound(planned.planDigest, error, context)
  }
}

async function carryRound(planned: CoordinatorRound, context: RoundContext): Promise<OpenedRound> {
  const started = performance.now()
  const collected = await collectContributions(planned, context)
  const collectedAt = performance.now()
  const sealed = await sealContributions(collected, context)
  const certified = await certifyManifest(sealed, context)
  const certifiedAt = performance.now()
  const { round, aggregate, openMs } = await openSum(certified, context)
  await context.store.setRoundPhase(round.planDigest, 'opened')
  const opened = advanceRound(round, 'opened')
  context.openRounds.set(opened)
  const durations = {
    collectMs: collectedAt - started,
    certifyMs: certifiedAt - collectedAt,
    answerMs: performance.now() - certifiedAt - openMs,
    openMs,
  }
  return { ...aggregate, round: opened, ...describeContributions(opened), durations }
}

function describeContributions(round: CoordinatorRound) {
  const received = [...round.contributions.values()]
  return {
    contributors: [...round.contributions.keys()].sort(),
    ciphertextBytes: Math.max(...received.map(({ contribution }) => contribution.payload.bytes)),
    statementBytes: Math.max(...received.map(({ envelope }) => envelope.payload.length)),
  }
}

/** Sends the plan, and takes in contributions until every holder has answered or the plan's time is over (§4.2). */
async function collectContributions(planned: CoordinatorRound, context: RoundContext): Promise<CoordinatorRound> {
  const { store, openRounds, clock, note } = context
  const holders = planned.plan.cohort.map(({ holder }) => holder)
  const request = { kind: 'contribute', plan: planned.planEnvelope, job: context.job } as const
  const timeLeftMs = Date.parse(planned.plan.collectUntil) - clock.now().getTime()
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(Math.max(0, timeLeftMs))])
  let round = planned
  for await (const { holder, verdict } of askHolders(context.holders, holders, request, signal)) {
    if (!verdict.ok || verdict.value.kind !== 'contribution') {
      noteRefusal(holder, verdict, context)
      continue
    }
    const { envelope, uploaded } = verdict.value
    const received = receiveContribution(round, holder, envelope, uploaded, clock.now())
    if (!received.ok) {
      note({ holder, code: received.code, reason: received.reason })
      continue
    }
    await store.addContribution(round.planDigest, holder, received.value.contributions.get(holder)!)
    round = received.value
    openRounds.set(round)
  }
  context.signal.throwIfAborted()
  return round
}

/** Closes the set; durable before any member sees the manifest (§4.3). */
async function sealContributions(round: CoordinatorRound, context: RoundContext): Promise<CoordinatorRound> {
  const sealed = sealRound(round, context.key, context.clock.now())
  if (!sealed.ok) throw new CoordinatorError('round-abandoned', `The set could not be sealed: ${sealed.reason}`)
  const { manifest } = sealed.value
  await context.store.setRoundPhase(round.planDigest, 'sealed', { manifest })
  await context.store.appendStatement(manifest!)
  context.openRounds.set(sealed.value)
  return sealed.value
}

/** Asks the committee to sign the manifest; t signatures are the certificate (§4.4). */
async function certifyManifest(sealed: CoordinatorRound, context: RoundContext): Promise<CoordinatorRound> {
  const request = { kind: 'endorse', planDigest: sealed.planDigest, manifest: sealed.manifest! } as const
  let round = sealed
  for await (const { holder, verdict } of askCommittee(sealed, request, context)) {
    if (!verdict.ok || verdict.value.kind !== 'endorsement') {
      noteRefusal(holder, verdict, context)
      continue
    }
    const received = receiveEndorsement(round, holder, verdict.value.signature)
    if (received.ok) round = received.value
    else context.note({ holder, code: received.code, reason: received.reason })
    if (round.phase === 'certified') break
  }
  if (round.phase !== 'certified') {
    const { members, threshold } = round.plan.committee
    const endorsements = round.manifest!.signatures.length - 1
    throw new CoordinatorError(
      'round-abandoned',
      `${endorsements} of ${members.length} members endorsed the manifest; ${threshold} are needed.`,
    )
  }
  await context.store.setRoundPhase(round.planDigest, 'certified', { manifest: round.manifest })
  context.openRounds.set(round)
  return round
}

/**
 * Asks the committee for its share sums until the sum opens (§4.5, §4.6). Every key sum that new answers make possible is
 * tried on the ciphertexts: they decide which is right, and with it who answered wrongly.
 */
async function openSum(certified: CoordinatorRound, context: RoundContext) {
  const request = { kind: 'answer', planDigest: certified.planDigest, certificate: certified.manifest! } as const
  const tried = new Set<string>()
  let round = certified
  for await (const { holder, verdict } of askCommittee(certified, request, context)) {
    if (!verdict.ok || verdict.value.kind !== 'share-sum') {
      noteRefusal(holder, verdict, context)
      continue
    }
    const received = receiveShareSum(round, holder, verdict.value.envelope)
    if (received.ok) round = received.value
    else context.note({ holder, code: received.code, reason: received.reason })
    const opened = await tryCandidates(round, tried, context)
    if (opened) return { round, ...opened }
  }
  const { threshold } = round.plan.committee
  throw new CoordinatorError(
    'round-abandoned',
    round.shareSums.size < threshold
      ? `${round.shareSums.size} members answered; ${threshold} are needed to open.`
      : `The sum does not open under the ${round.shareSums.size} share sums given: a member or a contributor gave wrong shares.`,
  )
}

/** What a wrong key sum looks like when the ciphertexts are opened with it. */
const WRONG_KEY = new Set(['noise-out-of-bounds', 'sum-out-of-bounds', 'key-sum-implausible', 'check-not-zero'])

/** Opens the sum with the first candidate that fits, if any; names the members that are off it. */
async function tryCandidates(round: CoordinatorRound, tried: Set<string>, context: RoundContext) {
  for (const { keySum, wrongMembers } of candidateKeySums(round)) {
    const name = digestOf(new Uint8Array(keySum.buffer))
    if (tried.has(name)) continue
    tried.add(name)
    const started = performance.now()
    try {
      const aggregate = await openAggregate(round, keySum, context)
      for (const holder of wrongMembers) {
        context.note({
          holder,
          code: 'bad-share-sum',
          reason: `${holder} gave a share sum that is off the others' polynomial.`,
        })
      }
      return { aggregate, openMs: performance.now() - started }
    } catch (error) {
      if (!(error instanceof SluiceError) || !WRONG_KEY.has(error.code)) throw error
    } finally {
      keySum.fill(0)
    }
  }
  return undefined
}

function askCommittee(
  round: CoordinatorRound,
  request: Parameters<typeof askHolders>[2],
  { holders, signal, committeeTimeoutMs }: RoundContext,
) {
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(committeeTimeoutMs)])
  return askHolders(holders, round.plan.committee.members, request, inTime)
}

function noteRefusal(holder: string, verdict: { ok: boolean; code?: string; reason?: string }, { note }: RoundContext) {
  const { code = 'malformed-message', reason = `${holder} answered something else than it was asked.` } = verdict
  note({ holder, code, reason })
}

/** Records why a round ended early and forgets its ciphertexts. @returns the error to throw on. */
async function abandonRound(planDigest: Digest, error: unknown, context: RoundContext): Promise<unknown> {
  const reason = error instanceof Error ? error.message : String(error)
  context.openRounds.delete(planDigest)
  await context.store.setRoundPhase(planDigest, 'abandoned', { reason })
  await context.spool.discard(planDigest)
  if (context.signal.aborted) return context.signal.reason
  return error instanceof CoordinatorError ? error : new CoordinatorError('round-abandoned', reason, { cause: error })
}

/** The digest of a certificate's manifest, whatever signatures it carries. */
export function manifestDigest(round: CoordinatorRound): Digest {
  return statementDigest(round.manifest!)
}
