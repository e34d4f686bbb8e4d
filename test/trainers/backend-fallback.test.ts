import '@tensorflow/tfjs-backend-wasm'
import { registerKernel, unregisterKernel } from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { startBackend } from '../../nodes/trainers/tfjs/backend.ts'

it('falls back to plain JavaScript, saying why, when no faster backend can be trusted', async () => {
  unregisterKernel('Step', 'wasm')
  registerKernel({
    kernelName: 'Step',
    backendName: 'wasm',
    kernelFunc: () => {
      throw new Error('this runtime broke Step')
    },
  })
  await expect(startBackend('wasm')).rejects.toMatchObject({ code: 'backend-unavailable' })
  const chosen = await startBackend()
  expect(chosen).toMatchObject({ name: 'cpu', variant: 'cpu' })
  expect(chosen.reasons.at(-1)).toBe('wasm: a training step failed: this runtime broke Step')
})
