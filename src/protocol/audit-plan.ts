import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import type { Verdict } from '../sluice-error.ts'
import type { Objection } from './audit-findings.ts'
import type { LogPast } from './audit-past.ts'
import type { RegistryHistory } from './audit-registry.ts'
import type { Refusal } from './protocol-error.ts'
import { publicationStatement } from './publication.ts'
import { membershipStatement, revocationStatement } from './registry-statements.ts'
import type { Member, RoundPlan } from './round-plan.ts'

/** What an audit has to know of a job. */
export interface AuditedJob {
  /** Why a plan is none of this job: its step, its vector, whom it asks. */
  objectionTo(plan: RoundPlan): string | undefined
  /** Whether an input is one that every holder computes from the job alone, and no output of a round. */
  startsFrom(name: string, digest: Digest): boolean
}

/** Reads jobs, which this folder knows nothing of. */
export interface JobReader {
  readonly payloadType: string
  read(envelope: Envelope, coordinatorKey: StatementPublicKey): Verdict<AuditedJob, Refusal>
}

/** A job, and what its rounds have come to so far. */
export interface JobHistory {
  readonly job: AuditedJob
  /** Outputs of logged publications: name, space, digest. */
  readonly outputs: Set<string>
}

/** The plan is what its job asks, over inputs that the log knows. */
export function checkJob(plan: RoundPlan, { job, outputs }: JobHistory): Objection[] {
  const objections: Objection[] = []
  const objection = job.objectionTo(plan)
  if (objection) objections.push({ code: 'job-mismatch', reason: objection })
  for (const { name, digest } of plan.inputs) {
    if (outputs.has(`${name} ${digest}`) || job.startsFrom(name, digest)) continue
    const reason = `The plan works from a ${name} that no published round of its job came to.`
    objections.push({ code: 'input-not-published', reason, restsOn: [publicationStatement] })
  }
  return objections
}

/** The cohort are members, under these keys, by the registry that the plan names. */
export function checkMembers(plan: RoundPlan, history: RegistryHistory): Objection[] {
  const restsOn = [membershipStatement, revocationStatement]
  if (!history.knows(plan.registry)) {
    const reason = 'The plan names a state of the registry that the log never had before.'
    return [{ code: 'registry-not-logged', reason, restsOn }]
  }
  const { members } = history.registry
  return plan.cohort.flatMap((member): Objection[] => {
    const { holder } = member
    const then = history.memberAt(holder, plan.registry)
    if (!then || !isSameMember(then, member)) {
      const reason = `The cohort has ${holder}, who is no member of the venue under this organisation and these keys.`
      return [{ code: 'not-a-member', reason, holder, restsOn }]
    }
    const now = members.get(holder)
    if (now && isSameMember(now, member)) return []
    // A statement of the registry may come between gathering a cohort and logging its plan.
    const reason = `The cohort has ${holder}, whose membership under these keys had just ended.`
    return [{ code: 'member-has-left', reason, holder, severity: 'remark' }]
  })
}

/** The plan was made after a tree that this log has been: from there members read the log, and miss nothing of the round. */
export function checkPlace({ after }: RoundPlan, past: LogPast): Objection[] {
  if (past.had(after)) return []
  const reason = `The plan names a tree of ${after.size} entries that the log never was before it.`
  return [{ code: 'head-not-logged', reason }]
}

/** Whether two entries name one holder under one organisation and the same keys. */
export function isSameMember(a: Member, b: Member): boolean {
  return (
    a.holder === b.holder &&
    a.organisation === b.organisation &&
    a.statementKey === b.statementKey &&
    a.boxKey === b.boxKey
  )
}
