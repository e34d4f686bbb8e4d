import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, type EnvelopeSignature, statementDigest } from '../../src/crypto/envelope.ts'
import { type JobSpecification, jobStatement } from '../../src/learning/job-specification.ts'
import { isJobStep, type JobStep, sameLayout, stepInputs, stepLayout } from '../../src/learning/job-steps.ts'
import { initialModel } from '../../src/learning/round-output.ts'
import type { Checkpoint } from '../../src/log/checkpoint.ts'
import type { NoteKey } from '../../src/log/note-key.ts'
import type { HolderRequest } from '../../src/protocol/holder-messages.ts'
import { examinePlan, type PlanFloors } from '../../src/protocol/plan-policy.ts'
import { publicationStatement } from '../../src/protocol/publication.ts'
import { checkLogged, openRoundCheckpoint, readRoundLog } from '../../src/protocol/round-log.ts'
import { type Member, type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { readStatement } from '../../src/protocol/statement.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import type { Dataset } from './datasets.ts'
import { type HolderPolicy, notOffered } from './holder-policy.ts'
import type { Followed, LogFollower } from './log-follower.ts'

export type ContributeRequest = Extract<HolderRequest, { kind: 'contribute' }>

/** Who belongs to the venue, as this holder has verified it (`HolderRegistry`). */
export interface MemberSource {
  membersAt(head: Digest): Promise<Verdict<ReadonlyMap<string, Member>, string>>
  endorse(statement: Envelope): Promise<Verdict<EnvelopeSignature, string>>
}

/** What a request for a contribution is held against. */
export interface ExaminationParts {
  readonly member: Member
  readonly floors: Omit<PlanFloors, 'acceptedMembers'>
  readonly members: MemberSource
  /** The venue's log: its origin and key. */
  readonly logKey: NoteKey
  readonly policy: HolderPolicy
  readonly datasets: ReadonlyMap<string, Dataset>
}

/** The job of an accepted plan, and what is computed for it. */
export interface ExaminedJob {
  readonly specification: JobSpecification
  readonly step: JobStep
  readonly dataset: Dataset
}

/** The plan, against this holder's policy and the members that it knows. */
export async function examineRequestedPlan(
  { plan: envelope }: ContributeRequest,
  { member, floors, members, policy }: ExaminationParts,
): Promise<Verdict<{ plan: RoundPlan }, string>> {
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
export function checkPlanLogged(
  plan: RoundPlan,
  { plan: envelope, checkpoint, range }: ContributeRequest,
  { logKey, floors }: ExaminationParts,
  follower: LogFollower,
): Verdict<Followed, string> {
  const cosigned = openRoundCheckpoint(checkpoint.note, plan, logKey)
  if (!cosigned.ok) return cosigned
  const followed = follower.follow(checkpoint, new Date())
  if (!followed.ok || followed.value.kind === 'known-size') return followed
  const log = readRoundLog(plan, envelope, range, cosigned.value, floors.coordinatorKey)
  if (!log.ok) return log
  return log.value.abandoned ? refused('round-abandoned', 'The log says that the round was abandoned.') : followed
}

/** The job that the plan names, if it is in the log, and its step, its layout and its inputs are what the plan says. */
export function examineRequestedJob(
  plan: RoundPlan,
  { job: logged, publications }: ContributeRequest,
  checkpoint: Checkpoint,
  { floors, datasets }: Pick<ExaminationParts, 'floors' | 'datasets'>,
): Verdict<ExaminedJob, string> {
  const read = readStatement(jobStatement, logged.envelope, floors.coordinatorKey)
  if (!read.ok) return read
  if (statementDigest(logged.envelope) !== plan.job) return refused('job-mismatch', 'The plan belongs to another job.')
  const inLog = checkLogged(logged, checkpoint)
  if (!inLog.ok) return inLog
  const { specification } = read.value
  const { step } = plan
  if (!isJobStep(step)) return refused('step-not-allowed', `This holder knows no step "${step}".`)
  if (!sameLayout(plan.vector, stepLayout(specification, step))) {
    return refused('layout-mismatch', `The plan's vector is not the one of the job's ${step} step.`)
  }
  const inputs = examineInputs(plan, specification, step, publications, checkpoint, floors)
  if (!inputs.ok) return inputs
  const dataset = datasets.get(specification.dataset)
  if (!dataset) return { ok: false, ...notOffered(specification.dataset) }
  return accepted({ specification, step, dataset })
}

/** Every input is the output of a round of this job that the log has, or the model that the job's seed gives. */
function examineInputs(
  plan: RoundPlan,
  specification: JobSpecification,
  step: JobStep,
  publications: ContributeRequest['publications'],
  checkpoint: Checkpoint,
  { coordinatorKey }: ExaminationParts['floors'],
): Verdict<true, string> {
  const names = plan.inputs.map(({ name }) => name).sort()
  if (names.join() !== [...stepInputs[step]].sort().join()) {
    return refused('input-mismatch', `The ${step} step works from ${stepInputs[step].join(' and ') || 'nothing'}.`)
  }
  for (const { name, digest } of plan.inputs) {
    const isPublished = publications.some((logged) => {
      const read = readStatement(publicationStatement, logged.envelope, coordinatorKey)
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

function examinePlanOf(envelope: Envelope, member: Member, floors: PlanFloors): Verdict<{ plan: RoundPlan }, string> {
  const examined = examinePlan(envelope, member, floors, new Date())
  return examined.ok ? accepted({ plan: examined.value }) : examined
}
