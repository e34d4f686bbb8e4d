import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { AdmissionDesk, type AdmissionListener } from '../coordinator/admissions.ts'
import { Coordinator } from '../coordinator/coordinator.ts'
import { SCHEDULING_DEFAULTS } from '../coordinator/job-scheduler.ts'
import { OpenRounds } from '../coordinator/open-rounds.ts'
import type { Clock } from '../coordinator/ports.ts'
import { keepSwept, type SweepParts, sweepPayloads } from '../coordinator/sweep-payloads.ts'
import { openTransparencyLog } from '../coordinator/transparency-log.ts'
import { startPayloadWorkers } from '../crypto/payload-workers.ts'
import { systemRandomness } from '../crypto/randomness.ts'
import { formatNoteKey } from '../log/note-key.ts'
import { openObservation } from '../observe/observed-process.ts'
import { openCoordinatorStore } from '../store/coordinator-store.ts'
import { openBlobStore } from '../store/open-blob-store.ts'
import { patientStore } from '../store/patient-store.ts'
import { storesOver } from '../store/stores-over.ts'
import { startEnrolmentServer } from '../wire/enrolment-service.ts'
import { HolderSessions } from '../wire/holder-sessions.ts'
import { startLogServer } from '../wire/log-server.ts'
import { startServer } from '../wire/server.ts'
import { holdCoordinatorName } from './coordinator-name.ts'
import { coordinatorReadiness, observeCoordinator } from './coordinator-observation.ts'
import { tellOfDatabase } from './process-life.ts'
import { openVenueAdmission } from './venue-admission.ts'
import { adminListenOf, type VenueFiles } from './venue-files.ts'

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
}

/** How often members are asked again for a signature while a request waits: their operators approve meanwhile. */
const ASK_AGAIN_MS = 5000

/**
 * Runs a coordinator until the signal fires: the holders' and researchers' service, the enrolment of invited parties, the
 * transparency log. State lies in the venue's state directory, and in PostgreSQL when `databaseUrl` is given.
 * @throws StoreError, WireError, CryptoError, LogError, CliError with what is wrong, before anything is served
 */
export async function runCoordinator(
  directory: string,
  venueFiles: VenueFiles,
  databaseUrl: string | undefined,
  software: string,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { config, tls, key, logSigner } = venueFiles
  const { committeeTimeoutMs, gatherMs, venue, maxRunningJobs, maxJobsPerHolder, leaseMs } = config
  await using stack = new AsyncDisposableStack()
  const onFault = (error: unknown) => log.error({ event: 'fault', err: error }, 'a call failed')

  const identity = { process: 'coordinator', instance: venue, software } as const
  const watching = { adminListen: adminListenOf(config), tracesEndpoint: config.tracesEndpoint }
  const observation = stack.adopt(await openObservation(identity, watching, log), (open) => open.close())
  const stateDirectory = resolve(directory, config.state)
  const { name } = stack.adopt(await holdCoordinatorName(stateDirectory), ({ lock }) => lock.release())
  // The database opens on this thread, the payload threads load on theirs: a job waits for both after a restart.
  const starting = startPayloadWorkers({ threads: config.payloadThreads })
  const workersStarted = starting.catch(() => undefined)
  stack.defer(async () => (await workersStarted)?.close())
  const stores = await openStores(stateDirectory, config.blobs, databaseUrl)
  stack.defer(() => stores.store.close())
  const store = patientStore(stores.store, { signal, onChange: (error) => tellOfDatabase(log, error) })
  const workers = await starting
  const transparencyLog = await openTransparencyLog(store, logSigner)
  const openRounds = new OpenRounds()
  const sessions = new HolderSessions(config.reconnectGraceMs, stores.spool, () => observation.traces.traceparent())
  const clock = systemClock
  stack.adopt(await startSweeping({ ...stores, store, clock }, log), (stop) => stop())

  // Refusals of the desk end a wait that is told of elsewhere.
  let refreshPending = async () => {}
  const desk = stack.adopt(
    await AdmissionDesk.open({
      venue,
      key,
      clock,
      store,
      log: transparencyLog,
      holders: sessions,
      listener: admissionListener(log, () => void refreshPending().catch(onFault)),
      askMs: committeeTimeoutMs,
      askAgainMs: ASK_AGAIN_MS,
    }),
    (open) => open.close(),
  )
  const admission = stack.adopt(
    await openVenueAdmission({ directory, venue: venueFiles, desk, sessions, log }),
    (open) => open.close(),
  )
  refreshPending = admission.refreshPending
  sessions.onChange(() => {
    log.info({ event: 'holders', connected: sessions.connected() }, 'connected holders changed')
    desk.wake()
  })

  const observationParts = {
    observation,
    stores,
    stateDirectory,
    certificatePem: tls.certificatePem,
    log,
    transparencyLog,
    connected: () => sessions.connected(),
    members: () => [...desk.registry.members.keys()],
  }
  const { observer, served } = observeCoordinator(observationParts)
  const coordinator = new Coordinator(
    {
      ...stores,
      store,
      name,
      scheduling: { ...SCHEDULING_DEFAULTS, maxRunningJobs, maxJobsPerHolder, leaseMs },
      key,
      clock,
      randomness: systemRandomness,
      log: transparencyLog,
      holders: sessions,
      openRounds,
      workers,
      committeeTimeoutMs,
      gatherMs,
      registry: desk,
      observer,
    },
    {
      onJobState: (job, jobState, reason) =>
        log.info({ event: 'job', job, state: jobState, reason }, `job ${jobState}`),
      onFault: (job, error) => log.error({ event: 'fault', job, err: error }, 'a job failed'),
      onLetGo: (job, reason) => log.warn({ event: 'job-let-go', job }, reason),
      onQueueFault: (error) => log.error({ event: 'fault', err: error }, 'the queue of jobs cannot be looked at'),
      onFoldFault: (error) => log.error({ event: 'fault', err: error }, 'a part of a sum could not be added up'),
    },
  )
  sessions.onChange(() => coordinator.wake())
  const parts = {
    ...served,
    ...admission,
    venue,
    software,
    sessions,
    rounds: openRounds,
    registry: desk,
    onFault,
  }
  const server = stack.adopt(await startServer(config.listen, tls, parts, coordinator), (open) => open.stop())
  const enrolment = stack.adopt(
    await startEnrolmentServer(config.enrolListen, tls, admission.enrolment, onFault),
    (open) => open.stop(),
  )
  const logServer = stack.adopt(await startLogServer(config.logListen, transparencyLog.source, onFault), (open) =>
    open.stop(),
  )
  log.info(
    {
      event: 'listening',
      venue,
      name,
      port: server.port,
      enrolPort: enrolment.port,
      logPort: logServer.port,
      adminPort: observation.adminPort,
      logKey: formatNoteKey(transparencyLog.key),
      members: desk.registry.members.size,
    },
    `listening on ${config.listen}`,
  )
  desk.wake()
  observation.readiness.use(coordinatorReadiness(observationParts, signal))
  signal.addEventListener('abort', () => coordinator.stop(), { once: true })
  if (signal.aborted) coordinator.stop()
  await coordinator.run()
}

async function openStores(state: string, blobsUrl: string | undefined, databaseUrl: string | undefined) {
  return {
    ...storesOver(await openBlobStore(blobsUrl, state)),
    store: await openCoordinatorStore({ databaseUrl, directory: join(state, 'database') }),
  }
}

/** Sweeps once before anything is served, then now and then. @returns ends it */
async function startSweeping(parts: SweepParts, log: Logger): Promise<() => Promise<void>> {
  const onSwept = (rounds: number) => {
    if (rounds > 0) log.info({ event: 'swept', rounds }, 'payloads of rounds that are over were discarded')
  }
  const onFault = (error: unknown) => log.error({ event: 'fault', err: error }, 'payloads could not be swept')
  onSwept(await sweepPayloads(parts))
  const stopping = new AbortController()
  const sweeping = keepSwept(parts, { onSwept, onFault }, stopping.signal)
  return async () => {
    stopping.abort()
    await sweeping
  }
}

function admissionListener(log: Logger, onSettled: () => void): AdmissionListener {
  return {
    onEntered: ({ kind, member }, sequence) => {
      const { holder, organisation } = member
      log.info({ event: 'registry', kind, holder, organisation, sequence }, `${kind} of ${holder} is in the registry`)
    },
    onUnsigned: (member, holder, code, reason) =>
      log.info({ event: 'unsigned', member, holder, code }, `${member} has not signed for ${holder}: ${reason}`),
    onRefused: (request, code, reason) => {
      log.warn({ event: 'registry-refused', request, code }, reason)
      onSettled()
    },
    onFault: (error) => log.error({ event: 'fault', err: error }, 'the registry could not go on'),
  }
}
