import { getHeapStatistics } from 'node:v8'

/**
 * Measures what one call allocates, in three ways, because none sees everything:
 *
 * - *requested*: constructors of typed arrays and of `ArrayBuffer`, and the makers of `Buffer`, are replaced by ones that add
 *   up what they are asked for. Exact, and blind to nothing that is asked by a length: also memory that is dropped at once.
 * - *grown*: the growth of the JavaScript heap and of the memory outside of it. Exact unless the collector runs during the
 *   call; then it is too low, never too high.
 * - the worker that runs the decoders has a heap limit (`fuzz-run.ts`): what is held beyond it ends the worker, which is a
 *   finding, too.
 *
 * Install it before the code under test is loaded: libraries keep references to the constructors.
 */
export interface AllocationMeter {
  start(): void
  /** Bytes since {@link start}: the larger of *requested* and *grown*. */
  stop(): number
}

/** Nothing is given to a call that asks for more at once: it would only make the machine swap. */
const REQUEST_BYTES_MAX = 2 ** 31

export function installAllocationMeter(): AllocationMeter {
  let requested = 0
  let heapBytes = 0
  let externalBytes = 0
  const note = (bytes: number): void => {
    requested += bytes
    if (bytes > REQUEST_BYTES_MAX) throw new Error(`asked for ${bytes} bytes at once`)
  }
  for (const name of BUFFER_CONSTRUCTORS) watchConstructor(name, note)
  for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const) {
    const make = Buffer[name]
    Buffer[name] = (size: number, ...rest: [string?, BufferEncoding?]) => {
      note(size)
      return make(size, ...rest)
    }
  }
  return {
    start: () => {
      const { used_heap_size, external_memory } = getHeapStatistics()
      requested = 0
      heapBytes = used_heap_size
      externalBytes = external_memory
    },
    stop: () => {
      const { used_heap_size, external_memory } = getHeapStatistics()
      const grown = Math.max(0, used_heap_size - heapBytes) + Math.max(0, external_memory - externalBytes)
      return Math.max(requested, grown)
    },
  }
}

const BUFFER_CONSTRUCTORS = [
  ...(['ArrayBuffer', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array'] as const),
  ...(['Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'] as const),
] as const

function watchConstructor(name: (typeof BUFFER_CONSTRUCTORS)[number], note: (bytes: number) => void): void {
  const original = globalThis[name] as unknown as { new (...args: unknown[]): object; BYTES_PER_ELEMENT?: number }
  const elementBytes = original.BYTES_PER_ELEMENT ?? 1
  const watched = new Proxy(original, {
    construct: (made, args, newTarget) => {
      const [size] = args
      if (typeof size === 'number') note(size * elementBytes)
      else if (Array.isArray(size) || ArrayBuffer.isView(size)) note((size as Uint8Array).length * elementBytes)
      return Reflect.construct(made, args, newTarget)
    },
  })
  Object.defineProperty(globalThis, name, { value: watched })
}
