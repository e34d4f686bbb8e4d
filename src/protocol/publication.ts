import { z } from 'zod'
import { listField } from './list-field.ts'
import { linearHashField } from './payload-hash.ts'
import { base64Field, COHORT_MAX, defineStatement, digestField, identityField } from './statement.ts'

/** A contributor's payload hash as a publication carries it; plan, manifest and sum are the publication's. */
export const signedHashSchema = z.strictObject({
  holder: identityField,
  hash: linearHashField,
  /** Of the `payload-hash` statement, 64 bytes. */
  signature: base64Field,
})

export type SignedHash = z.infer<typeof signedHashSchema>

/**
 * The body of a publication (protocol §4.6): what the round came to. `aggregate` names the opened lane sums;
 * `output` names what the job made of them (the next model version, the federated statistics, the metrics).
 */
export const publicationSchema = z.strictObject({
  job: digestField,
  plan: digestField,
  manifest: digestField,
  contributors: z.int().min(2),
  aggregate: digestField,
  /** Digest of the ciphertexts' sum, as that of a payload. */
  sum: digestField,
  /** What the sum was opened from: the sum of the ciphertexts and of the keys, for the holders of the round (docs/adr/0011). */
  opening: digestField,
  /** Of the contributors that gave one, in the manifest's order. */
  hashes: listField(signedHashSchema, { max: COHORT_MAX }),
  output: z.strictObject({ name: z.string(), digest: digestField }),
})

export type Publication = z.infer<typeof publicationSchema>

export const publicationStatement = defineStatement('publication', publicationSchema)
