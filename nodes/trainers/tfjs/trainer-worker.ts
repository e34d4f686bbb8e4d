import { parentPort, workerData } from 'node:worker_threads'
import { LearningError } from '../../../src/learning/learning-error.ts'
import type { Examples, Trainer } from '../../../src/learning/trainer.ts'
import type { BackendPreference } from './backend.ts'
import { openTfjsTrainer } from './tfjs-trainer.ts'
import type { MessageFromTrainer, MessageToTrainer } from './trainer-messages.ts'

type Call = Exclude<MessageToTrainer, { kind: 'keep-examples' | 'drop-examples' | 'abort' }>

const port = parentPort
if (!port) throw new Error('trainer-worker.ts runs in a worker thread: use openTrainerThread')

const { backend } = workerData as { backend: BackendPreference }
const trainer = openTfjsTrainer(backend)
// The first call reports a failed start; without this the worker would end before it can.
trainer.catch(() => undefined)
const keptExamples = new Map<number, Examples>()
const running = new Map<number, AbortController>()

port.on('message', (message: MessageToTrainer) => {
  switch (message.kind) {
    case 'keep-examples':
      keptExamples.set(message.examplesId, message.examples)
      break
    case 'drop-examples':
      keptExamples.delete(message.examplesId)
      break
    case 'abort':
      running.get(message.callId)?.abort()
      break
    default:
      void answer(message)
  }
})

async function answer(call: Call): Promise<void> {
  const controller = new AbortController()
  running.set(call.callId, controller)
  try {
    const value = await run(await trainer, call, controller.signal)
    reply({ callId: call.callId, ok: true, value }, buffersOf(value))
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const code = error instanceof LearningError ? error.code : undefined
    reply({ callId: call.callId, ok: false, code, message })
  } finally {
    running.delete(call.callId)
  }
}

function run(trainer: Trainer, call: Call, signal: AbortSignal): Promise<object> {
  switch (call.kind) {
    case 'describe':
      return trainer.describe()
    case 'train':
      return trainer.train({ ...call.request, examples: examplesOf(call.request.examplesId), signal })
    case 'evaluate':
      return trainer.evaluate({ ...call.request, examples: examplesOf(call.request.examplesId), signal })
  }
}

function examplesOf(id: number): Examples {
  const examples = keptExamples.get(id)
  if (!examples) throw new Error(`examples ${id} were never sent`)
  return examples
}

function reply(message: MessageFromTrainer, moved: ArrayBuffer[] = []): void {
  port?.postMessage(message, moved)
}

/** The arrays of a result are new, so they move to the caller instead of being copied. */
function buffersOf(value: object): ArrayBuffer[] {
  return Object.values(value)
    .filter((member): member is Float32Array<ArrayBuffer> => member instanceof Float32Array)
    .map(({ buffer }) => buffer)
}
