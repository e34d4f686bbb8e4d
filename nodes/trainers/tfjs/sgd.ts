import type { ModelPlan } from './model-passes.ts'

/** One step of gradient descent: changes `weights` by the `gradient` of the batch's mean loss, which it uses up. */
export type SgdStep = (weights: Float32Array, gradient: Float32Array) => void

/**
 * Gradient descent with heavy-ball momentum and an l2 penalty on kernels: g ← g + l2·w, v ← momentum·v + g,
 * w ← w − learningRate·v. Runs in JavaScript on the flat vector: on small models that costs less than a dozen tensor
 * operations, and it is the same arithmetic on every backend.
 * Keeps the velocity: make one for each training call.
 */
export function sgd(plan: ModelPlan, learningRate: number, momentum: number, l2: number): SgdStep {
  const velocity = momentum > 0 ? new Float32Array(plan.weightCount) : null
  return (weights, gradient) => {
    if (l2 > 0) addPenalty(plan, weights, gradient, l2)
    if (velocity) {
      for (let index = 0; index < weights.length; index++) {
        velocity[index] = momentum * velocity[index] + gradient[index]
        weights[index] -= learningRate * velocity[index]
      }
    } else {
      for (let index = 0; index < weights.length; index++) weights[index] -= learningRate * gradient[index]
    }
  }
}

function addPenalty(plan: ModelPlan, weights: Float32Array, gradient: Float32Array, l2: number): void {
  for (const { kernel } of plan.slots) {
    if (!kernel) continue
    const end = kernel.offset + kernel.size
    for (let index = kernel.offset; index < end; index++) gradient[index] += l2 * weights[index]
  }
}
