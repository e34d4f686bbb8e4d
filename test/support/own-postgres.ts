import { execFile, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { closedPort } from './free-port.ts'

const run = promisify(execFile)
const ROOT = '/usr/lib/postgresql'
/** Server programs of the newest PostgreSQL that the system has. */
const programs = existsSync(ROOT)
  ? readdirSync(ROOT)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(ROOT, version, 'bin'))
      .find((bin) => existsSync(join(bin, 'initdb')))
  : undefined

/** Why no server of a test's own runs here, or undefined when one does. The name of the skipped test. */
export const noOwnPostgresReason = programs ? undefined : 'needs the PostgreSQL server programs: install "postgresql"'

/** A PostgreSQL server of the test's own, that it may stop and start as it likes. */
export class OwnPostgres {
  readonly url: string
  readonly #directory: string
  readonly #port: number

  private constructor(directory: string, port: number) {
    this.#directory = directory
    this.#port = port
    this.url = `postgres://sluice@127.0.0.1:${port}/postgres`
  }

  static async start(): Promise<OwnPostgres> {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-postgres-'))
    const server = new OwnPostgres(directory, await closedPort())
    if (process.getuid!() === 0) {
      // The server refuses to run as root.
      const { stdout } = await run('id', ['-u', 'postgres'])
      chownSync(directory, Number(stdout), 0)
    }
    await server.#run('initdb', ['-D', server.#data, '-A', 'trust', '-U', 'sluice'])
    await server.start()
    return server
  }

  get #data(): string {
    return join(this.#directory, 'data')
  }

  async start(): Promise<void> {
    const options = `-p ${this.#port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${this.#directory}`
    await this.#run('pg_ctl', ['-D', this.#data, '-w', '-l', join(this.#directory, 'log'), '-o', options, 'start'])
  }

  /** @param mode `immediate` is a crash: the next start recovers */
  async stop(mode: 'fast' | 'immediate'): Promise<void> {
    await this.#run('pg_ctl', ['-D', this.#data, '-m', mode, '-w', 'stop'])
  }

  async close(): Promise<void> {
    await this.stop('immediate').catch(() => undefined)
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** The server keeps what it inherits: its output is not read, so that nobody waits for the end of it. */
  #run(program: string, args: readonly string[]): Promise<void> {
    const command = join(programs!, program)
    const [file, all] =
      process.getuid!() === 0 ? ['runuser', ['-u', 'postgres', '--', command, ...args]] : [command, [...args]]
    return new Promise((resolve, reject) => {
      const child = spawn(file, all, { stdio: 'ignore' })
      child.on('error', reject)
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${program} ${args} ended with ${code}`))))
    })
  }
}
