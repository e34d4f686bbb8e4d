import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { startBackend } from '../../nodes/trainers/tfjs/backend.ts'
import { backendFault } from '../../nodes/trainers/tfjs/self-test.ts'

describe('tfjs backend', () => {
  it('is chosen once a thread, and adds no handlers to the process', async () => {
    const events = ['uncaughtException', 'unhandledRejection']
    const before = events.map((event) => process.listenerCount(event))
    const chosen = await startBackend('wasm')
    expect(chosen).toMatchObject({ name: 'wasm', variant: 'wasm-simd', version: '4.22.0', reasons: [] })
    expect(await startBackend()).toBe(chosen)
    await expect(startBackend('cpu')).rejects.toMatchObject({ code: 'backend-already-chosen' })
    expect(events.map((event) => process.listenerCount(event))).toEqual(before)
  })

  it('fails its self-test with a missing kernel, a wrong one, or without a backend', async () => {
    const right = tf.getKernel('MaxPoolGrad', 'wasm')
    tf.unregisterKernel('MaxPoolGrad', 'wasm')
    expect(await backendFault('wasm')).toMatch(/a training step failed: .*MaxPoolGrad/)
    tf.registerKernel({
      ...right,
      kernelFunc: (params) => {
        const gradient = right.kernelFunc(params) as tf.TensorInfo
        const backend = params.backend as unknown as { typedArrayFromHeap(tensor: tf.TensorInfo): Float32Array }
        backend.typedArrayFromHeap(gradient)[0] += 1
        return gradient
      },
    })
    expect(await backendFault('wasm')).toMatch(/its gradients differ/)
    tf.unregisterKernel('MaxPoolGrad', 'wasm')
    tf.registerKernel(right)
    expect(await backendFault('wasm')).toBeNull()
    expect(await backendFault('abacus')).toMatch(/a training step failed/)
  })

  it('prints nothing, so that the output of a command stays readable by machines', async () => {
    const url = new URL('../../nodes/trainers/tfjs/tfjs-trainer.ts', import.meta.url)
    const program = `
      const { openTfjsTrainer } = await import(${JSON.stringify(url)})
      for (const backend of [process.argv[1]]) await (await openTfjsTrainer(backend)).describe()`
    for (const backend of ['auto', 'cpu']) {
      const run = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, backend])
      expect(run).toMatchObject({ stdout: '', stderr: '' })
    }
  })
})
