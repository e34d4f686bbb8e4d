import { toHex } from '../crypto/digest.ts'
import {
  type CoordinatorRound,
  closeCollection,
  judgeRound,
  manifestOf,
  orderedChecks,
  orderedDealings,
  receiveDealing,
  receiveShareCheck,
  sealRound,
} from '../protocol/coordinator-round.ts'
import type { ShareVerdict } from '../protocol/judge-shares.ts'
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
} from './round-context.ts'

/** Closes the collection, and has the committee check its shares; durable and logged before any member is asked (§3). */
export async function checkShares(collected: CoordinatorRound, context: RoundContext): Promise<CoordinatorRound> {
  const { store, openRounds, clock, key, logged, note } = context
  const closed = closeCollection(collected, drawNonce(context), key, clock.now())
  if (!closed.ok) throw new CoordinatorError('round-abandoned', `The set could not be closed: ${closed.reason}`)
  let round = closed.value
  const candidates = round.candidates!
  await store.setRoundPhase(round.planDigest, 'checking', { candidates })
  openRounds.set(round)
  const evidence = await cosignedRange(round, await logged.append([candidates]), context)
  const { planDigest } = round
  const ask = askOnLog(evidence, context, (shown) => ({ kind: 'check-shares', planDigest, candidates, ...shown }))
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
  return isUnanimous(round) ? round : explainShares(round, evidence, context)
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
  const ask = askOnLog(evidence, context, (shown) => ({ kind: 'explain-shares', planDigest, candidates, ...shown }))
  let round = disputed
  for await (const { holder, verdict } of askHolders([...round.contributions.keys()], ask, dutySignal(context))) {
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

/** Closes the set: checks are logged, then the manifest is durable, then logged; only then any member sees it (§4.3). */
export async function sealContributions(
  round: CoordinatorRound,
  context: RoundContext,
): Promise<{ readonly round: CoordinatorRound; readonly checkpoint: NotedCheckpoint }> {
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
