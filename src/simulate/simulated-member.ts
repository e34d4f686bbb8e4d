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
import { signDealing } from '../protocol/dealing.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import { openSharesOf } from '../protocol/opened-shares.ts'
import { type RoundPlan, roundPlanStatement } from '../protocol/round-plan.ts'
import { parseStatement, readStatement } from '../protocol/statement.ts'
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

/** What this holder dealt as a contributor. */
export interface Dealt {
  readonly planDigest: Digest
  readonly planEnvelope: Envelope
  /** By committee member. Secret; overwritten and gone when the round is forgotten. */
  shares: readonly Uint32Array[]
  /** The one candidate set for which this holder has explained them. */
  explained?: Digest
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
    if (!plan.committee.members.includes(this.#parts.keys.holder) || this.#inWork.has(planDigest)) return
    this.#inWork.set(planDigest, this.#begin(plan, planDigest, planEnvelope))
  }

  #begin(plan: RoundPlan, planDigest: Digest, planEnvelope: Envelope): RoundInWork {
    const { holder, boxKey } = this.#parts.keys
    const round = { plan, planDigest, answered: false, abandoned: false }
    return { round, planEnvelope, shares: openSharesOf(planDigest, holder, boxKey) }
  }

  /** Whether this holder has signed that it never opens a round of this plan. */
  hasAbandoned(planDigest: Digest): boolean {
    return this.#inWork.get(planDigest)?.round.abandoned === true
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

  /** What this holder dealt, held against a member's word: for the first candidates that the log has, and for no others ever. */
  explainShares({ planDigest, candidates, ...shown }: RequestOf<'explain-shares'>, dealt: Dealt | undefined): Answer {
    if (dealt?.planDigest !== planDigest || dealt.shares.length === 0) {
      return refused('ciphertext-not-kept', 'This holder has no shares of this round in memory.')
    }
    const { coordinatorKey, keys, witness } = this.#parts
    const plan = parseStatement(roundPlanStatement, dealt.planEnvelope)
    if (!plan.ok) return plan
    const log = witness.readLog(plan.value, dealt.planEnvelope, shown, coordinatorKey)
    if (!log.ok) return log
    if (log.value.kind === 'known-size') return accepted(log.value)
    const digest = statementDigest(candidates)
    const logged = log.value.roundLog.candidates
    if (!logged || statementDigest(logged) !== digest) {
      return refused('not-in-log', 'These are not the first candidates that the log has of this plan.')
    }
    const bound = this.#inWork.get(planDigest)?.round.checkedCandidates ?? dealt.explained
    if (bound !== undefined && bound !== digest) {
      return refused('other-candidates-checked', 'This holder has answered for other candidates of this round.')
    }
    dealt.explained = digest
    const dealing = signDealing(plan.value, planDigest, digest, keys.holder, dealt.shares, keys.statementKey)
    return accepted({ kind: 'dealing', envelope: dealing })
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
    const work = this.#inWork.get(planDigest) ?? this.#begin(plan.value, planDigest, planEnvelope)
    const given = giveUpRound(work.round, abandonment, coordinatorKey, keys)
    if (!given.ok) return given
    work.round = given.value.round
    // Not before: a plan that was not examined must not become one that duties are done for.
    this.#inWork.set(planDigest, work)
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
