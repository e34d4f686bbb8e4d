import { z } from 'zod'
import { SHARE_MODULUS } from '../crypto/key-shares.ts'
import { SHARE_CHECK_REPETITIONS } from '../crypto/share-check.ts'
import { defineStatement, digestField, identityField } from './statement.ts'

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
  combinations: z.array(
    z.strictObject({
      holder: identityField,
      values: z
        .array(
          z
            .int()
            .min(0)
            .max(SHARE_MODULUS - 1),
        )
        .length(SHARE_CHECK_REPETITIONS),
    }),
  ),
  /** The other candidates: what they sealed to this member does not open, or is no share. */
  unopenable: z.array(identityField),
})

export type ShareCheck = z.infer<typeof shareCheckSchema>

export const shareCheckStatement = defineStatement('share-check', shareCheckSchema)
