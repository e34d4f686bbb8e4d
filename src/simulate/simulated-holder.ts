import { type Digest, fromHex } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import { drawOneTimeKey } from '../crypto/one-time-key.ts'
import type { PayloadParameters } from '../crypto/payload-parameters.ts'
import type { PayloadWorkers } from '../crypto/payload-workers.ts'
import { systemRandomness } from '../crypto/randomness.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import type { NoteKey } from '../log/note-key.ts'
import { checkAbandonment } from '../protocol/abandonment.ts'
import type { Candidate } from '../protocol/candidates.ts'
import type { MemberKeys } from '../protocol/committee-member.ts'
import type { PayloadReference } from '../protocol/contribution.ts'
import { signContribution } from '../protocol/contributor.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import { signPayloadHash } from '../protocol/payload-hashing.ts'
import { examinePlan, type PlanFloors } from '../protocol/plan-policy.ts'
import { publicationStatement } from '../protocol/publication.ts'
import { questionOf } from '../protocol/question.ts'
import { checkLogged } from '../protocol/round-log.ts'
import { type Member, planParameters, type RoundPlan, roundPlanStatement } from '../protocol/round-plan.ts'
import { parseStatement, readStatement } from '../protocol/statement.ts'
import { type FetchOpening, verifySum } from '../protocol/sum-verification.ts'
import { accepted, refused, SluiceError, type Verdict } from '../sluice-error.ts'
import { type Dealt, SimulatedMember } from './simulated-member.ts'
import { SimulatedWitness } from './simulated-witness.ts'
import {
  nameReading,
  SIMULATION_STEP,
  type Simulation,
  SUM_NAME,
  simulationLayout,
  simulationStatement,
} from './simulation.ts'
import { syntheticLanes } from './synthetic-update.ts'

/** The coordinator as a simulated holder reaches it, beyond the requests that come to it. */
export interface CoordinatorAccess {
  /** Takes the chunks one by one, in order. @returns what arrived, as the receiver measured it */
  upload(planDigest: Digest, holder: string, chunks: AsyncIterable<Uint8Array>): Promise<PayloadReference>
  /** The ciphertext that this holder uploaded, where a real holder looks into its own memory. */
  ownChunks(planDigest: Digest, holder: string, parameters: PayloadParameters): AsyncIterable<Uint8Array>
  fetchContributions(planDigest: Digest, member: string): readonly Envelope[]
  /** What a published round was opened from, as the wire of a venue gives it to this holder. */
  fetchOpening(holder: string): FetchOpening
}

/** What all simulated holders of a federation share. */
export interface Surroundings {
  readonly coordinatorKey: StatementPublicKey
  readonly log: NoteKey
  /** The registry that holders take members from, and its head: given here, verified statement by statement in a venue. */
  readonly registry: Digest
  readonly members: ReadonlyMap<string, Member>
  readonly floors: Omit<PlanFloors, 'coordinatorKey' | 'acceptedMembers'>
  readonly workers: PayloadWorkers
  readonly coordinator: CoordinatorAccess
}

type Answer = Verdict<HolderReply, string>
type ContributeRequest = Extract<HolderRequest, { kind: 'contribute' }>

/** What a holder keeps of its latest contribution. A thousand parsed plans would be 400 MB, so the plan is not among it. */
interface Sent extends Dealt {
  readonly question: Digest
  readonly parameters: PayloadParameters
  readonly entry: Candidate
  /** For which it hashed its ciphertext. */
  manifest?: Envelope
}

/**
 * One simulated data holder: every rule of the protocol that a holder node keeps, on real ciphertexts and real keys, and an
 * update that is drawn from the simulation's seed instead of trained. What a node keeps in its journal is in memory, the
 * latest round's alone: a simulation is not restarted.
 */
export class SimulatedHolder {
  readonly #member: Member
  readonly #keys: MemberKeys
  readonly #around: Surroundings
  readonly #witness: SimulatedWitness
  readonly #duty: SimulatedMember
  /** Questions answered in rounds that may have been opened. */
  readonly #answered = new Set<Digest>()
  #sent: Sent | undefined

  constructor(member: Member, keys: MemberKeys, around: Surroundings) {
    this.#member = member
    this.#keys = keys
    this.#around = around
    this.#witness = new SimulatedWitness(around.log, member, keys)
    this.#duty = new SimulatedMember({
      keys,
      coordinatorKey: around.coordinatorKey,
      witness: this.#witness,
      fetchContributions: (planDigest) => around.coordinator.fetchContributions(planDigest, member.holder),
    })
  }

  /** Answers one request. What the coordinator's side refuses it is a refusal, as in a node; a fault of ours ends the simulation. */
  async handle(request: HolderRequest): Promise<Answer> {
    try {
      return await this.#dispatch(request)
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      return refused(error.code, error.message)
    }
  }

  async #dispatch(request: HolderRequest): Promise<Answer> {
    switch (request.kind) {
      case 'contribute':
        return this.#contribute(request)
      case 'cosign': {
        const followed = this.#witness.follow(request.checkpoint)
        if (!followed.ok || followed.value.kind === 'known-size') return followed as Answer
        return accepted({ kind: 'cosignature', line: followed.value.cosignature })
      }
      case 'check-shares':
        return this.#duty.checkShares(request)
      case 'explain-shares':
        return this.#duty.explainShares(request, this.#sent)
      case 'endorse':
        return this.#duty.endorse(request)
      case 'answer':
        return this.#duty.answer(request)
      case 'hash-payload':
        return this.#hashPayload(request)
      case 'abandon':
        return this.#duty.abandon(request)
      case 'published':
        return this.#verify(request)
      case 'admit':
        return refused('not-admitted', 'The members of a simulation are given: nobody is admitted.')
    }
  }

  /** Lets go of what a round left in memory. */
  forget(planDigest: Digest): Promise<void> {
    if (this.#sent?.planDigest === planDigest) this.#forgetShares()
    return this.#duty.forget(planDigest)
  }

  #forgetShares(): void {
    if (!this.#sent) return
    for (const share of this.#sent.shares) share.fill(0)
    this.#sent.shares = []
  }

  async #contribute(request: ContributeRequest): Promise<Answer> {
    const { coordinatorKey, floors, members, registry } = this.#around
    const planFloors = { ...floors, coordinatorKey, acceptedMembers: members }
    const examined = examinePlan(request.plan, this.#member, planFloors, new Date())
    if (!examined.ok) return examined
    const plan = examined.value
    if (plan.registry !== registry) return refused('unaccepted-member', 'The plan rests on another registry.')
    const log = this.#witness.readLog(plan, request.plan, request, coordinatorKey)
    if (!log.ok) return log
    if (log.value.kind === 'known-size') return accepted(log.value)
    if (log.value.roundLog.abandoned) return refused('round-abandoned', 'The log says that the round was abandoned.')
    const simulation = this.#examineJob(plan, request, log.value.checkpoint)
    if (!simulation.ok) return simulation
    const planDigest = statementDigest(request.plan)
    if (this.#duty.hasAbandoned(planDigest)) {
      return refused('round-abandoned', 'This holder has given the round up, for good.')
    }
    const claimed = this.#claimQuestion(questionOf(plan), request.abandonments)
    if (!claimed.ok) return claimed
    this.#duty.accept(plan, planDigest, request.plan)
    return this.#protect(plan, planDigest, request.plan, simulation.value)
  }

  /** The plan's job is in the log, its vector is the job's, and its input is what a logged round of the job came to. */
  #examineJob(
    plan: RoundPlan,
    { job, publications }: ContributeRequest,
    checkpoint: Checkpoint,
  ): Verdict<Simulation, string> {
    const { coordinatorKey } = this.#around
    const read = readStatement(simulationStatement, job.envelope, coordinatorKey)
    if (!read.ok) return read
    if (statementDigest(job.envelope) !== plan.job) return refused('job-mismatch', 'The plan belongs to another job.')
    const inLog = checkLogged(job, checkpoint)
    if (!inLog.ok) return inLog
    if (plan.step !== SIMULATION_STEP) return refused('step-not-allowed', `This holder knows no step "${plan.step}".`)
    if (JSON.stringify(plan.vector) !== JSON.stringify(simulationLayout(read.value))) {
      return refused('layout-mismatch', 'The plan’s vector is not the one of the simulation.')
    }
    const unknown = plan.inputs.find(({ name, digest }) => {
      const isPublished = publications.some((logged) => {
        const publication = readStatement(publicationStatement, logged.envelope, coordinatorKey)
        if (!publication.ok || publication.value.job !== plan.job) return false
        return publication.value.output.digest === digest && checkLogged(logged, checkpoint).ok
      })
      return name !== SUM_NAME || !isPublished
    })
    return unknown
      ? refused('input-not-published', `The plan's ${unknown.name} is not what a logged round of this job came to.`)
      : read
  }

  /** One question, one answer, unless t members gave up the round that has the earlier one. */
  #claimQuestion(question: Digest, abandonments: readonly Envelope[]): Verdict<true, string> {
    const earlier = this.#sent
    if (earlier?.question === question && this.#answered.has(question)) {
      const plan = parseStatement(roundPlanStatement, earlier.planEnvelope)
      const isDead = plan.ok && abandonments.some((proof) => checkAbandonment(plan.value, earlier.planDigest, proof).ok)
      if (isDead) this.#answered.delete(question)
    }
    if (this.#answered.has(question)) {
      return refused('question-answered', 'This holder has answered this question in another round.')
    }
    this.#answered.add(question)
    return accepted(true)
  }

  async #protect(plan: RoundPlan, planDigest: Digest, planEnvelope: Envelope, simulation: Simulation): Promise<Answer> {
    const { workers, coordinator } = this.#around
    const { holder } = this.#member
    const parameters = planParameters(plan)
    const lanes = syntheticLanes(simulation, holder, plan.round)
    const key = drawOneTimeKey(systemRandomness)
    const vector = workers.beginProtection({ parameters, planDigest: fromHex(planDigest), key })
    try {
      const payload = await coordinator.upload(planDigest, holder, vector.protect(lanes))
      const { statementKey } = this.#keys
      const signed = await signContribution(
        plan,
        planDigest,
        holder,
        key.coefficients,
        payload,
        statementKey,
        systemRandomness,
      )
      const entry = { holder, contribution: statementDigest(signed.envelope), payload: payload.digest }
      this.#forgetShares()
      const { shares } = signed
      this.#sent = { planDigest, planEnvelope, question: questionOf(plan), parameters, entry, shares }
      return accepted({ kind: 'contribution', envelope: signed.envelope })
    } finally {
      key.dispose()
      await vector.end()
    }
  }

  /** This contributor's signed hash of its ciphertext, for the manifest that names it (protocol §4.7). */
  async #hashPayload({
    planDigest,
    manifest: envelope,
    sum,
  }: Extract<HolderRequest, { kind: 'hash-payload' }>): Promise<Answer> {
    const sent = this.#sent
    if (sent?.planDigest !== planDigest) return refused('ciphertext-not-kept', 'This holder sent nothing to this plan.')
    const { coordinatorKey, workers, coordinator } = this.#around
    const chunks = coordinator.ownChunks(planDigest, this.#member.holder, sent.parameters)
    const about = { manifest: envelope, sum }
    const hashed = await signPayloadHash(sent, chunks, about, coordinatorKey, workers, this.#keys.statementKey)
    if (!hashed.ok) return hashed
    sent.manifest = envelope
    return accepted({ kind: 'payload-hash', envelope: hashed.value })
  }

  async #verify({ planDigest, publication }: Extract<HolderRequest, { kind: 'published' }>): Promise<Answer> {
    const sent = this.#sent
    if (sent?.planDigest !== planDigest || !sent.manifest) return accepted({ kind: 'noted' })
    const plan = parseStatement(roundPlanStatement, sent.planEnvelope)
    if (!plan.ok) return plan
    const { coordinatorKey, workers, coordinator } = this.#around
    const fetchOpening = coordinator.fetchOpening(this.#member.holder)
    const own = { plan: plan.value, planDigest, manifest: sent.manifest }
    const verdict = await verifySum(own, publication, { workers, coordinatorKey, fetchOpening }, nameReading)
    if (!verdict.ok) return verdict
    return verdict.value.kind === 'verified'
      ? accepted({ kind: 'noted' })
      : refused('sum-unverified', verdict.value.reason)
  }
}
