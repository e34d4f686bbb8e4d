import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { openTrainerThread, type TrainerThreadOptions } from '../../nodes/trainers/tfjs/trainer-thread.ts'
import { initialWeights } from '../../src/learning/initial-weights.ts'
import { cnn, logistic } from '../../src/learning/model-presets.ts'
import type { Trainer, TrainRequest } from '../../src/learning/trainer.ts'
import { barImages, seedOf, tabularExamples } from './synthetic-examples.ts'
import { describeTrainerContract } from './trainer-contract.ts'

describeTrainerContract('tfjs in a worker thread', async () => openTrainerThread())

const model = logistic(4)

function requestOf(epochs: number): TrainRequest {
  const options = { epochs, batchSize: 8, learningRate: 0.1, shuffleSeed: seedOf(1) }
  return { model, weights: new Float32Array(5), examples: tabularExamples(10, 4), options }
}

describe('trainer thread', () => {
  const open: Trainer[] = []
  afterEach(() => Promise.all(open.splice(0).map((trainer) => trainer.close())))

  function start(options: TrainerThreadOptions = {}): Trainer {
    const trainer = openTrainerThread(options)
    open.push(trainer)
    return trainer
  }

  function startMisbehaving(timeoutMs = 30_000): Trainer {
    return start({ timeoutMs, workerUrl: new URL('./fixtures/misbehaving-worker.ts', import.meta.url) })
  }

  it.each([
    ['ends by itself', 1, 'trainer-crashed'],
    ['throws', 3, 'trainer-crashed'],
    ['reports an error without a code', 4, 'trainer-failed'],
  ])('names a worker that %s, and starts another for the next call', async (_, epochs, code) => {
    const trainer = startMisbehaving()
    await expect(trainer.train(requestOf(epochs))).rejects.toMatchObject({ name: 'LearningError', code })
    expect(await trainer.describe()).toEqual({ kept: 0, received: 0 })
  })

  it('ends a worker that hangs past its time, and starts another for the next call', async () => {
    const trainer = startMisbehaving(400)
    await expect(trainer.train(requestOf(2))).rejects.toMatchObject({ code: 'trainer-timed-out' })
    expect(await trainer.describe()).toEqual({ kept: 0, received: 0 })
  })

  it('ends a worker that does not hear an abort', async () => {
    const trainer = startMisbehaving()
    const signal = AbortSignal.timeout(50)
    await expect(trainer.train({ ...requestOf(5), signal })).rejects.toMatchObject({ code: 'training-aborted' })
  })

  it('fails the call that is under way when it is closed', async () => {
    const trainer = startMisbehaving()
    const hanging = trainer.train(requestOf(2))
    const failed = expect(hanging).rejects.toMatchObject({ code: 'trainer-closed' })
    await sleep(200)
    await trainer.close()
    await failed
  })

  it('sends the same examples once, however many calls use them', async () => {
    const trainer = startMisbehaving()
    const request = requestOf(9)
    for (let round = 0; round < 3; round++) await trainer.evaluate(request)
    await trainer.evaluate({ ...request, examples: { ...request.examples } })
    expect(await trainer.describe()).toEqual({ kept: 2, received: 2 })
  })

  it('lets go of examples that the caller let go of', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage: () => void = runInNewContext('gc')
    const trainer = startMisbehaving()
    await trainer.evaluate(requestOf(9))
    let state: unknown
    for (let attempt = 0; attempt < 50; attempt++) {
      collectGarbage()
      await sleep(20)
      state = await trainer.describe()
      if ((state as { kept: number }).kept === 0) break
    }
    expect(state).toEqual({ kept: 0, received: 1 })
  })

  it('says by name that a backend is not there', async () => {
    const trainer = start({ backend: 'tensorflow' })
    await expect(trainer.describe()).rejects.toMatchObject({
      code: 'backend-unavailable',
      message: expect.stringContaining('tfjs-node is not installed'),
    })
  })

  it('trains a convolutional network to nearly the same weights on wasm as on the CPU', async () => {
    const network = cnn([8, 8, 1], 3)
    const request: TrainRequest = {
      model: network,
      weights: initialWeights(network, seedOf(3)),
      examples: barImages(32),
      options: { epochs: 2, batchSize: 16, learningRate: 0.05, momentum: 0.9, shuffleSeed: seedOf(1) },
    }
    const [wasm, cpu] = await Promise.all(
      (['wasm', 'cpu'] as const).map((backend) => start({ backend }).train(request)),
    )
    expect(wasm.meanLoss).toBeCloseTo(cpu.meanLoss, 4)
    const worst = Math.max(...wasm.weights.map((weight, index) => Math.abs(weight - cpu.weights[index])))
    expect(worst).toBeLessThan(1e-4)
  })
})
