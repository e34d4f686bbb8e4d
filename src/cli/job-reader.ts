import { type Digest, digestOf } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import { type JobSpecification, jobStatement } from '../learning/job-specification.ts'
import { isJobStep, type JobStep, jobSteps, sameLayout, stepInputs, stepLayout } from '../learning/job-steps.ts'
import { initialModel } from '../learning/round-output.ts'
import type { AuditedJob, JobReader } from '../protocol/audit-plan.ts'
import type { Refusal } from '../protocol/protocol-error.ts'
import type { RoundPlan } from '../protocol/round-plan.ts'
import type { VectorLayout } from '../protocol/segments.ts'
import { readStatement } from '../protocol/statement.ts'
import { accepted, refused, SluiceError, type Verdict } from '../sluice-error.ts'

/** Jobs as an audit of statements needs them: what a holder checks of a plan against its job, for every plan. */
export const jobReader: JobReader = {
  payloadType: jobStatement.payloadType,
  read: readAuditedJob,
}

function readAuditedJob(envelope: Envelope, coordinatorKey: StatementPublicKey): Verdict<AuditedJob, Refusal> {
  const read = readStatement(jobStatement, envelope, coordinatorKey)
  if (!read.ok) return read
  const { specification } = read.value
  const layouts = layoutsOf(specification)
  if (!layouts.ok) return layouts
  const job = statementDigest(envelope)
  let initialDigest: Digest | undefined
  return accepted({
    objectionTo: (plan) => findObjection(plan, specification, layouts.value),
    startsFrom: (name, digest) => {
      if (name !== 'model') return false
      initialDigest ??= digestOf(...initialModel(job, specification))
      return initialDigest === digest
    },
  })
}

type Layouts = Readonly<Record<JobStep, VectorLayout>>

/** The vectors of a job's steps; none when its model does not fit its features, which no coordinator takes in. */
function layoutsOf(specification: JobSpecification): Verdict<Layouts, Refusal> {
  try {
    const layouts = jobSteps.map((step) => [step, stepLayout(specification, step)])
    return accepted(Object.fromEntries(layouts))
  } catch (fault) {
    if (fault instanceof SluiceError) return refused('malformed-statement', `The job is none: ${fault.message}`)
    throw fault
  }
}

function findObjection(plan: RoundPlan, specification: JobSpecification, layouts: Layouts): string | undefined {
  const { step, inputs, cohort, minContributors } = plan
  if (!isJobStep(step)) return 'The plan is of a step that no job has.'
  if (!sameLayout(plan.vector, layouts[step])) {
    return `The plan's vector is not the one of the job's ${step} step.`
  }
  const names = inputs.map(({ name }) => name).sort()
  if (names.join() !== [...stepInputs[step]].sort().join()) {
    return `The ${step} step works from ${stepInputs[step].join(' and ') || 'nothing'}, and not from what the plan says.`
  }
  if (minContributors < specification.protection.minContributors) {
    return `The plan opens over ${minContributors} organisations; the job demands ${specification.protection.minContributors}.`
  }
  const { holders } = specification
  const stranger = holders && cohort.find(({ holder }) => !holders.includes(holder))
  return stranger && `The plan asks ${stranger.holder}, whom the job does not.`
}
