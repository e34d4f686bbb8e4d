import { WireError } from './wire-error.ts'

/**
 * The one deadline of a transfer: it ends when nothing has moved for `idleMs`, at either end, and not because it is large.
 * Its signal fires with WireError `transfer-idle`.
 */
export class IdleWatch implements Disposable {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(idleMs: number) {
    const message = `Nothing has moved for ${idleMs} ms: the transfer is given up, and may go on from where it is.`
    this.#timer = setTimeout(() => this.#controller.abort(new WireError('transfer-idle', message)), idleMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  readonly moved = (): void => {
    this.#timer.refresh()
  };

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}

/** What `work` comes to, unless the signal fires first: then its reason. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  // Whichever of the two is not waited for may fail later, and nobody is there for it.
  work.catch(() => undefined)
  try {
    return await Promise.race([promise, work])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
