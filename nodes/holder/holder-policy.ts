import { z } from 'zod'
import { type JobStep, jobSteps } from '../../src/learning/job-steps.ts'

/**
 * The policy of a holder: a file on its own machine, read at start. It says what this node will take part in, whatever
 * a coordinator asks; nothing upstream can lower it.
 */
export const holderPolicySchema = z.strictObject({
  /** No round over fewer organisations. */
  minContributors: z.int().min(2).default(3),
  /** No committee that opens with fewer members than this. */
  committeeThreshold: z.int().min(2).default(3),
  /** No committee that tolerates fewer colluding members than this. */
  toleratedMembers: z.int().min(0).default(1),
  /** No finer quantisation than this. */
  maxPrecisionBits: z.int().min(1).max(32).default(32),
  /** Whose company is accepted: names of the venue's members, or all of them. */
  coMembers: z.union([z.literal('all'), z.array(z.string())]).default('all'),
  /**
   * Newcomers, new keys and revocations: `ask` leaves each to this holder's operator, `approve` signs whatever the coordinator
   * proposes. With `approve` at two thirds of the organisations the coordinator alone decides who the members are.
   */
  admissions: z.enum(['ask', 'approve']).default('ask'),
  /**
   * How many published sums of one job this holder may have been unable to verify before it takes no further part in it: a
   * contributor that vanishes after the seal leaves one, and so does a coordinator that has something to hide.
   */
  maxUnverifiedSums: z.int().min(0).default(3),
  /** What may be computed on which dataset, and in how many rounds altogether. A dataset that is not named is not offered. */
  datasets: z.record(
    z.string(),
    z.strictObject({
      steps: z.array(z.enum(jobSteps)).default([...jobSteps]),
      maxRounds: z.int().min(1).default(10_000),
    }),
  ),
})

export type HolderPolicy = z.output<typeof holderPolicySchema>

/** One answer for a dataset that is not there and for one that is kept back: whoever asks does not learn which. */
export function notOffered(dataset: string) {
  return { code: 'dataset-not-offered', reason: `This holder offers no dataset ${dataset}.` } as const
}

/** Why the policy forbids a step on a dataset, or undefined when it allows it. */
export function findPolicyObjection(policy: HolderPolicy, dataset: string, step: JobStep, uses: number) {
  const offered = Object.hasOwn(policy.datasets, dataset) ? policy.datasets[dataset] : undefined
  if (!offered) return notOffered(dataset)
  if (!offered.steps.includes(step)) {
    return { code: 'step-not-allowed', reason: `This holder's policy does not allow ${step} on ${dataset}.` } as const
  }
  if (uses >= offered.maxRounds) {
    return {
      code: 'dataset-uses-exhausted',
      reason: `This holder's policy allows ${offered.maxRounds} rounds on ${dataset}, and all are used.`,
    } as const
  }
  return undefined
}
