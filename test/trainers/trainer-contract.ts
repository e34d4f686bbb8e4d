import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accuracy, auc } from '../../src/learning/classification-metrics.ts'
import { initialWeights } from '../../src/learning/initial-weights.ts'
import { MODEL_FORMAT, parseModel } from '../../src/learning/model.ts'
import { cnn, logistic, mlp } from '../../src/learning/model-presets.ts'
import type { Trainer, TrainOptions, TrainRequest } from '../../src/learning/trainer.ts'
import { barImages, seedOf, tabularExamples } from './synthetic-examples.ts'

const OPTIONS: TrainOptions = { epochs: 3, batchSize: 32, learningRate: 0.1, shuffleSeed: seedOf(5) }

/** What every `Trainer` must do, whatever computes and wherever it runs. */
export function describeTrainerContract(name: string, open: () => Promise<Trainer>): void {
  describe(`trainer contract: ${name}`, () => {
    let trainer: Trainer
    beforeAll(async () => {
      trainer = await open()
    })
    afterAll(() => trainer.close())

    const model = mlp(5, [16, 8])
    const examples = tabularExamples(200, 5)
    const request: TrainRequest = { model, weights: initialWeights(model, seedOf(0)), examples, options: OPTIONS }

    it('says what it is', async () => {
      expect(await trainer.describe()).toEqual({
        name: expect.stringMatching(/^[a-z]/),
        version: expect.stringMatching(/^\d+\.\d+/),
        backend: expect.stringMatching(/^[a-z]/),
        notes: expect.any(Array),
      })
    })

    it('learns: the loss falls and unseen examples are told apart', async () => {
      const unseen = tabularExamples(300, 5, seedOf(9))
      const before = await trainer.evaluate({ model, weights: request.weights, examples: unseen })
      const { weights } = await trainer.train({ ...request, options: { ...OPTIONS, epochs: 40, momentum: 0.9 } })
      const after = await trainer.evaluate({ model, weights, examples: unseen })
      expect(after.meanLoss).toBeLessThan(before.meanLoss / 2)
      expect(auc(after.scores, unseen.labels)).toBeGreaterThan(0.95)
    })

    it('trains a small convolutional network', async () => {
      const images = barImages(96)
      const network = cnn([8, 8, 1], 3)
      const start = initialWeights(network, seedOf(3))
      const options = { ...OPTIONS, epochs: 8, batchSize: 16, momentum: 0.9, learningRate: 0.05 }
      const { weights, meanLoss } = await trainer.train({ model: network, weights: start, examples: images, options })
      const unseen = barImages(60, seedOf(8))
      const before = await trainer.evaluate({ model: network, weights: start, examples: unseen })
      const after = await trainer.evaluate({ model: network, weights, examples: unseen })
      expect(meanLoss).toBeLessThan(before.meanLoss / 2)
      expect(after.meanLoss).toBeLessThan(before.meanLoss / 2)
      expect(accuracy(after.scores, unseen.labels)).toBeGreaterThan(0.85)
      for (let row = 0; row < unseen.exampleCount; row++) {
        const [a, b, c] = after.scores.subarray(3 * row)
        expect(a + b + c).toBeCloseTo(1, 5)
      }
    })

    it('gives the same bits for the same request, others for another seed, and leaves the request alone', async () => {
      const weights = request.weights.slice()
      const first = await trainer.train(request)
      const second = await trainer.train(request)
      const other = await trainer.train({ ...request, options: { ...OPTIONS, shuffleSeed: seedOf(6) } })
      expect(second).toEqual(first)
      expect(other.weights).not.toEqual(first.weights)
      expect(request.weights).toEqual(weights)
    })

    it('keeps overlapping calls apart', async () => {
      const alone = [await trainer.train(request), await trainer.evaluate(request)]
      const together = await Promise.all([trainer.train(request), trainer.evaluate(request)])
      expect(together).toEqual(alone)
    })

    it('takes the written step: gradient of the mean loss, penalty on the kernel only, momentum', async () => {
      const two = { features: Float32Array.of(1, 2, -3, 0.5), labels: Float32Array.of(1, 0), exampleCount: 2 }
      const options = { ...OPTIONS, epochs: 2, batchSize: 2, momentum: 0.5, l2: 0.2 }
      const weights = Float32Array.of(0.3, -0.2, 0.1)
      const result = await trainer.train({ model: logistic(2), weights, examples: two, options })
      const expected = logisticDescent([...weights], two, options)
      expect([...result.weights]).toEqual(expected.weights.map((weight) => expect.closeTo(weight, 5)))
      expect(result).toMatchObject({ exampleCount: 2, steps: 2, meanLoss: expect.closeTo(expected.meanLoss, 5) })
    })

    it('applies the penalty of the model unless the options replace it', async () => {
      const train = (l2Model: number, l2?: number) =>
        trainer.train({
          ...request,
          model: logistic(5, l2Model),
          weights: new Float32Array(6).fill(0.5),
          options: { ...OPTIONS, l2 },
        })
      const [fromModel, fromOptions, none] = [await train(0.3), await train(0, 0.3), await train(0.3, 0)]
      expect(fromModel).toEqual(fromOptions)
      expect(none.weights).not.toEqual(fromModel.weights)
    })

    it('takes what is left as the last step of an epoch', async () => {
      const result = await trainer.train({ ...request, options: { ...OPTIONS, epochs: 2, batchSize: 64 } })
      expect(result.steps).toBe(2 * 4)
      const whole = await trainer.train({ ...request, options: { ...OPTIONS, epochs: 1, batchSize: 10_000 } })
      expect(whole.steps).toBe(1)
    })

    it('uses dropout for training only, with masks from the seed', async () => {
      const dropping = parseModel({
        format: MODEL_FORMAT,
        inputShape: [5],
        layers: [
          { type: 'dense', units: 16, activation: 'tanh' },
          { type: 'dropout', rate: 0.5 },
          { type: 'dense', units: 1 },
        ],
        output: 'binary',
      })
      const plain = mlp(5, [16])
      const weights = initialWeights(dropping, seedOf(0))
      const options = { ...OPTIONS, epochs: 1, batchSize: 200 }
      const trained = await trainer.train({ model: dropping, weights, examples, options })
      expect(await trainer.train({ model: dropping, weights, examples, options })).toEqual(trained)
      // Its loss is that of a masked network, which the whole network's is not.
      const { meanLoss } = await trainer.evaluate({ model: dropping, weights, examples })
      expect(Math.abs(trained.meanLoss - meanLoss)).toBeGreaterThan(1e-6)
      expect((await trainer.train({ model: plain, weights, examples, options })).weights).not.toEqual(trained.weights)
    })

    it.each<[string, Partial<TrainRequest>, string]>([
      ['weights of another model', { weights: new Float32Array(7) }, 'weights-length-mismatch'],
      ['weights that are not finite', { weights: new Float32Array(241).fill(Number.NaN) }, 'weights-not-finite'],
      [
        'no examples',
        { examples: { features: new Float32Array(), labels: new Float32Array(), exampleCount: 0 } },
        'examples-empty',
      ],
      [
        'a missing feature column',
        { examples: { ...examples, features: examples.features.subarray(200) } },
        'examples-length-mismatch',
      ],
      [
        'a missing value',
        { examples: { ...examples, features: examples.features.with(7, Number.NaN) } },
        'examples-not-finite',
      ],
      [
        'a label that is no class',
        { examples: { ...examples, labels: examples.labels.with(3, 2) } },
        'label-out-of-range',
      ],
      ['no epochs', { options: { ...OPTIONS, epochs: 0 } }, 'options-invalid'],
      ['a batch of nothing', { options: { ...OPTIONS, batchSize: 0 } }, 'options-invalid'],
      [
        'a learning rate that is not a number',
        { options: { ...OPTIONS, learningRate: Number.NaN } },
        'options-invalid',
      ],
      ['a momentum of one', { options: { ...OPTIONS, momentum: 1 } }, 'options-invalid'],
      ['a negative penalty', { options: { ...OPTIONS, l2: -1 } }, 'options-invalid'],
      ['a seed of 64 bits', { options: { ...OPTIONS, shuffleSeed: new Uint8Array(8) } }, 'seed-length-mismatch'],
      ['a learning rate that blows up', { options: { ...OPTIONS, learningRate: 1e30 } }, 'training-diverged'],
    ])('refuses %s by name, and goes on working', async (_, change, code) => {
      await expect(trainer.train({ ...request, ...change })).rejects.toMatchObject({ name: 'LearningError', code })
      expect((await trainer.evaluate(request)).exampleCount).toBe(200)
    })

    it('stops when the caller aborts: before, or in the middle', async () => {
      await expect(trainer.train({ ...request, signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: 'training-aborted',
      })
      const controller = new AbortController()
      const endless = trainer.train({
        ...request,
        options: { ...OPTIONS, epochs: 10_000, learningRate: 1e-6 },
        signal: controller.signal,
      })
      setTimeout(() => controller.abort(), 100)
      await expect(endless).rejects.toMatchObject({ code: 'training-aborted' })
      expect((await trainer.evaluate(request)).exampleCount).toBe(200)
    })

    it('refuses calls after it was closed, which may happen twice', async () => {
      const another = await open()
      await another.close()
      await another.close()
      await expect(another.train(request)).rejects.toMatchObject({ code: 'trainer-closed' })
      await expect(another.describe()).rejects.toMatchObject({ code: 'trainer-closed' })
    })
  })
}

/** Full-batch logistic regression in float64, written out. Weights: kernel, then bias. */
function logisticDescent(
  weights: number[],
  { features, labels }: { features: Float32Array; labels: Float32Array },
  { epochs, learningRate, momentum, l2 }: { epochs: number; learningRate: number; momentum: number; l2: number },
): { weights: number[]; meanLoss: number } {
  const width = weights.length - 1
  const velocity = weights.map(() => 0)
  let meanLoss = 0
  for (let epoch = 0; epoch < epochs; epoch++) {
    const gradient = weights.map((weight, index) => (index < width ? l2 * weight : 0))
    meanLoss = 0
    for (const [row, label] of labels.entries()) {
      const inputs = [...features.subarray(row * width, (row + 1) * width), 1]
      const logit = inputs.reduce((sum, input, index) => sum + input * weights[index], 0)
      const probability = 1 / (1 + Math.exp(-logit))
      meanLoss -= Math.log(label === 1 ? probability : 1 - probability) / labels.length
      for (const [index, input] of inputs.entries()) gradient[index] += ((probability - label) * input) / labels.length
    }
    for (const index of weights.keys()) {
      velocity[index] = momentum * velocity[index] + gradient[index]
      weights[index] -= learningRate * velocity[index]
    }
  }
  return { weights, meanLoss }
}
