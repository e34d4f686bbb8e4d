import { type Model, weightCount, weightShapes } from './model.ts'
import { type Shape, sizeOf } from './model-shapes.ts'
import { SeededStream } from './seeded-stream.ts'

const LABEL = 'sluice initial weights v1'

/**
 * The model's first weights: kernels uniform in ±sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio, AISTATS 2010), biases
 * zero. A pure function of model and seed, so that anybody who has both can check where a training began.
 * @param seed 32 bytes
 * @returns the flat float32 vector in the order of `weightShapes(model)`
 * @throws LearningError `seed-length-mismatch`
 */
export function initialWeights(model: Model, seed: Uint8Array): Float32Array {
  const stream = new SeededStream(seed, LABEL)
  const weights = new Float32Array(weightCount(model))
  let offset = 0
  for (const { shape } of weightShapes(model)) {
    const end = offset + sizeOf(shape)
    if (isKernel(shape)) {
      const limit = glorotLimit(shape)
      for (let index = offset; index < end; index++) weights[index] = (2 * stream.unit() - 1) * limit
    }
    offset = end
  }
  return weights
}

function isKernel(shape: Shape): boolean {
  return shape.length > 1
}

/** The last two axes of a kernel are inputs and outputs; the axes before them are its receptive field. */
function glorotLimit(shape: Shape): number {
  const receptiveField = sizeOf(shape.slice(0, -2))
  const [inputs, outputs] = shape.slice(-2)
  return Math.sqrt(6 / (receptiveField * (inputs + outputs)))
}
