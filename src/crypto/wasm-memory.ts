import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * Direct sight of SEAL's polynomials in its WebAssembly memory. Without it every polynomial enters and leaves through
 * SEAL's serialisation, which costs three copies and a check; with it, it is written and read where SEAL works on it.
 *
 * Emscripten's `instantiateWasm` hook hands over the memory. Where in a C++ `Ciphertext` the pointer to its coefficients
 * lies is not documented, so it is never assumed: it is found by looking for a known pattern, and whoever uses it
 * (ring.ts) checks a whole multiplication against serialisation before relying on it. Any surprise gives `undefined`,
 * and the caller falls back.
 */

/** What is used of `WebAssembly.Memory`; the buffer is replaced when the memory grows. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer
}

/** The memory that emscripten exported, once the module has been instantiated. */
export interface CapturedMemory {
  memory: WasmMemory | undefined
}

/** The part of the standard WebAssembly API in use here; TypeScript declares it only together with the browser's DOM. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: object }
  readonly Memory: abstract new (...parameters: never) => WasmMemory
}

/** How far into a C++ object a data pointer is looked for, in bytes; the objects are about 100 bytes long. */
const OBJECT_SEARCH_BYTES = 256

type InstantiateWasm = (imports: object, ready: (instance: object, module: object) => void) => object

/**
 * The emscripten option that instantiates `wasmPath` of package `packageName` as emscripten would, and notes the memory.
 * `undefined` when the file is not where it is expected; then emscripten's own way is taken.
 */
export function capturingInstantiation(
  packageName: string,
  wasmPath: string,
): { readonly captured: CapturedMemory; readonly instantiateWasm: InstantiateWasm } | undefined {
  const captured: CapturedMemory = { memory: undefined }
  const { Module, Instance, Memory } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly
  try {
    const packageJson = findPackageJSON(packageName, import.meta.url)
    if (packageJson === undefined) return undefined
    const module = new Module(readFileSync(new URL(wasmPath, pathToFileURL(packageJson))))
    const instantiateWasm: InstantiateWasm = (imports, ready) => {
      const instance = new Instance(module, imports)
      captured.memory = Object.values(instance.exports).find((value) => value instanceof Memory)
      ready(instance, module)
      return instance.exports
    }
    return { captured, instantiateWasm }
  } catch {
    return undefined
  }
}

/** Gives the coefficients of one C++ object, as 32-bit words in WebAssembly memory, valid until SEAL is called again. */
export type PolynomialView = (wordCount: number) => Uint32Array

/**
 * Finds where the C++ objects of one class keep the pointer to their coefficients, given for each handle what its
 * coefficients are known to be. Several objects are needed because a neighbouring or freed block may hold a stale copy of
 * one pointer; the offset must be right for all. `undefined` unless exactly one is.
 *
 * @returns the view for any object of the class, by its handle
 */
export function locatePolynomials(
  memory: WasmMemory,
  known: readonly { readonly handle: object; readonly words: Uint32Array }[],
): ((handle: object) => PolynomialView) | undefined {
  const addresses = known.map(({ handle }) => addressOf(handle))
  const offsets: number[] = []
  for (let offset = 0; offset < OBJECT_SEARCH_BYTES; offset += 4) {
    if (known.every(({ words }, i) => pointsAt(memory, addresses[i] + offset, words))) offsets.push(offset)
  }
  if (offsets.length !== 1) return undefined
  return (handle) => {
    const pointerAddress = addressOf(handle) + offsets[0]
    // Read the pointer and the buffer anew each time: SEAL may move its data, and growth detaches the buffer.
    return (wordCount) => {
      const [data] = new Uint32Array(memory.buffer, pointerAddress, 1)
      return new Uint32Array(memory.buffer, data, wordCount)
    }
  }
}

/** `$$` is embind's record of a handle: not documented, though as old as embind. NaN when it is not there. */
function addressOf(handle: object): number {
  const address: unknown = (handle as { $$?: { ptr?: unknown } }).$$?.ptr
  return typeof address === 'number' && address % 4 === 0 ? address : Number.NaN
}

function pointsAt(memory: WasmMemory, pointerAddress: number, expected: Uint32Array): boolean {
  if (!(pointerAddress + 4 <= memory.buffer.byteLength)) return false
  const [data] = new Uint32Array(memory.buffer, pointerAddress, 1)
  if (data === 0 || data % 8 !== 0 || data + expected.byteLength > memory.buffer.byteLength) return false
  const words = new Uint32Array(memory.buffer, data, expected.length)
  return expected.every((word, i) => word === words[i])
}
