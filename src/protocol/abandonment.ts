import { z } from 'zod'
import type { Digest } from '../crypto/digest.ts'
import { type Envelope, isSignedBy } from '../crypto/envelope.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Refusal } from './protocol-error.ts'
import { findMember, type RoundPlan } from './round-plan.ts'
import { defineStatement, digestField, instantField, parseStatement } from './statement.ts'

/**
 * The body of an abandonment (docs/adr/0009): the plan will never be opened. Signed by the coordinator; with the signatures
 * of t members of the plan's committee it lets a holder answer the same question in another round. A member that signs it
 * never gives a share sum for the plan, and one that gave a share sum never signs; since 2t − k > f, fewer than t can then
 * ever answer.
 */
export const abandonmentSchema = z.strictObject({
  plan: digestField,
  /** For people. */
  reason: z.string().max(500),
  abandonedAt: instantField,
})

export type Abandonment = z.infer<typeof abandonmentSchema>

export const abandonmentStatement = defineStatement('abandonment', abandonmentSchema)

/** Whether an envelope proves that a plan is dead: its abandonment, with the signatures of at least t of its committee. */
export function checkAbandonment(plan: RoundPlan, planDigest: Digest, envelope: Envelope): Verdict<Envelope, Refusal> {
  const read = parseStatement(abandonmentStatement, envelope)
  if (!read.ok) return read
  if (read.value.plan !== planDigest) return refused('wrong-round', 'The abandonment is of another plan.')
  const { members, threshold } = plan.committee
  const signers = members.filter((member) => isSignedBy(envelope, findMember(plan, member)!.statementKey))
  return signers.length >= threshold
    ? accepted(envelope)
    : refused('not-abandoned', `${signers.length} members have given the round up; ${threshold} must.`)
}
