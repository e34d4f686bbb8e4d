import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'

/** What a process of these tests says, a line of JSON each time. */
export type Saying = Readonly<Record<string, unknown>>

/** A script of this directory as a process in a network namespace. */
export class PlacedProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #waiting = new Set<() => void>()
  readonly said: Saying[] = []
  #errors = ''

  /** @param config what the script gets, as JSON in its one argument */
  constructor(namespace: string, script: string, config: object) {
    const path = resolve(import.meta.dirname, script)
    const args = ['netns', 'exec', namespace, process.execPath, path, JSON.stringify(config)]
    this.#child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stderr!.on('data', (data) => {
      this.#errors += data
    })
    createInterface(this.#child.stdout!).on('line', (line) => {
      this.said.push(JSON.parse(line))
      this.#wake()
    })
    this.#child.on('exit', () => this.#wake())
  }

  #wake(): void {
    for (const look of this.#waiting) look()
  }

  /** The last saying that has this field, as soon as there is one for which `holds`. */
  async until(field: string, holds: (value: never) => boolean = () => true): Promise<Saying> {
    for (;;) {
      const found = this.last(field)
      if (found && holds(found[field] as never)) return found
      const { exitCode, signalCode } = this.#child
      if (exitCode !== null || signalCode !== null)
        throw new Error(`it ended (${exitCode ?? signalCode}): ${this.#errors}`)
      await new Promise<void>((resolve) => {
        const look = () => {
          this.#waiting.delete(look)
          resolve()
        }
        this.#waiting.add(look)
      })
    }
  }

  last(field: string): Saying | undefined {
    return this.said.findLast((saying) => field in saying)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** As a power cut does. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }
}
