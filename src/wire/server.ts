import { Server, type ServerCredentials } from '@grpc/grpc-js'
import type { JobDesk } from '../coordinator/ports.ts'
import { limitCalls } from './call-limits.ts'
import { CoordinatorContract, JobsContract } from './contract.ts'
import { type CoordinatorServiceParts, coordinatorHandlers } from './coordinator-service.ts'
import { checkOwnCertificate, serverCredentials, type TlsMaterial } from './credentials.ts'
import { jobsHandlers } from './jobs-service.ts'
import { keepalive, limits } from './limits.ts'
import { WireError } from './wire-error.ts'

export interface RunningServer {
  /** The port that was bound; of use when 0 was asked for. */
  readonly port: number
  /** Stops taking calls, ends the streams, and resolves when they are gone. */
  stop(): Promise<void>
}

/**
 * Listens for holders and researchers, mutual TLS only.
 * @param listen `host:port`; port 0 takes a free one.
 * @throws WireError `address-invalid`, `port-in-use`, and the codes of {@link checkOwnCertificate}.
 */
export async function startServer(
  listen: string,
  tls: TlsMaterial,
  parts: CoordinatorServiceParts,
  jobs: JobDesk,
): Promise<RunningServer> {
  const identity = checkOwnCertificate(tls, new Date())
  if (identity.role !== 'coordinator' || identity.venue !== parts.venue) {
    throw new WireError('credential-invalid', `The certificate is not that of the coordinator of ${parts.venue}.`)
  }
  const server = new Server({
    'grpc.max_receive_message_length': limits.requestBytes,
    'grpc.max_concurrent_streams': limits.callsPerConnection,
    'grpc.keepalive_time_ms': keepalive.timeMs,
    'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
    interceptors: [limitCalls(limits.callsPerIdentity)],
  })
  server.addService(CoordinatorContract.service, coordinatorHandlers(parts))
  server.addService(JobsContract.service, jobsHandlers(parts, jobs))
  const port = await bindServer(server, listen, serverCredentials(tls))
  return {
    port,
    stop: () => {
      parts.sessions.endAll()
      return stopServer(server)
    },
  }
}

/** @returns the port. @throws WireError `address-invalid`, `port-in-use` */
export function bindServer(server: Server, listen: string, credentials: ServerCredentials): Promise<number> {
  if (!/^.+:\d{1,5}$/.test(listen)) {
    throw new WireError('address-invalid', `"${listen}" is not host:port: write for instance 127.0.0.1:7443.`)
  }
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, port) => {
      if (!error) return resolve(port)
      const inUse = /EADDRINUSE/.test(error.message)
      reject(
        inUse
          ? new WireError('port-in-use', `${listen} is taken by another process: stop it, or listen elsewhere.`, {
              cause: error,
            })
          : new WireError('address-invalid', `Cannot listen on ${listen}: ${error.message}`, { cause: error }),
      )
    })
  })
}

/** Streams that do not end by themselves are cut after this. */
const STOP_PATIENCE_MS = 2000

/** Takes no more calls, and resolves when those in work have ended, or were cut. */
export function stopServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const patience = setTimeout(() => server.forceShutdown(), STOP_PATIENCE_MS)
    server.tryShutdown(() => {
      clearTimeout(patience)
      resolve()
    })
  })
}
