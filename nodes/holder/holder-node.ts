import { resolve } from 'node:path'
import type { Logger } from 'pino'
import { certificateTimes } from '../../src/crypto/certificates.ts'
import { startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { systemRandomness } from '../../src/crypto/randomness.ts'
import type { Trainer } from '../../src/learning/trainer.ts'
import { holderMetrics } from '../../src/observe/holder-metrics.ts'
import { observeHolder } from '../../src/observe/holder-observer.ts'
import { type Observation, openObservation } from '../../src/observe/observed-process.ts'
import { CoordinatorPool } from '../../src/wire/coordinator-pool.ts'
import { checkOwnCertificate } from '../../src/wire/credentials.ts'
import { WireError } from '../../src/wire/wire-error.ts'
import { openTrainerThread } from '../trainers/tfjs/trainer-thread.ts'
import { keepCertificateFresh } from './certificate-renewal.ts'
import type { HolderSettings } from './configuration-files.ts'
import { type Dataset, openDataset } from './datasets.ts'
import { HolderAgent } from './holder-agent.ts'
import { coordinatorAddresses } from './holder-config.ts'
import { HolderError } from './holder-error.ts'
import { HolderRegistry } from './holder-registry.ts'
import { HolderJournal } from './journal.ts'

/**
 * Runs a holder node until the signal fires: opens its datasets, its trainer and its journal, dials the coordinator and
 * does what the policy allows. Opens no port.
 *
 * @param openTrainer opens another trainer than TensorFlow.js
 * @throws before dialling: HolderError, DatasetError, LearningError, WireError with what is wrong in the configuration;
 *   afterwards WireError for a connection that no waiting cures.
 */
export async function runHolderNode(
  settings: HolderSettings,
  software: string,
  log: Logger,
  signal: AbortSignal,
  openTrainer = (): Trainer => openTrainerThread({ backend: settings.config.trainerBackend }),
) {
  const { config, directory, policy, floors, logKey } = settings
  requireOwnCertificate(settings)
  await using stack = new AsyncDisposableStack()
  const identity = { process: 'holder', instance: config.name, software } as const
  const observation = stack.adopt(await openObservation(identity, config, log), (open) => open.close())
  const connection = stack.adopt(
    new CoordinatorPool(coordinatorAddresses(config), config.venue, settings.tls, software),
    (open) => open.close(),
  )
  const journal = stack.adopt(new HolderJournal(resolve(directory, config.journal)), (open) => open.close())
  const datasets = new Map<string, Dataset>()
  for (const dataset of config.datasets) {
    datasets.set(dataset.name, stack.use(await openDataset(dataset, { baseDirectory: directory })))
  }
  const trainer = stack.adopt(openTrainer(), (open) => open.close())
  const workers = stack.adopt(await startPayloadWorkers({ threads: config.payloadThreads }), (open) => open.close())
  const { backend, version, notes } = await trainer.describe()
  const { adminPort } = observation
  log.info(
    { event: 'ready', backend, trainerVersion: version, notes, datasets: [...datasets.keys()], adminPort },
    'ready',
  )
  const state = { isConnected: () => connection.isConnected, certificatePem: settings.tls.certificatePem }
  const members = new HolderRegistry({
    venue: config.venue,
    coordinatorKey: config.coordinatorKey,
    key: settings.identity.keys.statementKey,
    policy,
    journal,
    directory,
    coordinator: connection,
  })
  const agent = new HolderAgent({
    ...settings.identity,
    floors,
    members,
    logKey,
    policy,
    datasets,
    trainer,
    workers,
    journal,
    coordinator: connection,
    randomness: systemRandomness,
    log,
    observer: watchHolder(observation, state),
  })
  const attending = stack.adopt(new AbortController(), (controller) => controller.abort())
  const file = resolve(directory, config.tls.identity)
  const onRenewed = (certificatePem: string) => {
    state.certificatePem = certificatePem
  }
  void keepCertificateFresh(
    { connection, tls: settings.tls, file, log, onRenewed },
    AbortSignal.any([signal, attending.signal]),
  )
  observation.readiness.use({
    connected: () => requireConnected(state),
    journal: () => void journal.readWitnessState(),
  })
  await connection.attend(
    (request, traceparent) => agent.handle(request, traceparent),
    (address) => ({
      onPending: (message) => log.info({ event: 'admission-pending' }, message),
      onConnected: (peer) => log.info({ event: 'connected', peer }, `connected to ${address}`),
      onDisconnected: (error, retryMs) =>
        log.warn(
          { event: 'disconnected', code: error.code, retryMs },
          `${error.message} Next attempt in ${retryMs} ms.`,
        ),
    }),
    signal,
  )
}

interface ConnectionState {
  readonly isConnected: () => boolean
  certificatePem: string
}

function watchHolder({ traces, registry }: Observation, state: ConnectionState) {
  const metrics = holderMetrics(registry, {
    isConnected: state.isConnected,
    certificateNotAfter: () => certificateTimes(state.certificatePem).notAfter,
  })
  return observeHolder(traces, metrics)
}

function requireConnected({ isConnected }: ConnectionState): void {
  if (!isConnected()) throw new WireError('coordinator-unreachable', 'The coordinator is not connected.')
}

/** With another's certificate the coordinator would take this node for that other, and every round would refuse it. */
function requireOwnCertificate({ config, tls }: HolderSettings): void {
  const { role, venue, name } = checkOwnCertificate(tls, new Date())
  if (role === 'holder' && venue === config.venue && name === config.name) return
  throw new HolderError(
    'config-invalid',
    `holder.yaml is of ${config.name} at ${config.venue}, its certificate of the ${role} ${name} at ${venue}: use the files of one directory.`,
  )
}
