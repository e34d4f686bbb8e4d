import { setImmediate as turnOfEventLoop } from 'node:timers/promises'
import { firstNotFinite } from '../../../src/learning/finite.ts'
import { LearningError } from '../../../src/learning/learning-error.ts'
import { scoresPerExample } from '../../../src/learning/model.ts'
import { SeededStream } from '../../../src/learning/seeded-stream.ts'
import type {
  EvaluateRequest,
  EvaluateResult,
  Trainer,
  TrainerDescription,
  TrainRequest,
  TrainResult,
} from '../../../src/learning/trainer.ts'
import { checkEvaluateRequest, checkTrainRequest } from '../../../src/learning/trainer-request.ts'
import { type ActiveBackend, type BackendPreference, startBackend } from './backend.ts'
import { gather, shuffledOrder, slices } from './minibatches.ts'
import { addBatchGradient, type ModelPlan, planModel, scoreBatch } from './model-passes.ts'
import { sgd } from './sgd.ts'

/** Longest stretch of work before the event loop gets its turn, so that an abort can be heard. */
const STRETCH_MS = 25

/**
 * Starts a trainer on TensorFlow.js in the calling thread: it blocks the thread for up to 25 ms or one step at a time.
 * A holder node uses `openTrainerThread` instead.
 * @throws LearningError `backend-unavailable`, `backend-already-chosen`
 */
export async function openTfjsTrainer(backend: BackendPreference = 'auto'): Promise<Trainer> {
  return new TfjsTrainer(await startBackend(backend))
}

class TfjsTrainer implements Trainer {
  readonly #backend: ActiveBackend
  #closed = false

  constructor(backend: ActiveBackend) {
    this.#backend = backend
  }

  async describe(): Promise<TrainerDescription> {
    this.#checkOpen()
    const { variant, version, reasons } = this.#backend
    return { name: 'tfjs', version, backend: variant, notes: reasons }
  }

  async train(request: TrainRequest): Promise<TrainResult> {
    this.#checkOpen()
    checkTrainRequest(request)
    return trainLocally(request, new Stretch(request.signal))
  }

  async evaluate(request: EvaluateRequest): Promise<EvaluateResult> {
    this.#checkOpen()
    checkEvaluateRequest(request)
    return evaluateLocally(request, new Stretch(request.signal))
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #checkOpen(): void {
    if (this.#closed) throw new LearningError('trainer-closed', 'this trainer is closed: open another')
  }
}

async function trainLocally(request: TrainRequest, stretch: Stretch): Promise<TrainResult> {
  const { model, examples, options } = request
  const plan = planModel(model)
  const weights = request.weights.slice()
  const step = sgd(plan, options.learningRate, options.momentum ?? 0, options.l2 ?? model.l2)
  const nextOrder = shuffledOrder(
    examples.exampleCount,
    new SeededStream(options.shuffleSeed, 'sluice example order v1'),
  )
  const dropout = new SeededStream(options.shuffleSeed, 'sluice dropout v1')
  const gradient = new Float32Array(plan.weightCount)
  let steps = 0
  let epochLoss = 0
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    const order = nextOrder()
    epochLoss = 0
    for (const [start, end] of slices(examples.exampleCount, options.batchSize)) {
      await stretch.breathe()
      gradient.fill(0)
      // A batch larger than fits runs in parts whose gradients add up: the same step, in bounded memory.
      for (const [from, to] of slices(end - start, plan.rowsAtOnce)) {
        const batch = gather(examples, order.subarray(start + from, start + to))
        epochLoss += addBatchGradient(plan, weights, batch, 1 / (end - start), gradient, dropout)
      }
      if (!Number.isFinite(epochLoss)) throw diverged(`the loss stopped being finite in step ${steps + 1}`)
      step(weights, gradient)
      steps++
    }
  }
  if (firstNotFinite(weights) >= 0) throw diverged('a weight stopped being finite')
  return { weights, exampleCount: examples.exampleCount, meanLoss: epochLoss / examples.exampleCount, steps }
}

async function evaluateLocally(request: EvaluateRequest, stretch: Stretch): Promise<EvaluateResult> {
  const { model, weights, examples } = request
  const { features, labels, exampleCount } = examples
  const plan: ModelPlan = planModel(model)
  const width = scoresPerExample(model)
  const scores = new Float32Array(exampleCount * width)
  let lossSum = 0
  for (const [start, end] of slices(exampleCount, plan.rowsAtOnce)) {
    await stretch.breathe()
    const entropy = scoreBatch(plan, weights, {
      features: features.subarray(start * plan.featuresPerExample, end * plan.featuresPerExample),
      labels: labels.subarray(start, end),
    })
    scores.set(entropy.scores, start * width)
    lossSum += entropy.lossSum
  }
  if (!Number.isFinite(lossSum)) throw diverged('the model overflows on these examples')
  return { scores, exampleCount, meanLoss: lossSum / exampleCount }
}

/** Lets the event loop run now and then, and stops when the caller asks for it. */
class Stretch {
  readonly #signal: AbortSignal | undefined
  #startedMs = performance.now()

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
  }

  async breathe(): Promise<void> {
    if (performance.now() - this.#startedMs >= STRETCH_MS) {
      await turnOfEventLoop()
      this.#startedMs = performance.now()
    }
    if (this.#signal?.aborted) throw new LearningError('training-aborted', 'the caller stopped this call')
  }
}

function diverged(what: string): LearningError {
  return new LearningError('training-diverged', `${what}: lower the learning rate, or check the features' scale`)
}
