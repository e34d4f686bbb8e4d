import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Coordinator } from '../coordinator/coordinator.ts'
import { OpenRounds } from '../coordinator/open-rounds.ts'
import type { Clock } from '../coordinator/ports.ts'
import { startPayloadWorkers } from '../crypto/payload-workers.ts'
import { openArtifactStore } from '../store/artifact-store.ts'
import { openCoordinatorStore } from '../store/coordinator-store.ts'
import { openPayloadSpool } from '../store/payload-spool.ts'
import { HolderSessions } from '../wire/holder-sessions.ts'
import { startServer } from '../wire/server.ts'
import type { VenueFiles } from './venue-files.ts'

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
}

/**
 * Runs a coordinator until the signal fires. State lies in the venue's state directory, and in PostgreSQL when
 * `databaseUrl` is given.
 * @throws StoreError, WireError, CryptoError with what is wrong, before anything is served
 */
export async function runCoordinator(
  directory: string,
  { config, tls, key, members }: VenueFiles,
  databaseUrl: string | undefined,
  software: string,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const state = resolve(directory, config.state)
  const store = stack.adopt(await openCoordinatorStore({ databaseUrl, directory: join(state, 'database') }), (open) =>
    open.close(),
  )
  const artifacts = await openArtifactStore(join(state, 'artifacts'))
  const spool = await openPayloadSpool(join(state, 'spool'))
  const workers = stack.adopt(await startPayloadWorkers({ threads: config.payloadThreads }), (open) => open.close())
  const openRounds = new OpenRounds()
  const sessions = new HolderSessions(config.reconnectGraceMs)
  sessions.onChange(() => log.info({ event: 'holders', connected: sessions.connected() }, 'connected holders changed'))
  const admitted = new Map(members.members.map((member) => [member.holder, member]))
  const { committeeTimeoutMs, gatherMs, venue } = config
  const coordinator = new Coordinator(
    {
      key,
      clock: systemClock,
      store,
      artifacts,
      spool,
      holders: sessions,
      openRounds,
      workers,
      committeeTimeoutMs,
      gatherMs,
      members: admitted,
    },
    {
      onJobState: (job, jobState, reason) =>
        log.info({ event: 'job', job, state: jobState, reason }, `job ${jobState}`),
      onFault: (job, error) => log.error({ event: 'fault', job, err: error }, 'a job failed'),
    },
  )
  const onFault = (error: unknown) => log.error({ event: 'fault', err: error }, 'a call failed')
  const parts = { venue, software, members: admitted, sessions, rounds: openRounds, artifacts, spool, onFault }
  const server = stack.adopt(await startServer(config.listen, tls, parts, coordinator), (running) => running.stop())
  log.info({ event: 'listening', venue, port: server.port, members: admitted.size }, `listening on ${config.listen}`)
  signal.addEventListener('abort', () => coordinator.stop(), { once: true })
  if (signal.aborted) coordinator.stop()
  await coordinator.run()
}
