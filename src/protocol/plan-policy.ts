import type { Envelope } from '../crypto/envelope.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Refusal } from './protocol-error.ts'
import { checkPlanConsistency, findMember, type Member, type RoundPlan, roundPlanStatement } from './round-plan.ts'
import { readStatement } from './statement.ts'

/**
 * What a holder's own policy demands of every plan, whoever sends it. It lives in a file at the holder; nothing in the
 * protocol can lower it.
 */
export interface PlanFloors {
  /** The only coordinator whose plans are read. */
  readonly coordinatorKey: StatementPublicKey
  /** At least 2; the default of the policy file is 3. */
  readonly minContributors: number
  /** Smallest accepted t. */
  readonly threshold: number
  /** Smallest accepted f. */
  readonly tolerates: number
  /** Finest accepted quantisation: more bits say more about a small sum. */
  readonly maxPrecisionBits: number
  /** Members whose company this holder accepts, with the keys it knows them by. */
  readonly acceptedMembers: ReadonlyMap<string, Member>
}

/**
 * The plan in this envelope, if this holder would take part in it: signed by its coordinator, possible, not late, at or
 * above the floors, with itself and only accepted members in the cohort, under the keys it knows them by.
 *
 * A member under another key is refused as well as a stranger: with a swapped box key a coordinator would read the
 * shares it forwards (protocol §5.13).
 */
export function examinePlan(
  envelope: Envelope,
  self: Member,
  floors: PlanFloors,
  now: Date,
): Verdict<RoundPlan, Refusal> {
  const read = readStatement(roundPlanStatement, envelope, floors.coordinatorKey)
  if (!read.ok) {
    return read.code === 'bad-signature'
      ? refused('unknown-coordinator', 'The plan is not of this holder’s coordinator.')
      : read
  }
  const consistent = checkPlanConsistency(read.value)
  if (!consistent.ok) return consistent
  const plan = consistent.value
  if (now.getTime() > Date.parse(plan.collectUntil)) {
    return refused('deadline-passed', `The round closed at ${plan.collectUntil}; it is ${now.toISOString()}.`)
  }
  const lowered = findLoweredFloor(plan, floors)
  if (lowered) return refused('below-policy-floor', lowered)
  return examineCohort(plan, self, floors)
}

function findLoweredFloor(plan: RoundPlan, floors: PlanFloors): string | undefined {
  const { committee, minContributors, vector } = plan
  if (minContributors < floors.minContributors) {
    return `The plan opens over ${minContributors} contributors; this holder's policy demands ${floors.minContributors}.`
  }
  if (committee.threshold < floors.threshold) {
    return `The plan opens with ${committee.threshold} members; this holder's policy demands ${floors.threshold}.`
  }
  if (committee.tolerates < floors.tolerates) {
    return `The plan tolerates ${committee.tolerates} colluding members; this holder's policy demands ${floors.tolerates}.`
  }
  if (vector.precisionBits > floors.maxPrecisionBits) {
    return `The plan takes ${vector.precisionBits} bits a value; this holder's policy allows ${floors.maxPrecisionBits}.`
  }
  return undefined
}

function examineCohort(plan: RoundPlan, self: Member, floors: PlanFloors): Verdict<RoundPlan, Refusal> {
  const seat = findMember(plan, self.holder)
  if (!seat || !sameMember(seat, self)) {
    return refused('not-in-cohort', `The plan does not name ${self.holder} under its own keys.`)
  }
  for (const member of plan.cohort) {
    const known = member.holder === self.holder ? self : floors.acceptedMembers.get(member.holder)
    if (!known)
      return refused('unaccepted-member', `This holder's policy does not accept ${member.holder} as a co-member.`)
    if (!sameMember(known, member)) {
      return refused('unaccepted-member', `The plan names ${member.holder} under other keys than this holder knows.`)
    }
  }
  return accepted(plan)
}

function sameMember(a: Member, b: Member): boolean {
  return (
    a.holder === b.holder &&
    a.organisation === b.organisation &&
    a.statementKey === b.statementKey &&
    a.boxKey === b.boxKey
  )
}
