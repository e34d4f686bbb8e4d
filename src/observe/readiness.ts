import { SluiceError } from '../sluice-error.ts'

/** One condition of doing work: rejects, or throws, while it is not met. */
export type ReadinessCheck = () => unknown

/** A check that says nothing for so long has failed. */
const PATIENCE_MS = 2000

/**
 * Whether a process can do its work now, asked by those who decide whether to send it some. Of what fails only the code is told;
 * the log of the process has the message. Whoever asks while an answer is being made gets that one: probes cost no more than one
 * round of checks at a time.
 */
export class Readiness {
  #checks: Readonly<Record<string, ReadinessCheck>> = {
    started: () => Promise.reject(new SluiceError('starting', 'The process is starting.')),
  }
  #asking: ReturnType<Readiness['ask']> | undefined

  /** Takes the place of the checks so far; until the first call a process is not ready. */
  use(checks: Readonly<Record<string, ReadinessCheck>>): void {
    this.#checks = checks
  }

  /** Never rejects. */
  ask(): Promise<{ readonly ready: boolean; readonly checks: Readonly<Record<string, string>> }> {
    this.#asking ??= this.#askAll().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #askAll() {
    const names = Object.keys(this.#checks)
    const results = await Promise.all(Object.values(this.#checks).map(codeOf))
    const checks = Object.fromEntries(names.map((name, i) => [name, results[i]]))
    return { ready: results.every((result) => result === 'ok'), checks }
  }
}

async function codeOf(check: ReadinessCheck): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('no-answer'), PATIENCE_MS)
  })
  const answer = Promise.resolve()
    .then(check)
    .then(
      () => 'ok',
      (error: unknown) => (error instanceof SluiceError ? error.code : 'fault'),
    )
  return Promise.race([answer, late]).finally(() => clearTimeout(timer))
}
