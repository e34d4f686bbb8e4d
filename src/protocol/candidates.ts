import { z } from 'zod'
import { listField } from './list-field.ts'
import { COHORT_MAX, defineStatement, digestField, identityField, instantField } from './statement.ts'

/** One contribution by name: whose, its statement, its ciphertext. */
export const candidateSchema = z.strictObject({
  holder: identityField,
  contribution: digestField,
  payload: digestField,
})

export type Candidate = z.infer<typeof candidateSchema>

/**
 * The body of the candidates (protocol §3, §4.3): what was collected, in the order of the holders' names. Signed by the
 * coordinator and logged before any share is checked; the challenge of the check is expanded from its digest
 * (docs/adr/0010), which is why it carries a nonce: no contributor can know it while it makes its shares.
 */
export const candidatesSchema = z.strictObject({
  plan: digestField,
  contributions: listField(candidateSchema, { min: 2, max: COHORT_MAX }),
  /** 32 random bytes. */
  nonce: digestField,
  closedAt: instantField,
})

export type Candidates = z.infer<typeof candidatesSchema>

export const candidatesStatement = defineStatement('candidates', candidatesSchema)
