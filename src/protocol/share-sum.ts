import { z } from 'zod'
import { shareBytes } from '../crypto/key-shares.ts'
import { SHARED_NUMBERS } from '../crypto/share-check.ts'
import { base64Field, defineStatement, digestField, identityField } from './statement.ts'

/**
 * The body of a share sum (protocol §4.5): the sum of one member's shares of the sealed contributors, one residue of 26
 * bits per coefficient of the key and per blinding value, packed. Its size does not depend on the model. For the coordinator alone: t of them
 * give the sum of the one-time keys.
 */
export const shareSumSchema = z.strictObject({
  plan: digestField,
  manifest: digestField,
  member: identityField,
  shareSum: base64Field.max(4 * Math.ceil(shareBytes(SHARED_NUMBERS) / 3)),
})

export type ShareSum = z.infer<typeof shareSumSchema>

export const shareSumStatement = defineStatement('share-sum', shareSumSchema)
