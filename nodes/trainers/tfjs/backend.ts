import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import '@tensorflow/tfjs-backend-cpu'
import { getThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { LearningError } from '../../../src/learning/learning-error.ts'
import { backendFault } from './self-test.ts'
import { registerWasmKernels } from './wasm-kernels.ts'

/** `auto` takes the first that works of: tensorflow (native, tfjs-node), wasm, cpu (plain JavaScript). */
export type BackendPreference = 'auto' | BackendName
export type BackendName = 'tensorflow' | 'wasm' | 'cpu'

export interface ActiveBackend {
  readonly name: BackendName
  /** The name with its variant: `tensorflow`, `wasm-simd`, `wasm`, `wasm-threaded-simd`, `cpu`. */
  readonly variant: string
  /** Of tfjs. */
  readonly version: string
  /** Why no faster backend runs, one line each; empty when the fastest runs or one was asked for by name. */
  readonly reasons: readonly string[]
}

const PREFERENCE: readonly BackendName[] = ['tensorflow', 'wasm', 'cpu']

let active: Promise<ActiveBackend> | undefined

/**
 * Chooses and starts the tfjs backend of this JavaScript thread, once: tfjs keeps one current backend a thread, so
 * later calls get the same one. Each candidate but the CPU itself must pass `backendFault`. Prints nothing.
 * @throws LearningError `backend-unavailable` when the named one does not work; `backend-already-chosen` when this
 *   thread runs another than the named one
 */
export async function startBackend(preference: BackendPreference = 'auto'): Promise<ActiveBackend> {
  active ??= chooseBackend(preference).catch((error) => {
    active = undefined
    throw error
  })
  const chosen = await active
  if (preference !== 'auto' && preference !== chosen.name) {
    throw new LearningError(
      'backend-already-chosen',
      `this thread trains on ${chosen.name}: start a trainer thread for ${preference}`,
    )
  }
  return chosen
}

async function chooseBackend(preference: BackendPreference): Promise<ActiveBackend> {
  // Silences the advice to install tfjs-node that the CPU backend prints at its first tensor.
  tf.enableProdMode()
  const reasons: string[] = []
  for (const name of preference === 'auto' ? PREFERENCE : [preference]) {
    const fault = await startCandidate(name)
    if (fault === null) return { name, variant: await variantOf(name), version: tf.version_core, reasons }
    reasons.push(`${name}: ${fault}`)
  }
  throw new LearningError(
    'backend-unavailable',
    `${reasons.join('; ')}. Choose backend auto, or install what is missing`,
  )
}

/** Null when the backend is current and trusted. */
async function startCandidate(name: BackendName): Promise<string | null> {
  switch (name) {
    case 'tensorflow':
      return (await importTfjsNode()) ?? backendFault(name)
    case 'wasm':
      setWasmPaths(wasmFolder())
      registerWasmKernels()
      return withoutNewProcessListeners(() => backendFault(name))
    case 'cpu':
      return (await tf.setBackend(name)) ? null : 'it does not start'
  }
}

/** An optional dependency: its installation downloads libtensorflow, which many networks do not allow. */
async function importTfjsNode(): Promise<string | null> {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
  const packageName = '@tensorflow/tfjs-node'
  try {
    await import(packageName)
    return null
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ERR_MODULE_NOT_FOUND' ? `${packageName} is not installed` : message.split('\n')[0]
  }
}

/** The binaries of the package itself: nothing is fetched. */
function wasmFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')) + sep
}

/**
 * The WASM module, when it starts, registers process-wide handlers that rethrow what they get. They would change how
 * the holder node ends on an error of its own.
 */
async function withoutNewProcessListeners<T>(start: () => Promise<T>): Promise<T> {
  const events = ['uncaughtException', 'unhandledRejection'] as const
  const before = events.map((event) => process.listeners(event as 'uncaughtException'))
  const result = await start()
  for (const [index, event] of events.entries()) {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      // Compiled code of the module only: somebody else may have added a handler in the meantime.
      const rethrows = /ExitStatus|throw reason/.test(listener.toString())
      if (rethrows && !before[index].includes(listener)) process.removeListener(event, listener)
    }
  }
  return result
}

async function variantOf(name: BackendName): Promise<string> {
  if (name !== 'wasm') return name
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')
  return ['wasm', getThreadsCount() > 1 && 'threaded', simd && 'simd'].filter(Boolean).join('-')
}
