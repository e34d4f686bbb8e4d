import type { Digest } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { StatementPublicKey } from '../../src/crypto/statement-key.ts'
import type { NoteKey } from '../../src/log/note-key.ts'
import {
  answerCertificate,
  checkShares,
  endorseManifest,
  giveUpRound,
  type MemberKeys,
  type MemberRound,
} from '../../src/protocol/committee-member.ts'
import { contributionStatement } from '../../src/protocol/contribution.ts'
import { signDealing } from '../../src/protocol/dealing.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { openSharesOf } from '../../src/protocol/opened-shares.ts'
import { questionOf } from '../../src/protocol/question.ts'
import { openRoundCheckpoint, type RoundLog, readRoundLog } from '../../src/protocol/round-log.ts'
import { findMember, type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { shareCheckStatement } from '../../src/protocol/share-check.ts'
import { bodiesOf, parseStatement, readStatement } from '../../src/protocol/statement.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import { HolderError } from './holder-error.ts'
import type { HolderJournal, JournalRound } from './journal.ts'
import type { LogFollower } from './log-follower.ts'
import { loseMemory } from './lost-memory.ts'

export interface CommitteeDutyParts {
  readonly keys: MemberKeys
  readonly coordinatorKey: StatementPublicKey
  readonly log: NoteKey
  readonly follower: LogFollower
  readonly journal: HolderJournal
  readonly fetchContributions: (planDigest: Digest, most: number) => Promise<Envelope[]>
}

type Answer = Verdict<HolderReply, string>
type RequestOf<Kind extends HolderRequest['kind']> = Extract<HolderRequest, { kind: Kind }>

/** What a member has in memory of the round that it serves. */
interface RoundInWork {
  readonly planDigest: Digest
  readonly contributions: Promise<Envelope[]>
  readonly shares: ReturnType<typeof openSharesOf>
}

/** Rounds whose contributions and shares are kept between the duties of a round; the oldest is forgotten. */
const ROUNDS_IN_WORK = 4

/**
 * The duties of a committee member: rules from `src/protocol/committee-member.ts`, memory in the journal. Each answer is
 * durable before it leaves, and the journal decides when two requests race.
 */
export class CommitteeDuty {
  readonly #parts: CommitteeDutyParts
  readonly #inWork = new Map<Digest, RoundInWork>()

  constructor(parts: CommitteeDutyParts) {
    this.#parts = parts
  }

  async checkShares(request: RequestOf<'check-shares'>): Promise<Answer> {
    const { coordinatorKey, keys, journal } = this.#parts
    const { round, known } = this.#memberRound(request.planDigest)
    const log = this.#readLog(round.plan, known, request)
    if (!log.ok) return log
    if (log.value.kind === 'known-size') return accepted(log.value)
    const contributions = await this.#contributionsTo(round, known)
    if (!contributions.ok) return contributions
    const { shares } = this.#work(round)
    const { roundLog } = log.value
    const checked = await checkShares(
      round,
      request.candidates,
      roundLog,
      contributions.value,
      coordinatorKey,
      keys,
      shares.openShares,
    )
    if (!checked.ok) return checked
    if (!journal.claimCandidates(request.planDigest, checked.value.round.checkedCandidates!)) return boundOtherwise()
    return accepted({ kind: 'share-check', envelope: checked.value.check })
  }

  /**
   * What this holder dealt, as a contributor: a member's word is held against it. Under the rule of the share check: for the
   * first candidates that the log has, and for no others ever.
   */
  async explainShares(
    request: RequestOf<'explain-shares'>,
    shares: readonly Uint32Array[] | undefined,
  ): Promise<Answer> {
    const { keys, journal } = this.#parts
    if (!shares) return refused('ciphertext-not-kept', 'This holder has no shares of this round in memory any more.')
    const { round, known } = this.#memberRound(request.planDigest)
    const log = this.#readLog(round.plan, known, request)
    if (!log.ok) return log
    if (log.value.kind === 'known-size') return accepted(log.value)
    const candidates = statementDigest(request.candidates)
    const logged = log.value.roundLog.candidates
    if (!logged || statementDigest(logged) !== candidates) {
      return refused('not-in-log', 'These are not the first candidates that the log has of this plan.')
    }
    if (!journal.claimCandidates(request.planDigest, candidates)) return boundOtherwise()
    const { holder, statementKey } = keys
    const dealing = signDealing(round.plan, request.planDigest, candidates, holder, shares, statementKey)
    return accepted({ kind: 'dealing', envelope: dealing })
  }

  async endorse(request: RequestOf<'endorse'>): Promise<Answer> {
    const { coordinatorKey, keys, journal } = this.#parts
    const { round, known } = this.#memberRound(request.planDigest)
    const log = this.#readLog(round.plan, known, request)
    if (!log.ok) return log
    if (log.value.kind === 'known-size') return accepted(log.value)
    const contributions = await this.#contributionsTo(round, known)
    if (!contributions.ok) return contributions
    const { roundLog } = log.value
    const endorsed = endorseManifest(round, request.manifest, roundLog, contributions.value, coordinatorKey, keys)
    if (!endorsed.ok) return endorsed
    const { endorsedManifest } = endorsed.value.round
    if (!journal.claimManifest(request.planDigest, endorsedManifest!, false)) return boundOtherwise()
    return accepted({ kind: 'endorsement', signature: endorsed.value.signature })
  }

  async answer({ planDigest, certificate }: RequestOf<'answer'>): Promise<Answer> {
    const { coordinatorKey, keys, journal } = this.#parts
    const { round, known } = this.#memberRound(planDigest)
    const contributions = await this.#contributionsTo(round, known)
    if (!contributions.ok) return contributions
    const { shares } = this.#work(round)
    const answered = await answerCertificate(
      round,
      certificate,
      contributions.value,
      coordinatorKey,
      keys,
      shares.openShares,
    )
    if (!answered.ok) return answered
    if (!journal.claimManifest(planDigest, answered.value.round.endorsedManifest!, true)) return boundOtherwise()
    return accepted({ kind: 'share-sum', envelope: answered.value.answer })
  }

  /** Also of a plan that this holder refused, or never saw: what it never accepted it can promise never to open. */
  async abandon({ plan: envelope, abandonment }: RequestOf<'abandon'>): Promise<Answer> {
    const { coordinatorKey, keys, journal } = this.#parts
    const plan = readStatement(roundPlanStatement, envelope, coordinatorKey)
    if (!plan.ok) return plan
    const planDigest = statementDigest(envelope)
    const untouched = { answered: false, abandoned: false }
    const round = { ...(journal.find(planDigest) ?? untouched), plan: plan.value, planDigest }
    const given = giveUpRound(round, abandonment, coordinatorKey, keys)
    if (!given.ok) return given
    // Not before: a plan that was not examined must not become one that duties are done for, or whose use is not counted.
    journal.accept(planDigest, envelope, { job: plan.value.job, question: questionOf(plan.value), dataset: '' })
    if (!journal.claimAbandonment(planDigest)) return boundOtherwise()
    this.forget(planDigest)
    return accepted({ kind: 'endorsement', signature: given.value.signature })
  }

  /** Lets go of a round that is over, and overwrites the shares that were opened for it. */
  forget(planDigest: Digest): void {
    const work = this.#inWork.get(planDigest)
    this.#inWork.delete(planDigest)
    void work?.shares.forget()
  }

  /** What this member durably knows of a round. @throws HolderError `plan-unknown` for a plan it has not accepted. */
  #memberRound(planDigest: Digest): { round: MemberRound; known: JournalRound } {
    const known = this.#parts.journal.find(planDigest)
    const plan = known && parseStatement(roundPlanStatement, known.plan)
    if (!plan?.ok)
      throw new HolderError('plan-unknown', 'This holder has accepted no such plan: it does no duty for it.')
    return { round: { ...known!, plan: plan.value, planDigest }, known: known! }
  }

  /** What the log says of the round, under a checkpoint that t of its committee cosigned. */
  #readLog(
    plan: RoundPlan,
    { plan: planEnvelope, checkedCandidates }: JournalRound,
    { checkpoint, range }: RequestOf<'endorse' | 'check-shares' | 'explain-shares'>,
  ): Verdict<{ kind: 'log'; roundLog: RoundLog } | { kind: 'known-size'; size: number }, string> {
    const { follower, log, coordinatorKey } = this.#parts
    const cosigned = openRoundCheckpoint(checkpoint.note, plan, log)
    if (!cosigned.ok) return cosigned
    const followed = follower.follow(checkpoint, new Date())
    if (!followed.ok) return followed
    if (followed.value.kind === 'known-size') return accepted(followed.value)
    const read = readRoundLog(plan, planEnvelope, range, cosigned.value, coordinatorKey)
    if (!read.ok) return read
    const { holder } = this.#parts.keys
    const hasChecked = bodiesOf(shareCheckStatement, read.value.checks).some(({ member }) => member === holder)
    if (hasChecked && checkedCandidates === undefined) {
      return loseMemory(this.#parts.journal, 'the log has a share check of its, of which it knows nothing')
    }
    return accepted({ kind: 'log', roundLog: read.value })
  }

  /** The contributions to a round. One of its own that the journal does not have is the word of a node that this one was. */
  async #contributionsTo(
    round: MemberRound,
    { contributed }: JournalRound,
  ): Promise<Verdict<readonly Envelope[], 'memory-lost'>> {
    const contributions = await this.#work(round).contributions
    const { keys, journal } = this.#parts
    if (contributed || !contributions.some((envelope) => isContributionTo(round, envelope, keys))) {
      return accepted(contributions)
    }
    return loseMemory(journal, 'a contribution of its stands in a round, of which it knows nothing')
  }

  /** Contributions are fetched once, boxes are opened once, for all duties of a round. */
  #work({ planDigest, plan }: MemberRound): RoundInWork {
    const known = this.#inWork.get(planDigest)
    if (known) return known
    const { keys, fetchContributions } = this.#parts
    const contributions = fetchContributions(planDigest, plan.cohort.length)
    const work = { planDigest, contributions, shares: openSharesOf(planDigest, keys.holder, keys.boxKey) }
    this.#inWork.set(planDigest, work)
    // A failure is not kept: asked again, the member fetches again.
    contributions.catch(() => this.forget(planDigest))
    for (const oldest of [...this.#inWork.keys()].slice(0, -ROUNDS_IN_WORK)) this.forget(oldest)
    return work
  }
}

/** Whether a contribution to the round is this member's own, by its signature. */
function isContributionTo({ plan, planDigest }: MemberRound, envelope: Envelope, { holder }: MemberKeys): boolean {
  const ownKey = findMember(plan, holder)?.statementKey
  if (ownKey === undefined) return false
  const read = readStatement(contributionStatement, envelope, ownKey)
  return read.ok && read.value.plan === planDigest
}

function boundOtherwise(): Answer {
  return refused('other-manifest-endorsed', 'This member stands by another set of this round, or has given it up.')
}
