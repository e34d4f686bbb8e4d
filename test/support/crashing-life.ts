/** Processes that die at one of their durable writes, and what the write has come to. Which writes there are is found out by running. */
import type { SpoolWriter } from '../../src/coordinator/ports.ts'
import { StoreError } from '../../src/store/store-error.ts'

/**
 * `lost`: nothing was written, the process dies. `kept`: it was written, the process dies and never hears of it. `denied`: it was written,
 * is reported as failed, and the process dies at whatever it writes next. `survived`: it was written, is reported as failed, and the
 * process lives on.
 */
export type Fate = 'lost' | 'kept' | 'denied' | 'survived'
export const FATES: readonly Fate[] = ['lost', 'kept', 'denied', 'survived']

export interface Death {
  /** As {@link CrashingLife.writes} names it. */
  readonly write: string
  readonly fate: Fate
}

const never = () => new Promise<never>(() => {})

/**
 * The life of one process over ports that outlive it. Every method that is not named as a read is a write, so that one which a port
 * gains is among the writes of the matrix without anybody's doing.
 */
export class CrashingLife {
  /** In the order in which they were begun: `port.method`, with ` #2` for the second and so on. */
  readonly writes: string[] = []
  readonly #died = Promise.withResolvers<void>()
  /** Writers that the dead process had open: here their files would stay so. */
  readonly writers: SpoolWriter[] = []
  readonly #death: Death | undefined
  #isDead = false
  #isDoomed = false

  constructor(death?: Death) {
    this.#death = death
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** Resolves when the process dies. */
  get dead(): Promise<void> {
    return this.#died.promise
  }

  /**
   * The same port, as this process uses it.
   * @param reads its methods that change nothing
   * @param describe what a write is called beside its method's name
   */
  through<T extends object>(
    name: string,
    port: T,
    reads: readonly (keyof T & string)[],
    describe: (method: string, args: readonly unknown[]) => string = () => '',
  ): T {
    return new Proxy(port, {
      get: (target, property) => {
        const member = Reflect.get(target, property, target)
        if (typeof member !== 'function') return member
        const method = String(property)
        return (...args: unknown[]) => {
          const call = () => Reflect.apply(member, target, args)
          if ((reads as readonly string[]).includes(method)) return this.#unlessDead(call)
          return this.#write(`${name}.${method}${describe(method, args)}`, call)
        }
      },
    })
  }

  #unlessDead(call: () => unknown): unknown {
    if (!this.#isDead) return call()
    // A port's few synchronous calls are lists of what is there.
    const result = call()
    if (!(result instanceof Promise)) return result
    // Nobody is there to hear what becomes of it, which may be after the port was closed.
    result.catch(() => undefined)
    return never()
  }

  async #write(kind: string, call: () => unknown): Promise<unknown> {
    if (this.#isDoomed) this.#die()
    if (this.#isDead) return never()
    const write = this.#count(kind)
    const fate = write === this.#death?.write ? this.#death.fate : undefined
    if (fate === 'lost') {
      this.#die()
      return never()
    }
    const result = this.#ownWriter(kind, await call())
    if (fate === 'kept') this.#die()
    if (this.#isDead) return never()
    if (fate === undefined) return result
    this.#isDoomed = fate === 'denied'
    throw new StoreError('io-failed', 'The write was reported as failed.')
  }

  /** What a write gives may have writes of its own. */
  #ownWriter(kind: string, result: unknown): unknown {
    if (typeof (result as SpoolWriter | undefined)?.append !== 'function') return result
    const writer = result as SpoolWriter
    this.writers.push(writer)
    return this.through(`${kind} writer`, writer, ['close'])
  }

  #count(kind: string): string {
    const count = this.writes.filter((write) => write.replace(/ #\d+$/, '') === kind).length
    const write = count === 0 ? kind : `${kind} #${count + 1}`
    this.writes.push(write)
    return write
  }

  #die(): void {
    this.#isDead = true
    this.#died.resolve()
  }
}
