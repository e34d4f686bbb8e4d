import { z } from 'zod'
import { type Digest, fromHex } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { combineShare, expandShareChallenge } from '../crypto/share-check.ts'
import type { StatementKey } from '../crypto/statement-key.ts'
import { listField } from './list-field.ts'
import type { RoundPlan } from './round-plan.ts'
import { shareValuesField } from './share-check.ts'
import { COMMITTEE_MAX, defineStatement, digestField, identityField, signStatement } from './statement.ts'

/**
 * The body of a dealing (docs/adr/0010): what a contributor says that it dealt, as each member should have published it in its
 * share check. Asked for only when checks do not agree. Public: points of the same blinded polynomial.
 */
export const dealingSchema = z.strictObject({
  plan: digestField,
  candidates: digestField,
  holder: identityField,
  /** One for each committee member, in its order. */
  combinations: listField(z.strictObject({ member: identityField, values: shareValuesField }), {
    min: 2,
    max: COMMITTEE_MAX,
  }),
})

export type Dealing = z.infer<typeof dealingSchema>

export const dealingStatement = defineStatement('dealing', dealingSchema)

/**
 * Signs what a contributor dealt. For the one candidate set that it explains: under two challenges its blinding would be used
 * twice, so the caller binds itself durably first.
 * @param shares by committee member, `SHARED_NUMBERS` residues each. Secret.
 */
export function signDealing(
  plan: RoundPlan,
  planDigest: Digest,
  candidates: Digest,
  holder: string,
  shares: readonly Uint32Array[],
  key: StatementKey,
): Envelope {
  const challenge = expandShareChallenge(fromHex(candidates))
  const combinations = plan.committee.members.map((member, i) => ({
    member,
    values: [...combineShare(shares[i], challenge)],
  }))
  return signStatement(dealingStatement, { plan: planDigest, candidates, holder, combinations }, key)
}
