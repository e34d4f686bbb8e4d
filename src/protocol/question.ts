import { type Digest, digestOf } from '../crypto/digest.ts'
import type { RoundPlan } from './round-plan.ts'

/**
 * What a plan asks, whoever is asked (docs/adr/0009): SHA-256 over job and inputs. Two sums over different sets that
 * answer one question differ by what single holders gave; a holder answers each question once. The step is not part of it:
 * training and evaluation from one model both give that model's evaluation.
 */
export function questionOf({ job, inputs }: Pick<RoundPlan, 'job' | 'inputs'>): Digest {
  const sorted = inputs.map(({ name, digest }) => [name, digest]).sort(([a], [b]) => (a < b ? -1 : 1))
  return digestOf(Buffer.from(JSON.stringify(['sluice/v1/question', job, sorted]), 'utf8'))
}
