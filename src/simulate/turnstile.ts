/** Lets so many through at a time, in the order in which they came; who does not want to wait any more goes away. */
export class Turnstile {
  #free: number
  readonly #waiting = new Set<() => void>()

  /** @param places 1 or more */
  constructor(places: number) {
    this.#free = places
  }

  /** @returns whether there is a place now, which must be left; false when the signal fired first */
  async enter(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false
    if (this.#free > 0) {
      this.#free--
      return true
    }
    return new Promise((resolve) => {
      const goIn = () => {
        this.#waiting.delete(goIn)
        signal.removeEventListener('abort', goAway)
        resolve(true)
      }
      const goAway = () => {
        this.#waiting.delete(goIn)
        resolve(false)
      }
      this.#waiting.add(goIn)
      signal.addEventListener('abort', goAway, { once: true })
    })
  }

  leave(): void {
    const [next] = this.#waiting
    if (next) next()
    else this.#free++
  }
}
