import { type Digest, digestOf, toHex } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import type { PayloadWorkers } from '../crypto/payload-workers.ts'
import type { Randomness } from '../crypto/randomness.ts'
import type { StatementKey } from '../crypto/statement-key.ts'
import { certificateStatement, endorsementsOf } from '../protocol/certificate.ts'
import {
  advanceRound,
  type CoordinatorRound,
  candidateKeySums,
  closeCollection,
  manifestOf,
  orderedChecks,
  planRound,
  receiveContribution,
  receiveEndorsement,
  receiveShareCheck,
  receiveShareSum,
  sealRound,
} from '../protocol/coordinator-round.ts'
import type { HolderRequest } from '../protocol/holder-messages.ts'
import type { SignedHash } from '../protocol/publication.ts'
import type { RoundPlan } from '../protocol/round-plan.ts'
import { signStatement } from '../protocol/statement.ts'
import { SluiceError } from '../sluice-error.ts'
import { askHolders } from './ask-holders.ts'
import { collectHashes, type HashCollection } from './collect-hashes.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type { LoggedRequests, NotedCheckpoint } from './logged-requests.ts'
import { type OpenedAggregate, openAggregate } from './open-aggregate.ts'
import type { OpenRounds } from './open-rounds.ts'
import type { Clock, CoordinatorStore, HolderDirectory, PayloadSpool, RoundDurations } from './ports.ts'

/** What rounds run on. */
export interface RoundParts {
  readonly key: StatementKey
  readonly clock: Clock
  readonly randomness: Randomness
  readonly store: CoordinatorStore
  /** Ciphertexts of contributors; what published rounds were opened from. */
  readonly spool: PayloadSpool
  readonly openings: PayloadSpool
  readonly holders: HolderDirectory
  /** Requests that rest on the log. */
  readonly logged: LoggedRequests
  readonly openRounds: OpenRounds
  readonly workers: PayloadWorkers
  /** How long a committee has for each of its duties. */
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
  /** The publications of the plan's inputs. */
  readonly publications: readonly Envelope[]
  /** Of earlier plans of the same question, each with t signatures. */
  readonly abandonments: readonly Envelope[]
  readonly note: (note: HolderNote) => void
  readonly signal: AbortSignal
}

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

/** A round whose plan is in the log. */
interface LoggedRound {
  readonly round: CoordinatorRound
  /** Position of the plan's entry. */
  readonly start: number
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
  try {
    const clock = stopwatch()
    const { positions, checkpoint } = await context.logged.append([round.planEnvelope, logForm(round.manifest!)])
    const sealed = { round: { ...round, phase: 'sealed' as const }, start: positions[0] }
    return await openSealed(sealed, checkpoint, { planMs: 0, collectMs: 0, checkMs: 0 }, clock, context)
  } catch (error) {
    throw await abandonRound(round.planDigest, error, context)
  }
}

/** A manifest as it was logged: with the coordinator's signature, the first, alone. */
function logForm(manifest: Envelope): Envelope {
  return { ...manifest, signatures: manifest.signatures.slice(0, 1) }
}

async function carryRound(planned: CoordinatorRound, context: RoundContext): Promise<OpenedRound> {
  const clock = stopwatch()
  const { positions, checkpoint } = await context.logged.append([planned.planEnvelope])
  const start = positions[0]
  const cosigned = await cosign(planned, checkpoint, context)
  const planMs = clock()
  const collected = await collectContributions({ round: planned, start }, cosigned, context)
  const collectMs = clock()
  const checked = await checkShares({ round: collected, start }, context)
  const sealed = await sealContributions(checked, context)
  const checkMs = clock()
  const earlier = { planMs, collectMs, checkMs }
  return openSealed({ round: sealed.round, start }, sealed.checkpoint, earlier, clock, context)
}

/** Certifies and opens a sealed set, while its contributors hash their ciphertexts. */
async function openSealed(
  sealed: LoggedRound,
  checkpoint: NotedCheckpoint,
  earlier: Pick<RoundDurations, 'planMs' | 'collectMs' | 'checkMs'>,
  clock: () => number,
  context: RoundContext,
): Promise<OpenedRound> {
  const hashes = collectHashes(sealed.round, context.holders, context, context.note)
  try {
    const certified = await certifyManifest(sealed, checkpoint, context)
    const certifyMs = clock()
    // For auditors: nobody in the round waits for it.
    const logged = logCertificate(certified, context)
    logged.catch(() => undefined)
    const opened = await openSum(certified, context)
    await logged
    const answerMs = clock() - opened.openMs
    return await finishRound(opened, hashes, { ...earlier, certifyMs, answerMs, openMs: opened.openMs }, context)
  } catch (error) {
    hashes.abandon()
    throw error
  }
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

/** A checkpoint cosigned by t of the committee: what holders rely on. */
function cosign(round: CoordinatorRound, checkpoint: NotedCheckpoint, context: RoundContext): Promise<NotedCheckpoint> {
  return context.logged.cosign(round.plan, checkpoint, dutySignal(context), context.note)
}

function dutySignal({ signal, committeeTimeoutMs }: RoundContext): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(committeeTimeoutMs)])
}

/** Sends the plan, and takes in contributions until every holder has answered or the plan's time is over (§4.2). */
async function collectContributions(
  { round: planned, start }: LoggedRound,
  checkpoint: NotedCheckpoint,
  context: RoundContext,
): Promise<CoordinatorRound> {
  const { store, openRounds, clock, note, logged } = context
  const holders = planned.plan.cohort.map(({ holder }) => holder)
  const evidence = {
    plan: planned.planEnvelope,
    range: await logged.range(start, checkpoint),
    job: await logged.logged(context.job, checkpoint),
    publications: await Promise.all(context.publications.map((each) => logged.logged(each, checkpoint))),
    abandonments: context.abandonments,
  }
  const ask = (holder: string, signal: AbortSignal) =>
    logged.ask(holder, checkpoint, (known) => ({ kind: 'contribute', checkpoint: known, ...evidence }), signal)
  const timeLeftMs = Date.parse(planned.plan.collectUntil) - clock.now().getTime()
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(Math.max(0, timeLeftMs))])
  let round = planned
  for await (const { holder, verdict } of askHolders(holders, ask, signal)) {
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

/** Closes the collection, and has the committee check its shares; durable and logged before any member is asked (§3). */
async function checkShares({ round: collected, start }: LoggedRound, context: RoundContext): Promise<CoordinatorRound> {
  const { store, openRounds, clock, key, logged, note } = context
  const closed = closeCollection(collected, drawNonce(context), key, clock.now())
  if (!closed.ok) throw new CoordinatorError('round-abandoned', `The set could not be closed: ${closed.reason}`)
  let round = closed.value
  const candidates = round.candidates!
  await store.setRoundPhase(round.planDigest, 'checking', { candidates })
  openRounds.set(round)
  const { checkpoint } = await logged.append([candidates])
  const evidence = await cosignedRange(round, start, checkpoint, context)
  const { planDigest } = round
  const ask = askOnLog(evidence.checkpoint, context, (known) => ({
    kind: 'check-shares',
    planDigest,
    candidates,
    checkpoint: known,
    range: evidence.range,
  }))
  using surplus = new SurplusPatience(dutySignal(context))
  for await (const { holder, verdict } of askHolders(round.plan.committee.members, ask, surplus.signal)) {
    if (!verdict.ok || verdict.value.kind !== 'share-check') {
      noteRefusal(holder, verdict, context)
      continue
    }
    const received = receiveShareCheck(round, holder, verdict.value.envelope)
    if (received.ok) round = received.value
    else note({ holder, code: received.code, reason: received.reason })
    if (round.checks.size === round.plan.committee.threshold) surplus.begin()
  }
  context.signal.throwIfAborted()
  return round
}

/** Least time that surplus members have, once t have answered. */
const SURPLUS_MS_MIN = 500

/**
 * Waits for members beyond the t that are needed, because only surplus points show who is off; not for those that are
 * gone: as long again as the first t took, or half a second.
 */
class SurplusPatience {
  readonly signal: AbortSignal
  readonly #over = new AbortController()
  readonly #started = performance.now()
  #timer: NodeJS.Timeout | undefined

  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.#over.signal])
  }

  begin(): void {
    const waitMs = Math.max(SURPLUS_MS_MIN, performance.now() - this.#started)
    this.#timer = setTimeout(() => this.#over.abort(), waitMs)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}

function drawNonce({ randomness }: RoundContext): string {
  const nonce = new Uint8Array(32)
  randomness.fill(nonce)
  return toHex(nonce)
}

async function cosignedRange(round: CoordinatorRound, start: number, latest: NotedCheckpoint, context: RoundContext) {
  const checkpoint = await cosign(round, latest, context)
  return { checkpoint, range: await context.logged.range(start, checkpoint) }
}

function askOnLog(
  checkpoint: NotedCheckpoint,
  { logged }: RoundContext,
  make: (known: Parameters<Parameters<LoggedRequests['ask']>[2]>[0]) => HolderRequest,
) {
  return (holder: string, signal: AbortSignal) => logged.ask(holder, checkpoint, make, signal)
}

/** Closes the set; checks and manifest are durable and logged before any member sees the manifest (§4.3). */
async function sealContributions(round: CoordinatorRound, context: RoundContext) {
  const sealed = sealRound(round, context.key, context.clock.now())
  if (!sealed.ok) throw new CoordinatorError('round-abandoned', `The set could not be sealed: ${sealed.reason}`)
  const { manifest } = sealed.value
  noteExclusions(sealed.value, context)
  await context.store.setRoundPhase(round.planDigest, 'sealed', { manifest })
  context.openRounds.set(sealed.value)
  const { checkpoint } = await context.logged.append([...orderedChecks(sealed.value), manifest!])
  return { round: sealed.value, checkpoint }
}

function noteExclusions(round: CoordinatorRound, { note }: RoundContext): void {
  const { excluded, setAside } = manifestOf(round)
  for (const { holder, members } of excluded) {
    const against = members.length > 0 ? ` with ${members.join(', ')}` : ''
    note({ holder, code: 'shares-inconsistent', reason: `The shares of ${holder} do not agree${against}: left out.` })
  }
  for (const holder of setAside) {
    note({ holder, code: 'share-check-set-aside', reason: `${holder} disagrees with most contributors' shares.` })
  }
}

/** Asks the committee to sign the manifest; t signatures are the certificate (§4.4). */
async function certifyManifest(
  { round: sealed, start }: LoggedRound,
  latest: NotedCheckpoint,
  context: RoundContext,
): Promise<CoordinatorRound> {
  const { checkpoint, range } = await cosignedRange(sealed, start, latest, context)
  const { planDigest } = sealed
  const manifest = logForm(sealed.manifest!)
  const ask = askOnLog(checkpoint, context, (known) => ({
    kind: 'endorse',
    planDigest,
    manifest,
    checkpoint: known,
    range,
  }))
  let round = sealed
  for await (const { holder, verdict } of askHolders(round.plan.committee.members, ask, dutySignal(context))) {
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

function logCertificate({ plan, planDigest, manifest }: CoordinatorRound, { logged, key }: RoundContext) {
  const body = { plan: planDigest, manifest: statementDigest(manifest!), endorsements: endorsementsOf(plan, manifest!) }
  return logged.append([signStatement(certificateStatement, body, key)])
}

/**
 * Asks the committee for its share sums until the sum opens (§4.5, §4.6). Every key sum that new answers make possible is
 * tried on the ciphertexts: they decide which is right, and with it who answered wrongly.
 */
async function openSum(certified: CoordinatorRound, context: RoundContext) {
  const request = { kind: 'answer', planDigest: certified.planDigest, certificate: certified.manifest! } as const
  const ask = (holder: string, signal: AbortSignal) => context.holders.ask(holder, request, signal)
  const tried = new Set<string>()
  let round = certified
  for await (const { holder, verdict } of askHolders(round.plan.committee.members, ask, dutySignal(context))) {
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

function noteRefusal(holder: string, verdict: { ok: boolean; code?: string; reason?: string }, { note }: RoundContext) {
  const { code = 'malformed-message', reason = `${holder} answered something else than it was asked.` } = verdict
  note({ holder, code, reason })
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

/** Whether a signal fired because the process ends, and not because the job is cancelled. */
export function isStopping(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof CoordinatorError && signal.reason.code === 'coordinator-stopping'
}

/** The digest of a certificate's manifest, whatever signatures it carries. */
export function manifestDigest(round: CoordinatorRound): Digest {
  return statementDigest(round.manifest!)
}
