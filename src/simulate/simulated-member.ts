import type { Digest } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import {
  answerCertificate,
  checkShares,
  endorseManifest,
  giveUpRound,
  type MemberKeys,
  type MemberRound,
} from '../protocol/committee-member.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import { openSharesOf } from '../protocol/opened-shares.ts'
import { type RoundPlan, roundPlanStatement } from '../protocol/round-plan.ts'
import { readStatement } from '../protocol/statement.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { SimulatedWitness } from './simulated-witness.ts'

type Answer = Verdict<HolderReply, string>
type RequestOf<Kind extends HolderRequest['kind']> = Extract<HolderRequest, { kind: Kind }>

export interface MemberParts {
  readonly keys: MemberKeys
  readonly coordinatorKey: StatementPublicKey
  readonly witness: SimulatedWitness
  readonly fetchContributions: (planDigest: Digest) => readonly Envelope[]
}

/** What a member has in memory of the round that it serves. */
interface RoundInWork {
  round: MemberRound
  readonly planEnvelope: Envelope
  contributions?: readonly Envelope[]
  readonly shares: ReturnType<typeof openSharesOf>
}

/**
 * The duties of a committee member, by the rules of `src/protocol/committee-member.ts`; what a holder node keeps in its
 * journal is kept in memory here, as long as the round lasts.
 */
export class SimulatedMember {
  readonly #parts: MemberParts
  readonly #inWork = new Map<Digest, RoundInWork>()

  constructor(parts: MemberParts) {
    this.#parts = parts
  }

  /** From here on this holder does its duty for the plan, if it has a seat. */
  accept(plan: RoundPlan, planDigest: Digest, planEnvelope: Envelope): void {
    const { holder, boxKey } = this.#parts.keys
    if (!plan.committee.members.includes(holder) || this.#inWork.has(planDigest)) return
    const round = { plan, planDigest, answered: false, abandoned: false }
    this.#inWork.set(planDigest, { round, planEnvelope, shares: openSharesOf(planDigest, holder, boxKey) })
  }

  async checkShares({ planDigest, candidates, ...shown }: RequestOf<'check-shares'>): Promise<Answer> {
    const work = this.#inWork.get(planDigest)
    if (!work) return unknownPlan()
    const { coordinatorKey, keys, witness } = this.#parts
    const log = witness.readLog(work.round.plan, work.planEnvelope, shown, coordinatorKey)
    if (!log.ok) return log
    if (log.value.kind === 'known-size') return accepted(log.value)
    const { openShares } = work.shares
    const contributions = this.#contributionsOf(work)
    const { roundLog } = log.value
    const checked = await checkShares(work.round, candidates, roundLog, contributions, coordinatorKey, keys, openShares)
    if (!checked.ok) return checked
    work.round = { ...work.round, checkedCandidates: checked.value.round.checkedCandidates }
    return accepted({ kind: 'share-check', envelope: checked.value.check })
  }

  async endorse({ planDigest, manifest, ...shown }: RequestOf<'endorse'>): Promise<Answer> {
    const work = this.#inWork.get(planDigest)
    if (!work) return unknownPlan()
    const { coordinatorKey, keys, witness } = this.#parts
    const log = witness.readLog(work.round.plan, work.planEnvelope, shown, coordinatorKey)
    if (!log.ok) return log
    if (log.value.kind === 'known-size') return accepted(log.value)
    const contributions = this.#contributionsOf(work)
    const endorsed = endorseManifest(work.round, manifest, log.value.roundLog, contributions, coordinatorKey, keys)
    if (!endorsed.ok) return endorsed
    work.round = endorsed.value.round
    return accepted({ kind: 'endorsement', signature: endorsed.value.signature })
  }

  async answer({ planDigest, certificate }: RequestOf<'answer'>): Promise<Answer> {
    const work = this.#inWork.get(planDigest)
    if (!work) return unknownPlan()
    const { coordinatorKey, keys } = this.#parts
    const { openShares } = work.shares
    const contributions = this.#contributionsOf(work)
    const answered = await answerCertificate(work.round, certificate, contributions, coordinatorKey, keys, openShares)
    if (!answered.ok) return answered
    if (work.round.abandoned) return refused('round-abandoned', 'This member has given the round up, for good.')
    work.round = answered.value.round
    return accepted({ kind: 'share-sum', envelope: answered.value.answer })
  }

  /** Also of a plan that this holder never saw: what it never accepted it can promise never to open. */
  abandon({ plan: planEnvelope, abandonment }: RequestOf<'abandon'>): Answer {
    const { coordinatorKey, keys } = this.#parts
    const plan = readStatement(roundPlanStatement, planEnvelope, coordinatorKey)
    if (!plan.ok) return plan
    const planDigest = statementDigest(planEnvelope)
    this.accept(plan.value, planDigest, planEnvelope)
    const work = this.#inWork.get(planDigest)
    if (!work) return refused('not-on-committee', `${keys.holder} is not on the committee of this round.`)
    const given = giveUpRound(work.round, abandonment, coordinatorKey, keys)
    if (!given.ok) return given
    work.round = given.value.round
    return accepted({ kind: 'endorsement', signature: given.value.signature })
  }

  /** The round is over: what was opened for it is overwritten. */
  async forget(planDigest: Digest): Promise<void> {
    const work = this.#inWork.get(planDigest)
    this.#inWork.delete(planDigest)
    await work?.shares.forget()
  }

  /** Fetched once; verified by the rules of each duty. */
  #contributionsOf(work: RoundInWork): readonly Envelope[] {
    work.contributions ??= this.#parts.fetchContributions(work.round.planDigest)
    return work.contributions
  }
}

function unknownPlan(): Answer {
  return refused('plan-unknown', 'This holder has accepted no such plan: it does no duty for it.')
}
