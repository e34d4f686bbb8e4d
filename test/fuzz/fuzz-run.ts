import { Worker } from 'node:worker_threads'
import { InputSlot } from './input-slot.ts'
import type { Finding, FindingKind } from './judge-input.ts'

export interface FuzzOptions {
  /** How long to go on: seconds altogether, or batches of each decoder, which is the same on every machine. */
  readonly limit: { readonly seconds: number } | { readonly batches: number }
  /** Any integer below 2^53: decides every input. */
  readonly seed: number
  /** URL of a module that exports `allTargets()`. */
  readonly targetsModule: string
  /** Only decoders whose name contains this. */
  readonly only?: string
  /** How long one input may take before its worker is ended. */
  readonly hangMs?: number
}

export interface TargetStatistics {
  readonly target: string
  readonly inputs: number
  readonly accepted: number
  readonly spentMs: number
  /** Distinct ways in which inputs were taken or refused. */
  readonly outcomes: number
}

export interface FuzzReport {
  readonly findings: readonly Finding[]
  /** Of the last worker; the only one, unless an input ended one. */
  readonly statistics: readonly TargetStatistics[]
}

export interface FuzzWorkerData extends Required<Omit<FuzzOptions, 'hangMs'>> {
  readonly skip: readonly string[]
  readonly slot: SharedArrayBuffer
}

export type FuzzWorkerMessage =
  | { readonly kind: 'started'; readonly targets: readonly string[] }
  | { readonly kind: 'finding'; readonly finding: Finding }
  | { readonly kind: 'done'; readonly statistics: readonly TargetStatistics[] }

const HANG_MS = 20_000
const LOOK_EVERY_MS = 200
/** What the decoders, their libraries and one input of a mebibyte may hold of the heap together. */
const HEAP_MIB_MAX = 768

/**
 * Fuzzes all decoders in a worker with a limited heap. An input that hangs or kills the worker is a finding; its decoder is
 * then left out and a new worker goes on with the others.
 */
export async function runFuzz(options: FuzzOptions): Promise<FuzzReport> {
  const startedMs = Date.now()
  const findings: Finding[] = []
  const skip: string[] = []
  for (;;) {
    const limit = remaining(options.limit, Date.now() - startedMs)
    const end = await runWorker({ ...options, limit, seed: options.seed + skip.length }, skip, findings)
    if (end.kind === 'done') return { findings, statistics: end.statistics }
    findings.push(end.finding)
    skip.push(end.finding.target)
  }
}

function remaining(limit: FuzzOptions['limit'], elapsedMs: number): FuzzOptions['limit'] {
  return 'seconds' in limit ? { seconds: Math.max(0, limit.seconds - elapsedMs / 1000) } : limit
}

type WorkerEnd =
  | { readonly kind: 'done'; readonly statistics: readonly TargetStatistics[] }
  | { readonly kind: 'died'; readonly finding: Finding }

function runWorker(options: FuzzOptions, skip: readonly string[], findings: Finding[]): Promise<WorkerEnd> {
  const slot = new InputSlot()
  const { hangMs = HANG_MS, limit, seed, targetsModule, only = '' } = options
  const workerData: FuzzWorkerData = { limit, seed, targetsModule, only, skip, slot: slot.buffer }
  const worker = new Worker(new URL('./fuzz-worker.ts', import.meta.url), {
    workerData,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
  })
  let names: readonly string[] = []
  return new Promise((resolve, reject) => {
    const died = (kind: FindingKind, what: string): void => {
      const at = slot.look()
      if (!at) reject(new Error(`The fuzzing worker ended between two inputs: ${what}`))
      else resolve({ kind: 'died', finding: { target: names[at.target], kind, what, input: at.input } })
    }
    const watch = setInterval(() => {
      const at = slot.look()
      if (!at || Date.now() - at.startedAtMs < hangMs) return
      died('hang', `no answer within ${hangMs} ms`)
      void worker.terminate()
    }, LOOK_EVERY_MS)
    worker.on('message', (message: FuzzWorkerMessage) => {
      if (message.kind === 'started') names = message.targets
      else if (message.kind === 'finding') findings.push(message.finding)
      else resolve(message)
    })
    worker.on('error', (error: NodeJS.ErrnoException) => {
      const outOfMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY'
      died(outOfMemory ? 'out-of-memory' : 'worker-died', error.stack ?? error.message)
    })
    worker.on('exit', () => {
      clearInterval(watch)
      died('worker-died', 'the worker left')
    })
  })
}
