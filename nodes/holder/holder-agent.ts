import type { Logger } from 'pino'
import type { Digest } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { PayloadWorkers } from '../../src/crypto/payload-workers.ts'
import type { Randomness } from '../../src/crypto/randomness.ts'
import { type JobSpecification, jobStatement } from '../../src/learning/job-specification.ts'
import { isJobStep, type JobStep, sameLayout, stepInputs, stepLayout } from '../../src/learning/job-steps.ts'
import type { Trainer } from '../../src/learning/trainer.ts'
import {
  answerCertificate,
  endorseManifest,
  type MemberKeys,
  type MemberRound,
} from '../../src/protocol/committee-member.ts'
import type { PayloadReference } from '../../src/protocol/contribution.ts'
import { signContribution } from '../../src/protocol/contributor.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { examinePlan, type PlanFloors } from '../../src/protocol/plan-policy.ts'
import { publicationStatement } from '../../src/protocol/publication.ts'
import { type Member, type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { parseStatement, readStatement } from '../../src/protocol/statement.ts'
import { accepted, refused, SluiceError, type Verdict } from '../../src/sluice-error.ts'
import { JobWorkspace } from './compute-step.ts'
import type { Dataset } from './datasets.ts'
import { HolderError } from './holder-error.ts'
import { findPolicyObjection, type HolderPolicy, notOffered } from './holder-policy.ts'
import type { HolderJournal } from './journal.ts'
import { UpdateProtection } from './protect-update.ts'

/** The coordinator as a holder uses it, beyond the requests that come down the stream. */
export interface CoordinatorAccess {
  upload(planDigest: Digest, chunks: AsyncIterable<Uint8Array>): Promise<PayloadReference>
  fetchArtifact(digest: Digest): Promise<Uint8Array>
  fetchContributions(planDigest: Digest, most: number): Promise<Envelope[]>
}

export interface HolderParts {
  readonly keys: MemberKeys
  readonly member: Member
  readonly floors: PlanFloors
  readonly policy: HolderPolicy
  readonly datasets: ReadonlyMap<string, Dataset>
  readonly trainer: Trainer
  readonly workers: PayloadWorkers
  readonly journal: HolderJournal
  readonly coordinator: CoordinatorAccess
  readonly randomness: Randomness
  readonly log: Logger
}

type Answer = Verdict<HolderReply, string>

/** Contributions kept for a repeated request; rounds that were abandoned leave theirs behind. */
const ANSWERS_KEPT = 8
/** Artifacts kept in memory: the statistics and the latest models. */
const ARTIFACTS_KEPT = 4

/**
 * A data holder's node: examines every plan against its own policy, computes and protects its contribution, and does its
 * duty on the committee. Refusals name a code to the coordinator; what could speak of the data stays in the node's log.
 */
export class HolderAgent {
  readonly #parts: HolderParts
  #workspace: JobWorkspace | undefined
  readonly #artifacts = new Map<Digest, Promise<Uint8Array>>()
  /** Contributions made in this life of the process, for the case that a reply was lost on the way. */
  readonly #sent = new Map<Digest, Promise<Answer>>()
  /** Contributions of sealed rounds, fetched to endorse and needed again to answer. */
  readonly #contributions = new Map<Digest, Envelope[]>()

  constructor(parts: HolderParts) {
    this.#parts = parts
  }

  /** Answers one request of the coordinator. Never rejects. */
  async handle(request: HolderRequest): Promise<Answer> {
    const planDigest = request.kind === 'contribute' ? statementDigest(request.plan) : request.planDigest
    const log = this.#parts.log.child({ plan: planDigest.slice(0, 16), request: request.kind })
    const answer = await this.#dispatch(request, planDigest, log).catch((error: unknown) => failure(error, log))
    if (!answer.ok) log.warn({ code: answer.code }, answer.reason)
    return answer
  }

  #dispatch(request: HolderRequest, planDigest: Digest, log: Logger): Promise<Answer> {
    switch (request.kind) {
      case 'contribute':
        return this.#contributeOnce(planDigest, request, log)
      case 'endorse':
        return this.#endorse(planDigest, request.manifest)
      case 'answer':
        return this.#answer(planDigest, request.certificate)
      case 'published':
        return this.#notePublished(planDigest, request.publication, log)
    }
  }

  /** The same request again, while the first is worked on or after its reply was lost, gets the same reply. */
  #contributeOnce(planDigest: Digest, request: Extract<HolderRequest, { kind: 'contribute' }>, log: Logger) {
    const earlier = this.#sent.get(planDigest)
    if (earlier) return earlier
    const answer = this.#contribute(planDigest, request, log)
    this.#sent.set(planDigest, answer)
    for (const oldest of [...this.#sent.keys()].slice(0, -ANSWERS_KEPT)) this.#sent.delete(oldest)
    const forget = () => this.#sent.delete(planDigest)
    answer.then((verdict) => verdict.ok || forget(), forget)
    return answer
  }

  async #contribute(
    planDigest: Digest,
    request: Extract<HolderRequest, { kind: 'contribute' }>,
    log: Logger,
  ): Promise<Answer> {
    const { member, floors, journal } = this.#parts
    const examined = examinePlan(request.plan, member, floors, new Date())
    if (!examined.ok) return examined
    const plan = examined.value
    const job = this.#examineJob(plan, request.job)
    if (!job.ok) return job
    const { specification, step, dataset } = job.value
    const objection = this.#findObjection(specification.dataset, step)
    if (objection) return refused(objection.code, objection.reason)
    journal.accept(planDigest, request.plan, specification.dataset)
    if (journal.find(planDigest)?.contributed) {
      return refused('already-contributed', 'A contribution of this holder to this plan has left before a restart.')
    }
    const workspace = this.#openWorkspace(plan.job, specification, dataset)
    const claim = () => this.#claimContribution(planDigest, specification.dataset, step)
    return this.#makeContribution(plan, planDigest, step, workspace, claim, log)
  }

  #findObjection(dataset: string, step: JobStep) {
    const uses = this.#parts.journal.countContributions(dataset)
    return findPolicyObjection(this.#parts.policy, dataset, step, uses)
  }

  /**
   * The last word before anything protected leaves; durable when it is accepted. Policy and claim in one turn of the event
   * loop: of many plans that come at once, no more than the policy's number get past the count.
   */
  #claimContribution(planDigest: Digest, dataset: string, step: JobStep): Verdict<true, string> {
    const objection = this.#findObjection(dataset, step)
    if (objection) return refused(objection.code, objection.reason)
    return this.#parts.journal.claimContribution(planDigest)
      ? accepted(true)
      : refused('already-contributed', 'A contribution of this holder to this plan has left before.')
  }

  /** The job that the plan names, if its step, its layout and its inputs are what the plan says. */
  #examineJob(
    plan: RoundPlan,
    envelope: Envelope,
  ): Verdict<{ specification: JobSpecification; step: JobStep; dataset: Dataset }, string> {
    const read = readStatement(jobStatement, envelope, this.#parts.floors.coordinatorKey)
    if (!read.ok) return read
    if (statementDigest(envelope) !== plan.job) return refused('job-mismatch', 'The plan belongs to another job.')
    const { specification } = read.value
    const { step } = plan
    if (!isJobStep(step)) return refused('step-not-allowed', `This holder knows no step "${step}".`)
    if (!sameLayout(plan.vector, stepLayout(specification, step))) {
      return refused('layout-mismatch', `The plan's vector is not the one of the job's ${step} step.`)
    }
    const names = plan.inputs.map(({ name }) => name).sort()
    if (names.join() !== [...stepInputs[step]].sort().join()) {
      return refused('input-mismatch', `The ${step} step works from ${stepInputs[step].join(' and ') || 'nothing'}.`)
    }
    const dataset = this.#parts.datasets.get(specification.dataset)
    if (!dataset) return { ok: false, ...notOffered(specification.dataset) }
    return accepted({ specification, step, dataset })
  }

  #openWorkspace(job: Digest, specification: JobSpecification, dataset: Dataset): JobWorkspace {
    if (this.#workspace?.job !== job) {
      const { trainer, log } = this.#parts
      const warn = (warning: string) => log.warn({ event: 'operator-warning', job }, warning)
      this.#workspace = new JobWorkspace(job, specification, dataset, trainer, warn)
    }
    return this.#workspace
  }

  /** Computes, protects, uploads and signs; pads are made while the update is computed. */
  async #makeContribution(
    plan: RoundPlan,
    planDigest: Digest,
    step: JobStep,
    workspace: JobWorkspace,
    claim: () => Verdict<true, string>,
    log: Logger,
  ): Promise<Answer> {
    const { workers, randomness, coordinator, keys, member } = this.#parts
    const started = performance.now()
    const protection = new UpdateProtection(plan, planDigest, workers, randomness)
    try {
      const inputs = new Map(plan.inputs.map(({ name, digest }) => [name, digest]))
      const fetch = (digest: Digest) => this.#fetchArtifact(digest)
      const values = await workspace.compute(step, plan.round, inputs, fetch, member.holder)
      const computed = performance.now()
      // Durable before the first byte leaves: a restarted node contributes no second time.
      const claimed = claim()
      if (!claimed.ok) return claimed
      const payload = await coordinator.upload(planDigest, protection.chunks(values))
      const uploaded = performance.now()
      const { coefficients } = protection.key
      const envelope = await signContribution(
        plan,
        planDigest,
        member.holder,
        coefficients,
        payload,
        keys.statementKey,
        randomness,
      )
      const shareMs = performance.now() - uploaded
      const { protectMs } = protection
      log.info(
        {
          event: 'contributed',
          job: plan.job,
          step,
          round: plan.round,
          computeMs: computed - started,
          protectMs: protectMs + shareMs,
          transportMs: uploaded - computed - protectMs,
          ciphertextBytes: payload.bytes,
          statementBytes: envelope.payload.length,
        },
        `contributed to round ${plan.round} (${step})`,
      )
      return accepted({ kind: 'contribution', envelope })
    } finally {
      await protection.end()
    }
  }

  #fetchArtifact(digest: Digest): Promise<Uint8Array> {
    const known = this.#artifacts.get(digest)
    if (known) return known
    const fetched = this.#parts.coordinator.fetchArtifact(digest)
    this.#artifacts.set(digest, fetched)
    fetched.catch(() => this.#artifacts.delete(digest))
    for (const oldest of [...this.#artifacts.keys()].slice(0, -ARTIFACTS_KEPT)) this.#artifacts.delete(oldest)
    return fetched
  }

  async #endorse(planDigest: Digest, manifest: Envelope): Promise<Answer> {
    const { floors, keys, journal } = this.#parts
    const round = this.#memberRound(planDigest)
    const contributions = await this.#fetchContributions(round)
    const endorsed = endorseManifest(round, manifest, contributions, floors.coordinatorKey, keys)
    if (!endorsed.ok) return endorsed
    // Durable before the signature leaves; and the claim decides when two requests race.
    if (!journal.claimManifest(planDigest, endorsed.value.round.endorsedManifest!)) return otherManifest()
    return accepted({ kind: 'endorsement', signature: endorsed.value.signature })
  }

  async #answer(planDigest: Digest, certificate: Envelope): Promise<Answer> {
    const { floors, keys, journal } = this.#parts
    const round = this.#memberRound(planDigest)
    const contributions = await this.#fetchContributions(round)
    const answered = await answerCertificate(round, certificate, contributions, floors.coordinatorKey, keys)
    if (!answered.ok) return answered
    if (!journal.claimManifest(planDigest, answered.value.round.endorsedManifest!)) return otherManifest()
    return accepted({ kind: 'share-sum', envelope: answered.value.answer })
  }

  /** What this member durably knows of a round. @throws HolderError `plan-unknown` for a plan it has not accepted. */
  #memberRound(planDigest: Digest): MemberRound {
    const known = this.#parts.journal.find(planDigest)
    const plan = known && parseStatement(roundPlanStatement, known.plan)
    if (!plan?.ok)
      throw new HolderError('plan-unknown', 'This holder has accepted no such plan: it does no duty for it.')
    return { plan: plan.value, planDigest, endorsedManifest: known!.endorsedManifest }
  }

  async #fetchContributions({ plan, planDigest }: MemberRound): Promise<Envelope[]> {
    const known = this.#contributions.get(planDigest)
    if (known) return known
    const fetched = await this.#parts.coordinator.fetchContributions(planDigest, plan.cohort.length)
    this.#contributions.clear()
    this.#contributions.set(planDigest, fetched)
    return fetched
  }

  async #notePublished(planDigest: Digest, envelope: Envelope, log: Logger): Promise<Answer> {
    const publication = readStatement(publicationStatement, envelope, this.#parts.floors.coordinatorKey)
    if (!publication.ok) return publication
    if (publication.value.plan !== planDigest) return refused('wrong-round', 'The publication is of another plan.')
    this.#contributions.delete(planDigest)
    this.#sent.delete(planDigest)
    log.info({ event: 'published', contributors: publication.value.contributors }, 'the round was published')
    return accepted({ kind: 'noted' })
  }
}

function otherManifest(): Answer {
  return refused('other-manifest-endorsed', 'This member has already endorsed another manifest of this round.')
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
