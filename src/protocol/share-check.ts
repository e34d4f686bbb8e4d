import { z } from 'zod'
import { SHARE_MODULUS } from '../crypto/key-shares.ts'
import { SHARE_CHECK_REPETITIONS } from '../crypto/share-check.ts'
import { listField } from './list-field.ts'
import { COHORT_MAX, defineStatement, digestField, identityField } from './statement.ts'

/** Combinations of one share: residues of the field, one a repetition. */
export const shareValuesField = z
  .array(
    z
      .int()
      .min(0)
      .max(SHARE_MODULUS - 1),
  )
  .length(SHARE_CHECK_REPETITIONS)

/**
 * The body of a share check (protocol §3, docs/adr/0010): one member's blinded, challenge-weighted combinations of the shares
 * that the candidates gave it. Public: uniformly random, whatever the shares are.
 */
export const shareCheckSchema = z.strictObject({
  plan: digestField,
  candidates: digestField,
  member: identityField,
  /** One for each candidate whose share opened, in the candidates' order. */
  combinations: listField(z.strictObject({ holder: identityField, values: shareValuesField }), { max: COHORT_MAX }),
  /** The other candidates: what they sealed to this member does not open, or is no share. */
  unopenable: listField(identityField, { max: COHORT_MAX }),
})

export type ShareCheck = z.infer<typeof shareCheckSchema>

export const shareCheckStatement = defineStatement('share-check', shareCheckSchema)
