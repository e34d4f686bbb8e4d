import { z } from 'zod'
import { describeIssues } from './describe-issues.ts'
import { LearningError } from './learning-error.ts'
import { type LayerShape, layerShapes, type Shape, sizeOf } from './model-shapes.ts'

/** Version of the model description. A description with another version is refused, never guessed at. */
export const MODEL_FORMAT = 'sluice.model/1'

/** Most weights of one model: a flat vector of 1 GiB. Larger descriptions are refused as `model-too-large`. */
export const MAX_MODEL_WEIGHTS = 2 ** 28

/** Most activations of one layer for one example, so that a hostile description cannot exhaust a holder's memory. */
export const MAX_LAYER_ACTIVATIONS = 2 ** 24

const dimension = z.int().min(1).max(1_048_576)
const side = z.int().min(1).max(65_536)
const sides = z.tuple([side, side])
const activation = z.enum(['linear', 'relu', 'tanh', 'sigmoid'])
const padding = z.enum(['same', 'valid'])

const denseLayer = z.strictObject({
  type: z.literal('dense'),
  units: dimension,
  activation: activation.default('linear'),
})

const conv2dLayer = z.strictObject({
  type: z.literal('conv2d'),
  filters: dimension,
  kernelSize: sides,
  strides: sides.default([1, 1]),
  padding: padding.default('valid'),
  activation: activation.default('linear'),
})

const maxPooling2dLayer = z.strictObject({
  type: z.literal('maxPooling2d'),
  poolSize: sides,
  strides: sides,
  padding: padding.default('valid'),
})

const flattenLayer = z.strictObject({ type: z.literal('flatten') })

const dropoutLayer = z.strictObject({ type: z.literal('dropout'), rate: z.number().min(0).lt(1) })

/**
 * A model as data: JSON in a job, in a round plan (by digest) and beside an exported model.
 *
 * - `inputShape`: `[features]`, or `[height, width, channels]` (channels last) for images;
 * - `layers`: in order; the last one is a linear `dense` layer that gives logits;
 * - `output`: `binary` = one logit, sigmoid, binary cross-entropy; `multiclass` = one logit a class (at least two),
 *   softmax, categorical cross-entropy;
 * - `l2`: the penalty `l2/2 · ‖kernels‖²` (biases are free) added to the loss that training minimises.
 */
export const modelSchema = z.strictObject({
  format: z.literal(MODEL_FORMAT),
  inputShape: z.union([z.tuple([dimension]), z.tuple([side, side, side])]),
  layers: z
    .array(z.discriminatedUnion('type', [denseLayer, conv2dLayer, maxPooling2dLayer, flattenLayer, dropoutLayer]))
    .min(1)
    .max(64),
  output: z.enum(['binary', 'multiclass']),
  l2: z.number().min(0).max(1e6).default(0),
})

/** A complete description: defaults filled in, layers known to fit. Make one with `parseModel` or a preset. */
export type Model = z.infer<typeof modelSchema>
/** A description as people write it, with defaults left out. */
export type ModelInput = z.input<typeof modelSchema>
export type Layer = Model['layers'][number]
export type Activation = z.infer<typeof activation>
export type Padding = z.infer<typeof padding>

/** Name and shape of one weight tensor: row-major, float32. */
export interface WeightShape {
  /** `layers.<index>.kernel` or `layers.<index>.bias`. */
  readonly name: string
  /** Dense kernel `[inputs, units]`; convolution kernel `[height, width, inChannels, filters]`; bias `[units]`. */
  readonly shape: Shape
}

/**
 * Reads a model description: fills in the defaults and checks that every layer fits the one before it.
 * @throws LearningError `model-invalid`, `model-shape-mismatch`, `model-output-mismatch`, `model-too-large`
 */
export function parseModel(description: unknown): Model {
  const parsed = modelSchema.safeParse(description)
  if (!parsed.success) {
    throw new LearningError('model-invalid', `correct the model description:\n${describeIssues(parsed.error)}`)
  }
  checkSizes(layerShapes(parsed.data))
  checkOutput(parsed.data)
  return parsed.data
}

/**
 * The weight tensors in the order in which they lie in the flat vector: by layer, kernel before bias. One Float32Array
 * in this order is what trainers take and give and what the protected sum adds up.
 */
export function weightShapes(model: Model): WeightShape[] {
  return layerShapes(model).flatMap(({ kernel, bias }, index) =>
    kernel && bias
      ? [
          { name: `layers.${index}.kernel`, shape: kernel },
          { name: `layers.${index}.bias`, shape: bias },
        ]
      : [],
  )
}

/** Length of the model's flat weight vector. */
export function weightCount(model: Model): number {
  return weightShapes(model).reduce((count, { shape }) => count + sizeOf(shape), 0)
}

/** Scores a model gives per example: 1 (probability of the positive class) or the number of classes. */
export function scoresPerExample(model: Model): number {
  const last = model.layers.at(-1)
  return last?.type === 'dense' ? last.units : 0
}

/**
 * The description as one canonical JSON text (RFC 8785: members sorted, no white space, ECMAScript numbers): equal
 * models give equal bytes, so that the digest of the text in UTF-8 names the model.
 */
export function canonicalModelJson(model: Model): string {
  return canonicalJson(parseModel(model))
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`
}

function checkSizes(shapes: LayerShape[]): void {
  const weights = shapes.reduce((sum, { kernel, bias }) => sum + sizeOf(kernel ?? [0]) + sizeOf(bias ?? [0]), 0)
  if (weights > MAX_MODEL_WEIGHTS) {
    throw new LearningError('model-too-large', `the model has ${weights} weights: use at most ${MAX_MODEL_WEIGHTS}`)
  }
  const wide = shapes.findIndex(({ output }) => sizeOf(output) > MAX_LAYER_ACTIVATIONS)
  if (wide >= 0) {
    throw new LearningError(
      'model-too-large',
      `layer ${wide} gives ${sizeOf(shapes[wide].output)} numbers an example: use at most ${MAX_LAYER_ACTIVATIONS}`,
    )
  }
}

function checkOutput(model: Model): void {
  const last = model.layers[model.layers.length - 1]
  if (last.type !== 'dense' || last.activation !== 'linear') {
    throw new LearningError(
      'model-output-mismatch',
      'end the model with a dense layer of linear activation: the output applies sigmoid or softmax itself',
    )
  }
  if (model.output === 'binary' && last.units !== 1) {
    throw new LearningError('model-output-mismatch', `a binary model ends in 1 unit, not ${last.units}`)
  }
  if (model.output === 'multiclass' && last.units < 2) {
    throw new LearningError('model-output-mismatch', 'a multiclass model ends in one unit a class, at least 2')
  }
}
