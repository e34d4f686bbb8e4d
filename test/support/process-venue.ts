/** The venue of the demo as real processes on loopback, for suites and benches that measure or kill them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse as parseYaml, stringify as toYaml } from 'yaml'
import { heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { SluiceProcess } from '../../src/cli/demo/demo-processes.ts'
import { foundHeartVenue, joinHeartVenue } from '../../src/cli/demo/demo-venue.ts'
import { loadResearcher } from '../../src/cli/venue-files.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'

export interface ProcessVenueOptions {
  /** How many of the hospitals run; all four unless told. */
  readonly holders?: number
  /** Of the coordinator and of each holder; 1 unless told. */
  readonly payloadThreads?: number
  /** A holder's program, started with `--directory <path>` alone; `sluice holder start` unless told. */
  readonly holderProgram?: string
}

export class ProcessVenue {
  readonly root: string
  readonly holders: SluiceProcess[] = []
  readonly holderNames: readonly string[]
  coordinator!: SluiceProcess
  readonly #options: ProcessVenueOptions
  readonly #everyProcess: SluiceProcess[] = []

  private constructor(root: string, options: ProcessVenueOptions) {
    this.root = root
    this.#options = options
    this.holderNames = heartHospitals.slice(0, options.holders).map(({ name }) => name)
  }

  static async start(options: ProcessVenueOptions = {}): Promise<ProcessVenue> {
    const venue = new ProcessVenue(mkdtempSync(join(tmpdir(), 'sluice-venue-')), options)
    try {
      await foundHeartVenue(venue.root)
      venue.#edit('venue/coordinator.yaml', { payloadThreads: options.payloadThreads ?? 1 })
      await venue.startCoordinator()
      await joinHeartVenue(venue.root)
      for (const { name } of heartHospitals) {
        const adminListen = `127.0.0.1:${await findFreePort()}`
        venue.#edit(`${name}/holder.yaml`, { payloadThreads: options.payloadThreads ?? 1, adminListen })
        venue.holders.push(venue.startHolder(name))
      }
      // All of them, since members sign each other in.
      await Promise.all(venue.holders.map((holder) => holder.ready('connected')))
      await Promise.all(venue.holders.splice(venue.holderNames.length).map((holder) => holder.stop()))
      return venue
    } catch (error) {
      await venue.close()
      throw error
    }
  }

  async startCoordinator(): Promise<void> {
    this.coordinator = this.#keep(
      new SluiceProcess('coordinator', ['coordinator', 'start', '--directory', join(this.root, 'venue')]),
    )
    await this.coordinator.ready('listening')
  }

  startHolder(name: string): SluiceProcess {
    const directory = ['--directory', join(this.root, name)]
    const { holderProgram } = this.#options
    return this.#keep(
      holderProgram === undefined
        ? new SluiceProcess(name, ['holder', 'start', ...directory])
        : new SluiceProcess(name, directory, holderProgram),
    )
  }

  #keep(running: SluiceProcess): SluiceProcess {
    this.#everyProcess.push(running)
    return running
  }

  async connect(): Promise<JobsConnection> {
    const { config, tls } = await loadResearcher(join(this.root, 'researcher'))
    return new JobsConnection(config.coordinator, config.venue, tls)
  }

  /** The administrator's metrics of the coordinator or of a holder, by name; those without labels. */
  async metrics(name: string): Promise<ReadonlyMap<string, number>> {
    const file = name === 'coordinator' ? 'venue/coordinator.yaml' : `${name}/holder.yaml`
    const { adminListen } = this.#read(file) as { adminListen: string }
    const text = await (await fetch(`http://${adminListen}/metrics`)).text()
    return new Map(
      text.split('\n').flatMap((line): [string, number][] => {
        const match = /^([a-z_]+) (\S+)$/.exec(line)
        return match ? [[match[1], Number(match[2])]] : []
      }),
    )
  }

  #read(file: string): Record<string, unknown> {
    return parseYaml(readFileSync(join(this.root, file), 'utf8'))
  }

  #edit(file: string, changes: Readonly<Record<string, unknown>>): void {
    writeFileSync(join(this.root, file), toYaml({ ...this.#read(file), ...changes }))
  }

  async close(): Promise<void> {
    await Promise.all(this.#everyProcess.map((running) => running.stop()))
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** A port that nobody listens on now. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}
