import { LearningError } from './learning-error.ts'
import type { Layer, Model, Padding } from './model.ts'

/** Sizes of a tensor's axes, outermost first; the batch axis is never part of it. */
export type Shape = readonly number[]

/** What one layer turns its input into, and the weights it needs for that. */
export interface LayerShape {
  readonly input: Shape
  readonly output: Shape
  /** Dense `[inputs, units]`, convolution `[height, width, inChannels, filters]`; absent where nothing is learnt. */
  readonly kernel?: Shape
  readonly bias?: Shape
}

/** Number of elements of a tensor of that shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, axis) => size * axis, 1)
}

/**
 * Follows the input's shape through all layers.
 * @throws LearningError `model-shape-mismatch` naming the first layer that does not fit its input
 */
export function layerShapes(model: Pick<Model, 'inputShape' | 'layers'>): LayerShape[] {
  const shapes: LayerShape[] = []
  let input: Shape = model.inputShape
  for (const [index, layer] of model.layers.entries()) {
    const shape = layerShape(layer, input, index)
    shapes.push(shape)
    input = shape.output
  }
  return shapes
}

function layerShape(layer: Layer, input: Shape, index: number): LayerShape {
  switch (layer.type) {
    case 'dense': {
      if (input.length !== 1) throw mismatch(index, `dense takes a flat input, not ${show(input)}: put flatten before`)
      return { input, output: [layer.units], kernel: [input[0], layer.units], bias: [layer.units] }
    }
    case 'conv2d': {
      const [height, width, channels] = imageAxes(input, index, 'conv2d')
      const output = [...windowed([height, width], layer.kernelSize, layer, index), layer.filters]
      return { input, output, kernel: [...layer.kernelSize, channels, layer.filters], bias: [layer.filters] }
    }
    case 'maxPooling2d': {
      const [height, width, channels] = imageAxes(input, index, 'maxPooling2d')
      return { input, output: [...windowed([height, width], layer.poolSize, layer, index), channels] }
    }
    case 'flatten':
      return { input, output: [sizeOf(input)] }
    case 'dropout':
      return { input, output: input }
  }
}

/** Output height and width of a sliding window, as TensorFlow defines `same` and `valid`. */
function windowed(
  input: readonly [number, number],
  window: readonly [number, number],
  { strides, padding }: { strides: readonly [number, number]; padding: Padding },
  index: number,
): [number, number] {
  if (padding === 'same') return [Math.ceil(input[0] / strides[0]), Math.ceil(input[1] / strides[1])]
  if (window[0] > input[0] || window[1] > input[1]) {
    throw mismatch(index, `the window ${show(window)} is larger than its input ${show(input)}: shrink it or pad 'same'`)
  }
  return [Math.floor((input[0] - window[0]) / strides[0]) + 1, Math.floor((input[1] - window[1]) / strides[1]) + 1]
}

function imageAxes(input: Shape, index: number, type: string): [number, number, number] {
  if (input.length !== 3) {
    throw mismatch(index, `${type} takes an input of [height, width, channels], not ${show(input)}`)
  }
  return [input[0], input[1], input[2]]
}

function mismatch(index: number, what: string): LearningError {
  return new LearningError('model-shape-mismatch', `layer ${index}: ${what}`)
}

function show(shape: Shape): string {
  return `[${shape.join(', ')}]`
}
