import { z } from 'zod'
import { defineStatement, digestField } from './statement.ts'

/**
 * The body of a publication (protocol §4.6): what the round came to. `aggregate` names the opened lane sums;
 * `output` names what the job made of them (the next model version, the federated statistics, the metrics).
 */
export const publicationSchema = z.strictObject({
  plan: digestField,
  manifest: digestField,
  contributors: z.int().min(2),
  aggregate: digestField,
  output: z.strictObject({ name: z.string(), digest: digestField }),
})

export type Publication = z.infer<typeof publicationSchema>

export const publicationStatement = defineStatement('publication', publicationSchema)
