import { registerKernel, unregisterKernel } from '@tensorflow/tfjs-core'
import { conv2dBackpropFilter } from './conv2d-backprop-filter.ts'
import { maxPoolGrad } from './max-pool-grad.ts'

let registered = false

/**
 * Completes the WASM backend of tfjs 4.22 for training convolutional networks: it has no Conv2DBackpropFilter, and its
 * own MaxPoolGrad gives wrong gradients for almost every window (docs of `max-pool-grad.ts`). Idempotent; call before
 * the first training step.
 */
export function registerWasmKernels(): void {
  if (registered) return
  registered = true
  // Registering over an existing kernel works, but prints a warning.
  unregisterKernel('MaxPoolGrad', 'wasm')
  registerKernel({ kernelName: 'MaxPoolGrad', backendName: 'wasm', kernelFunc: maxPoolGrad })
  registerKernel({ kernelName: 'Conv2DBackpropFilter', backendName: 'wasm', kernelFunc: conv2dBackpropFilter })
}
