import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { startBackend } from '../../nodes/trainers/tfjs/backend.ts'

const small = fc.integer({ min: 1, max: 4 })
const geometry = fc.record({
  batch: small,
  height: fc.integer({ min: 4, max: 12 }),
  width: fc.integer({ min: 4, max: 12 }),
  channels: small,
  filters: fc.integer({ min: 1, max: 9 }),
  window: fc.tuple(small, small),
  strides: fc.tuple(small, small),
  pad: fc.constantFrom('same' as const, 'valid' as const),
})

/** Values that differ everywhere, and many equal ones, so that ties in a window are met too. */
function values(count: number, salt: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => Math.round(8 * Math.sin((index + salt) ** 2)) / 8)
}

async function onBoth(compute: () => tf.Tensor): Promise<[Float32Array, Float32Array]> {
  const results: Float32Array[] = []
  for (const backend of ['cpu', 'wasm']) {
    await tf.setBackend(backend)
    tf.tidy(() => {
      results.push(compute().dataSync<'float32'>())
    })
  }
  return [results[0], results[1]]
}

function expectClose([expected, actual]: [Float32Array, Float32Array]): void {
  expect(actual.length).toBe(expected.length)
  const scale = Math.max(1e-6, ...expected.map(Math.abs))
  const worst = Math.max(...expected.map((value, index) => Math.abs(value - actual[index])))
  expect(worst / scale).toBeLessThan(1e-4)
}

function runKernel(name: string, inputs: tf.NamedTensorMap, attributes: object): tf.Tensor {
  return tf.engine().runKernel(name, inputs, attributes as tf.NamedAttrMap) as tf.Tensor
}

describe('kernels added to the wasm backend', () => {
  beforeAll(() => startBackend('wasm'))

  it('give the gradient of a convolution filter that the CPU backend gives, for any strides and padding', async () => {
    await fc.assert(
      fc.asyncProperty(geometry, async ({ batch, height, width, channels, filters, window, strides, pad }) => {
        const shape: [number, number, number, number] = [batch, height, width, channels]
        const filterShape: [number, number, number, number] = [...window, channels, filters]
        const { outShape } = tf.backend_util.computeConv2DInfo(shape, filterShape, strides, 1, pad)
        const result = await onBoth(() => {
          const x = tf.tensor(values(batch * height * width * channels, 1), shape)
          const dy = tf.tensor(
            values(
              outShape.reduce((a, b) => a * b),
              2,
            ),
            outShape,
          )
          return runKernel('Conv2DBackpropFilter', { x, dy }, { strides, pad, dataFormat: 'NHWC', filterShape })
        })
        expectClose(result)
      }),
      { numRuns: 80 },
    )
  })

  it('sum the filter gradient over a batch that is laid out in several parts', async () => {
    // 3·3·8 cells × 64·64 positions × 4 bytes: 14 images fit at once.
    const result = await onBoth(() => {
      const x = tf.tensor(values(17 * 64 * 64 * 8, 1), [17, 64, 64, 8])
      const dy = tf.tensor(values(17 * 64 * 64, 2), [17, 64, 64, 1])
      const attributes = { strides: 1, pad: 'same', dataFormat: 'NHWC', filterShape: [3, 3, 8, 1] }
      return runKernel('Conv2DBackpropFilter', { x, dy }, attributes)
    })
    expectClose(result)
  })

  it('give the gradient of max pooling that the CPU backend gives, ties included', async () => {
    await fc.assert(
      fc.asyncProperty(geometry, async ({ batch, height, width, channels, window, strides, pad }) => {
        const result = await onBoth(() => {
          const input = tf.tensor4d(values(batch * height * width * channels, 3), [batch, height, width, channels])
          const output = tf.maxPool(input, window, strides, pad)
          const dy = tf.tensor(values(output.size, 4), output.shape)
          return runKernel('MaxPoolGrad', { dy, input, output }, { filterSize: window, strides, pad })
        })
        expectClose(result)
      }),
      { numRuns: 80 },
    )
  })

  it('refuse dilation and channels-first data by name', async () => {
    await tf.setBackend('wasm')
    tf.tidy(() => {
      const [x, dy] = [tf.zeros([1, 6, 6, 1]), tf.zeros([1, 4, 4, 1])]
      const attributes = { strides: 1, pad: 'valid', dataFormat: 'NHWC', filterShape: [3, 3, 1, 1] }
      for (const change of [{ dilations: [2, 1] }, { dataFormat: 'NCHW' }]) {
        expect(() => runKernel('Conv2DBackpropFilter', { x, dy }, { ...attributes, ...change })).toThrow(
          expect.objectContaining({ code: 'kernel-unsupported' }),
        )
      }
    })
  })
})
