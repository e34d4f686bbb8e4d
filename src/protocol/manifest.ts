import { z } from 'zod'
import { candidateSchema } from './candidates.ts'
import { listField } from './list-field.ts'
import { COHORT_MAX, COMMITTEE_MAX, defineStatement, digestField, identityField, instantField } from './statement.ts'

/** A contributor that the share checks leave out, and the members with whom it does not agree. */
export const exclusionSchema = z.strictObject({
  holder: identityField,
  members: listField(identityField, { max: COMMITTEE_MAX }),
})

export type Exclusion = z.infer<typeof exclusionSchema>

/**
 * The body of a manifest (protocol §4.3): the closed set of contributions, by digest, in the order of the holders'
 * names: the candidates without those that the share checks exclude. Signed by the coordinator; with the signatures of t
 * committee members over the same bytes the envelope is the round's *certificate* (§4.4).
 */
export const manifestSchema = z.strictObject({
  plan: digestField,
  candidates: digestField,
  contributions: listField(candidateSchema, { min: 2, max: COHORT_MAX }),
  /** Digests of the share checks that it rests on: all that are in the log before it, in the committee's order. */
  checks: listField(digestField, { max: COMMITTEE_MAX }),
  /** Digests of the dealings, all that are in the log before it, in the candidates' order; none when checks agreed. */
  dealings: listField(digestField, { max: COHORT_MAX }),
  excluded: listField(exclusionSchema, { max: COHORT_MAX }),
  /** Members whose share checks were set aside. */
  setAside: listField(identityField, { max: COMMITTEE_MAX }),
  sealedAt: instantField,
})

export type Manifest = z.infer<typeof manifestSchema>

export const manifestStatement = defineStatement('manifest', manifestSchema)
