import type { Digest } from '../crypto/digest.ts'
import { type Envelope, isSignedBy } from '../crypto/envelope.ts'
import { abandonmentStatement, checkAbandonment } from '../protocol/abandonment.ts'
import { questionOf } from '../protocol/question.ts'
import { findMember, type RoundPlan, roundPlanStatement } from '../protocol/round-plan.ts'
import { parseStatement, signStatement } from '../protocol/statement.ts'
import { askHolders } from './ask-holders.ts'
import type { RoundRecord } from './ports.ts'
import type { RoundParts } from './round-context.ts'

const REASON_CHARACTERS_MAX = 500

/**
 * The proofs that a question may be asked again: for each round that asked it before and was abandoned, its abandonment with
 * the signatures of t of its committee (docs/adr/0009). A round whose committee does not give them any more (too few are
 * connected, or too many have answered) has no proof: holders that contributed to it will refuse the question.
 *
 * @param rounds of the job
 */
export async function collectAbandonments(
  question: Digest,
  rounds: readonly RoundRecord[],
  parts: RoundParts,
  signal: AbortSignal,
): Promise<Envelope[]> {
  const proofs: Envelope[] = []
  for (const record of rounds) {
    const plan = parseStatement(roundPlanStatement, record.plan)
    if (record.phase !== 'abandoned' || !plan.ok || questionOf(plan.value) !== question) continue
    const proof = await proveAbandoned(record, plan.value, parts, signal)
    if (checkAbandonment(plan.value, record.planDigest, proof).ok) proofs.push(proof)
  }
  return proofs
}

async function proveAbandoned(
  { planDigest, plan: planEnvelope, reason = '', abandonment }: RoundRecord,
  plan: RoundPlan,
  { store, holders, key, clock, logged, committeeTimeoutMs }: RoundParts,
  signal: AbortSignal,
): Promise<Envelope> {
  const body = {
    plan: planDigest,
    reason: reason.slice(0, REASON_CHARACTERS_MAX),
    abandonedAt: clock.now().toISOString(),
  }
  let proof = abandonment ?? signStatement(abandonmentStatement, body, key)
  if (checkAbandonment(plan, planDigest, proof).ok) return proof
  // Stored first: two abandonments of one plan would collect their signatures apart.
  await store.setAbandonment(planDigest, proof)
  await logged.append([{ ...proof, signatures: proof.signatures.slice(0, 1) }])
  const request = { kind: 'abandon', plan: planEnvelope, abandonment: proof } as const
  const ask = (holder: string, left: AbortSignal) => holders.ask(holder, request, left)
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(committeeTimeoutMs)])
  for await (const { holder, verdict } of askHolders(plan.committee.members, ask, inTime)) {
    if (!verdict.ok || verdict.value.kind !== 'endorsement') continue
    const signed = { ...proof, signatures: [...proof.signatures, verdict.value.signature] }
    if (!isSignedBy({ ...proof, signatures: [verdict.value.signature] }, findMember(plan, holder)!.statementKey))
      continue
    proof = signed
    if (checkAbandonment(plan, planDigest, proof).ok) break
  }
  await store.setAbandonment(planDigest, proof)
  return proof
}
