import { once } from 'node:events'
import { createServer } from 'node:net'
import { connect } from 'node:tls'
import type { Identity } from '../crypto/certificates.ts'
import { identityOf, type TlsMaterial } from './credentials.ts'

/** Host and port of `host:port`; an IPv6 address without its brackets. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) }
}

/** @returns undefined when this machine could listen there now, otherwise the system's code: `EADDRINUSE`, `EACCES`, … */
export async function listenObstacle(address: string): Promise<string | undefined> {
  const server = createServer()
  try {
    server.listen(splitAddress(address))
    await once(server, 'listening')
    return undefined
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code ?? 'failed'
  } finally {
    await new Promise((closed) => server.close(closed))
  }
}

/**
 * Who answers to TLS at an address, under the venue's root: its identity, or undefined when nobody does, or one of another root.
 */
export function peerIdentity(address: string, tls: TlsMaterial, timeoutMs = 3000): Promise<Identity | undefined> {
  const { host, port } = splitAddress(address)
  return new Promise((resolve) => {
    const socket = connect({
      host: host === '0.0.0.0' || host === '::' ? 'localhost' : host,
      port,
      ca: tls.authorityPem,
      cert: tls.certificatePem,
      key: tls.keyPem,
      ALPNProtocols: ['h2'],
      // The identity is looked at below: names and addresses are not what a peer is known by here.
      checkServerIdentity: () => undefined,
      timeout: timeoutMs,
    })
    const end = (identity: Identity | undefined) => {
      socket.destroy()
      resolve(identity)
    }
    socket.once('secureConnect', () => end(identityOf(socket.getPeerCertificate().subjectaltname ?? '')))
    socket.once('timeout', () => end(undefined))
    socket.once('error', () => end(undefined))
  })
}
