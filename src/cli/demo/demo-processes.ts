import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { CliError } from '../cli-error.ts'

const SLUICE = fileURLToPath(new URL('../sluice.ts', import.meta.url))

/** One line of a process's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event?: string; readonly msg?: string }

/** How long a process has from start to the event that says it is ready. */
const READY_MS = 30_000
/** How long it has to go after SIGTERM. */
const STOP_MS = 5000

/** A `sluice` command in a process of its own, whose log lines are read as they come. */
export class SluiceProcess {
  readonly name: string
  readonly lines: LogLine[] = []
  readonly #child: ChildProcess
  readonly #waiting = new Set<() => void>()
  #errors = ''
  #ended = false

  /** @param program another than `sluice` */
  constructor(name: string, args: readonly string[], program = SLUICE) {
    this.name = name
    this.#child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#take(line))
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errors = `${this.#errors}${chunk}`.slice(-4000)
    })
    this.#child.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  #take(line: string): void {
    try {
      this.lines.push(JSON.parse(line))
    } catch {
      this.#errors = `${this.#errors}${line}\n`.slice(-4000)
    }
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }

  /** Waits for a log line with this event. @throws CliError `process-failed` when the process ends first, or is late */
  async ready(event: string): Promise<void> {
    const deadline = AbortSignal.timeout(READY_MS)
    while (!this.lines.some((line) => line.event === event)) {
      if (this.#ended || deadline.aborted) {
        const how = this.#ended ? 'ended at its start' : `was not ready within ${READY_MS / 1000} s`
        throw new CliError(
          'process-failed',
          `The process of ${this.name} ${how}: ${this.#errors.trim() || 'no message'}`,
        )
      }
      await this.#change(deadline)
    }
  }

  #change(deadline: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake)
        deadline.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      deadline.addEventListener('abort', wake, { once: true })
    })
  }

  /** Everything that the process has written to standard error, at most the last 4000 characters. */
  get errors(): string {
    return this.#errors
  }

  /** Ends the process at once, as a crash would. */
  async kill(): Promise<void> {
    if (this.#ended) return
    const gone = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await gone
  }

  /** Asks the process to stop, and makes it when it does not. */
  async stop(): Promise<void> {
    if (this.#ended) return
    const gone = once(this.#child, 'close')
    this.#child.kill('SIGTERM')
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(patience)
  }
}
