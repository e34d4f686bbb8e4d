import { type Digest, digestOf } from '../crypto/digest.ts'
import {
  type CoordinatorRound,
  candidateKeySums,
  judgeRound,
  orderedDealings,
  receiveShareSum,
} from '../protocol/coordinator-round.ts'
import { SluiceError } from '../sluice-error.ts'
import { askHolders } from './ask-holders.ts'
import { explainShares, noteVerdict } from './check-shares.ts'
import { CoordinatorError } from './coordinator-error.ts'
import { type OpenedAggregate, openAggregate } from './open-aggregate.ts'
import { dutySignal, type LogEvidence, noteRefusal, type OpeningContext, type RoundContext } from './round-context.ts'

/** A sum and what was made of it, and the round with the answers that opened it. */
export interface OpenedRoundSum<Made> {
  readonly round: CoordinatorRound
  readonly aggregate: OpenedAggregate<Made>
  readonly openMs: number
}

/**
 * Asks the committee for its share sums until the sum opens (§4.5, §4.6). Every key sum that new answers make possible is
 * tried on the ciphertexts: they decide which is right, and with it who answered wrongly.
 */
export async function openSum<Made>(
  certified: CoordinatorRound,
  sum: Digest,
  evidence: LogEvidence,
  context: OpeningContext<Made>,
): Promise<OpenedRoundSum<Made>> {
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
    const opened = await tryCandidates(round, sum, tried, context)
    if (opened) return { round, ...opened }
  }
  const { threshold } = round.plan.committee
  if (round.shareSums.size < threshold) {
    throw new CoordinatorError(
      'round-abandoned',
      `${round.shareSums.size} members answered; ${threshold} are needed to open.`,
    )
  }
  throw await blameFailure(round, evidence, context)
}

/**
 * Enough answers, each of the shares that its member checked, and no sum: where nobody had a point to spare, checks agree
 * whatever they say. The contributors' dealings tell who lied; if they agree as well, a ciphertext is not of the key that was
 * shared, or not within its bounds, and nothing tells whose.
 */
async function blameFailure(
  round: CoordinatorRound,
  evidence: LogEvidence,
  context: RoundContext,
): Promise<CoordinatorError> {
  const explained = await explainShares(round, evidence, context)
  await context.logged.append(orderedDealings(explained))
  const judged = judgeRound(explained)
  const named = judged.ok ? [...judged.value.setAside, ...judged.value.excluded.map(({ holder }) => holder)] : []
  if (judged.ok) noteVerdict(judged.value, context)
  return new CoordinatorError(
    'round-abandoned',
    named.length > 0
      ? `The sum does not open: the shares of ${named.join(', ')} do not agree.`
      : 'The sum does not open, and all shares agree: one of the ciphertexts is malformed.',
  )
}

/** What a wrong key sum looks like when the ciphertexts are opened with it. */
const WRONG_KEY = new Set(['noise-out-of-bounds', 'sum-out-of-bounds', 'key-sum-implausible', 'check-not-zero'])

/** Opens the sum with the first candidate that fits, if any; names the members that are off it. */
async function tryCandidates<Made>(
  round: CoordinatorRound,
  sum: Digest,
  tried: Set<string>,
  context: OpeningContext<Made>,
) {
  for (const { keySum, wrongMembers } of candidateKeySums(round)) {
    const name = digestOf(new Uint8Array(keySum.buffer))
    if (tried.has(name)) continue
    tried.add(name)
    const started = performance.now()
    try {
      const aggregate = await context.observer.part('open', () =>
        openAggregate(round, sum, keySum, context, context.reading),
      )
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
