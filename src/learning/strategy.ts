/** What the opened sum of a training round says of some weights that follow each other, in the clear for the coordinator. */
export interface AggregateUpdate {
  /** Example-weighted mean of the holders' updates (trained − received weights) of these weights. */
  readonly meanUpdate: Float64Array
  /** Σ of the example counts behind it; above 0. */
  readonly exampleCount: number
  /** How many holders are in the sum. */
  readonly contributors: number
}

/**
 * How an opened aggregate becomes the next model version: a rule for a stretch of weights, with the round's scalars known
 * (docs/adr/0016). Pure: the same arguments give the same weights, whatever the stretches, so that anybody can recompute a
 * version from the published aggregate.
 */
export interface Strategy {
  /** As a job names it. */
  readonly name: string
  /**
   * @param weights some weights of the version that was trained on @param aggregate of the same weights
   * @param next where their next version goes, as long; may be `weights` itself
   */
  nextWeights(weights: Float32Array, aggregate: AggregateUpdate, next: Float32Array): void
}
