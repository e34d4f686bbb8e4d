import { z } from 'zod'
import { type Envelope, isSignedBy } from '../crypto/envelope.ts'
import { listField } from './list-field.ts'
import { findMember, type RoundPlan } from './round-plan.ts'
import { base64Field, COMMITTEE_MAX, defineStatement, digestField, identityField } from './statement.ts'

/**
 * The body of a certificate as it is logged (protocol §4.4): which members endorsed which manifest. The manifest's own entry
 * has only the coordinator's signature, because it is logged before anyone endorses it. Signed by the coordinator.
 */
export const certificateSchema = z.strictObject({
  plan: digestField,
  manifest: digestField,
  /** Of at least t members, each over the manifest's bytes, in the committee's order. */
  endorsements: listField(z.strictObject({ member: identityField, signature: base64Field }), {
    min: 2,
    max: COMMITTEE_MAX,
  }),
})

export type Certificate = z.infer<typeof certificateSchema>

export const certificateStatement = defineStatement('certificate', certificateSchema)

/** The endorsements that a manifest carries, in the committee's order. */
export function endorsementsOf(plan: RoundPlan, manifest: Envelope): Certificate['endorsements'] {
  return plan.committee.members.flatMap((member) => {
    const author = findMember(plan, member)!
    const endorsement = manifest.signatures.find((signature) =>
      isSignedBy({ ...manifest, signatures: [signature] }, author.statementKey),
    )
    return endorsement ? [{ member, signature: Buffer.from(endorsement.sig).toString('base64') }] : []
  })
}
