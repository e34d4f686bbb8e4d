import { z } from 'zod'
import { defineStatement, digestField, identityField, instantField } from './statement.ts'

/**
 * The body of a manifest (protocol §4.3): the closed set of contributions, by digest, in the order of the holders'
 * names. Signed by the coordinator; with the signatures of t committee members over the same bytes the envelope is the
 * round's *certificate* (§4.4).
 */
export const manifestSchema = z.strictObject({
  plan: digestField,
  contributions: z
    .array(z.strictObject({ holder: identityField, contribution: digestField, payload: digestField }))
    .min(2),
  sealedAt: instantField,
})

export type Manifest = z.infer<typeof manifestSchema>

export const manifestStatement = defineStatement('manifest', manifestSchema)
