import { MODEL_FORMAT, type Model, type ModelInput, parseModel } from './model.ts'

/**
 * Logistic regression: one sigmoid unit on a flat input, binary.
 * @param inputs number of features
 * @param l2 strength of the penalty on the kernel, ≥ 0
 * @throws LearningError `model-invalid`
 */
export function logistic(inputs: number, l2 = 0): Model {
  return mlp(inputs, [], l2)
}

/**
 * A multilayer perceptron: hidden dense layers with ReLU, then one sigmoid unit, binary.
 * @param inputs number of features
 * @param hidden units of each hidden layer, first to last
 * @param l2 strength of the penalty on the kernels, ≥ 0
 * @throws LearningError `model-invalid`
 */
export function mlp(inputs: number, hidden: readonly number[], l2 = 0): Model {
  return parseModel({
    format: MODEL_FORMAT,
    inputShape: [inputs],
    layers: [
      ...hidden.map((units) => ({ type: 'dense', units, activation: 'relu' }) as const),
      { type: 'dense', units: 1 },
    ],
    output: 'binary',
    l2,
  } satisfies ModelInput)
}

/**
 * A small convolutional network: twice (3×3 convolution, ReLU, 2×2 max pooling) with 8 and 16 filters, then a dense
 * layer of 64 and one logit a class.
 * @param shape `[height, width, channels]` of the images, height and width at least 4
 * @param classes number of classes, at least 2
 * @throws LearningError `model-invalid`, `model-shape-mismatch`, `model-output-mismatch`
 */
export function cnn(shape: readonly [number, number, number], classes: number): Model {
  const convolution = { type: 'conv2d', kernelSize: square(3), padding: 'same', activation: 'relu' } as const
  const pooling = { type: 'maxPooling2d', poolSize: square(2), strides: square(2) } as const
  return parseModel({
    format: MODEL_FORMAT,
    inputShape: [shape[0], shape[1], shape[2]],
    layers: [
      { ...convolution, filters: 8 },
      pooling,
      { ...convolution, filters: 16 },
      pooling,
      { type: 'flatten' },
      { type: 'dense', units: 64, activation: 'relu' },
      { type: 'dense', units: classes },
    ],
    output: 'multiclass',
  } satisfies ModelInput)
}

function square(side: number): [number, number] {
  return [side, side]
}
