import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonicalModelJson,
  MODEL_FORMAT,
  type ModelInput,
  parseModel,
  scoresPerExample,
  weightCount,
  weightShapes,
} from '../../src/learning/model.ts'
import { cnn, logistic, mlp } from '../../src/learning/model-presets.ts'
import { layerShapes } from '../../src/learning/model-shapes.ts'

const image = (layers: unknown[], inputShape = [8, 8, 3]) => ({
  format: MODEL_FORMAT,
  inputShape,
  layers,
  output: 'multiclass',
})

const ending = [{ type: 'flatten' }, { type: 'dense', units: 2 }]

describe('model description', () => {
  it('lists the weight tensors by layer, kernel before bias', () => {
    expect(weightShapes(mlp(19, [64, 32]))).toEqual([
      { name: 'layers.0.kernel', shape: [19, 64] },
      { name: 'layers.0.bias', shape: [64] },
      { name: 'layers.1.kernel', shape: [64, 32] },
      { name: 'layers.1.bias', shape: [32] },
      { name: 'layers.2.kernel', shape: [32, 1] },
      { name: 'layers.2.bias', shape: [1] },
    ])
    expect(weightCount(mlp(19, [64, 32]))).toBe(19 * 64 + 64 + 64 * 32 + 32 + 32 + 1)
    expect(weightCount(logistic(19))).toBe(20)
  })

  it('follows the shape of an image through convolutions and pooling, skipping layers without weights', () => {
    const model = cnn([28, 28, 1], 10)
    expect(weightShapes(model).map(({ name, shape }) => `${name} ${shape.join('x')}`)).toEqual([
      'layers.0.kernel 3x3x1x8',
      'layers.0.bias 8',
      'layers.2.kernel 3x3x8x16',
      'layers.2.bias 16',
      'layers.5.kernel 784x64',
      'layers.5.bias 64',
      'layers.6.kernel 64x10',
      'layers.6.bias 10',
    ])
    expect(scoresPerExample(model)).toBe(10)
  })

  it('sizes windows as TensorFlow does for same and valid padding', () => {
    const sizes = (padding: string) =>
      layerShapes(
        parseModel(
          image([{ type: 'conv2d', filters: 5, kernelSize: [3, 2], strides: [2, 3], padding }, ...ending], [10, 11, 2]),
        ),
      )[0].output
    expect(sizes('same')).toEqual([5, 4, 5])
    expect(sizes('valid')).toEqual([4, 4, 5])
  })

  it('gives one canonical text for a description with and without its defaults, in any order of members', () => {
    const short: ModelInput = {
      layers: [{ units: 1, type: 'dense' }],
      output: 'binary',
      inputShape: [2],
      format: MODEL_FORMAT,
    }
    const text =
      '{"format":"sluice.model/1","inputShape":[2],"l2":0,' +
      '"layers":[{"activation":"linear","type":"dense","units":1}],"output":"binary"}'
    expect(canonicalModelJson(parseModel(short))).toBe(text)
    expect(canonicalModelJson(logistic(2))).toBe(text)
    expect(canonicalModelJson(parseModel(JSON.parse(text)))).toBe(text)
  })

  it.each([
    ['an unknown activation', { layers: [{ type: 'dense', units: 1, activation: 'gelu' }] }, 'model-invalid'],
    ['an unknown layer', { layers: [{ type: 'lstm', units: 1 }] }, 'model-invalid'],
    ['an unknown member', { layers: [{ type: 'dense', units: 1, bias: false }] }, 'model-invalid'],
    ['a missing unit count', { layers: [{ type: 'dense' }] }, 'model-invalid'],
    ['a fraction of a unit', { layers: [{ type: 'dense', units: 1.5 }] }, 'model-invalid'],
    ['another format version', { format: 'sluice.model/2' }, 'model-invalid'],
    ['no layers', { layers: [] }, 'model-invalid'],
    ['a dropout of everything', { layers: [{ type: 'dropout', rate: 1 }] }, 'model-invalid'],
    ['an infinite penalty', { l2: Number.POSITIVE_INFINITY }, 'model-invalid'],
    [
      'a convolution on a flat input',
      { layers: [{ type: 'conv2d', filters: 1, kernelSize: [1, 1] }] },
      'model-shape-mismatch',
    ],
    ['a binary model with two outputs', { layers: [{ type: 'dense', units: 2 }] }, 'model-output-mismatch'],
    ['a multiclass model with one output', { output: 'multiclass' }, 'model-output-mismatch'],
    [
      'an activation on the logits',
      { layers: [{ type: 'dense', units: 1, activation: 'sigmoid' }] },
      'model-output-mismatch',
    ],
    ['a model that ends in dropout', { layers: [{ type: 'dropout', rate: 0.5 }] }, 'model-output-mismatch'],
    [
      'more weights than memory is taken for',
      {
        layers: [
          { type: 'dense', units: 1_000_000 },
          { type: 'dense', units: 1_000 },
          { type: 'dense', units: 1 },
        ],
      },
      'model-too-large',
    ],
  ])('refuses %s', (_, change, code) => {
    const base = { format: MODEL_FORMAT, inputShape: [4], layers: [{ type: 'dense', units: 1 }], output: 'binary' }
    expect(() => parseModel({ ...base, ...change })).toThrow(expect.objectContaining({ code }))
  })

  it.each([
    ['a dense layer on an image', [{ type: 'dense', units: 2 }]],
    ['a kernel larger than its input', [{ type: 'conv2d', filters: 1, kernelSize: [9, 1] }, ...ending]],
    [
      'pooling below one pixel',
      [
        { type: 'maxPooling2d', poolSize: [5, 5], strides: [5, 5] },
        { type: 'maxPooling2d', poolSize: [2, 2], strides: [2, 2] },
        ...ending,
      ],
    ],
  ])('refuses %s by the name of the layer', (_, layers) => {
    expect(() => parseModel(image(layers))).toThrow(
      expect.objectContaining({ code: 'model-shape-mismatch', message: expect.stringMatching(/^layer \d: /) }),
    )
  })

  it('refuses layers whose activations would exhaust a holder', () => {
    const layers = [{ type: 'conv2d', filters: 1_000_000, kernelSize: [1, 1] }, ...ending]
    expect(() => parseModel(image(layers, [100, 100, 1]))).toThrow(expect.objectContaining({ code: 'model-too-large' }))
  })

  it('survives JSON unchanged', () => {
    const side = fc.integer({ min: 4, max: 32 })
    fc.assert(
      fc.property(side, side, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 2, max: 20 }), (h, w, c, classes) => {
        const model = cnn([h, w, c], classes)
        expect(parseModel(JSON.parse(canonicalModelJson(model)))).toEqual(model)
      }),
      { numRuns: 20 },
    )
  })
})
