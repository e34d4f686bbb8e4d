import { z } from 'zod'
import { KEY_ADDITIVE_RLWE } from '../crypto/key-additive-scheme.ts'
import { payloadParameters } from '../crypto/payload-parameters.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { committeeSeed, drawCommittee, toleratedMembers } from './committee.ts'
import { listField } from './list-field.ts'
import type { Refusal } from './protocol-error.ts'
import { endsInCheck, hasUsableStep, vectorLength, vectorSchema } from './segments.ts'
import {
  COHORT_MAX,
  COMMITTEE_MAX,
  defineStatement,
  digestField,
  identityField,
  instantField,
  publicKeyField,
} from './statement.ts'

/** One admitted data holder as the plan names it: public keys only. */
export const memberSchema = z.strictObject({
  holder: identityField,
  /** Distinct organisations count towards `minContributors`, not processes. */
  organisation: z.string().min(1).max(120),
  /** Ed25519: signs contributions, endorsements, share sums. */
  statementKey: publicKeyField,
  /** X25519: key shares are sealed to it. */
  boxKey: publicKeyField,
})

export type Member = z.infer<typeof memberSchema>

const committeeSchema = z.strictObject({
  /** Holders, in the order of their evaluation points: member i has point i + 1. */
  members: z.array(identityField).min(2).max(COMMITTEE_MAX),
  /** t: how many share sums open the round. */
  threshold: z.int().min(2),
  /** f: how many members may collude with the coordinator; 2t − k > f and t > f. */
  tolerates: z.int().min(0),
})

/** The body of a round plan (protocol §4.1): everything the later messages are bound to, by its digest. */
export const roundPlanSchema = z.strictObject({
  /** The digest of the job's statement. */
  job: digestField,
  /** Counts from 1 within the job; a repeated round has a new number. */
  round: z
    .int()
    .min(1)
    .max(2 ** 31 - 1),
  /** Makes the digest of every plan its own, so that the public polynomials never repeat. 32 random bytes. */
  nonce: digestField,
  /** What the vector means; the job's specification says how to compute it. */
  step: z.string().regex(/^[a-z][a-z-]{0,30}$/),
  /** What every holder works from, by digest: the model, the federated statistics. The same for all of them. */
  inputs: z.array(z.strictObject({ name: z.string().regex(/^[a-z][a-z-]{0,30}$/), digest: digestField })).max(16),
  cohort: listField(memberSchema, { min: 2, max: COHORT_MAX }),
  committee: committeeSchema,
  /** The coordinator opens nothing over fewer organisations. */
  minContributors: z.int().min(2),
  vector: vectorSchema,
  payload: z.strictObject({ scheme: z.literal(KEY_ADDITIVE_RLWE) }),
  /** Contributions that arrive later are refused. */
  collectUntil: instantField,
  /** Digest of the registry statement up to which the cohort's members are taken from the registry. */
  registry: digestField,
  /**
   * A tree head of the log from before the plan. Nothing of the round can be in that tree, since the plan's digest depends on
   * it: who reads the log from there has read all of the round (docs/adr/0009).
   */
  after: z.strictObject({ size: z.int().min(0), root: digestField }),
})

export type RoundPlan = z.infer<typeof roundPlanSchema>

export const roundPlanStatement = defineStatement('round-plan', roundPlanSchema)

/**
 * Whether a plan is possible at all: every role checks it before anything else, whoever signed it. The floors of a
 * holder's own policy come on top (`plan-policy.ts`).
 */
export function checkPlanConsistency(plan: RoundPlan): Verdict<RoundPlan, Refusal> {
  for (const check of [checkInputs, checkCohort, checkCommittee, checkMinContributors, checkVector]) {
    const reason = check(plan)
    if (reason) return refused('inconsistent-plan', reason)
  }
  return accepted(plan)
}

/** A name that stands twice would say two things, and give one question two digests. */
function checkInputs({ inputs }: RoundPlan): string | undefined {
  const names = new Set(inputs.map(({ name }) => name))
  return names.size === inputs.length ? undefined : 'The plan names an input twice.'
}

/** One identity, one key, one seat: a Sybil that reuses a key or a name would count twice towards the floor. */
function checkCohort({ cohort }: RoundPlan): string | undefined {
  for (const field of ['holder', 'statementKey', 'boxKey'] as const) {
    const seen = new Set<string>()
    for (const member of cohort) {
      if (seen.has(member[field])) return `The cohort names the ${field} ${member[field]} twice.`
      seen.add(member[field])
    }
  }
  return undefined
}

function checkCommittee(plan: RoundPlan): string | undefined {
  const { cohort, committee } = plan
  const { members, threshold, tolerates } = committee
  const holders = new Set(cohort.map((member) => member.holder))
  if (new Set(members).size !== members.length) return 'The committee names a member twice.'
  const stranger = members.find((member) => !holders.has(member))
  if (stranger) return `The committee member ${stranger} is not in the cohort.`
  if (threshold > members.length)
    return `A threshold of ${threshold} is over the committee's ${members.length} members.`
  if (2 * threshold <= members.length) return 'The threshold is no majority: two disjoint quorums could open two sets.'
  if (tolerates > toleratedMembers(members.length, threshold)) {
    return `${threshold} of ${members.length} members do not tolerate ${tolerates} colluding ones.`
  }
  return checkSeats(plan) ?? checkDraw(plan)
}

/** A coordinator that could choose the committee would choose colluders: everybody draws it again. */
function checkDraw(plan: RoundPlan): string | undefined {
  if (countOrganisations(plan.cohort) < 2) return 'The cohort has one organisation: there is nobody to hide among.'
  const drawn = drawPlanCommittee(plan)
  const { members, threshold } = plan.committee
  if (threshold !== drawn.threshold || members.join() !== drawn.members.join()) {
    return 'The committee is not the one that job and round draw from the cohort.'
  }
  return undefined
}

/** The committee that a job's round has over a cohort; every role draws it itself (protocol §3). */
export function drawPlanCommittee({ job, round, cohort }: Pick<RoundPlan, 'job' | 'round' | 'cohort'>) {
  const organisations = new Map(cohort.map(({ holder, organisation }) => [holder, organisation]))
  const names = cohort.map(({ holder }) => holder)
  return drawCommittee(names, committeeSeed(job, round), (holder) => organisations.get(holder)!)
}

/** An organisation is one party however many nodes it runs: with more than f seats it alone would break what f promises. */
function checkSeats({ cohort, committee: { members, tolerates } }: RoundPlan): string | undefined {
  const organisations = new Map(cohort.map(({ holder, organisation }) => [holder, organisation]))
  const seats = new Map<string, number>()
  for (const member of members) {
    const organisation = organisations.get(member)!
    const taken = (seats.get(organisation) ?? 0) + 1
    if (taken > Math.max(1, tolerates)) {
      return `The committee gives ${organisation} ${taken} seats, and tolerates ${tolerates} colluding members.`
    }
    seats.set(organisation, taken)
  }
  return undefined
}

function checkMinContributors({ cohort, committee, minContributors }: RoundPlan): string | undefined {
  // Colluding members contribute, too, and take their own vectors out of the sum. What is left of the smallest set must be
  // of two honest organisations: one alone would be its update, and no longer hides its key (protocol §2, Hint-RLWE).
  if (minContributors < committee.tolerates + 2) {
    return `The plan opens over ${minContributors} contributors, of whom ${committee.tolerates} may collude: two honest ones must be left.`
  }
  const organisations = countOrganisations(cohort)
  if (minContributors > organisations) {
    return `minContributors ${minContributors} is over the cohort's ${organisations} organisations: the round cannot end.`
  }
  return undefined
}

function checkVector(plan: RoundPlan): string | undefined {
  const names = plan.vector.segments.map((segment) => segment.name)
  if (new Set(names).size !== names.length) return 'The vector names a segment twice.'
  if (!endsInCheck(plan.vector)) return 'The vector does not end in its check segment.'
  const unusable = plan.vector.segments.find((segment) => !hasUsableStep(segment, plan.vector.precisionBits))
  if (unusable) return `The bounds of segment ${unusable.name} are too close together or too far apart.`
  try {
    planParameters(plan)
  } catch (error) {
    return `The vector does not fit the payload: ${(error as Error).message}`
  }
  return undefined
}

/** Geometry of the plan's payload: lanes, chunks, bytes. Sized for the whole cohort, whoever drops out. */
export function planParameters(plan: RoundPlan) {
  return payloadParameters({
    precisionBits: plan.vector.precisionBits,
    maxContributors: plan.cohort.length,
    length: vectorLength(plan.vector),
  })
}

export function countOrganisations(members: readonly Member[]): number {
  return new Set(members.map((member) => member.organisation)).size
}

export function findMember(plan: RoundPlan, holder: string): Member | undefined {
  return plan.cohort.find((member) => member.holder === holder)
}
