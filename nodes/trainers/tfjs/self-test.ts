import * as tf from '@tensorflow/tfjs-core'
import { initialWeights } from '../../../src/learning/initial-weights.ts'
import { MODEL_FORMAT, parseModel } from '../../../src/learning/model.ts'
import { SeededStream } from '../../../src/learning/seeded-stream.ts'
import { addBatchGradient, planModel } from './model-passes.ts'

/** Largest difference from the pure CPU backend, relative to the largest entry of the gradient. */
const TOLERANCE = 1e-4

const EXAMPLES = 3
const SEED = new Uint8Array(32)

/** Touches every kernel that training can use: both paddings, strides of 1 and more, every activation. */
const MODEL = parseModel({
  format: MODEL_FORMAT,
  inputShape: [9, 8, 2],
  layers: [
    { type: 'conv2d', filters: 3, kernelSize: [3, 2], padding: 'same', activation: 'relu' },
    { type: 'conv2d', filters: 4, kernelSize: [3, 3], strides: [2, 2], padding: 'same', activation: 'tanh' },
    { type: 'maxPooling2d', poolSize: [2, 2], strides: [1, 2], padding: 'same' },
    { type: 'conv2d', filters: 3, kernelSize: [2, 2], padding: 'valid', activation: 'relu' },
    { type: 'flatten' },
    { type: 'dense', units: 6, activation: 'sigmoid' },
    { type: 'dense', units: 3 },
  ],
  output: 'multiclass',
})

/**
 * Compares one gradient of a small network on a backend with the pure CPU backend, before that backend is trusted with
 * training: kernels may be missing, broken by the runtime (tfjs-node 4.22 calls functions that Node 23 removed) or
 * plainly wrong (max pooling's gradient in tfjs-wasm 4.22). Leaves the tested backend current.
 * @param backend name under which it is registered with tfjs
 * @returns null when it may be trusted, otherwise why not, in one line
 */
export async function backendFault(backend: string): Promise<string | null> {
  try {
    await tf.setBackend('cpu')
    const expected = testGradient()
    if (!(await tf.setBackend(backend))) return 'it does not start'
    const actual = testGradient()
    const scale = Math.max(...expected.map(Math.abs))
    const worst = Math.max(...actual.map((value, index) => Math.abs(value - expected[index]))) / scale
    return worst <= TOLERANCE ? null : `its gradients differ from the CPU backend's by ${worst.toPrecision(2)}`
  } catch (error) {
    return `a training step failed: ${error instanceof Error ? error.message.split('\n')[0] : error}`
  }
}

function testGradient(): Float32Array {
  const plan = planModel(MODEL)
  const stream = new SeededStream(SEED, 'sluice backend self-test')
  const features = Float32Array.from({ length: EXAMPLES * plan.featuresPerExample }, () => 2 * stream.unit() - 1)
  const labels = Float32Array.from({ length: EXAMPLES }, (_, example) => example)
  const gradient = new Float32Array(plan.weightCount)
  addBatchGradient(plan, initialWeights(MODEL, SEED), { features, labels }, 1, gradient)
  return gradient
}
