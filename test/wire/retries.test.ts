import { describe, expect, it } from 'vitest'
import { isTransientCall, Retries } from '../../src/wire/transient.ts'
import { WireError, type WireErrorCode } from '../../src/wire/wire-error.ts'

const cut = new WireError('connection-lost', 'The line was cut.')

describe('a transfer', () => {
  it('is tried again after what passes, and after nothing else', async () => {
    const final: WireErrorCode[] = [
      'upload-refused',
      'other-ciphertext',
      'upload-allowance-used',
      'not-found',
      'not-admitted',
    ]
    for (const code of final) {
      const error = new WireError(code, 'x')
      expect(isTransientCall(error), code).toBe(false)
      await expect(new Retries().pause(error)).rejects.toBe(error)
    }
    const own = new Error('the disk')
    await expect(new Retries().pause(own)).rejects.toBe(own)
    for (const code of ['connection-lost', 'transfer-idle', 'too-many-calls', 'too-many-uploads'] as const) {
      expect(isTransientCall(new WireError(code, 'x')), code).toBe(true)
    }
    await new Retries().pause(cut)
  })

  it('pauses longer each time, and briefly again when something has moved', async () => {
    const retries = new Retries()
    const pauseMs = async () => {
      const before = performance.now()
      await retries.pause(cut)
      return performance.now() - before
    }
    const [first, second, third] = [await pauseMs(), await pauseMs(), await pauseMs()]
    expect(second).toBeGreaterThan(first)
    expect(third).toBeGreaterThan(second)
    retries.moved()
    expect(await pauseMs()).toBeLessThan(third)
  })

  it('is given up with its last error when its request is over, during a pause too', async () => {
    await expect(new Retries(AbortSignal.abort()).pause(cut)).rejects.toBe(cut)
    await expect(new Retries(AbortSignal.timeout(20)).pause(cut)).rejects.toBe(cut)
    const reason = new Error('whatever the signal says')
    await expect(new Retries(AbortSignal.abort(reason)).pause(reason)).rejects.toMatchObject({
      code: 'connection-lost',
    })
  })

  it('is given up when nothing has moved for as long as its holder bears', async () => {
    await expect(new Retries(undefined, 0).pause(cut)).rejects.toBe(cut)
    const retries = new Retries(new AbortController().signal, 100)
    await retries.pause(cut)
    await expect(retries.pause(cut)).rejects.toBe(cut)
  })
})
