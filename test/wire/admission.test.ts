/** Who gets in, as of now: applicants that wait, members that leave, certificates that are revoked, renewed or expired. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { keepCertificateFresh, renewCertificate } from '../../nodes/holder/certificate-renewal.ts'
import { createSigningRequest, type Identity, serialNumberOf } from '../../src/crypto/certificates.ts'
import { chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import type { HolderRequest } from '../../src/protocol/holder-messages.ts'
import { accepted } from '../../src/sluice-error.ts'
import { joinKeyAndCertificate, splitKeyAndCertificate, type TlsMaterial } from '../../src/wire/credentials.ts'
import { type AttendanceListener, HolderConnection, type RequestHandler } from '../../src/wire/holder-connection.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'
import { startServer } from '../../src/wire/server.ts'
import { payloadOf } from '../support/payload-source.ts'
import { startTestServer, type TestServer, until, VENUE } from '../support/wire-fixtures.ts'

const due = 'a'.repeat(64)
const parameters = payloadParameters({ precisionBits: 16, maxContributors: 4, length: 70_000 })
const rounds = {
  expectedPayload: (plan: string) => (plan === due ? parameters : undefined),
  contributionsFor: () => undefined,
  openingFor: () => undefined,
}
const request: HolderRequest = {
  kind: 'published',
  planDigest: 'd'.repeat(64),
  publication: { payload: new Uint8Array(2), payloadType: 'x', signatures: [] },
}
const noted: RequestHandler = async () => accepted({ kind: 'noted' })

let server: TestServer
let directory: string
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-admission-'))
  server = await startTestServer(rounds, { reconnectGraceMs: 20_000 })
})
afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})

/** A certificate that the venue's office has issued, and so can revoke. */
async function enrolled(role: 'holder' | 'researcher', name: string): Promise<TlsMaterial> {
  const identity: Identity = { venue: VENUE, role, name }
  const { keyPem, signingRequest } = await createSigningRequest(identity)
  return { keyPem, ...(await server.certificates.issue(identity, signingRequest)) }
}

interface Attending {
  readonly connection: HolderConnection
  /** `connected`, `pending`, or the code with which the connection broke; the last is how attending ended. */
  readonly events: string[]
  readonly ended: Promise<void>
  stop(): Promise<void>
}

const attendances: Attending[] = []
afterEach(async () => {
  for (const attending of attendances.splice(0)) await attending.stop()
})

function attend(tls: TlsMaterial, handle: RequestHandler = noted, address = server.address): Attending {
  const connection = new HolderConnection(address, VENUE, tls, 'sluice/test')
  const events: string[] = []
  const listener: AttendanceListener = {
    onConnected: () => void events.push('connected'),
    onPending: () => void events.push('pending'),
    onDisconnected: ({ code }) => void events.push(code),
  }
  const leaving = new AbortController()
  const ended = connection.attend(handle, listener, leaving.signal).then(
    () => void events.push('left'),
    ({ code }) => void events.push(code),
  )
  const stop = async () => {
    leaving.abort()
    await ended
    connection.close()
  }
  const attending = { connection, events, ended, stop }
  attendances.push(attending)
  return attending
}

describe('an applicant', () => {
  it('waits, is told so once, and is let in when the members have signed', async () => {
    server.pending.add('newcomer')
    const { events } = attend(await enrolled('holder', 'newcomer'))
    // Long enough for several attempts: they are the server's calls, counted by what the lookup is asked.
    let asked = 0
    const has = server.pending.has.bind(server.pending)
    server.pending.has = (name) => {
      asked++
      return has(name)
    }
    await until(() => asked >= 3)
    expect(events).toEqual(['pending'])
    expect(server.sessions.connected()).toEqual([])
    server.members.add('newcomer')
    server.pending.delete('newcomer')
    await until(() => events.length > 1)
    expect(events).toEqual(['pending', 'connected'])
    server.members.delete('newcomer')
  })

  it('that is refused at last is told for good', async () => {
    server.pending.add('unwanted')
    const { events, ended } = attend(await enrolled('holder', 'unwanted'))
    await until(() => events.length > 0)
    server.pending.delete('unwanted')
    await ended
    expect(events).toEqual(['pending', 'not-admitted'])
  })

  it('may read the registry and renew its certificate, and take no part in rounds', async () => {
    server.pending.add('newcomer')
    const { connection } = attend(await enrolled('holder', 'newcomer'))
    const { signingRequest } = await createSigningRequest({ venue: VENUE, role: 'holder', name: 'newcomer' })
    expect(await connection.fetchRegistry(0)).toEqual([])
    expect(await connection.renewCertificate(signingRequest)).toMatchObject({ authorityPem: expect.any(String) })
    await expect(connection.fetchArtifact('a'.repeat(64))).rejects.toMatchObject({ code: 'admission-pending' })
    server.pending.delete('newcomer')
    await expect(connection.fetchRegistry(0)).rejects.toMatchObject({ code: 'not-admitted' })
    await expect(connection.renewCertificate(signingRequest)).rejects.toMatchObject({ code: 'not-admitted' })
  })
})

describe('a member whose certificates are revoked', () => {
  it('loses its session, and does not get in again', async () => {
    const { events, ended } = attend(await enrolled('holder', 'hungary'))
    await until(() => events.includes('connected'))
    await server.certificates.revoke({ role: 'holder', name: 'hungary' })
    server.sessions.end('hungary')
    await ended
    expect(events.at(-1)).toBe('not-admitted')
    expect(server.sessions.connected()).not.toContain('hungary')
    // Still a member of the registry: it was the certificate that was refused, and a new one gets in.
    const again = attend(await enrolled('holder', 'hungary'))
    await until(() => again.events.includes('connected'))
  })

  it('renews none of them, also when it is revoked while the new one is made', async () => {
    const { connection } = attend(await enrolled('holder', 'cleveland'))
    const { signingRequest } = await createSigningRequest({ venue: VENUE, role: 'holder', name: 'cleveland' })
    const revoked = server.certificates.revoke({ role: 'holder', name: 'cleveland' })
    await expect(connection.renewCertificate(signingRequest)).rejects.toMatchObject({ code: 'not-admitted' })
    await revoked
  })

  it('is a researcher’s case, too', async () => {
    const jobs = new JobsConnection(server.address, VENUE, await enrolled('researcher', 'ada'))
    expect(await jobs.list(1)).toEqual([])
    await server.certificates.revoke({ role: 'researcher', name: 'ada' })
    await expect(jobs.list(1)).rejects.toMatchObject({
      code: 'not-admitted',
      message: expect.stringContaining('revoked'),
    })
    jobs.close()
  })
})

describe('a certificate that is renewed', () => {
  it('is of a new key for the same identity, and never for another', async () => {
    const tls = await enrolled('holder', 'cleveland')
    const { connection } = attend(tls)
    const other = await createSigningRequest({ venue: VENUE, role: 'holder', name: 'hungary' })
    await expect(connection.renewCertificate(other.signingRequest)).rejects.toMatchObject({
      code: 'bad-signing-request',
    })
    const role = await createSigningRequest({ venue: VENUE, role: 'coordinator', name: 'cleveland' })
    await expect(connection.renewCertificate(role.signingRequest)).rejects.toMatchObject({
      code: 'bad-signing-request',
    })
    const file = join(directory, 'tls.pem')
    writeFileSync(file, joinKeyAndCertificate(tls))
    const renewed = await renewCertificate({ connection, tls, file })
    const stored = splitKeyAndCertificate(readFileSync(file, 'utf8'))
    expect(stored.certificatePem.trim()).toBe(renewed.certificatePem.trim())
    expect(stored.keyPem).not.toBe(tls.keyPem)
    expect(serialNumberOf(stored.certificatePem)).not.toBe(serialNumberOf(tls.certificatePem))
    expect(statSync(file).mode & 0o077).toBe(0)
  })

  it('is not made without end: a member that asks and asks is told to use what it has', async () => {
    const { connection } = attend(await enrolled('holder', 'switzerland'))
    const { signingRequest } = await createSigningRequest({ venue: VENUE, role: 'holder', name: 'switzerland' })
    for (let count = 1; count < 20; count++) await connection.renewCertificate(signingRequest)
    await expect(connection.renewCertificate(signingRequest)).rejects.toMatchObject({ code: 'too-many-certificates' })
    // Nobody else is the worse for it.
    expect(await enrolled('holder', 'long-beach')).toBeDefined()
  })

  it('does not cut an upload off that began under the old one', async () => {
    const tls = await enrolled('holder', 'long-beach')
    const { connection, events } = attend(tls)
    await until(() => events.includes('connected'))
    let resume = () => {}
    const renewed = new Promise<void>((resolve) => {
      resume = resolve
    })
    const chunks = Array.from(
      { length: parameters.chunkCount },
      (_, i) => new Uint8Array(chunkGeometry(parameters, i).bytes),
    )
    const uploaded = connection.upload(
      due,
      payloadOf(chunks, (index) => (index === 1 ? renewed : undefined)),
    )
    connection.useCertificate(await enrolled('holder', 'long-beach'))
    await until(() => events.filter((event) => event === 'connected').length === 2)
    resume()
    expect(await uploaded).toMatchObject({ bytes: parameters.ciphertextBytes })
  })

  it('carries the connection on: what is in work is answered once, over the new one', async () => {
    const tls = await enrolled('holder', 'cleveland')
    let begun = 0
    let finish = () => {}
    const working = new Promise<void>((resolve) => {
      finish = resolve
    })
    const { connection, events } = attend(tls, async () => {
      begun++
      await working
      return accepted({ kind: 'noted' })
    })
    await until(() => events.includes('connected'))
    const answer = server.sessions.ask('cleveland', request, AbortSignal.timeout(30_000))
    await until(() => begun === 1)
    connection.useCertificate(await enrolled('holder', 'cleveland'))
    await until(() => events.filter((event) => event === 'connected').length === 2)
    // The old certificate is of no use to the connection any more.
    finish()
    expect(await answer).toEqual(accepted({ kind: 'noted' }))
    expect(begun).toBe(1)
    expect(events).toEqual(['connected', 'connected'])
    const next = await server.sessions.ask('cleveland', request, AbortSignal.timeout(30_000))
    expect(next.ok).toBe(true)
  })

  it('is renewed by itself at two thirds of its life, and again after a failure', async () => {
    const tls = await enrolled('holder', 'cleveland')
    let attempts = 0
    const used: TlsMaterial[] = []
    const { connection: real } = attend(tls)
    const connection = {
      renewCertificate: async (signingRequest: Uint8Array) => {
        if (attempts++ === 0) throw new Error('the coordinator is away')
        return real.renewCertificate(signingRequest)
      },
      useCertificate: (material: TlsMaterial) => void used.push(material),
    }
    const file = join(directory, 'kept.pem')
    const stop = new AbortController()
    const DAY_MS = 86_400_000
    let now = new Date(Date.now() + DAY_MS / 2)
    const log = pino({ level: 'silent' })
    const kept = keepCertificateFresh({ connection, tls, file, log, now: () => now }, stop.signal, 5)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(attempts).toBe(0)
    now = new Date(Date.now() + DAY_MS * 0.7)
    await until(() => used.length === 1)
    expect(attempts).toBe(2)
    stop.abort()
    await kept
  })
})

describe('a coordinator whose own certificate has expired', () => {
  it('is dialled again until it has a new one', async () => {
    const live = await server.credentials('coordinator', 'coordinator', { lifetimeMs: 1500 })
    const parts = {
      ...server,
      venue: VENUE,
      software: 'x',
      rounds,
      members: { has: () => true, isPending: () => false },
    }
    const ageing = await startServer('127.0.0.1:0', live, parts, {} as never)
    await new Promise((resolve) => setTimeout(resolve, 2000))
    const address = `127.0.0.1:${ageing.port}`
    const { events } = attend(await enrolled('holder', 'cleveland'), noted, address)
    await until(() => events.length >= 2)
    expect(events.slice(0, 2)).toEqual(['coordinator-certificate-expired', 'coordinator-certificate-expired'])
    await ageing.stop()
    const fresh = await server.credentials('coordinator', 'coordinator')
    const again = await startServer(address, fresh, parts, {} as never)
    await until(() => events.includes('connected'))
    await again.stop()
  })
})
