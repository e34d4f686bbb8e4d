import * as tf from '@tensorflow/tfjs-core'
import type { Activation, Layer } from '../../../src/learning/model.ts'
import type { SeededStream } from '../../../src/learning/seeded-stream.ts'

type Conv2d = Extract<Layer, { type: 'conv2d' }>
type Pooling = Extract<Layer, { type: 'maxPooling2d' }>

/** Slopes of the loss with respect to what a layer read. Absent: nothing to learn there, or not asked for. */
export interface LayerSlopes {
  readonly kernel?: tf.Tensor
  readonly bias?: tf.Tensor
  readonly input?: tf.Tensor
}

/** A layer's output for one batch, and the way back through it. Tensors are owned by the caller's `tf.tidy`. */
export interface LayerPass {
  readonly output: tf.Tensor
  /** @param wantInput whether the slope of the input is needed; false for the first layer */
  backward(slope: tf.Tensor, wantInput: boolean): LayerSlopes
}

/** Weights of a layer and, while training, where its dropout mask comes from. */
export interface LayerContext {
  readonly kernel?: tf.Tensor
  readonly bias?: tf.Tensor
  readonly dropoutStream?: SeededStream
}

/**
 * Runs one layer forward on a batch [examples, …input shape].
 *
 * The way back is written out instead of recorded on tfjs's gradient tape: for the small models of tabular data a step
 * is all overhead, and this takes half as long; it also needs no gradient registry, which tfjs-core does not load by
 * itself.
 */
export function runLayer(layer: Layer, input: tf.Tensor, context: LayerContext): LayerPass {
  switch (layer.type) {
    case 'dense':
      return densePass(layer.activation, input as tf.Tensor2D, context)
    case 'conv2d':
      return convolutionPass(layer, input as tf.Tensor4D, context)
    case 'maxPooling2d':
      return poolingPass(layer, input as tf.Tensor4D)
    case 'flatten': {
      const output = tf.reshape(input, [input.shape[0], -1])
      return { output, backward: (slope) => ({ input: tf.reshape(slope, input.shape) }) }
    }
    case 'dropout':
      return dropoutPass(layer.rate, input, context.dropoutStream)
  }
}

function densePass(activation: Activation, input: tf.Tensor2D, { kernel, bias }: LayerContext): LayerPass {
  const weights = kernel as tf.Tensor2D
  const output = activated(activation, (fused) =>
    tf.fused.matMul({ a: input, b: weights, bias: bias as tf.Tensor1D, activation: fused }),
  )
  return {
    output,
    backward(outputSlope, wantInput) {
      const slope = activationSlope(activation, output, outputSlope) as tf.Tensor2D
      return {
        // Transposing first keeps the product on XNNPACK: with transposeA/B tfjs-wasm falls back to a scalar loop,
        // up to 13 times slower (measured).
        kernel: tf.matMul(tf.transpose(input), slope),
        bias: columnSums(slope),
        input: wantInput ? tf.matMul(slope, tf.transpose(weights)) : undefined,
      }
    },
  }
}

function convolutionPass(layer: Conv2d, input: tf.Tensor4D, { kernel, bias }: LayerContext): LayerPass {
  const filter = kernel as tf.Tensor4D
  const { strides, padding: pad, activation } = layer
  const info = tf.backend_util.computeConv2DInfo(input.shape, filter.shape, strides, 1, pad)
  // With strides above 1, tfjs-wasm 4.22 gives wrong values for pad 'same' when a window is smaller than its stride.
  // Padding beforehand is right on every backend; with stride 1 'same' is right, and faster.
  const plain = isUnit(strides)
  const padded = plain ? input : padImage(input, info.padInfo)
  const output = activated(activation, (fused) =>
    tf.fused.conv2d({
      x: padded,
      filter,
      strides,
      pad: plain ? pad : 'valid',
      bias: bias as tf.Tensor1D,
      activation: fused,
    }),
  )
  return {
    output,
    backward(outputSlope, wantInput) {
      const slope = activationSlope(activation, output, outputSlope) as tf.Tensor4D
      const attributes = { strides, pad, dataFormat: 'NHWC', filterShape: filter.shape }
      return {
        kernel: runKernel('Conv2DBackpropFilter', { x: input, dy: slope }, attributes),
        bias: columnSums(tf.reshape(slope, [-1, layer.filters])),
        input: wantInput ? convolutionInputSlope(layer, input, filter, slope, info.padInfo) : undefined,
      }
    },
  }
}

/** With stride 1 a convolution with the filter turned round: 12 times faster on WASM than Conv2DBackpropInput. */
function convolutionInputSlope(
  { strides, padding: pad, kernelSize }: Conv2d,
  input: tf.Tensor4D,
  filter: tf.Tensor4D,
  slope: tf.Tensor4D,
  padInfo: Sides,
): tf.Tensor {
  if (!isUnit(strides)) {
    const attributes = { strides, pad, dataFormat: 'NHWC', inputShape: input.shape }
    return runKernel('Conv2DBackpropInput', { dy: slope, filter }, attributes)
  }
  const turned = tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2])
  const padded = padImage(slope, {
    top: kernelSize[0] - 1 - padInfo.top,
    bottom: kernelSize[0] - 1 - padInfo.bottom,
    left: kernelSize[1] - 1 - padInfo.left,
    right: kernelSize[1] - 1 - padInfo.right,
  })
  return tf.conv2d(padded, turned, 1, 'valid')
}

function poolingPass({ poolSize, strides, padding: pad }: Pooling, input: tf.Tensor4D): LayerPass {
  const output = tf.maxPool(input, poolSize, strides, pad)
  return {
    output,
    backward: (slope) => ({
      input: runKernel('MaxPoolGrad', { dy: slope, input, output }, { filterSize: poolSize, strides, pad }),
    }),
  }
}

function dropoutPass(rate: number, input: tf.Tensor, stream: SeededStream | undefined): LayerPass {
  if (!stream || rate === 0) return { output: input, backward: (slope) => ({ input: slope }) }
  const kept = 1 / (1 - rate)
  const dropped = rate * 2 ** 32
  const values = new Float32Array(input.size)
  for (let index = 0; index < values.length; index++) values[index] = stream.uint32() < dropped ? 0 : kept
  const mask = tf.tensor(values, input.shape)
  return { output: tf.mul(input, mask), backward: (slope) => ({ input: tf.mul(slope, mask) }) }
}

/** ReLU is fused into the product on every backend, tanh and sigmoid are not. */
function activated(activation: Activation, linear: (fused: 'linear' | 'relu') => tf.Tensor): tf.Tensor {
  switch (activation) {
    case 'linear':
    case 'relu':
      return linear(activation)
    case 'tanh':
      return tf.tanh(linear('linear'))
    case 'sigmoid':
      return tf.sigmoid(linear('linear'))
  }
}

/** Slope of the loss before the activation, from the activation's output. */
function activationSlope(activation: Activation, output: tf.Tensor, slope: tf.Tensor): tf.Tensor {
  switch (activation) {
    case 'linear':
      return slope
    case 'relu':
      return tf.mul(slope, tf.step(output))
    case 'tanh':
      return tf.mul(slope, tf.sub(1, tf.square(output)))
    case 'sigmoid':
      return tf.mul(slope, tf.mul(output, tf.sub(1, output)))
  }
}

/** Sums over rows as a product with ones: 8 times faster on WASM than tf.sum over the leading axis. */
function columnSums(rows: tf.Tensor): tf.Tensor {
  return tf.matMul(tf.ones([1, rows.shape[0]]), rows as tf.Tensor2D)
}

interface Sides {
  readonly top: number
  readonly bottom: number
  readonly left: number
  readonly right: number
}

function padImage(image: tf.Tensor4D, { top, bottom, left, right }: Sides): tf.Tensor4D {
  if (top + bottom + left + right === 0) return image
  return tf.pad(image, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ])
}

function isUnit(strides: readonly [number, number]): boolean {
  return strides[0] === 1 && strides[1] === 1
}

function runKernel(name: string, inputs: tf.NamedTensorMap, attributes: object): tf.Tensor {
  return tf.engine().runKernel(name, inputs, attributes as tf.NamedAttrMap) as tf.Tensor
}
