/** The registry's desk, the servers and the venue's files together: join by invite, wait, sign each other in, be revoked. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadHolderSettings } from '../../nodes/holder/configuration-files.ts'
import { makeInvite, revokeParty } from '../../src/cli/coordinator-actions.ts'
import { systemClock } from '../../src/cli/coordinator-process.ts'
import { decodeInvite } from '../../src/cli/invite.ts'
import { joinHolder } from '../../src/cli/join-holder.ts'
import { joinResearcher } from '../../src/cli/join-researcher.ts'
import { loadCurrentResearcher } from '../../src/cli/renew-researcher.ts'
import { openVenueAdmission, type VenueAdmission } from '../../src/cli/venue-admission.ts'
import { createVenue, loadResearcher, loadVenue } from '../../src/cli/venue-files.ts'
import { AdmissionDesk } from '../../src/coordinator/admissions.ts'
import { signatureOver } from '../../src/crypto/envelope.ts'
import { accepted, refused } from '../../src/sluice-error.ts'
import { startEnrolmentServer } from '../../src/wire/enrolment-service.ts'
import { HolderConnection, type RequestHandler } from '../../src/wire/holder-connection.ts'
import { HolderSessions } from '../../src/wire/holder-sessions.ts'
import { JobsConnection } from '../../src/wire/jobs-client.ts'
import { startServer } from '../../src/wire/server.ts'
import { MemoryRegistryStore } from '../support/memory-registry-store.ts'
import { editYaml } from '../support/test-venue.ts'
import { until } from '../support/wire-fixtures.ts'

const VENUE = 'hearts.example'
const silent = pino({ level: 'silent' })
const rounds = { expectedPayload: () => undefined, contributionsFor: () => undefined, openingFor: () => undefined }

let root: string
let stack: AsyncDisposableStack
let desk: AdmissionDesk
let admission: VenueAdmission
let sessions: HolderSessions
let listen: string
const store = () => new MemoryRegistryStore()
const at = (...path: string[]) => join(root, ...path)

/** What the coordinator process runs of all this, over a registry that may be of an earlier life. */
async function openVenue(registry: MemoryRegistryStore): Promise<void> {
  stack = new AsyncDisposableStack()
  const files = await loadVenue(at('venue'))
  sessions = new HolderSessions(20_000, { stat: async () => undefined })
  desk = await AdmissionDesk.open({
    venue: VENUE,
    key: files.key,
    clock: systemClock,
    store: registry,
    log: { append: async () => undefined as never },
    holders: sessions,
    listener: { onEntered: () => {}, onUnsigned: () => {}, onRefused: () => {}, onFault: () => {} },
    askMs: 5000,
    askAgainMs: 50,
  })
  stack.defer(() => desk.close())
  admission = await openVenueAdmission({ directory: at('venue'), venue: files, desk, sessions, log: silent })
  stack.defer(() => admission.close())
  sessions.onChange(() => desk.wake())
  const parts = { ...admission, venue: VENUE, software: 'x', sessions, rounds, registry: desk } as never
  const jobs = { list: async () => [] } as never
  const server = await startServer(listen, files.tls, parts, jobs)
  stack.defer(() => server.stop())
  const enrolment = await startEnrolmentServer('127.0.0.1:0', files.tls, admission.enrolment)
  stack.defer(() => enrolment.stop())
  // A restarted coordinator is where it was.
  listen = `127.0.0.1:${server.port}`
  editYaml(at('venue/coordinator.yaml'), {
    address: listen,
    enrolAddress: `127.0.0.1:${enrolment.port}`,
  })
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-venue-admission-'))
  listen = '127.0.0.1:0'
  await createVenue(at('venue'), { venue: VENUE, listen: '127.0.0.1:9' })
  await openVenue(store())
})
afterEach(async () => {
  await stack.disposeAsync()
  rmSync(root, { recursive: true })
})

async function joinAs(name: string): Promise<void> {
  const options = { organisation: `${name} clinic`, expiresMs: 60_000 }
  await joinHolder(decodeInvite(await makeInvite(at('venue'), name, options)), at(name))
}

/** A node that signs whatever is proposed, unless told otherwise. */
async function startNode(name: string, signs = true) {
  const { config, tls, identity } = await loadHolderSettings(at(name))
  const connection = new HolderConnection(config.coordinator, VENUE, tls, 'x')
  const events: string[] = []
  const handle: RequestHandler = async (request) => {
    if (request.kind !== 'admit' || !signs) return refused('approval-needed', 'not now')
    const { payloadType, payload } = request.statement
    return accepted({ kind: 'endorsement', signature: signatureOver(payloadType, payload, identity.keys.statementKey) })
  }
  const listener = {
    onConnected: () => void events.push('connected'),
    onPending: () => void events.push('pending'),
    onDisconnected: () => {},
  }
  const stop = new AbortController()
  const ended = connection.attend(handle, listener, stop.signal).then(
    () => void events.push('left'),
    ({ code }) => void events.push(code),
  )
  stack.defer(async () => {
    stop.abort()
    await ended
    connection.close()
  })
  return { events, ended, connection }
}

describe('a venue that grows by invites', () => {
  it('has its first member at once, and each next one when the members before have signed', async () => {
    await Promise.all(['north', 'south', 'west'].map(joinAs))
    await until(() => desk.registry.members.size === 1)
    const [first] = desk.registry.members.keys()
    const others = ['north', 'south', 'west'].filter((name) => name !== first)
    const waiting = await Promise.all(others.map((name) => startNode(name)))
    await until(() => waiting.every(({ events }) => events.length > 0))
    expect(waiting.map(({ events }) => events)).toEqual([['pending'], ['pending']])
    await startNode(first)
    await until(() => waiting.every(({ events }) => events.includes('connected')))
    expect([...desk.registry.members.keys()].sort()).toEqual(['north', 'south', 'west'])
    for (const { events } of waiting) expect(events).toEqual(['pending', 'connected'])
  })

  it('keeps who waits over a restart of its coordinator', async () => {
    await stack.disposeAsync()
    const registry = store()
    await openVenue(registry)
    await joinAs('north')
    await until(() => desk.registry.members.has('north'))
    await joinAs('south')
    expect(admission.members.isPending('south')).toBe(true)
    await stack.disposeAsync()
    await openVenue(registry)
    expect(admission.members.isPending('south')).toBe(true)
    expect(admission.members.isPending('north')).toBe(false)
    expect(admission.members.has('north')).toBe(true)
  })

  it('gives a member a certificate by a new invite, without another entry', async () => {
    await joinAs('north')
    await until(() => desk.registry.members.has('north'))
    await joinAs('north')
    expect(desk.registry.sequence).toBe(1)
    const { events } = await startNode('north')
    await until(() => events.includes('connected'))
  })
})

describe('a researcher’s certificate', () => {
  it('is renewed by its commands at two thirds of its life, and serves on while nobody can be asked', async () => {
    const invite = await makeInvite(at('venue'), 'ada', { researcher: true, expiresMs: 60_000 })
    await joinResearcher(decodeInvite(invite), at('ada'))
    const first = (await loadResearcher(at('ada'))).tls
    const later = new Date(Date.now() + 5 * 86_400_000)
    expect((await loadCurrentResearcher(at('ada'), new Date())).tls).toEqual(first)
    const { tls, config } = await loadCurrentResearcher(at('ada'), later)
    expect(tls.keyPem).not.toBe(first.keyPem)
    expect((await loadResearcher(at('ada'))).tls.certificatePem.trim()).toBe(tls.certificatePem.trim())
    const jobs = new JobsConnection(config.coordinator, VENUE, tls)
    stack.defer(() => jobs.close())
    expect(await jobs.list(1)).toEqual([])
    editYaml(at('ada/researcher.yaml'), { coordinator: '127.0.0.1:9' })
    expect((await loadCurrentResearcher(at('ada'), later)).tls.keyPem.trim()).toBe(tls.keyPem.trim())
  })
})

describe('a revocation', () => {
  const revoke = (name: string, researcher = false) =>
    revokeParty(at('venue'), name, { reason: 'it has left the study', researcher })

  it('cuts a member off at once, and ends its membership when the others have signed', async () => {
    for (const name of ['north', 'south']) {
      await joinAs(name)
      await startNode(name)
      await until(() => sessions.connected().includes(name))
    }
    await joinAs('west')
    const west = await startNode('west')
    await until(() => sessions.connected().includes('west'))
    expect(await revoke('west')).toContain('Revoked 1 certificates of west.')
    await west.ended
    expect(west.events.at(-1)).toBe('not-admitted')
    await until(() => !desk.registry.members.has('west'))
    // What it was given is worth nothing more: neither its certificate, nor a new one by it.
    const again = await startNode('west')
    await again.ended
    expect(again.events).toEqual(['not-admitted'])
  })

  it('cuts it off although the members do not sign, and a restart does not forget it', async () => {
    await stack.disposeAsync()
    const registry = store()
    await openVenue(registry)
    await joinAs('north')
    await startNode('north', false)
    await until(() => sessions.connected().includes('north'))
    expect(await revoke('north')).toContain('Its membership ends when the other members have signed that.')
    const list = readFileSync(at('venue/revoked.crl.pem'), 'utf8')
    expect(list).toContain('BEGIN X509 CRL')
    await stack.disposeAsync()
    await openVenue(registry)
    expect(desk.registry.members.has('north')).toBe(true)
    const { events, ended } = await startNode('north')
    await ended
    expect(events).toEqual(['not-admitted'])
  })

  it('of a researcher takes effect on its next call', async () => {
    const invite = await makeInvite(at('venue'), 'ada', { researcher: true, expiresMs: 60_000 })
    await joinResearcher(decodeInvite(invite), at('ada'))
    const { config, tls } = await loadResearcher(at('ada'))
    const jobs = new JobsConnection(config.coordinator, VENUE, tls)
    stack.defer(() => jobs.close())
    expect(await jobs.list(1)).toEqual([])
    expect(await revoke('ada', true)).toBe('Revoked 1 certificates of ada.')
    await expect(jobs.list(1)).rejects.toMatchObject({ code: 'not-admitted' })
  })

  it('of a name that the venue does not know is refused, and a broken request does not stop the next', async () => {
    await expect(revoke('nobody')).rejects.toMatchObject({ code: 'revocation-refused' })
    await joinAs('north')
    writeFileSync(at('venue/revocations/holder-a.json'), '{ half')
    expect(await revoke('north')).toContain('Revoked 1')
  })

  it('waits for a coordinator that is down', async () => {
    await joinAs('north')
    await until(() => desk.registry.members.has('north'))
    await stack.disposeAsync()
    const options = { reason: 'it has left the study' }
    expect(await revokeParty(at('venue'), 'north', options, 300)).toContain('when it starts')
    await openVenue(store())
    const request = () => JSON.parse(readFileSync(at('venue/revocations/holder-north.json'), 'utf8'))
    await until(() => request().state !== 'requested')
    expect(request()).toMatchObject({ state: 'done', outcome: expect.stringContaining('Revoked 1') })
  })
})
