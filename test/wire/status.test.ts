/** Which named error a person is shown for what happened to a call; the details are those that gRPC and OpenSSL give. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { status } from '@grpc/grpc-js'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CertifiedKey, createAuthority, issueCertificate } from '../../src/crypto/certificates.ts'
import { accepted } from '../../src/sluice-error.ts'
import { HolderConnection } from '../../src/wire/holder-connection.ts'
import { fromServiceError } from '../../src/wire/status.ts'
import { WireError } from '../../src/wire/wire-error.ts'

const VENUE = 'hearts.example'
const failed = (code: status, details: string) => fromServiceError({ code, details }, 'host:7443')

describe('a failed call', () => {
  it('keeps the name that the coordinator gave, also when its own database is what cannot be reached', () => {
    expect(failed(status.NOT_FOUND, 'job-not-found: There is no job.')).toMatchObject({
      code: 'job-not-found',
      message: 'There is no job.',
    })
    const away = failed(status.UNAVAILABLE, 'database-unreachable: The coordinator failed; its log says how.')
    expect(away.code).toBe('database-unreachable')
  })

  it('that reached nobody names the address and what to check', () => {
    for (const details of [
      'No connection established. Last error: connect ECONNREFUSED 127.0.0.1:9. Resolution note: ',
      'Name resolution failed for target dns:nowhere.example:7443',
      'Connection dropped',
    ]) {
      const error = failed(status.UNAVAILABLE, details)
      expect(error.code).toBe('coordinator-unreachable')
      expect(error.message).toContain('host:7443')
      expect(error.message).toContain('check the address')
    }
    expect(failed(status.DEADLINE_EXCEEDED, 'Deadline exceeded after 15s').code).toBe('coordinator-unreachable')
  })

  it('is about certificates only when the other side said so', () => {
    for (const details of [
      'No connection established. Last error: unable to verify the first certificate. Resolution note: ',
      'Connection dropped: SSL alert number 48',
    ]) {
      expect(failed(status.UNAVAILABLE, details).code).toBe('credential-invalid')
    }
  })

  it('is one to wait out when the coordinator’s certificate is out of date, which its next start renews', () => {
    for (const why of ['certificate has expired', 'certificate is not yet valid']) {
      const details = `No connection established. Last error: Error: ${why}. Resolution note: `
      expect(failed(status.UNAVAILABLE, details).code).toBe('coordinator-certificate-expired')
    }
    // This side's own, refused by the other: no waiting cures that.
    expect(failed(status.UNAVAILABLE, 'sslv3 alert certificate expired: SSL alert number 45').code).toBe(
      'credential-invalid',
    )
  })

  it('whose line was cut in between is one to begin again', () => {
    for (const [code, details] of [
      [status.CANCELLED, 'Call cancelled'],
      [status.INTERNAL, 'Received RST_STREAM with code 2 (Internal server error)'],
      [status.INTERNAL, 'Received RST_STREAM with code 0 (Call ended without gRPC status)'],
    ] as const) {
      expect(failed(code, details).code).toBe('connection-lost')
    }
  })

  it('that was refused for its size, or for no reason given, is named all the same', () => {
    expect(failed(status.RESOURCE_EXHAUSTED, 'Received message larger than max').code).toBe('message-too-large')
    expect(failed(status.CANCELLED, 'Cancelled on client').code).toBe('remote-failure')
    const own = new WireError('connection-lost', 'x')
    expect(fromServiceError(own, 'host:7443')).toBe(own)
  })
})

describe('a holder whose connection is cut in the handshake', () => {
  let authority: CertifiedKey
  beforeAll(async () => {
    authority = await createAuthority(VENUE, 1e9)
  })

  /** Attends at a port that treats every connection like this, until it was to dial for the third time. */
  async function attendAt(treat: (socket: Socket) => void): Promise<string[]> {
    const port = createServer((socket) => {
      socket.on('error', () => {})
      treat(socket)
    }).listen(0, '127.0.0.1')
    await once(port, 'listening')
    const address = `127.0.0.1:${(port.address() as { port: number }).port}`
    const leaf = await issueCertificate(authority, { venue: VENUE, role: 'holder', name: 'north' }, 1e9)
    const connection = new HolderConnection(address, VENUE, { ...leaf, authorityPem: authority.certificatePem }, 'x')
    const stop = new AbortController()
    const codes: string[] = []
    const onDisconnected = ({ code }: WireError) => {
      codes.push(code)
      if (codes.length === 2) stop.abort()
    }
    await connection.attend(
      async () => accepted({ kind: 'noted' }),
      { onConnected: () => {}, onDisconnected },
      stop.signal,
    )
    connection.close()
    port.close()
    return codes
  }

  it('dials again: it is a coordinator that restarts, or a load balancer without one behind it', async () => {
    const unreachable = ['coordinator-unreachable', 'coordinator-unreachable']
    expect(await attendAt((socket) => socket.destroy())).toEqual(unreachable)
    expect(await attendAt((socket) => void socket.once('data', () => socket.destroy()))).toEqual(unreachable)
  })

  it('dials again where something else than TLS answers', async () => {
    const codes = await attendAt(
      (socket) => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    )
    expect(codes).toEqual(['coordinator-unreachable', 'coordinator-unreachable'])
  })
})
