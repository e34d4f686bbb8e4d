import { join } from 'node:path'
import type { Logger } from 'pino'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, type EnvelopeSignature, statementDigest } from '../../src/crypto/envelope.ts'
import type { PayloadWorkers } from '../../src/crypto/payload-workers.ts'
import type { Randomness } from '../../src/crypto/randomness.ts'
import { type JobSpecification, jobStatement } from '../../src/learning/job-specification.ts'
import { isJobStep, type JobStep, sameLayout, stepInputs, stepLayout } from '../../src/learning/job-steps.ts'
import { initialModel } from '../../src/learning/round-output.ts'
import type { Trainer } from '../../src/learning/trainer.ts'
import type { Checkpoint } from '../../src/log/checkpoint.ts'
import type { NoteKey } from '../../src/log/note-key.ts'
import type { HolderObserver } from '../../src/observe/holder-observer.ts'
import { planName } from '../../src/observe/plan-name.ts'
import { checkAbandonment } from '../../src/protocol/abandonment.ts'
import type { MemberKeys } from '../../src/protocol/committee-member.ts'
import type { PayloadReference } from '../../src/protocol/contribution.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { isSignedHash } from '../../src/protocol/payload-hash.ts'
import { examinePlan, type PlanFloors } from '../../src/protocol/plan-policy.ts'
import { type Publication, publicationStatement } from '../../src/protocol/publication.ts'
import { questionOf } from '../../src/protocol/question.ts'
import { checkLogged, openRoundCheckpoint, readRoundLog } from '../../src/protocol/round-log.ts'
import { type Member, planParameters, type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { parseStatement, readStatement } from '../../src/protocol/statement.ts'
import type { FetchOpening, SumVerdict } from '../../src/protocol/sum-verification.ts'
import { accepted, refused, SluiceError, type Verdict } from '../../src/sluice-error.ts'
import type { PayloadSource } from '../../src/wire/upload-client.ts'
import { CommitteeDuty } from './committee-duty.ts'
import { JobWorkspace } from './compute-step.ts'
import type { Dataset } from './datasets.ts'
import { FetchedArtifacts } from './fetched-artifacts.ts'
import { findPolicyObjection, type HolderPolicy, notOffered } from './holder-policy.ts'
import { JobWorkspaces } from './job-workspaces.ts'
import type { HolderJournal } from './journal.ts'
import { type Followed, LogFollower } from './log-follower.ts'
import { loseMemory, refuseWithoutMemory } from './lost-memory.ts'
import { Outbox } from './outbox.ts'
import { UpdateProtection } from './protect-update.ts'
import { RoundNamer } from './round-names.ts'
import { sendContribution, untilCollected } from './send-contribution.ts'
import { type SentContribution, SentContributions } from './sent-contributions.ts'
import { hashOwnPayload, verifyOwnSum } from './sum-verification.ts'

/** The coordinator as a holder uses it, beyond the requests that come down the stream. */
export interface CoordinatorAccess {
  /** Goes on after a cut from where it was, until `until` fires. */
  upload(planDigest: Digest, source: PayloadSource, until: AbortSignal): Promise<PayloadReference>
  fetchArtifact(digest: Digest): Promise<Uint8Array>
  fetchContributions(planDigest: Digest, most: number): Promise<Envelope[]>
  /** In pieces of the wire's size. */
  fetchOpening: FetchOpening
}

/** Who belongs to the venue, as this holder has verified it (`HolderRegistry`). */
export interface MemberSource {
  membersAt(head: Digest): Promise<Verdict<ReadonlyMap<string, Member>, string>>
  endorse(statement: Envelope): Promise<Verdict<EnvelopeSignature, string>>
}

export interface HolderParts {
  readonly keys: MemberKeys
  readonly member: Member
  readonly floors: Omit<PlanFloors, 'acceptedMembers'>
  readonly members: MemberSource
  /** The venue's log: its origin and key. */
  readonly logKey: NoteKey
  readonly policy: HolderPolicy
  readonly datasets: ReadonlyMap<string, Dataset>
  readonly trainer: Trainer
  readonly workers: PayloadWorkers
  readonly journal: HolderJournal
  readonly coordinator: CoordinatorAccess
  readonly randomness: Randomness
  readonly log: Logger
  readonly observer: HolderObserver
}

type Answer = Verdict<HolderReply, string>
type ContributeRequest = Extract<HolderRequest, { kind: 'contribute' }>

/** A plan that this holder takes part in, and what it asks. */
interface AcceptedPlan {
  readonly plan: RoundPlan
  readonly planDigest: Digest
  readonly specification: JobSpecification
  readonly step: JobStep
  readonly dataset: Dataset
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
  readonly #namer: RoundNamer
  readonly #workspaces = new JobWorkspaces()
  readonly #artifacts: FetchedArtifacts
  /** Contributions in work. What was made is in the outbox. */
  readonly #contributing = new Map<Digest, Promise<Answer>>()
  /** Verifications under way: what comes next in a job waits for them. */
  readonly #verifying = new Map<Digest, Promise<unknown>>()

  /** @throws LogError `malformed-witness-state`; HolderError `outbox-unwritable` */
  constructor(parts: HolderParts) {
    this.#parts = parts
    const { keys, member, journal, logKey, floors, coordinator } = parts
    this.#namer = new RoundNamer(journal)
    this.#artifacts = new FetchedArtifacts((digest) => coordinator.fetchArtifact(digest))
    this.#outbox = new Outbox(join(journal.directory, 'outbox'))
    this.#sent = new SentContributions(this.#outbox, journal)
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
        return this.#hashPayload(request)
      case 'abandon':
        return this.#duty.abandon(request)
      case 'published':
        return this.#notePublished(request, log)
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
    const examined = await this.#examine(request)
    if (!examined.ok) return examined
    const { plan } = examined.value
    const followed = this.#checkLog(plan, request)
    if (!followed.ok) return followed
    if (followed.value.kind === 'known-size') return accepted(followed.value)
    const job = this.#examineJob(plan, request, followed.value.checkpoint)
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

  /** The plan, against this holder's policy and the members that it knows. */
  async #examine({ plan: envelope }: ContributeRequest): Promise<Verdict<{ plan: RoundPlan }, string>> {
    const { member, floors, members, policy } = this.#parts
    // Whose members are fetched for a plan that the coordinator has not even signed?
    const read = readStatement(roundPlanStatement, envelope, floors.coordinatorKey)
    if (!read.ok) return examinePlanOf(envelope, member, { ...floors, acceptedMembers: new Map() })
    const known = await members.membersAt(read.value.registry)
    if (!known.ok) return known
    const { coMembers } = policy
    const company = [...known.value].filter(([name]) => coMembers === 'all' || coMembers.includes(name))
    return examinePlanOf(envelope, member, { ...floors, acceptedMembers: new Map(company) })
  }

  /** The plan is in the log, under a checkpoint that its committee cosigned and that continues what this holder saw. */
  #checkLog(plan: RoundPlan, { plan: envelope, checkpoint, range }: ContributeRequest): Verdict<Followed, string> {
    const { logKey, floors } = this.#parts
    const cosigned = openRoundCheckpoint(checkpoint.note, plan, logKey)
    if (!cosigned.ok) return cosigned
    const followed = this.#follower.follow(checkpoint, new Date())
    if (!followed.ok || followed.value.kind === 'known-size') return followed
    const log = readRoundLog(plan, envelope, range, cosigned.value, floors.coordinatorKey)
    if (!log.ok) return log
    return log.value.abandoned ? refused('round-abandoned', 'The log says that the round was abandoned.') : followed
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

  /** The job that the plan names, if it is in the log, and its step, its layout and its inputs are what the plan says. */
  #examineJob(
    plan: RoundPlan,
    { job: logged, publications }: ContributeRequest,
    checkpoint: Checkpoint,
  ): Verdict<{ specification: JobSpecification; step: JobStep; dataset: Dataset }, string> {
    const { coordinatorKey } = this.#parts.floors
    const read = readStatement(jobStatement, logged.envelope, coordinatorKey)
    if (!read.ok) return read
    if (statementDigest(logged.envelope) !== plan.job)
      return refused('job-mismatch', 'The plan belongs to another job.')
    const inLog = checkLogged(logged, checkpoint)
    if (!inLog.ok) return inLog
    const { specification } = read.value
    const { step } = plan
    if (!isJobStep(step)) return refused('step-not-allowed', `This holder knows no step "${step}".`)
    if (!sameLayout(plan.vector, stepLayout(specification, step))) {
      return refused('layout-mismatch', `The plan's vector is not the one of the job's ${step} step.`)
    }
    const inputs = this.#examineInputs(plan, specification, step, publications, checkpoint)
    if (!inputs.ok) return inputs
    const dataset = this.#parts.datasets.get(specification.dataset)
    if (!dataset) return { ok: false, ...notOffered(specification.dataset) }
    return accepted({ specification, step, dataset })
  }

  /** Every input is the output of a round of this job that the log has, or the model that the job's seed gives. */
  #examineInputs(
    plan: RoundPlan,
    specification: JobSpecification,
    step: JobStep,
    publications: ContributeRequest['publications'],
    checkpoint: Checkpoint,
  ): Verdict<true, string> {
    const names = plan.inputs.map(({ name }) => name).sort()
    if (names.join() !== [...stepInputs[step]].sort().join()) {
      return refused('input-mismatch', `The ${step} step works from ${stepInputs[step].join(' and ') || 'nothing'}.`)
    }
    for (const { name, digest } of plan.inputs) {
      const isPublished = publications.some((logged) => {
        const read = readStatement(publicationStatement, logged.envelope, this.#parts.floors.coordinatorKey)
        if (!read.ok || read.value.job !== plan.job) return false
        const { output } = read.value
        return output.name === name && output.digest === digest && checkLogged(logged, checkpoint).ok
      })
      if (isPublished) continue
      if (name === 'model' && digestOf(...initialModel(plan.job, specification)) === digest) continue
      return refused('input-not-published', `The plan's ${name} is not what a logged round of this job came to.`)
    }
    return accepted(true)
  }

  /**
   * What the plan rests on is what this holder verified, where it took part: the publication that it was told of must be the
   * one that the log has. One that it was not told of is verified now. A lie is noted, and met by the claim.
   */
  async #checkPublications(job: Digest, publications: ContributeRequest['publications'], log: Logger): Promise<void> {
    await this.#verifying.get(job)
    const { journal, floors } = this.#parts
    for (const { envelope } of publications) {
      const read = readStatement(publicationStatement, envelope, floors.coordinatorKey)
      if (!read.ok) continue
      const { plan } = read.value
      // Not the round of the request, which the lines of `log` are of.
      const about = log.child({ of: planName(plan) })
      const verified = journal.findVerified(plan)
      if (verified !== undefined && verified !== statementDigest(envelope)) {
        const reason =
          'The log has another publication of a round than the one that this holder was told of and verified.'
        this.#noteVerdict(plan, statementDigest(envelope), refused('wrong-sum', reason), about)
      }
      const hasContributed = journal.find(plan)?.contributed === true
      if (!hasContributed && this.#hasHashed(read.value)) {
        loseMemory(journal, `it hashed its ciphertext of round ${planName(plan)}, of which it knows nothing`)
      }
      if (verified !== undefined || !hasContributed) continue
      const sent = await this.#sent.find(plan)
      // A holder whose outbox does not have it has its word for it no more.
      if (!sent) journal.noteUnverified(plan)
      else await this.#verify(sent, envelope, about).catch(() => undefined)
    }
  }

  /** Whether a publication has a hash that this holder's key signed. */
  #hasHashed(publication: Publication): boolean {
    const { holder, statementKey } = this.#parts.member
    return publication.hashes.some((claim) => claim.holder === holder && isSignedHash(statementKey, publication, claim))
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
      await this.#checkPublications(plan.job, publications, log)
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

  async #hashPayload(request: Extract<HolderRequest, { kind: 'hash-payload' }>): Promise<Answer> {
    const sent = await this.#sent.find(request.planDigest)
    if (!sent) return refused('ciphertext-not-kept', 'This holder has no ciphertext of this round any more.')
    const hashed = await hashOwnPayload(
      sent,
      request.manifest,
      request.sum,
      this.#verification(),
      this.#parts.keys.statementKey,
    )
    if (!hashed.ok) return hashed
    await this.#sent.noteManifest(request.planDigest, request.manifest)
    return accepted({ kind: 'payload-hash', envelope: hashed.value })
  }

  #verification() {
    const { workers, floors, coordinator } = this.#parts
    return {
      workers,
      coordinatorKey: floors.coordinatorKey,
      fetchOpening: (planDigest: Digest, offset: number) => coordinator.fetchOpening(planDigest, offset),
      fetchArtifact: (digest: Digest) => this.#artifacts.get(digest),
    }
  }

  async #notePublished(
    { planDigest, publication: envelope }: Extract<HolderRequest, { kind: 'published' }>,
    log: Logger,
  ): Promise<Answer> {
    const publication = readStatement(publicationStatement, envelope, this.#parts.floors.coordinatorKey)
    if (!publication.ok) return publication
    if (publication.value.plan !== planDigest) return refused('wrong-round', 'The publication is of another plan.')
    this.#duty.forget(planDigest)
    log.info({ event: 'published', contributors: publication.value.contributors }, 'the round was published')
    const sent = await this.#sent.find(planDigest)
    if (!sent) return accepted({ kind: 'noted' })
    const verified = this.#verify(sent, envelope, log)
    this.#verifying.set(
      sent.plan.job,
      verified.catch(() => undefined),
    )
    return verified.finally(() => this.#verifying.delete(sent.plan.job))
  }

  async #verify(sent: SentContribution, envelope: Envelope, log: Logger): Promise<Answer> {
    const { planDigest } = sent
    try {
      const verdict = await this.#parts.observer.part('verify', () =>
        verifyOwnSum(sent, envelope, this.#verification()),
      )
      return this.#noteVerdict(planDigest, statementDigest(envelope), verdict, log)
    } catch (error) {
      const code = error instanceof SluiceError ? error.code : 'holder-failed'
      log.warn({ event: 'sum-unverified', code, err: error }, 'the sum could not be verified')
      this.#parts.journal.noteUnverified(planDigest)
      throw error
    }
  }

  /** A wrong sum is remembered before anything else of the job is answered. */
  #noteVerdict(planDigest: Digest, publication: Digest, verdict: Verdict<SumVerdict, string>, log: Logger): Answer {
    const { journal, observer } = this.#parts
    observer.sumChecked(verdict.ok ? verdict.value.kind : 'wrong')
    if (!verdict.ok) {
      journal.markWrongSum(planDigest)
      void this.#sent.forget(planDigest)
      log.error({ event: 'wrong-sum', code: verdict.code }, verdict.reason)
      return refused('wrong-sum', verdict.reason)
    }
    if (verdict.value.kind === 'unverified') {
      // Its ciphertext is kept: another publication, or the same with what is missing, may come.
      journal.noteUnverified(planDigest)
      log.warn({ event: 'sum-unverified' }, `the sum could not be verified: ${verdict.value.reason}`)
    } else {
      journal.noteVerified(planDigest, publication)
      void this.#sent.forget(planDigest)
      log.info({ event: 'sum-verified', contributors: verdict.value.contributors }, 'verified the sum')
    }
    return accepted({ kind: 'noted' })
  }
}

function examinePlanOf(envelope: Envelope, member: Member, floors: PlanFloors): Verdict<{ plan: RoundPlan }, string> {
  const examined = examinePlan(envelope, member, floors, new Date())
  return examined.ok ? accepted({ plan: examined.value }) : examined
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
