import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { startAdminServer } from '../wire/admin-server.ts'
import { openRegistry } from './metric-registry.ts'
import { Readiness } from './readiness.ts'
import { NO_TRACES, openTraces, type Traces } from './traces.ts'

/** Who is watched. */
export interface ProcessIdentity {
  readonly process: 'coordinator' | 'holder'
  /** The venue, or the holder's name. */
  readonly instance: string
  /** `sluice/<version>` */
  readonly software: string
}

/** What an operator has configured; nothing of it by default but what the configuration says. */
export interface ObservationConfig {
  /** host:port of `/healthz`, `/readyz`, `/metrics`. */
  readonly adminListen?: string
  /** Where spans are exported to. */
  readonly tracesEndpoint?: string
}

/** How one process is watched. */
export interface Observation {
  readonly traces: Traces
  readonly registry: Registry
  readonly readiness: Readiness
  /** The port of {@link ObservationConfig.adminListen}. */
  readonly adminPort?: number
  /** Exports the last spans; then the process answers no more. */
  close(): Promise<void>
}

/**
 * Starts what is configured: the administrator's listener, which says "not ready" until the readiness gets its checks, and the export
 * of traces. With nothing configured no port is open, nothing leaves, and nothing is measured.
 * @throws WireError `address-invalid`, `port-in-use`
 */
export async function openObservation(
  identity: ProcessIdentity,
  { adminListen, tracesEndpoint }: ObservationConfig,
  log: Logger,
): Promise<Observation> {
  const version = identity.software.replace(/^sluice\//, '')
  const registry = adminListen ? openRegistry(version) : new Registry()
  const readiness = new Readiness()
  const desk = {
    identity: { ...identity },
    readiness: () => readiness.ask(),
    metrics: async () => ({ text: await registry.metrics(), type: registry.contentType }),
  }
  const onFault = (error: unknown) => log.error({ event: 'fault', err: error }, 'metrics could not be told')
  const admin = adminListen ? await startAdminServer(adminListen, desk, onFault) : undefined
  const traces = tracesEndpoint
    ? openTraces({
        endpoint: tracesEndpoint,
        service: `sluice-${identity.process}`,
        instance: identity.instance,
        version,
        onExport: (worked) => noteExport(worked, log),
      })
    : NO_TRACES
  return {
    traces,
    registry,
    readiness,
    ...(admin ? { adminPort: admin.port } : {}),
    close: async () => {
      await traces.close()
      await admin?.stop()
    },
  }
}

function noteExport(worked: boolean, log: Logger): void {
  if (worked) log.info({ event: 'traces-exported' }, 'traces are taken again')
  else log.warn({ event: 'traces-lost' }, 'traces are not taken: check tracesEndpoint and the collector behind it')
}
