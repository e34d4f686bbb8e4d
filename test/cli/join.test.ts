/** Joining a venue by invite, over loopback; interrupted, repeated, refused, and with somebody else in between. */

import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadHolderSettings } from '../../nodes/holder/configuration-files.ts'
import { decodeInvite, encodeInvite, type Invite, readInvite } from '../../src/cli/invite.ts'
import { joinHolder } from '../../src/cli/join-holder.ts'
import { joinResearcher } from '../../src/cli/join-researcher.ts'
import { createVenue, loadResearcher, loadVenue } from '../../src/cli/venue-files.ts'
import { certificateFingerprint, serialNumberOf } from '../../src/crypto/certificates.ts'
import { digestOf, fromHex } from '../../src/crypto/digest.ts'
import { refused } from '../../src/sluice-error.ts'
import { checkOwnCertificate, splitKeyAndCertificate } from '../../src/wire/credentials.ts'
import { startEnrolmentServer } from '../../src/wire/enrolment-service.ts'
import { startTestVenue, type TestVenue } from '../support/test-venue.ts'

let root: string
let venue: TestVenue
const at = (...path: string[]) => join(root, ...path)
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-join-'))
  venue = await startTestVenue(at('venue'))
})
afterEach(async () => {
  await venue.close()
  rmSync(root, { recursive: true })
})

const north = () => venue.invite('north', { organisation: 'North Clinic' })
const codeOf = (joining: Promise<unknown>) =>
  joining.then(
    () => 'joined',
    (error) => error.code,
  )
const serialAt = (directory: string) =>
  serialNumberOf(splitKeyAndCertificate(readFileSync(at(directory, 'secrets/tls.pem'), 'utf8')).certificatePem)

function allFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

describe('a data holder that joins', () => {
  it('has a configuration, a certificate of its name, and keys that only its owner reads', async () => {
    const { member } = await joinHolder(await north(), at('north'))
    const settings = await loadHolderSettings(at('north'))
    expect(settings.identity.member).toEqual(member)
    expect(settings.config).toMatchObject({ name: 'north', venue: 'hearts.example', coordinator: '127.0.0.1:9' })
    expect(settings.logKey).toMatchObject({ role: 'log', name: 'hearts.example/log' })
    expect(settings.floors.coordinatorKey).toBe(venue.files.key.publicKey)
    expect(checkOwnCertificate(settings.tls, new Date())).toMatchObject({ role: 'holder', name: 'north' })
    expect(venue.applications.applied.get('north')).toEqual(member)
    for (const file of allFiles(at('north/secrets'))) expect(statSync(file).mode & 0o077, file).toBe(0)
  })

  it('leaves no private key, no seed and no secret of its invite at the venue', async () => {
    const invite = await north()
    await joinHolder(invite, at('north'))
    const { statementSeed, boxSeed } = JSON.parse(readFileSync(at('north/secrets/identity.json'), 'utf8'))
    const [, key] = /-----\n([^-]+)\n-----END PRIVATE KEY/.exec(readFileSync(at('north/secrets/tls.pem'), 'utf8'))!
    const secrets = [statementSeed, boxSeed, invite.secret, key.split('\n')[1]]
    const sent = Buffer.concat(
      venue.seen.flatMap(({ signingRequest, application }) => [signingRequest, application!.payload]),
    )
    for (const secret of secrets) {
      expect(allFiles(at('venue')).filter((file) => readFileSync(file, 'latin1').includes(secret))).toEqual([])
      expect(sent.includes(secret)).toBe(false)
    }
    expect(sent.includes(Buffer.from(statementSeed, 'hex'))).toBe(false)
    expect(allFiles(at('venue/invites')).map((file) => file.slice(-69))).toEqual([
      `${digestOf(fromHex(invite.secret))}.json`,
    ])
  })

  it('goes on with the same keys when its answer is lost, and gets the same certificate', async () => {
    const invite = await north()
    venue.beforeAnswer = () => {
      throw new Error('the line is cut')
    }
    expect(await codeOf(joinHolder(invite, at('north')))).toBe('remote-failure')
    venue.beforeAnswer = () => {}
    expect(existsSync(at('north/holder.yaml'))).toBe(false)
    await joinHolder(invite, at('north'))
    const [first, second] = venue.seen
    expect(second).toEqual(first)
    const [record] = allFiles(at('venue/certificates')).map((file) => JSON.parse(readFileSync(file, 'utf8')))
    expect(record.map(({ serialNumber }: { serialNumber: string }) => serialNumber)).toEqual([serialAt('north')])
  })

  it('goes on when the venue dies between using the invite up and answering, and nobody else can', async () => {
    const invite = await north()
    const { apply } = venue.applications
    venue.applications.apply = async () => {
      throw new Error('the database is away')
    }
    expect(await codeOf(joinHolder(invite, at('north')))).toBe('remote-failure')
    venue.applications.apply = apply
    expect(await codeOf(joinHolder(invite, at('thief')))).toBe('invite-used')
    const { member } = await joinHolder(invite, at('north'))
    expect(venue.applications.applied.get('north')).toEqual(member)
  })

  it('may be run again after its end: nothing is drawn, asked or overwritten', async () => {
    const invite = await north()
    await joinHolder(invite, at('north'))
    const before = allFiles(at('north')).map((file) => readFileSync(file, 'utf8'))
    writeFileSync(at('north/policy.yaml'), 'datasets: {}\n')
    await joinHolder(invite, at('north'))
    expect(readFileSync(at('north/policy.yaml'), 'utf8')).toBe('datasets: {}\n')
    writeFileSync(at('north/policy.yaml'), before[allFiles(at('north')).indexOf(at('north/policy.yaml'))])
    expect(allFiles(at('north')).map((file) => readFileSync(file, 'utf8'))).toEqual(before)
    expect(venue.seen).toHaveLength(1)
  })

  it('takes a new certificate, and keeps everything else, with a later invite of its name', async () => {
    const { member } = await joinHolder(await north(), at('north'))
    const first = serialAt('north')
    const again = await joinHolder(await north(), at('north'))
    expect(again.member).toEqual(member)
    expect(serialAt('north')).not.toBe(first)
  })

  it('does not touch the directory of another, of another venue, or of a researcher', async () => {
    await joinHolder(await north(), at('north'))
    const south = await venue.invite('south', { organisation: 'South Clinic' })
    expect(await codeOf(joinHolder(south, at('north')))).toBe('directory-not-empty')
    rmSync(at('north/holder.yaml'))
    expect(await codeOf(joinHolder(south, at('north')))).toBe('directory-not-empty')
    const elsewhere = { ...(await north()), authority: 'a'.repeat(64) }
    expect(await codeOf(joinHolder(elsewhere, at('north')))).toBe('directory-not-empty')
    await venue.joinResearcher('ada', at('ada'))
    expect(await codeOf(joinHolder({ ...south, secret: 'b'.repeat(64) }, at('ada')))).toBe('directory-not-empty')
    expect(venue.applications.applied.size).toBe(1)
  })
})

describe('an invite', () => {
  it('comes back from its text, a file, and standard input, and nothing else is one', async () => {
    const invite = await north()
    const text = encodeInvite(invite)
    expect(text).toMatch(/^[A-Za-z0-9_-]+$/)
    writeFileSync(at('invite'), `${text}\n`)
    for (const argument of [text, at('invite')]) expect(await readInvite(argument)).toEqual(invite)
    expect(await readInvite('-', Readable.from([Buffer.from(`${text}\n`)]))).toEqual(invite)
    for (const wrong of ['', 'nonsense', text.slice(0, -4), encodeInvite({ ...invite, version: 2 } as never)]) {
      expect(() => decodeInvite(wrong)).toThrow(expect.objectContaining({ code: 'invite-malformed' }))
    }
  })

  it('counts once: other keys with it are refused, though they come at the same time', async () => {
    const invite = await north()
    const codes = await Promise.all(['a', 'b', 'c'].map((place) => codeOf(joinHolder(invite, at(place)))))
    expect(codes.toSorted()).toEqual(['invite-used', 'invite-used', 'joined'])
    expect(venue.applications.applied.size).toBe(1)
    // Also after a restart of the venue: the file says so.
    expect(await codeOf(joinHolder(invite, at('d')))).toBe('invite-used')
  })

  it('ends, and says when; an unknown one says to ask for another', async () => {
    const invite = await venue.invite('north', { organisation: 'North Clinic', expiresMs: 60_000 })
    venue.now = () => new Date(Date.now() + 61_000)
    await expect(joinHolder(invite, at('north'))).rejects.toMatchObject({
      code: 'invite-expired',
      message: expect.stringContaining('ask for a new one'),
    })
    expect(await codeOf(joinHolder({ ...invite, secret: 'c'.repeat(64) }, at('south')))).toBe('invite-unknown')
    expect(venue.applications.applied.size).toBe(0)
  })

  it('is for one name, organisation and role', async () => {
    const invite = await north()
    const others: Partial<Invite>[] = [{ name: 'south' }, { organisation: 'South Clinic' }, { venue: 'other.example' }]
    for (const [i, other] of others.entries()) {
      expect(['enrolment-refused', 'wrong-peer']).toContain(
        await codeOf(joinHolder({ ...invite, ...other }, at(`other${i}`))),
      )
    }
    expect(await codeOf(joinResearcher(invite, at('r')))).toBe('not-invited')
    const { organisation: _, ...rest } = invite
    expect(await codeOf(joinResearcher({ ...rest, role: 'researcher' }, at('r2')))).toBe('enrolment-refused')
    const researcher = await venue.invite('ada', { researcher: true })
    expect(await codeOf(joinHolder(researcher, at('h')))).toBe('not-invited')
    // None of them used it up.
    expect(await codeOf(joinHolder(invite, at('north')))).toBe('joined')
  })

  it('brings nobody in under a name that is taken', async () => {
    await joinHolder(await north(), at('north'))
    expect(await codeOf(joinHolder(await north(), at('impostor')))).toBe('enrolment-refused')
  })
})

describe('somebody in between', () => {
  it('gets no secret: the authority is checked against the invite before anything is sent', async () => {
    await createVenue(at('false'), { venue: 'hearts.example', listen: '127.0.0.1:9' })
    const heard: unknown[] = []
    const desk = {
      enrol: async (enrolment: unknown) => {
        heard.push(enrolment)
        return refused('enrolment-refused', 'Thank you.')
      },
    }
    const impostor = await startEnrolmentServer('127.0.0.1:0', (await loadVenue(at('false'))).tls, desk)
    const invite = { ...(await north()), enrol: `127.0.0.1:${impostor.port}` }
    await expect(joinHolder(invite, at('north'))).rejects.toMatchObject({
      code: 'authority-mismatch',
      message: expect.stringContaining('Nothing was sent'),
    })
    expect(heard).toEqual([])
    // Without the guard, that is with the impostor's own fingerprint, it would have the secret, and enrol in north's place.
    const authority = certificateFingerprint(readFileSync(at('false/authority.pem'), 'utf8'))
    await codeOf(joinHolder({ ...invite, authority }, at('robbed')))
    expect(heard).toMatchObject([{ secret: fromHex(invite.secret) }])
    await impostor.stop()
    expect(await codeOf(joinHolder(await north(), at('north')))).toBe('joined')
  })

  it('who shows the right authority, and a certificate that it has not signed, gets no secret either', async () => {
    await createVenue(at('false'), { venue: 'hearts.example', listen: '127.0.0.1:9' })
    const own = (await loadVenue(at('false'))).tls
    const heard: Buffer[] = []
    // Its own leaf, with the venue's public authority certificate beside it.
    const cert = `${own.certificatePem}\n${venue.files.tls.authorityPem}`
    const impostor = createTlsServer({ key: own.keyPem, cert, ALPNProtocols: ['h2'] }, (socket) => {
      socket.on('data', (bytes) => heard.push(bytes)).on('error', () => {})
    }).listen(0, '127.0.0.1')
    await once(impostor, 'listening')
    const { port } = impostor.address() as { port: number }
    const invite = { ...(await north()), enrol: `127.0.0.1:${port}` }
    expect(['authority-mismatch', 'credential-invalid']).toContain(await codeOf(joinHolder(invite, at('north'))))
    expect(Buffer.concat(heard).includes(Buffer.from(invite.secret, 'hex'))).toBe(false)
    impostor.close()
  })

  it('that does not answer, or where nobody listens, is told apart from a refusal', async () => {
    const nobody = createServer().listen(0, '127.0.0.1')
    await once(nobody, 'listening')
    const { port } = nobody.address() as { port: number }
    nobody.close()
    await once(nobody, 'close')
    const invite = { ...(await north()), enrol: `127.0.0.1:${port}` }
    await expect(joinHolder(invite, at('north'))).rejects.toMatchObject({
      code: 'coordinator-unreachable',
      message: expect.stringContaining('join again'),
    })
    // The same directory, once the venue is there.
    expect(await codeOf(joinHolder({ ...invite, enrol: (await north()).enrol }, at('north')))).toBe('joined')
  })
})

describe('a researcher that joins', () => {
  it('has what its commands need, and applies for nothing', async () => {
    await venue.joinResearcher('ada', at('ada'))
    const { config, tls } = await loadResearcher(at('ada'))
    expect(config).toEqual({ name: 'ada', venue: 'hearts.example', coordinator: '127.0.0.1:9' })
    expect(checkOwnCertificate(tls, new Date())).toEqual({ venue: 'hearts.example', role: 'researcher', name: 'ada' })
    expect(venue.applications.applied.size).toBe(0)
  })
})
