/**
 * The held-out part of a holder's records: the same records in every round, at the node and in the reference
 * computation, from a public seed and the order of the records alone.
 */
import { LearningError } from './learning-error.ts'
import { SeededStream } from './seeded-stream.ts'

/** Record indices, ascending, disjoint, together all records. Never leaves the holder node. */
export type HoldoutSplit = {
  readonly training: Uint32Array
  readonly holdout: Uint32Array
}

export type HoldoutSplitInput = {
  /** 0 or 1 per record, in record order. */
  readonly labels: Uint8Array
  /** 32 bytes, public, fixed by the job. */
  readonly seed: Uint8Array
  /** In (0, 1); a fifth by default. */
  readonly holdoutFraction?: number
}

const DEFAULT_HOLDOUT_FRACTION = 0.2

/**
 * Holds out `holdoutFraction` of the records, stratified by label: each label gives the rounded fraction of its own
 * records, so that a rare label is in both parts whenever it can be (a label with two records or fewer is in training
 * only, at a fifth).
 *
 * Each record draws a rank from the seed's stream `holdout-split`; the lowest ranks of a label are held out. A record
 * keeps its rank when others are appended. The seed is public, which is no weakness: it decides which records test,
 * not what anyone may see.
 *
 * @throws LearningError `seed-length-mismatch` for another length than 32 bytes, `split-fraction-invalid`
 */
export function holdoutSplit(input: HoldoutSplitInput): HoldoutSplit {
  const { labels, seed, holdoutFraction = DEFAULT_HOLDOUT_FRACTION } = input
  if (!(holdoutFraction > 0 && holdoutFraction < 1)) {
    throw new LearningError('split-fraction-invalid', `hold out a fraction between 0 and 1, not ${holdoutFraction}`)
  }
  const stream = new SeededStream(seed, 'holdout-split')
  const ranks = Float64Array.from(labels, () => stream.unit())
  const isHeldOut = new Uint8Array(labels.length)
  for (const label of [0, 1]) {
    // The sort is stable: a tie, at 2^-53, keeps record order.
    const stratum = indicesWhere(labels, label).sort((a, b) => ranks[a] - ranks[b])
    for (const record of stratum.subarray(0, Math.round(stratum.length * holdoutFraction))) isHeldOut[record] = 1
  }
  return { training: indicesWhere(isHeldOut, 0), holdout: indicesWhere(isHeldOut, 1) }
}

function indicesWhere(flags: Uint8Array, wanted: number): Uint32Array {
  const indices = new Uint32Array(flags.length)
  let count = 0
  for (let i = 0; i < flags.length; i++) if (flags[i] === wanted) indices[count++] = i
  return indices.slice(0, count)
}
