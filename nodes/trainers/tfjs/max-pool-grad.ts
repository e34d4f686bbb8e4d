import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import { backend_util, type KernelFunc, type MaxPoolGradAttrs, type TensorInfo } from '@tensorflow/tfjs-core'

/**
 * Gradient of 2-D max pooling for the WASM backend: each output's slope goes to the first largest input of its window,
 * as on the CPU backend. It replaces the kernel of tfjs-backend-wasm 4.22.0, which leaves most of the gradient at zero
 * (a 4×4 input under 2×2 windows gets 1 of 4 slopes).
 *
 * Inputs `dy` and `input`, float32, channels last; attributes `filterSize`, `strides`, `pad`, `dimRoundingMode`.
 */
export const maxPoolGrad: KernelFunc = ({ inputs, attrs, backend }) => {
  const { dy, input } = inputs as { dy: TensorInfo; input: TensorInfo }
  const { filterSize, strides, pad, dimRoundingMode } = attrs as unknown as MaxPoolGradAttrs
  const shape = input.shape as [number, number, number, number]
  const info = backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode)
  const wasm = backend as BackendWasm
  const dx = wasm.makeOutput(input.shape, 'float32')
  const view = (tensor: TensorInfo): Float32Array => wasm.typedArrayFromHeap(tensor as never) as Float32Array
  scatterSlopes(view(input), view(dy), view(dx).fill(0), info)
  return dx
}

function scatterSlopes(x: Float32Array, dy: Float32Array, dx: Float32Array, info: backend_util.Conv2DInfo): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, strideHeight, strideWidth, padInfo } = info
  let at = 0
  for (let image = 0; image < batchSize; image++) {
    for (let outRow = 0; outRow < outHeight; outRow++) {
      const top = Math.max(0, outRow * strideHeight - padInfo.top)
      const bottom = Math.min(inHeight, outRow * strideHeight - padInfo.top + info.filterHeight)
      for (let outColumn = 0; outColumn < outWidth; outColumn++) {
        const left = Math.max(0, outColumn * strideWidth - padInfo.left)
        const right = Math.min(inWidth, outColumn * strideWidth - padInfo.left + info.filterWidth)
        for (let channel = 0; channel < inChannels; channel++, at++) {
          let largest = -1
          for (let row = top; row < bottom; row++) {
            const rowStart = (image * inHeight + row) * inWidth
            for (let column = left; column < right; column++) {
              const index = (rowStart + column) * inChannels + channel
              if (largest < 0 || x[index] > x[largest]) largest = index
            }
          }
          dx[largest] += dy[at]
        }
      }
    }
  }
}
