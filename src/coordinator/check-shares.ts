import { toHex } from '../crypto/digest.ts'
import {
  type CoordinatorRound,
  closeCollection,
  closedContributions,
  judgeRound,
  manifestOf,
  orderedChecks,
  orderedDealings,
  receiveDealing,
  receiveShareCheck,
  sealRound,
} from '../protocol/coordinator-round.ts'
import { dealingStatement } from '../protocol/dealing.ts'
import type { ShareVerdict } from '../protocol/judge-shares.ts'
import type { RoundLog } from '../protocol/round-log.ts'
import { shareCheckStatement } from '../protocol/share-check.ts'
import { bodiesOf } from '../protocol/statement.ts'
import { askHolders } from './ask-holders.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type { NotedCheckpoint } from './logged-requests.ts'
import {
  askOnLog,
  cosignedRange,
  dutySignal,
  type LogEvidence,
  noteRefusal,
  type RoundContext,
  readLogged,
} from './round-context.ts'

/** Closes the collection; its candidates are durable before anybody sees them (§3). */
export async function closeRound(collected: CoordinatorRound, context: RoundContext): Promise<CoordinatorRound> {
  const { store, openRounds, clock, key } = context
  const closed = closeCollection(collected, drawNonce(context), key, clock.now())
  if (!closed.ok) throw new CoordinatorError('round-abandoned', `The set could not be closed: ${closed.reason}`)
  await store.setRoundPhase(collected.planDigest, 'checking', { candidates: closed.value.candidates })
  openRounds.set(closed.value)
  return closed.value
}

/**
 * Has the committee check its shares of the candidates, which are logged before any member is asked (§3). What another life of
 * this process has logged of it, whole or not at all, is what the set is sealed by: nobody is asked again.
 */
export async function checkShares(closed: CoordinatorRound, context: RoundContext): Promise<CoordinatorRound> {
  const candidates = closed.candidates!
  const evidence = await cosignedRange(closed, await context.logged.append([candidates]), context)
  const log = readLogged(closed, evidence, context)
  if (log.checks.length > 0) return takeLogged(closed, log)
  const { planDigest } = closed
  const ask = askOnLog(closed, evidence, context, (shown) => ({
    kind: 'check-shares',
    planDigest,
    candidates,
    ...shown,
  }))
  using surplus = new SurplusPatience(dutySignal(context))
  let round = closed
  for await (const { holder, verdict } of askHolders(round.plan.committee.members, ask, surplus.signal)) {
    if (!verdict.ok || verdict.value.kind !== 'share-check') {
      noteRefusal(holder, verdict, context)
      continue
    }
    const received = receiveShareCheck(round, holder, verdict.value.envelope)
    if (received.ok) round = received.value
    else context.note({ holder, code: received.code, reason: received.reason })
    if (round.checks.size === round.plan.committee.threshold) surplus.begin()
  }
  context.signal.throwIfAborted()
  return isUnanimous(round) ? round : explainShares(round, evidence, context)
}

/** The round with the share checks and dealings that its log has. */
export function takeLogged(round: CoordinatorRound, { checks, dealings }: RoundLog): CoordinatorRound {
  return {
    ...round,
    checks: new Map(checks.map((check) => [bodiesOf(shareCheckStatement, [check])[0].member, check])),
    dealings: new Map(dealings.map((dealing) => [bodiesOf(dealingStatement, [dealing])[0].holder, dealing])),
  }
}

function isUnanimous(round: CoordinatorRound): boolean {
  const judged = judgeRound(round)
  return judged.ok && judged.value.excluded.length === 0 && judged.value.setAside.length === 0
}

/** Where checks do not agree, the contributors say what they dealt: it tells a member that lies from a contributor that does. */
export async function explainShares(
  disputed: CoordinatorRound,
  evidence: LogEvidence,
  context: RoundContext,
): Promise<CoordinatorRound> {
  const { planDigest } = disputed
  const candidates = disputed.candidates!
  const ask = askOnLog(disputed, evidence, context, (shown) => ({
    kind: 'explain-shares',
    planDigest,
    candidates,
    ...shown,
  }))
  let round = disputed
  const candidateHolders = closedContributions(disputed).map(({ contribution }) => contribution.holder)
  for await (const { holder, verdict } of askHolders(candidateHolders, ask, dutySignal(context))) {
    if (!verdict.ok || verdict.value.kind !== 'dealing') {
      noteRefusal(holder, verdict, context)
      continue
    }
    const received = receiveDealing(round, holder, verdict.value.envelope)
    if (received.ok) round = received.value
    else context.note({ holder, code: received.code, reason: received.reason })
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
    this.#timer ??= setTimeout(() => this.#over.abort(), waitMs)
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

/** A round with its manifest, and a checkpoint of the log that covers it. */
export interface SealedRound {
  readonly round: CoordinatorRound
  readonly checkpoint: NotedCheckpoint
}

/** Closes the set: checks are logged, then the manifest is durable, then logged; only then any member sees it (§4.3). */
export async function sealContributions(round: CoordinatorRound, context: RoundContext): Promise<SealedRound> {
  const sealed = sealRound(round, context.key, context.clock.now())
  if (!sealed.ok) throw new CoordinatorError('round-abandoned', `The set could not be sealed: ${sealed.reason}`)
  const { manifest } = sealed.value
  noteVerdict(manifestOf(sealed.value), context)
  // First: whoever goes on with a sealed round finds what its manifest rests on in the log, and nowhere else.
  await context.logged.append([...orderedChecks(round), ...orderedDealings(round)])
  await context.store.setRoundPhase(round.planDigest, 'sealed', { manifest })
  context.openRounds.set(sealed.value)
  const checkpoint = await context.logged.append([manifest!])
  return { round: sealed.value, checkpoint }
}

/** Names those whom the share checks exclude or set aside. */
export function noteVerdict({ excluded, setAside }: ShareVerdict, { note }: RoundContext): void {
  for (const { holder, members } of excluded) {
    const against = members.length > 0 ? ` with ${members.join(', ')}` : ''
    note({ holder, code: 'shares-inconsistent', reason: `The shares of ${holder} do not agree${against}: left out.` })
  }
  for (const holder of setAside) {
    note({ holder, code: 'share-check-set-aside', reason: `${holder} disagrees with most contributors' shares.` })
  }
}
