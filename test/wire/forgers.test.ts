/** Clients that do not check themselves: what the server alone lets through. */
import { ChannelCredentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority } from '../../src/crypto/certificates.ts'
import { channelOptions } from '../../src/wire/channel.ts'
import { CoordinatorContract, JobsContract } from '../../src/wire/contract.ts'
import { clientCredentials, type TlsMaterial } from '../../src/wire/credentials.ts'
import { PROTOCOL_VERSION } from '../../src/wire/limits.ts'
import { fromServiceError } from '../../src/wire/status.ts'
import { startTestServer, type TestServer, VENUE } from '../support/wire-fixtures.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({
    expectedPayload: () => undefined,
    contributionsFor: () => undefined,
    openingFor: () => undefined,
  })
})
afterAll(() => server.close())

/** How a call to the researchers' service ends under these credentials. */
function listJobs(credentials: ChannelCredentials): Promise<string> {
  const client = new JobsContract(server.address, credentials, channelOptions(VENUE))
  return new Promise((resolve) => {
    client.list({ limit: 1 }, { deadline: Date.now() + 20_000 }, (error) => {
      client.close()
      resolve(error ? fromServiceError(error, server.address).code : 'answered')
    })
  })
}

/** How a stream at the holders' service ends. */
function attend(tls: TlsMaterial): Promise<string> {
  const client = new CoordinatorContract(server.address, clientCredentials(tls, VENUE), channelOptions(VENUE))
  const stream = client.attend()
  return new Promise((resolve) => {
    const end = (how: string) => {
      stream.cancel()
      client.close()
      resolve(how)
    }
    stream.on('data', () => end('welcome'))
    stream.on('error', (error) => end(fromServiceError(error, server.address).code))
    stream.write({ hello: { protocolVersion: PROTOCOL_VERSION, software: 'forger' } })
  })
}

/** In TLS 1.3 a client learns of its refusal by an alert or by the end of the connection, whichever comes first. */
const REFUSED_BY_TLS = ['credential-invalid', 'coordinator-unreachable']

describe('the server', () => {
  it('answers a researcher and welcomes a holder with certificates of its venue', async () => {
    const [researcher, holder] = await Promise.all([
      server.credentials('researcher', 'ada'),
      server.credentials('holder', 'cleveland'),
    ])
    expect(await listJobs(clientCredentials(researcher, VENUE))).toBe('answered')
    expect(await attend(holder)).toBe('welcome')
  })

  it('lets nobody through whose certificate has expired', async () => {
    const expired = { lifetimeMs: -60_000 }
    expect(REFUSED_BY_TLS).toContain(
      await listJobs(clientCredentials(await server.credentials('researcher', 'ada', expired), VENUE)),
    )
    expect(REFUSED_BY_TLS).toContain(await attend(await server.credentials('holder', 'cleveland', expired)))
    expect(server.sessions.connected()).toEqual([])
  })

  it('lets nobody through with a certificate of a root of its own making, under whatever name', async () => {
    const authority = await createAuthority(VENUE, 1e9)
    const forged = await server.credentials('holder', 'cleveland', { authority })
    // It believes in the venue's root, as a real holder does, and signs with its own.
    expect(REFUSED_BY_TLS).toContain(await attend({ ...forged, authorityPem: server.authority.certificatePem }))
    expect(server.sessions.connected()).toEqual([])
  })

  it('lets nobody through without a certificate', async () => {
    const anonymous = ChannelCredentials.createSsl(Buffer.from(server.authority.certificatePem), null, null, {
      checkServerIdentity: () => undefined,
    })
    expect(REFUSED_BY_TLS).toContain(await listJobs(anonymous))
  })

  it('does not take a coordinator’s certificate for a holder’s or a researcher’s', async () => {
    const tls = await server.credentials('coordinator', 'coordinator')
    const codes = [await attend(tls), await listJobs(clientCredentials(tls, VENUE))]
    for (const code of codes) expect([...REFUSED_BY_TLS, 'not-admitted']).toContain(code)
    expect(server.sessions.connected()).toEqual([])
  })
})
