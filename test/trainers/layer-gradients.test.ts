import * as tf from '@tensorflow/tfjs-core'
// Loads the gradient registry that tfjs-core leaves out: the tape is the independent reference here.
import '@tensorflow/tfjs-layers'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { startBackend } from '../../nodes/trainers/tfjs/backend.ts'
import { addBatchGradient, planModel } from '../../nodes/trainers/tfjs/model-passes.ts'
import { initialWeights } from '../../src/learning/initial-weights.ts'
import { type Layer, MODEL_FORMAT, type Model, parseModel, weightShapes } from '../../src/learning/model.ts'
import { sizeOf } from '../../src/learning/model-shapes.ts'
import { seedOf } from './synthetic-examples.ts'

const side = fc.integer({ min: 1, max: 3 })
const window = fc.tuple(side, side)
const activation = fc.constantFrom('linear', 'relu', 'tanh', 'sigmoid')
const convolution = fc.record({
  type: fc.constant('conv2d'),
  filters: fc.integer({ min: 1, max: 4 }),
  kernelSize: window,
  strides: window,
  padding: fc.constantFrom('same', 'valid'),
  activation,
})
const pooling = fc.record({
  type: fc.constant('maxPooling2d'),
  poolSize: window,
  strides: window,
  padding: fc.constantFrom('same', 'valid'),
})
const dense = fc.record({ type: fc.constant('dense'), units: fc.integer({ min: 1, max: 7 }), activation })

const models = fc
  .record({
    inputShape: fc.tuple(fc.integer({ min: 6, max: 11 }), fc.integer({ min: 6, max: 11 }), side),
    image: fc.array(fc.oneof(convolution, pooling), { minLength: 1, maxLength: 3 }),
    flat: fc.array(dense, { maxLength: 2 }),
    classes: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ inputShape, image, flat, classes }) => {
    try {
      return parseModel({
        format: MODEL_FORMAT,
        inputShape,
        layers: [...image, { type: 'flatten' }, ...flat, { type: 'dense', units: classes }],
        output: classes === 1 ? 'binary' : 'multiclass',
      })
    } catch {
      return null // windows that outgrow what earlier layers leave
    }
  })
  .filter((model) => model !== null)

describe('gradients of the layers', () => {
  beforeAll(() => startBackend('wasm'))

  it("agree on wasm with tfjs's own gradient tape on the CPU backend", async () => {
    await fc.assert(
      fc.asyncProperty(models, fc.integer({ min: 1, max: 3 }), async (model, count) => {
        const plan = planModel(model)
        const weights = initialWeights(model, seedOf(7))
        const features = Float32Array.from({ length: count * plan.featuresPerExample }, (_, index) =>
          Math.sin(index * index),
        )
        const labels = Float32Array.from(
          { length: count },
          (_, row) => (row % (model.output === 'binary' ? 2 : 3)) % scores(model),
        )
        await tf.setBackend('wasm')
        const actual = new Float32Array(plan.weightCount)
        addBatchGradient(plan, weights, { features, labels }, 1, actual)
        await tf.setBackend('cpu')
        const expected = tapeGradient(model, weights, features, labels)
        const scale = Math.max(1e-3, ...expected.map(Math.abs))
        const worst = Math.max(...expected.map((value, index) => Math.abs(value - actual[index])))
        expect(worst / scale).toBeLessThan(1e-4)
      }),
      { numRuns: 60 },
    )
  })
})

function scores(model: Model): number {
  const last = model.layers[model.layers.length - 1] as Extract<Layer, { type: 'dense' }>
  return model.output === 'binary' ? 2 : last.units
}

function tapeGradient(model: Model, weights: Float32Array, features: Float32Array, labels: Float32Array): number[] {
  return tf.tidy(() => {
    let offset = 0
    const tensors = weightShapes(model).map(({ shape }) => {
      const tensor = tf.tensor(weights.slice(offset, offset + sizeOf(shape)), [...shape])
      offset += sizeOf(shape)
      return tensor
    })
    const gradients = tf.grads((...all: tf.Tensor[]) => loss(model, all, features, labels))(tensors)
    return gradients.flatMap((gradient) => [...gradient.dataSync()])
  })
}

function loss(model: Model, weights: tf.Tensor[], features: Float32Array, labels: Float32Array): tf.Tensor {
  const remaining = [...weights]
  let values: tf.Tensor = tf.tensor(features, [labels.length, ...model.inputShape])
  for (const layer of model.layers) values = reference(layer, values, remaining)
  if (model.output === 'binary')
    return tf.sum(
      tf.losses.sigmoidCrossEntropy(tf.tensor(labels, values.shape), values, undefined, 0, tf.Reduction.SUM),
    )
  const targets = tf.oneHot(tf.tensor1d(labels, 'int32'), values.shape[1] as number)
  return tf.losses.softmaxCrossEntropy(targets, values, undefined, 0, tf.Reduction.SUM)
}

function reference(layer: Layer, input: tf.Tensor, weights: tf.Tensor[]): tf.Tensor {
  const activate = (name: string, x: tf.Tensor): tf.Tensor =>
    name === 'relu' ? tf.relu(x) : name === 'tanh' ? tf.tanh(x) : name === 'sigmoid' ? tf.sigmoid(x) : x
  switch (layer.type) {
    case 'dense':
      return activate(layer.activation, tf.add(tf.matMul(input, weights.shift()!), weights.shift()!))
    case 'conv2d': {
      const filtered = tf.conv2d(input as tf.Tensor4D, weights.shift() as tf.Tensor4D, layer.strides, layer.padding)
      return activate(layer.activation, tf.add(filtered, weights.shift()!))
    }
    case 'maxPooling2d':
      return tf.maxPool(input as tf.Tensor4D, layer.poolSize, layer.strides, layer.padding)
    default:
      return tf.reshape(input, [input.shape[0], -1])
  }
}
