import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import {
  backend_util,
  type Conv2DBackpropFilterAttrs,
  getKernel,
  type KernelFunc,
  type TensorInfo,
} from '@tensorflow/tfjs-core'
import { LearningError } from '../../../src/learning/learning-error.ts'

type ConvInfo = backend_util.Conv2DInfo

/** Patches are laid out for as many images at once as fit in this, so that a large batch does not fill the heap. */
const PATCH_BYTES = 16 * 1024 * 1024

/**
 * Gradient of a 2-D convolution with respect to its filter, for the WASM backend, as one matrix product on the
 * backend's own SIMD kernel: `dW[k, f] = Σ_m patches[k, m] · dy[m, f]`, where m runs over all output positions and k over
 * (filter row, filter column, input channel).
 *
 * Inputs `x` [batch, height, width, channels] and `dy` [batch, outHeight, outWidth, filters], float32; attributes as in
 * tfjs (`strides`, `pad`, `dataFormat`, `filterShape`). Gives [filterHeight, filterWidth, channels, filters].
 * @throws LearningError `kernel-unsupported` for channels-first data or dilation
 */
export const conv2dBackpropFilter: KernelFunc = ({ inputs, attrs, backend }) => {
  const { x, dy } = inputs as { x: TensorInfo; dy: TensorInfo }
  const info = convInfo(x, attrs as unknown as Conv2DBackpropFilterAttrs)
  const wasm = backend as BackendWasm
  const filterCells = info.filterHeight * info.filterWidth * info.inChannels
  const positions = info.outHeight * info.outWidth
  const imagesAtOnce = Math.max(1, Math.floor(PATCH_BYTES / (4 * filterCells * positions)))
  let sum: TensorInfo | null = null
  for (let first = 0; first < info.batchSize; first += imagesAtOnce) {
    const images = Math.min(imagesAtOnce, info.batchSize - first)
    const part = filterGradientOf(wasm, info, x, dy, first, images)
    sum = sum ? replaceBySum(wasm, sum, part) : part
  }
  const result = sum as TensorInfo
  return { ...result, shape: info.filterShape }
}

/** The gradient [filterCells, filters] from `images` images of the batch. */
function filterGradientOf(
  wasm: BackendWasm,
  info: ConvInfo,
  x: TensorInfo,
  dy: TensorInfo,
  first: number,
  images: number,
): TensorInfo {
  const filterCells = info.filterHeight * info.filterWidth * info.inChannels
  const positions = info.outHeight * info.outWidth
  const columns = images * positions
  const slopesStart = first * positions * info.outChannels
  // Both outputs are allocated before any view is taken: growing the heap detaches every view of it.
  const patches = wasm.makeOutput([1, filterCells, columns], 'float32')
  const slopes = wasm.makeOutput([1, columns, info.outChannels], 'float32')
  viewOf(wasm, slopes).set(viewOf(wasm, dy).subarray(slopesStart, slopesStart + columns * info.outChannels))
  layOutPatches(viewOf(wasm, x), viewOf(wasm, patches), info, first, images)
  const product = run(wasm, 'BatchMatMul', { a: patches, b: slopes }, { transposeA: false, transposeB: false })
  wasm.disposeData(patches.dataId)
  wasm.disposeData(slopes.dataId)
  return product
}

/**
 * Fills `patches` [filterRow, filterColumn, channel][image, outRow, outColumn]: each row of the matrix is the image
 * shifted by one filter cell, zero where the shift reaches into the padding.
 */
function layOutPatches(x: Float32Array, patches: Float32Array, info: ConvInfo, first: number, images: number): void {
  const { inHeight, inWidth, inChannels, outHeight, outWidth, strideHeight, strideWidth, padInfo } = info
  const rowLength = inWidth * inChannels
  const step = strideWidth * inChannels
  let at = 0
  for (let filterRow = 0; filterRow < info.filterHeight; filterRow++) {
    for (let filterColumn = 0; filterColumn < info.filterWidth; filterColumn++) {
      const shift = filterColumn - padInfo.left
      const from = Math.min(outWidth, Math.max(0, Math.ceil(-shift / strideWidth)))
      const to = Math.max(from, Math.min(outWidth, Math.floor((inWidth - 1 - shift) / strideWidth) + 1))
      for (let channel = 0; channel < inChannels; channel++) {
        for (let image = first; image < first + images; image++) {
          for (let outRow = 0; outRow < outHeight; outRow++, at += outWidth) {
            const row = outRow * strideHeight + filterRow - padInfo.top
            if (row < 0 || row >= inHeight) {
              patches.fill(0, at, at + outWidth)
              continue
            }
            patches.fill(0, at, at + from)
            let source = (image * inHeight + row) * rowLength + (from * strideWidth + shift) * inChannels + channel
            for (let column = from; column < to; column++, source += step) patches[at + column] = x[source]
            patches.fill(0, at + to, at + outWidth)
          }
        }
      }
    }
  }
}

function convInfo(x: TensorInfo, attrs: Conv2DBackpropFilterAttrs): ConvInfo {
  const { strides, pad, dataFormat, dimRoundingMode, filterShape } = attrs
  const dilations = (attrs as { dilations?: number | [number, number] }).dilations ?? 1
  if (dataFormat !== 'NHWC' || [dilations].flat().some((dilation) => dilation !== 1)) {
    throw new LearningError('kernel-unsupported', 'convolutions are trained with channels last and without dilation')
  }
  const shape = x.shape as [number, number, number, number]
  return backend_util.computeConv2DInfo(shape, filterShape, strides, 1, pad, dimRoundingMode, false, 'channelsLast')
}

function replaceBySum(wasm: BackendWasm, a: TensorInfo, b: TensorInfo): TensorInfo {
  const sum = run(wasm, 'Add', { a, b }, {})
  wasm.disposeData(a.dataId)
  wasm.disposeData(b.dataId)
  return sum
}

function run(wasm: BackendWasm, kernel: string, inputs: Record<string, TensorInfo>, attrs: object): TensorInfo {
  const config = getKernel(kernel, 'wasm')
  if (!config)
    throw new LearningError('kernel-unsupported', `the WASM backend has no ${kernel}: install tfjs 4.22 again`)
  return config.kernelFunc({ inputs, attrs: attrs as never, backend: wasm }) as TensorInfo
}

function viewOf(wasm: BackendWasm, tensor: TensorInfo): Float32Array {
  return wasm.typedArrayFromHeap(tensor as never) as Float32Array
}
