import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Digest } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { PayloadWorkers } from '../../src/crypto/payload-workers.ts'
import type { Randomness } from '../../src/crypto/randomness.ts'
import type { JobStep } from '../../src/learning/job-steps.ts'
import type { Trainer } from '../../src/learning/trainer.ts'
import type { HolderObserver } from '../../src/observe/holder-observer.ts'
import { planName } from '../../src/observe/plan-name.ts'
import { checkAbandonment } from '../../src/protocol/abandonment.ts'
import type { MemberKeys } from '../../src/protocol/committee-member.ts'
import type { PayloadReference } from '../../src/protocol/contribution.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { questionOf } from '../../src/protocol/question.ts'
import { planParameters, type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { parseStatement } from '../../src/protocol/statement.ts'
import type { FetchOpening } from '../../src/protocol/sum-verification.ts'
import { accepted, refused, SluiceError, type Verdict } from '../../src/sluice-error.ts'
import type { PayloadSource } from '../../src/wire/upload-client.ts'
import { CommitteeDuty } from './committee-duty.ts'
import { JobWorkspace } from './compute-step.ts'
import {
  type ContributeRequest,
  checkPlanLogged,
  type ExaminationParts,
  type ExaminedJob,
  examineRequestedJob,
  examineRequestedPlan,
} from './examine-request.ts'
import { FetchedArtifacts } from './fetched-artifacts.ts'
import { findPolicyObjection } from './holder-policy.ts'
import { JobWorkspaces } from './job-workspaces.ts'
import type { HolderJournal } from './journal.ts'
import { LogFollower } from './log-follower.ts'
import { refuseWithoutMemory } from './lost-memory.ts'
import { Outbox } from './outbox.ts'
import { UpdateProtection } from './protect-update.ts'
import { PublishedSums } from './published-sums.ts'
import { RoundNamer } from './round-names.ts'
import { sendContribution, untilCollected } from './send-contribution.ts'
import { SentContributions } from './sent-contributions.ts'

/** The coordinator as a holder uses it, beyond the requests that come down the stream. */
export interface CoordinatorAccess {
  /** Goes on after a cut from where it was, until `until` fires. */
  upload(planDigest: Digest, source: PayloadSource, until: AbortSignal): Promise<PayloadReference>
  fetchArtifact(digest: Digest): Promise<Uint8Array>
  fetchContributions(planDigest: Digest, most: number): Promise<Envelope[]>
  /** In pieces of the wire's size. */
  fetchOpening: FetchOpening
}

export interface HolderParts extends ExaminationParts {
  readonly keys: MemberKeys
  readonly trainer: Trainer
  readonly workers: PayloadWorkers
  readonly journal: HolderJournal
  readonly coordinator: CoordinatorAccess
  readonly randomness: Randomness
  readonly log: Logger
  readonly observer: HolderObserver
}

type Answer = Verdict<HolderReply, string>

/** A plan that this holder takes part in, and what it asks. */
interface AcceptedPlan extends ExaminedJob {
  readonly plan: RoundPlan
  readonly planDigest: Digest
  /** The job's statement. */
  readonly job: Envelope
}

/**
 * A data holder's node: examines every plan against its own policy and the log, computes and protects its contribution, does
 * its duty on the committee and as a witness, and verifies the sum that comes of it. Refusals name a code to the
 * coordinator; what could speak of the data stays in the node's log.
 */
export class HolderAgent {
  readonly #parts: HolderParts
  readonly #follower: LogFollower
  readonly #duty: CommitteeDuty
  readonly #outbox: Outbox
  readonly #sent: SentContributions
  readonly #sums: PublishedSums
  readonly #namer: RoundNamer
  readonly #workspaces = new JobWorkspaces()
  readonly #artifacts: FetchedArtifacts
  /** Contributions in work. What was made is in the outbox. */
  readonly #contributing = new Map<Digest, Promise<Answer>>()

  /** @throws LogError `malformed-witness-state`; HolderError `outbox-unwritable` */
  constructor(parts: HolderParts) {
    this.#parts = parts
    const { keys, member, journal, logKey, floors, coordinator } = parts
    this.#namer = new RoundNamer(journal)
    this.#artifacts = new FetchedArtifacts((digest) => coordinator.fetchArtifact(digest))
    this.#outbox = new Outbox(join(journal.directory, 'outbox'))
    this.#sent = new SentContributions(this.#outbox, journal)
    this.#sums = new PublishedSums({
      ...parts,
      coordinatorKey: floors.coordinatorKey,
      sent: this.#sent,
      fetchOpening: (planDigest, offset) => coordinator.fetchOpening(planDigest, offset),
      fetchArtifact: (digest) => this.#artifacts.get(digest),
      onPublished: (planDigest) => this.#duty.forget(planDigest),
    })
    this.#follower = new LogFollower(logKey, member, keys.statementKey, journal)
    this.#duty = new CommitteeDuty({
      keys,
      coordinatorKey: floors.coordinatorKey,
      log: logKey,
      follower: this.#follower,
      journal,
      fetchContributions: (planDigest, most) => coordinator.fetchContributions(planDigest, most),
    })
  }

  /**
   * Answers one request of the coordinator. Never rejects.
   * @param traceparent of the coordinator's span, for those who trace
   */
  handle(request: HolderRequest, traceparent?: string): Promise<Answer> {
    const names = this.#namer.name(request)
    const { plan, ...subject } = names
    const log = this.#parts.log.child({ request: request.kind, ...subject, ...(plan ? { plan: planName(plan) } : {}) })
    return this.#parts.observer.request({ kind: request.kind, ...names }, traceparent, async () => {
      const answer = await this.#dispatch(request, log).catch((error: unknown) => failure(error, log))
      if (!answer.ok) log.warn({ code: answer.code }, answer.reason)
      return answer
    })
  }

  async #dispatch(request: HolderRequest, log: Logger): Promise<Answer> {
    const lost = refuseWithoutMemory(this.#parts.journal)
    if (lost) return lost
    switch (request.kind) {
      case 'contribute':
        return this.#contributeOnce(request, log)
      case 'cosign': {
        const followed = this.#follower.follow(request.checkpoint, new Date())
        if (!followed.ok || followed.value.kind === 'known-size') return followed as Answer
        return accepted({ kind: 'cosignature', line: followed.value.cosignature })
      }
      case 'check-shares':
        return this.#duty.checkShares(request)
      case 'explain-shares':
        return this.#duty.explainShares(request, this.#sent.sharesOf(request.planDigest))
      case 'endorse':
        return this.#duty.endorse(request)
      case 'answer':
        return this.#duty.answer(request)
      case 'hash-payload':
        return this.#sums.hashPayload(request)
      case 'abandon':
        return this.#duty.abandon(request)
      case 'published':
        return this.#sums.notePublished(request, log)
      case 'admit': {
        const endorsed = await this.#parts.members.endorse(request.statement)
        return endorsed.ok ? accepted({ kind: 'endorsement', signature: endorsed.value }) : endorsed
      }
    }
  }

  /** The same request again, while the first is worked on, gets the same reply; later, what the outbox has. */
  #contributeOnce(request: ContributeRequest, log: Logger): Promise<Answer> {
    const planDigest = statementDigest(request.plan)
    const earlier = this.#contributing.get(planDigest)
    if (earlier) return earlier
    const answer = this.#contribute(planDigest, request, log).finally(() => this.#contributing.delete(planDigest))
    this.#contributing.set(planDigest, answer)
    return answer
  }

  async #contribute(planDigest: Digest, request: ContributeRequest, log: Logger): Promise<Answer> {
    const examined = await examineRequestedPlan(request, this.#parts)
    if (!examined.ok) return examined
    const { plan } = examined.value
    const followed = checkPlanLogged(plan, request, this.#parts, this.#follower)
    if (!followed.ok) return followed
    if (followed.value.kind === 'known-size') return accepted(followed.value)
    const job = examineRequestedJob(plan, request, followed.value.checkpoint, this.#parts)
    if (!job.ok) return job
    const { specification, step } = job.value
    const objection = this.#findObjection(specification.dataset, step, planDigest)
    if (objection) return refused(objection.code, objection.reason)
    const subject = { job: plan.job, question: questionOf(plan), dataset: specification.dataset }
    this.#noteAbandonments(request.abandonments, subject.question)
    this.#parts.journal.accept(planDigest, request.plan, subject)
    const accepting = { plan, planDigest, ...job.value, job: request.job.envelope }
    const known = this.#parts.journal.find(planDigest)
    if (known?.abandoned) return refused('round-abandoned', 'This holder has given the round up, for good.')
    if (known?.contributed) return this.#sendAgain(accepting, log)
    return this.#makeContribution(accepting, request.publications, log)
  }

  /** Plans of the same question that will never be opened do not keep this holder from answering it. */
  #noteAbandonments(abandonments: readonly Envelope[], question: Digest): void {
    const { journal } = this.#parts
    for (const planDigest of journal.livePlansOf(question)) {
      const plan = parseStatement(roundPlanStatement, journal.find(planDigest)!.plan)
      const proven = plan.ok && abandonments.some((proof) => checkAbandonment(plan.value, planDigest, proof).ok)
      if (!proven) continue
      journal.markDead(planDigest)
      void this.#sent.forget(planDigest)
    }
  }

  /** What has left already is no further use of the dataset. */
  #findObjection(dataset: string, step: JobStep, planDigest: Digest) {
    const { journal, policy } = this.#parts
    const uses = journal.countContributions(dataset) - (journal.find(planDigest)?.contributed ? 1 : 0)
    return findPolicyObjection(policy, dataset, step, uses)
  }

  /**
   * The last word before anything protected leaves; durable when it is accepted. Policy and claim in one turn of the event
   * loop: of many plans that come at once, no more than the policy's number get past the count.
   */
  #claimContribution({ plan, planDigest, specification, step }: AcceptedPlan): Verdict<true, string> {
    const { journal } = this.#parts
    const lost = refuseWithoutMemory(journal)
    if (lost) return lost
    const objection = this.#findObjection(specification.dataset, step, planDigest)
    if (objection) return refused(objection.code, objection.reason)
    if (journal.hasWrongSum(plan.job)) return wrongSumBefore()
    if (journal.countUnverified(plan.job) > this.#parts.policy.maxUnverifiedSums) {
      return refused('sums-unverified', 'More sums of this job could not be verified than this holder’s policy allows.')
    }
    switch (journal.claimContribution(planDigest)) {
      case 'claimed':
        return accepted(true)
      case 'already-contributed':
        return refused('already-contributed', 'A contribution of this holder to this plan has left before.')
      case 'round-abandoned':
        return refused('round-abandoned', 'The round was given up while this holder computed its update.')
      case 'question-answered':
        return refused(
          'question-answered',
          'This holder has answered this question in another round, which may have been opened: it answers once.',
        )
    }
  }

  #openWorkspace({ plan: { job }, specification, dataset }: AcceptedPlan): JobWorkspace {
    const { trainer, log } = this.#parts
    const warn = (warning: string) => log.warn({ event: 'operator-warning', job }, warning)
    return this.#workspaces.open(job, () => new JobWorkspace(job, specification, dataset, trainer, warn))
  }

  /** Computes, protects, uploads and signs; pads are made while the update is computed. */
  async #makeContribution(
    accepting: AcceptedPlan,
    publications: ContributeRequest['publications'],
    log: Logger,
  ): Promise<Answer> {
    const { workers, randomness, coordinator, keys, member, observer } = this.#parts
    const { plan, planDigest, job, step } = accepting
    const started = performance.now()
    using _held = this.#outbox.hold(planDigest)
    const protection = new UpdateProtection(plan, planDigest, workers, randomness)
    try {
      const inputs = new Map(plan.inputs.map(({ name, digest }) => [name, digest]))
      const fetch = (digest: Digest) => this.#artifacts.get(digest)
      const workspace = this.#openWorkspace(accepting)
      const values = await observer.part('compute', () =>
        workspace.compute(step, plan.round, inputs, fetch, member.holder),
      )
      const computed = performance.now()
      await this.#sums.checkPublications(plan.job, publications, log)
      // Before the claim: a disk without room costs no use of the dataset.
      const payload = await this.#outbox.begin(planDigest, planParameters(plan))
      // Durable before the first byte leaves: a restarted node contributes no second time.
      const claimed = this.#claimContribution(accepting)
      if (!claimed.ok) {
        await this.#outbox.forget(planDigest)
        return claimed
      }
      const onProtected = observer.beginProtection()
      const upload: CoordinatorAccess['upload'] = (...args) => coordinator.upload(...args)
      const about = { plan, planDigest, job, values, protection, payload, keys, randomness, onProtected }
      const made = await observer.part('upload', () => sendContribution({ ...about, sent: this.#sent, upload }))
      const protectMs = protection.protectMs + made.shareMs
      const cost = {
        computeMs: computed - started,
        protectMs,
        transportMs: performance.now() - computed - protectMs,
        ciphertextBytes: made.payload.bytes,
      }
      observer.contributed(cost)
      log.info(
        { event: 'contributed', step, ...cost, statementBytes: made.envelope.payload.length },
        `contributed to round ${plan.round} (${step})`,
      )
      return accepted({ kind: 'contribution', envelope: made.envelope })
    } finally {
      await protection.end()
    }
  }

  /** A contribution has left, or begun to: the same bytes are sent again, what is missing of them, or none. */
  async #sendAgain({ plan, planDigest, step }: AcceptedPlan, log: Logger): Promise<Answer> {
    const { coordinator, journal, observer } = this.#parts
    if (journal.hasWrongSum(plan.job)) return wrongSumBefore()
    using _held = this.#outbox.hold(planDigest)
    const kept = await this.#sent.findKept(planDigest)
    if (!kept) {
      const reason = 'A contribution of this holder to this plan has left, or begun to, and is not kept whole here.'
      return refused('already-contributed', reason)
    }
    await observer.part('upload', () => coordinator.upload(planDigest, kept.payload, untilCollected(plan)))
    log.info({ event: 'contributed-again', step }, `sent the same contribution to round ${plan.round} (${step}) again`)
    return accepted({ kind: 'contribution', envelope: kept.contribution })
  }
}

function wrongSumBefore(): Verdict<never, 'wrong-sum'> {
  return refused('wrong-sum', 'A wrong sum was published in this job: this holder takes no further part in it.')
}

/**
 * A fault as a refusal. The coordinator learns the code; the message, which may count records or name columns, stays in
 * the node's own log.
 */
function failure(error: unknown, log: Logger): Answer {
  const code = error instanceof SluiceError ? error.code : 'holder-failed'
  log.error({ code, err: error }, 'could not take part')
  return refused(code, `The holder could not take part (${code}); its own log says why.`)
}
