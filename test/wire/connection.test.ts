import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority } from '../../src/crypto/certificates.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { systemRandomness } from '../../src/crypto/randomness.ts'
import { planRound } from '../../src/protocol/coordinator-round.ts'
import type { HolderRequest } from '../../src/protocol/holder-messages.ts'
import { accepted } from '../../src/sluice-error.ts'
import { HolderConnection } from '../../src/wire/holder-connection.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'
import { startServer } from '../../src/wire/server.ts'
import type { WireError } from '../../src/wire/wire-error.ts'
import { coordinatorKey, createParties, makePlan } from '../support/round-fixtures.ts'
import { startTestServer, type TestServer, until, VENUE } from '../support/wire-fixtures.ts'

const due = 'd'.repeat(64)
const quiet = { onConnected: () => {}, onDisconnected: () => {} }

let server: TestServer
beforeAll(async () => {
  server = await startTestServer(
    {
      expectedPayload: () => undefined,
      contributionsFor: () => undefined,
      openingFor: () => undefined,
    },
    { reconnectGraceMs: 300 },
  )
})
afterAll(() => server.close())

async function connect(
  name: string,
  role: 'holder' | 'researcher' = 'holder',
  changes = {},
): Promise<HolderConnection> {
  return new HolderConnection(server.address, VENUE, await server.credentials(role, name, changes), 'sluice/test')
}

/** Attends until the connection breaks for good. @returns the code */
async function finalCode(connection: HolderConnection, retries = 0): Promise<string> {
  const stop = new AbortController()
  let broken = 0
  const listener = {
    ...quiet,
    onDisconnected: (error: WireError) => {
      if (broken++ >= retries) stop.abort(error.code)
    },
  }
  try {
    await connection.attend(async () => accepted({ kind: 'noted' }), listener, stop.signal)
    return stop.signal.reason
  } catch (error) {
    return (error as WireError).code
  } finally {
    connection.close()
  }
}

describe('a peer that does not belong here', () => {
  it('is told so when the venue has not admitted it', async () => {
    expect(await finalCode(await connect('nowhere'))).toBe('not-admitted')
  })

  it('is told so when it is a researcher at the holders’ door, or a holder at the researchers’', async () => {
    expect(await finalCode(await connect('cleveland', 'researcher'))).toBe('not-admitted')
    const jobs = new JobsConnection(server.address, VENUE, await server.credentials('holder', 'cleveland'))
    await expect(jobs.list(1)).rejects.toMatchObject({ code: 'not-admitted' })
    jobs.close()
  })

  it('is told so when its certificate is of another venue under the same root', async () => {
    const tls = await server.credentials('holder', 'cleveland', { venue: 'other.example' })
    expect(await finalCode(new HolderConnection(server.address, VENUE, tls, 'x'))).toBe('not-admitted')
  })

  it('does not get through the handshake with a certificate of a foreign root', async () => {
    const foreign = await createAuthority(VENUE, 1e9)
    const leaf = await server.credentials('holder', 'cleveland', { authority: foreign })
    const tls = { ...leaf, authorityPem: server.authority.certificatePem }
    expect(() => new HolderConnection(server.address, VENUE, tls, 'x')).toThrow(
      expect.objectContaining({ code: 'certificate-foreign' }),
    )
    // A forger does not check its own certificate: believe in the foreign root, and let the server decide.
    const code = await finalCode(new HolderConnection(server.address, VENUE, leaf, 'x'))
    expect(['credential-invalid', 'coordinator-unreachable']).toContain(code)
  })

  it('does not dial with an expired certificate, and says what to do', async () => {
    const tls = await server.credentials('holder', 'cleveland', { lifetimeMs: -1000 })
    expect(() => new HolderConnection(server.address, VENUE, tls, 'x')).toThrow(
      expect.objectContaining({ code: 'certificate-expired', message: expect.stringContaining('ask the venue') }),
    )
  })

  it('finds out that it has dialled another venue’s coordinator', async () => {
    const tls = await server.credentials('holder', 'cleveland')
    const connection = new HolderConnection(server.address, 'other.example', tls, 'x')
    expect(await finalCode(connection)).toBe('wrong-peer')
  })

  it('is named when nobody answers', async () => {
    const tls = await server.credentials('researcher', 'ada')
    const jobs = new JobsConnection('127.0.0.1:9', VENUE, tls)
    await expect(jobs.list(1)).rejects.toMatchObject({
      code: 'coordinator-unreachable',
      message: expect.stringContaining('sluice coordinator'),
    })
    jobs.close()
  })
})

describe('a server', () => {
  it('says which address is taken, or not an address', async () => {
    const tls = await server.credentials('coordinator', 'coordinator')
    const parts = {
      ...server,
      venue: VENUE,
      software: 'x',
      members: { has: () => false, isPending: () => false },
      rounds: { expectedPayload: () => undefined, contributionsFor: () => undefined, openingFor: () => undefined },
    }
    await expect(startServer(server.address, tls, parts, {} as never)).rejects.toMatchObject({ code: 'port-in-use' })
    await expect(startServer('nonsense', tls, parts, {} as never)).rejects.toMatchObject({ code: 'address-invalid' })
    const holder = await server.credentials('holder', 'cleveland')
    await expect(startServer('127.0.0.1:0', holder, parts, {} as never)).rejects.toMatchObject({
      code: 'credential-invalid',
    })
  })
})

describe('requests to a holder', () => {
  const request = async (): Promise<HolderRequest> => {
    const round = planRound(makePlan(await createParties()), coordinatorKey)
    return { kind: 'published', planDigest: round.planDigest, publication: round.planEnvelope }
  }

  it('wait for a holder that dials again within the grace, and are asked again', async () => {
    const stop = new AbortController()
    const first = await connect('hungary')
    let asked = 0
    const attending = first.attend(
      () => {
        asked++
        return new Promise(() => {})
      },
      quiet,
      stop.signal,
    )
    await until(() => server.sessions.connected().includes('hungary'))
    const answer = server.sessions.ask('hungary', await request(), AbortSignal.timeout(20_000))
    await until(() => asked === 1)
    stop.abort()
    await attending
    first.close()
    await until(() => !server.sessions.connected().includes('hungary'))
    const again = new AbortController()
    const second = await connect('hungary')
    const attendingAgain = second.attend(async () => accepted({ kind: 'noted' }), quiet, again.signal)
    expect(await answer).toEqual({ ok: true, value: { kind: 'noted' } })
    again.abort()
    await attendingAgain
    second.close()
  })

  it('are refused after the grace, at once when nobody waits any more, and at the deadline', async () => {
    const unreachable = await server.sessions.ask('long-beach', await request(), AbortSignal.timeout(20_000))
    expect(unreachable).toMatchObject({ ok: false, code: 'holder-unreachable' })
    const given = await server.sessions.ask('long-beach', await request(), AbortSignal.abort())
    expect(given).toMatchObject({ ok: false, code: 'deadline-passed' })
  })

  it('go to the latest stream of a holder: an earlier one is ended', async () => {
    const stop = new AbortController()
    const [first, second] = [await connect('switzerland'), await connect('switzerland')]
    let endings = 0
    const one = first.attend(
      async () => accepted({ kind: 'noted' }),
      { ...quiet, onDisconnected: () => endings++ },
      stop.signal,
    )
    await until(() => server.sessions.connected().includes('switzerland'))
    const two = second.attend(async () => accepted({ kind: 'noted' }), quiet, stop.signal)
    await until(() => endings >= 1)
    expect(server.sessions.connected().filter((name) => name === 'switzerland')).toHaveLength(1)
    stop.abort()
    await Promise.all([one, two])
    first.close()
    second.close()
  })

  it('are not answered by anyone else, nor under another id', async () => {
    const asking = new AbortController()
    const sent: { requestId?: string }[] = []
    const session = { send: (message: { requestId?: string }) => void sent.push(message), end: () => {} }
    server.sessions.open('hungary', session)
    const answer = server.sessions.ask('hungary', await request(), asking.signal)
    const { requestId } = sent[0] as { requestId: string }
    server.sessions.receive('cleveland', requestId, accepted({ kind: 'noted' }))
    server.sessions.receive('hungary', 'another', accepted({ kind: 'noted' }))
    asking.abort()
    expect(await answer).toMatchObject({ ok: false, code: 'deadline-passed' })
    server.sessions.close('hungary', session)
  })
})

describe('an artifact', () => {
  it('comes in pieces, and whole', async () => {
    const bytes = new Uint8Array(700_000)
    systemRandomness.fill(bytes)
    const digest = await server.artifacts.put(bytes)
    const connection = await connect('cleveland')
    expect(await connection.fetchArtifact(digest)).toEqual(bytes)
    await expect(connection.fetchArtifact('f'.repeat(64))).rejects.toMatchObject({ code: 'not-found' })
    await expect(connection.fetchContributions(due, 4)).rejects.toMatchObject({ code: 'not-found' })
    connection.close()
  })

  it('that is not what its digest says is refused by whoever fetches it', async () => {
    const artifacts = { put: server.artifacts.put, get: async () => Buffer.from('another model') }
    const parts = {
      venue: VENUE,
      software: 'x',
      members: { has: () => true, isPending: () => false },
      certificates: server.certificates,
      registry: server.registry,
      openings: server.openings,
      sessions: server.sessions,
      rounds: { expectedPayload: () => undefined, contributionsFor: () => undefined, openingFor: () => undefined },
      artifacts,
      spool: server.spool,
    }
    const lying = await startServer(
      '127.0.0.1:0',
      await server.credentials('coordinator', 'coordinator'),
      parts,
      {} as never,
    )
    const connection = new HolderConnection(
      `127.0.0.1:${lying.port}`,
      VENUE,
      await server.credentials('holder', 'cleveland'),
      'x',
    )
    await expect(connection.fetchArtifact(digestOf(Buffer.from('the model')))).rejects.toMatchObject({
      code: 'digest-mismatch',
    })
    connection.close()
    await lying.stop()
  })
})
