import { once } from 'node:events'
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parse as parseYaml, stringify as toYaml } from 'yaml'
import { heartDirectory, heartHospitals } from '../../../nodes/examples/heart/hospitals.ts'
import { heartDataset } from '../../../nodes/examples/heart/jobs.ts'
import { makeInvite } from '../coordinator-actions.ts'
import { writeWholeFile } from '../files.ts'
import { decodeInvite } from '../invite.ts'
import { joinHolder } from '../join-holder.ts'
import { joinResearcher } from '../join-researcher.ts'
import { createVenue, loadVenue } from '../venue-files.ts'
import { SluiceProcess } from './demo-processes.ts'

/** A running venue of four hospitals: five processes on loopback. */
export interface DemoVenue {
  readonly researcherDirectory: string
  /** Of one of the hospitals: its configuration has the keys that an audit rests on. */
  readonly auditorDirectory: string
  /** Where the coordinator serves the log. */
  readonly logUrl: string
  readonly coordinator: SluiceProcess
  readonly holders: readonly SluiceProcess[]
  /** Stops the processes and removes their directories, keys and all. */
  close(): Promise<void>
}

/**
 * Founds a venue in a temporary directory, has four hospitals and a researcher join it by invite, gives each node its own
 * hospital's file and nothing else, and runs the five processes with the commands that an operator would use.
 * @param interrupted rejects when the person at the keyboard has had enough: what was begun is stopped and removed
 */
export async function startDemoVenue(note: (line: string) => void, interrupted: Promise<never>): Promise<DemoVenue> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-demo-'))
  const processes: SluiceProcess[] = []
  const close = async () => {
    await Promise.all(processes.map((running) => running.stop()))
    await rm(root, { recursive: true, force: true })
  }
  try {
    note('founding a venue, starting its coordinator')
    const venueDirectory = await foundHeartVenue(root)
    const coordinator = new SluiceProcess('coordinator', ['coordinator', 'start', '--directory', venueDirectory])
    processes.push(coordinator)
    await Promise.race([coordinator.ready('listening'), interrupted])
    note('four hospitals join by invite, each with keys of its own, and start their nodes')
    await joinHeartVenue(root)
    const holders = heartHospitals.map(
      ({ name }) => new SluiceProcess(name, ['holder', 'start', '--directory', join(root, name)]),
    )
    processes.push(...holders)
    await Promise.race([Promise.all(holders.map((holder) => holder.ready('connected'))), interrupted])
    return {
      researcherDirectory: join(root, 'researcher'),
      auditorDirectory: join(root, heartHospitals[0].name),
      logUrl: `http://${(await loadVenue(venueDirectory)).config.logListen}/log`,
      coordinator,
      holders,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Founds the venue of the demo in `venue` under `root`. @returns that directory */
export async function foundHeartVenue(root: string): Promise<string> {
  const venueDirectory = join(root, 'venue')
  const [listen, enrolListen, logListen, adminListen] = (await findFreePorts(4)).map((port) => `127.0.0.1:${port}`)
  await createVenue(venueDirectory, { venue: 'heart.demo', listen, enrolListen, logListen, adminListen })
  await edit(join(venueDirectory, 'coordinator.yaml'), { payloadThreads: 1 })
  return venueDirectory
}

/** Draws keys in a directory and applies with an invite, as `sluice holder join` does. */
export type Join = (invite: string, directory: string) => Promise<unknown>

/**
 * Under a running coordinator: a directory for each hospital, and `researcher`, by invite. The members sign each other in.
 * @param joinAs of the hospitals that are to join by other means
 */
export async function joinHeartVenue(root: string, joinAs: Readonly<Record<string, Join>> = {}): Promise<void> {
  const invite = (name: string, party: { organisation?: string; researcher?: boolean }) =>
    makeInvite(join(root, 'venue'), name, { ...party, expiresMs: INVITE_MS })
  const joinHere: Join = (text, directory) => joinHolder(decodeInvite(text), directory)
  await Promise.all(
    heartHospitals.map(async ({ name, title, path }) => {
      const directory = join(root, name)
      await (joinAs[name] ?? joinHere)(await invite(name, { organisation: title }), directory)
      const file = basename(path)
      await copyFile(join(heartDirectory, path), join(directory, file))
      await edit(join(directory, 'holder.yaml'), { datasets: [{ name: heartDataset, path: file }], payloadThreads: 1 })
      await edit(join(directory, 'policy.yaml'), { admissions: 'approve', datasets: { [heartDataset]: {} } })
    }),
  )
  await joinResearcher(decodeInvite(await invite('researcher', { researcher: true })), join(root, 'researcher'))
}

const INVITE_MS = 3_600_000

async function edit(path: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  await writeWholeFile(path, toYaml({ ...parseYaml(await readFile(path, 'utf8')), ...changes }))
}

/** Ports that nobody listens on; held together until all are found, so that they differ. */
async function findFreePorts(count: number): Promise<number[]> {
  const probes = await Promise.all(
    Array.from({ length: count }, async () => {
      const probe = createServer().listen(0, '127.0.0.1')
      await once(probe, 'listening')
      return probe
    }),
  )
  const ports = probes.map((probe) => (probe.address() as { port: number }).port)
  await Promise.all(probes.map((probe) => new Promise((closed) => probe.close(closed))))
  return ports
}
