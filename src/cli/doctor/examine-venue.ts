import { join, resolve } from 'node:path'
import { httpLogSource } from '../../wire/log-client.ts'
import { adminListenOf, loadVenue, TLS_FILES, type VenueFiles } from '../venue-files.ts'
import { checkBlobs } from './check-blobs.ts'
import { checkCertificate } from './check-certificate.ts'
import { checkClock } from './check-clock.ts'
import { checkDatabase } from './check-database.ts'
import {
  askAdmin,
  checkListener,
  isAdminOf,
  isCoordinator,
  type Listener,
  type ListenerDiagnosis,
  reachable,
} from './check-listeners.ts'
import { checkDisk, checkNode, checkPermissions } from './check-machine.ts'
import { type Diagnosis, diagnose, failing, warning, well } from './diagnosis.ts'

const SECRETS = [TLS_FILES.identity, 'secrets/statement.seed', 'secrets/log.seed', 'secrets/authority.key.pem']

export interface VenueExaminationOptions {
  readonly databaseUrl?: string
  readonly now: () => Date
}

/** Examines a venue's directory, whether its coordinator runs or not. Never rejects for what it finds. */
export async function examineVenue(
  directory: string,
  { databaseUrl, now }: VenueExaminationOptions,
): Promise<Diagnosis[]> {
  const found: Diagnosis[] = [checkNode()]
  let venue: VenueFiles
  try {
    venue = await loadVenue(directory)
  } catch (error) {
    return [...found, ...(await diagnose('configuration', () => Promise.reject(error)))]
  }
  const { config, tls } = venue
  const state = resolve(directory, config.state)
  found.push(well('configuration', `the venue ${config.venue}`))
  found.push(...(await diagnose('permissions', () => checkPermissions(SECRETS.map((path) => join(directory, path))))))
  found.push(...(await diagnose('disk', () => checkDisk(state))))
  const { blobs } = config
  if (blobs !== undefined) found.push(...(await diagnose('blobs', () => checkBlobs(blobs, state))))
  const expected = { venue: config.venue, role: 'coordinator', name: 'coordinator' } as const
  const renewal = 'Start the coordinator again: it takes a new one.'
  found.push(...(await diagnose('certificate', async () => checkCertificate(tls, expected, renewal, now()))))
  const listeners = await examineListeners(venue)
  const isRunning = listeners.some((each) => each.isRunning)
  found.push(...listeners.map(({ isRunning: _, ...diagnosis }) => diagnosis))
  let theirs: Date | undefined
  const database = await diagnose('database', async () => {
    const { diagnosis, inspection } = await checkDatabase(state, databaseUrl, isRunning)
    if (databaseUrl) theirs = inspection?.now
    return diagnosis
  })
  found.push(...database)
  // The embedded database has this machine's clock.
  if (databaseUrl) found.push(checkClock(now(), theirs, 'the database'))
  return isRunning ? [...found, ...(await examineRunning(venue))] : found
}

async function examineListeners({ config, tls }: VenueFiles): Promise<ListenerDiagnosis[]> {
  const { venue, listen, enrolListen, logListen } = config
  const byCertificate = (address: string) => () => isCoordinator(reachable(address), venue, tls)
  const adminListen = adminListenOf(config)
  const listeners: Listener[] = [
    { field: 'listen', address: listen, isOurs: byCertificate(listen) },
    { field: 'enrolListen', address: enrolListen, isOurs: byCertificate(enrolListen) },
    { field: 'logListen', address: logListen, isOurs: () => isLogOf(logListen, `${venue}/log`) },
    ...(adminListen
      ? [{ field: 'adminListen', address: adminListen, isOurs: () => isAdminOf(adminListen, 'coordinator', venue) }]
      : []),
  ]
  return Promise.all(listeners.map(checkListener))
}

async function isLogOf(address: string, origin: string): Promise<boolean> {
  try {
    const source = httpLogSource(`http://${reachable(address)}/log`, { attempts: 1, timeoutMs: 3000 })
    return (await source.readCheckpoint())?.startsWith(`${origin}\n`) === true
  } catch {
    return false
  }
}

/** What a coordinator that runs says of itself, and whether the address that invites carry leads to it. */
async function examineRunning({ config, tls }: VenueFiles): Promise<Diagnosis[]> {
  const found: Diagnosis[] = []
  const adminListen = adminListenOf(config)
  const readiness = adminListen ? await askAdmin(adminListen, '/readyz') : undefined
  if (readiness?.ready === true) found.push(well('readiness', 'the coordinator is ready'))
  else if (readiness) {
    const checks = Object.entries(readiness.checks as object).filter(([, result]) => result !== 'ok')
    const what = checks.map(([name, result]) => `${name}: ${result}`).join(', ')
    found.push(failing('readiness', what, "The coordinator's own log says why."))
  }
  for (const field of ['address', 'enrolAddress'] as const) {
    found.push(
      (await isCoordinator(config[field], config.venue, tls))
        ? well(field, `${config[field]} leads to this venue's coordinator`)
        : warning(
            field,
            `${config[field]} does not lead to this venue's coordinator from here`,
            'Check name, forwarding and firewall: invites carry this address. From outside it may be well.',
          ),
    )
  }
  return found
}
