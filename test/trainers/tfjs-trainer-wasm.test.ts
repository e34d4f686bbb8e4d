import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { openTfjsTrainer } from '../../nodes/trainers/tfjs/tfjs-trainer.ts'
import { initialWeights } from '../../src/learning/initial-weights.ts'
import { MODEL_FORMAT, parseModel } from '../../src/learning/model.ts'
import { cnn } from '../../src/learning/model-presets.ts'
import type { Examples } from '../../src/learning/trainer.ts'
import { barImages, seedOf } from './synthetic-examples.ts'
import { describeTrainerContract } from './trainer-contract.ts'

describeTrainerContract('tfjs on wasm', () => openTfjsTrainer('wasm'))

describe('tfjs trainer', () => {
  it('leaves no tensor behind, whether a call ends well, is refused, diverges or is aborted', async () => {
    const trainer = await openTfjsTrainer('wasm')
    const model = cnn([8, 8, 1], 3)
    const weights = initialWeights(model, seedOf(1))
    const examples = barImages(20)
    const options = { epochs: 2, batchSize: 8, learningRate: 0.1, shuffleSeed: seedOf(1) }
    const before = tf.memory().numTensors
    await trainer.train({ model, weights, examples, options })
    await trainer.evaluate({ model, weights, examples })
    await expect(
      trainer.train({ model, weights, examples, options: { ...options, learningRate: 1e30 } }),
    ).rejects.toThrow()
    await expect(trainer.train({ model, weights: weights.subarray(1), examples, options })).rejects.toThrow()
    const signal = AbortSignal.timeout(60)
    await expect(
      trainer.train({ model, weights, examples, options: { ...options, epochs: 9_999, learningRate: 1e-6 }, signal }),
    ).rejects.toMatchObject({ code: 'training-aborted' })
    expect(tf.memory().numTensors).toBe(before)
  })

  it('does not grow its memory over many rounds', async () => {
    const trainer = await openTfjsTrainer('wasm')
    const model = cnn([8, 8, 1], 3)
    const request = {
      model,
      weights: initialWeights(model, seedOf(1)),
      examples: barImages(16),
      options: { epochs: 5, batchSize: 16, learningRate: 0.1, shuffleSeed: seedOf(1) },
    }
    const heapBytes = (): number => (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.length
    await trainer.train(request)
    const before = heapBytes()
    for (let round = 0; round < 20; round++) await trainer.train(request)
    expect(heapBytes()).toBe(before)
  })

  it('takes a batch that does not fit at once in parts, as the same step', async () => {
    const trainer = await openTfjsTrainer('wasm')
    const model = parseModel({
      format: MODEL_FORMAT,
      inputShape: [512, 512, 1],
      layers: [
        { type: 'conv2d', filters: 8, kernelSize: [2, 2], padding: 'same', activation: 'relu' },
        { type: 'maxPooling2d', poolSize: [64, 64], strides: [64, 64] },
        { type: 'flatten' },
        { type: 'dense', units: 1 },
      ],
      output: 'binary',
    })
    const weights = initialWeights(model, seedOf(4))
    const pixels = 512 * 512
    const features = Float32Array.from({ length: 3 * pixels }, (_, index) => Math.sin(index * index))
    const examples: Examples = { features, labels: Float32Array.of(0, 1, 1), exampleCount: 3 }
    const options = { epochs: 1, batchSize: 3, learningRate: 1, shuffleSeed: seedOf(1) }
    const whole = await trainer.train({ model, weights, examples, options })
    const meanStep = new Float64Array(weights.length)
    for (let row = 0; row < 3; row++) {
      const one: Examples = {
        features: features.slice(row * pixels, (row + 1) * pixels),
        labels: examples.labels.slice(row, row + 1),
        exampleCount: 1,
      }
      const alone = await trainer.train({ model, weights, examples: one, options })
      for (const [index, weight] of alone.weights.entries()) meanStep[index] += (weight - weights[index]) / 3
    }
    expect(whole.steps).toBe(1)
    for (const [index, weight] of whole.weights.entries())
      expect(weight - weights[index]).toBeCloseTo(meanStep[index], 4)
  })
})
