import { MUTANT_BYTES_MAX } from './byte-mutator.ts'

const HEADER_BYTES = 32

/** The input that a worker is at, where its watcher sees it also when the worker never comes back. */
export class InputSlot {
  readonly buffer: SharedArrayBuffer
  /** Target, length, 1 while an input is tried. */
  readonly #header: Int32Array
  readonly #startedAtMs: Float64Array
  readonly #bytes: Uint8Array

  constructor(buffer = new SharedArrayBuffer(HEADER_BYTES + 2 * MUTANT_BYTES_MAX)) {
    this.buffer = buffer
    this.#header = new Int32Array(buffer, 0, 3)
    this.#startedAtMs = new Float64Array(buffer, 16, 1)
    this.#bytes = new Uint8Array(buffer, HEADER_BYTES)
  }

  put(target: number, input: Uint8Array): void {
    const kept = input.subarray(0, this.#bytes.length)
    this.#bytes.set(kept)
    this.#header[0] = target
    this.#header[1] = kept.length
    this.#startedAtMs[0] = Date.now()
    Atomics.store(this.#header, 2, 1)
  }

  clear(): void {
    Atomics.store(this.#header, 2, 0)
  }

  /** What is being tried, and since when (milliseconds since 1970); undefined between two inputs. */
  look(): { readonly target: number; readonly input: Uint8Array; readonly startedAtMs: number } | undefined {
    if (Atomics.load(this.#header, 2) === 0) return undefined
    return {
      target: this.#header[0],
      input: this.#bytes.slice(0, this.#header[1]),
      startedAtMs: this.#startedAtMs[0],
    }
  }
}
