import * as tf from '@tensorflow/tfjs-core'
import { binaryCrossEntropy, type CrossEntropy, categoricalCrossEntropy } from '../../../src/learning/cross-entropy.ts'
import { type Model, weightCount } from '../../../src/learning/model.ts'
import { layerShapes, type Shape, sizeOf } from '../../../src/learning/model-shapes.ts'
import type { SeededStream } from '../../../src/learning/seeded-stream.ts'
import { type LayerPass, runLayer } from './layer-passes.ts'

/** Numbers of one layer's activations for the rows that run at once: 16 MiB, whatever batch size a job asks for. */
const ACTIVATIONS_AT_ONCE = 2 ** 22

/** Where a tensor lies in the flat vector. */
export interface WeightSlot {
  readonly offset: number
  readonly size: number
  readonly shape: Shape
}

/** A model description worked out for repeated use. */
export interface ModelPlan {
  readonly model: Model
  readonly weightCount: number
  readonly featuresPerExample: number
  /** Most examples that run through the layers at once. */
  readonly rowsAtOnce: number
  /** By layer; empty where a layer learns nothing. */
  readonly slots: readonly { readonly kernel?: WeightSlot; readonly bias?: WeightSlot }[]
}

/** Examples side by side: row-major features and one label each. */
export interface Batch {
  readonly features: Float32Array
  readonly labels: Float32Array
}

/** Works out shapes and offsets of a complete model description. */
export function planModel(model: Model): ModelPlan {
  const shapes = layerShapes(model)
  const widest = Math.max(sizeOf(model.inputShape), ...shapes.map(({ output }) => sizeOf(output)))
  let offset = 0
  const slot = (shape: Shape): WeightSlot => {
    const placed = { offset, size: sizeOf(shape), shape }
    offset += placed.size
    return placed
  }
  return {
    model,
    weightCount: weightCount(model),
    featuresPerExample: sizeOf(model.inputShape),
    rowsAtOnce: Math.max(1, Math.floor(ACTIVATIONS_AT_ONCE / widest)),
    slots: shapes.map(({ kernel, bias }) => (kernel && bias ? { kernel: slot(kernel), bias: slot(bias) } : {})),
  }
}

/**
 * Adds the gradient of (sum of the batch's losses) · `scale` to `gradient`, on the current tfjs backend. Leaves no
 * tensor behind.
 * @returns the sum of the batch's losses, without the penalty
 */
export function addBatchGradient(
  plan: ModelPlan,
  weights: Float32Array,
  batch: Batch,
  scale: number,
  gradient: Float32Array,
  dropoutStream?: SeededStream,
): number {
  let lossSum = 0
  // Nothing is returned from tidy: it would walk every element of a typed array looking for tensors.
  tf.tidy(() => {
    const passes = runLayers(plan, weights, batch, dropoutStream)
    const logits = passes[passes.length - 1].output
    const entropy = crossEntropy(plan.model, logits, batch.labels)
    lossSum = entropy.lossSum
    for (let index = 0; index < entropy.slope.length; index++) entropy.slope[index] *= scale
    let slope: tf.Tensor = tf.tensor(entropy.slope, logits.shape)
    for (let index = passes.length - 1; index >= 0; index--) {
      const slopes = passes[index].backward(slope, index > 0)
      const { kernel, bias } = plan.slots[index]
      if (kernel && slopes.kernel) addAt(gradient, kernel.offset, slopes.kernel)
      if (bias && slopes.bias) addAt(gradient, bias.offset, slopes.bias)
      if (slopes.input) slope = slopes.input
    }
  })
  return lossSum
}

/** Probabilities and the sum of losses for a batch, without dropout. Leaves no tensor behind. */
export function scoreBatch(plan: ModelPlan, weights: Float32Array, batch: Batch): CrossEntropy {
  let entropy: CrossEntropy | undefined
  tf.tidy(() => {
    const passes = runLayers(plan, weights, batch)
    entropy = crossEntropy(plan.model, passes[passes.length - 1].output, batch.labels)
  })
  return entropy as unknown as CrossEntropy
}

function runLayers(plan: ModelPlan, weights: Float32Array, batch: Batch, dropoutStream?: SeededStream): LayerPass[] {
  const passes: LayerPass[] = []
  let input: tf.Tensor = tf.tensor(batch.features, [batch.labels.length, ...plan.model.inputShape])
  for (const [index, layer] of plan.model.layers.entries()) {
    const { kernel, bias } = plan.slots[index]
    const pass = runLayer(layer, input, {
      kernel: kernel && weightTensor(weights, kernel),
      bias: bias && weightTensor(weights, bias),
      dropoutStream,
    })
    passes.push(pass)
    input = pass.output
  }
  return passes
}

function weightTensor(weights: Float32Array, { offset, size, shape }: WeightSlot): tf.Tensor {
  return tf.tensor(weights.subarray(offset, offset + size), [...shape])
}

function crossEntropy(model: Model, logits: tf.Tensor, labels: Float32Array): CrossEntropy {
  const values = logits.dataSync<'float32'>()
  return model.output === 'binary' ? binaryCrossEntropy(values, labels) : categoricalCrossEntropy(values, labels)
}

function addAt(gradient: Float32Array, offset: number, slope: tf.Tensor): void {
  const values = slope.dataSync<'float32'>()
  for (let index = 0; index < values.length; index++) gradient[offset + index] += values[index]
}
