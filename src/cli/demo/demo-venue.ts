import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parse as parseYaml, stringify as toYaml } from 'yaml'
import { heartDirectory, heartHospitals } from '../../../nodes/examples/heart/hospitals.ts'
import { heartDataset } from '../../../nodes/examples/heart/jobs.ts'
import { writeWholeFile } from '../files.ts'
import { admitHolder, admitResearcher, createVenue } from '../venue-files.ts'
import { SluiceProcess } from './demo-processes.ts'

/** A running venue of four hospitals: five processes on loopback. */
export interface DemoVenue {
  readonly researcherDirectory: string
  readonly coordinator: SluiceProcess
  readonly holders: readonly SluiceProcess[]
  /** Stops the processes and removes their directories, keys and all. */
  close(): Promise<void>
}

/**
 * Founds a venue in a temporary directory, admits the four hospitals, gives each node its own hospital's file and nothing
 * else, and starts the five processes with the commands that an operator would use.
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
    note('founding a venue, admitting four hospitals')
    const venueDirectory = await foundHeartVenue(root)
    note('starting a coordinator and four data-holder nodes')
    const coordinator = new SluiceProcess('coordinator', ['coordinator', 'start', '--directory', venueDirectory])
    processes.push(coordinator)
    const holders = heartHospitals.map(
      ({ name }) => new SluiceProcess(name, ['holder', 'start', '--directory', join(root, name)]),
    )
    processes.push(...holders)
    await Promise.race([coordinator.ready('listening'), interrupted])
    await Promise.race([Promise.all(holders.map((holder) => holder.ready('connected'))), interrupted])
    return { researcherDirectory: join(root, 'researcher'), coordinator, holders, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Founds the venue of the demo under `root`: `venue`, one directory per hospital, `researcher`. @returns the first */
export async function foundHeartVenue(root: string): Promise<string> {
  const venueDirectory = join(root, 'venue')
  await createVenue(venueDirectory, { venue: 'heart.demo', listen: `127.0.0.1:${await findFreePort()}` })
  for (const { name, title } of heartHospitals) await admitHolder(venueDirectory, name, title, join(root, name))
  await admitResearcher(venueDirectory, 'researcher', join(root, 'researcher'))
  for (const hospital of heartHospitals) {
    const directory = join(root, hospital.name)
    const file = basename(hospital.path)
    await copyFile(join(heartDirectory, hospital.path), join(directory, file))
    // All four were admitted one after another: the last list of members is the whole one.
    await copyFile(join(venueDirectory, 'members.json'), join(directory, 'members.json'))
    await edit(join(directory, 'holder.yaml'), { datasets: [{ name: heartDataset, path: file }], payloadThreads: 1 })
    await edit(join(directory, 'policy.yaml'), { datasets: { [heartDataset]: {} } })
  }
  await edit(join(venueDirectory, 'coordinator.yaml'), { payloadThreads: 1 })
  return venueDirectory
}

async function edit(path: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  await writeWholeFile(path, toYaml({ ...parseYaml(await readFile(path, 'utf8')), ...changes }))
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}
