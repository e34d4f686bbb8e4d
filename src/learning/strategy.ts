/** What the opened sum of a training round says, in the clear for the coordinator. */
export interface AggregateUpdate {
  /** Example-weighted mean of the holders' updates (trained − received weights), flat, as long as the model. */
  readonly meanUpdate: Float64Array
  /** Σ of the example counts behind it; above 0. */
  readonly exampleCount: number
  /** How many holders are in the sum. */
  readonly contributors: number
}

/**
 * How an opened aggregate becomes the next model version. Pure: the same arguments give the same weights, so that
 * anybody can recompute a version from the published aggregate.
 */
export interface Strategy {
  /** As a job names it. */
  readonly name: string
  /** @param weights flat weights of the version that was trained on; not changed. @returns a new array, as long. */
  nextWeights(weights: Float32Array, aggregate: AggregateUpdate): Float32Array
}
