import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeInvite } from '../../src/cli/coordinator-actions.ts'
import { writeSecretFile, writeWholeFile } from '../../src/cli/files.ts'
import { decodeInvite } from '../../src/cli/invite.ts'
import { createVenue, loadVenue, loadVenueToRun } from '../../src/cli/venue-files.ts'
import { digestOf, fromHex } from '../../src/crypto/digest.ts'
import { parseNoteKey } from '../../src/log/note-key.ts'
import { checkOwnCertificate } from '../../src/wire/credentials.ts'
import { runSluice } from '../support/processes.ts'
import { editYaml } from '../support/test-venue.ts'

let root: string
const at = (...path: string[]) => join(root, ...path)
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-files-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const options = { venue: 'hearts.example', listen: '127.0.0.1:7443' }

describe('founding a venue', () => {
  it('makes nothing of a name or an address that could not be used later', async () => {
    for (const wrong of [{ venue: 'My Venue' }, { listen: 'nonsense' }, { address: 'somewhere' }, { venue: '' }]) {
      await expect(createVenue(at('venue'), { ...options, ...wrong })).rejects.toMatchObject({ code: 'usage' })
    }
    expect(existsSync(at('venue'))).toBe(false)
  })

  it('takes names, IPv4 and IPv6 addresses', async () => {
    for (const [i, host] of ['venue.example', '10.0.0.7', '[::1]'].entries()) {
      await createVenue(at(`venue${i}`), { ...options, address: `${host}:7443` })
      const { tls, config } = await loadVenue(at(`venue${i}`))
      expect(config.address).toBe(`${host}:7443`)
      expect(checkOwnCertificate(tls, new Date())).toMatchObject({ role: 'coordinator', venue: 'hearts.example' })
    }
  })

  it('may be repeated when it was cut short, and not when it was not', async () => {
    await createVenue(at('venue'), options)
    rmSync(at('venue/coordinator.yaml'))
    await createVenue(at('venue'), options)
    await loadVenue(at('venue'))
    await expect(createVenue(at('venue'), options)).rejects.toMatchObject({ code: 'directory-not-empty' })
  })
})

describe('a venue’s files', () => {
  it('name the ports after the one it listens on, and a log key of their own', async () => {
    await createVenue(at('venue'), { ...options, address: 'venue.example:443' })
    const { config, key, logSigner } = await loadVenue(at('venue'))
    expect(config).toMatchObject({
      enrolListen: '127.0.0.1:7444',
      enrolAddress: 'venue.example:444',
      logListen: '127.0.0.1:7445',
      adminListen: '127.0.0.1:7446',
      certificateLifetimeHours: 168,
    })
    expect(logSigner.origin).toBe('hearts.example/log')
    expect(logSigner.key.publicKey).not.toBe(key.publicKey)
    await expect(createVenue(at('high'), { ...options, listen: '127.0.0.1:65535' })).rejects.toMatchObject({
      code: 'usage',
    })
  })

  it('have the coordinator’s own certificate renewed at a start past two thirds of its life, under the same root', async () => {
    await createVenue(at('venue'), options)
    const before = await loadVenue(at('venue'))
    const day = (count: number) => new Date(Date.now() + count * 86_400_000)
    expect((await loadVenueToRun(at('venue'), day(59))).tls).toEqual(before.tls)
    for (const now of [day(61), day(200)]) {
      const { tls } = await loadVenueToRun(at('venue'), now)
      expect(tls.keyPem).not.toBe(before.tls.keyPem)
      expect(tls.authorityPem).toBe(before.tls.authorityPem)
      expect(checkOwnCertificate(tls, new Date())).toMatchObject({ role: 'coordinator' })
      expect((await loadVenue(at('venue'))).tls).toEqual(tls)
    }
  })

  it('take a life of certificates between an hour and ninety days', async () => {
    await createVenue(at('venue'), options)
    for (const [hours, code] of [
      [1, 'ok'],
      [2160, 'ok'],
      [0, 'file-invalid'],
      [2161, 'file-invalid'],
    ] as const) {
      editYaml(at('venue/coordinator.yaml'), { certificateLifetimeHours: hours })
      expect(
        await loadVenue(at('venue')).then(
          () => 'ok',
          (error) => error.code,
        ),
      ).toBe(code)
    }
  })
})

describe('inviting', () => {
  beforeEach(() => createVenue(at('venue'), options))

  it('makes nothing of a name that is no identity, or an organisation that is none', async () => {
    const expiresMs = 60_000
    for (const name of ['Ada Lovelace', 'ada-', '../ada', '', 'a'.repeat(64)]) {
      await expect(makeInvite(at('venue'), name, { researcher: true, expiresMs })).rejects.toMatchObject({
        code: 'usage',
      })
    }
    for (const organisation of [undefined, '', ' ', 'Two  spaces', 'a\u0000b']) {
      await expect(makeInvite(at('venue'), 'north', { organisation, expiresMs })).rejects.toMatchObject({
        code: 'usage',
      })
    }
    expect(existsSync(at('venue/invites'))).toBe(false)
  })

  it('keeps the digest of the secret, and hands over all that a newcomer needs to know the venue again', async () => {
    const line = await makeInvite(at('venue'), 'north', { organisation: 'North Clinic', expiresMs: 60_000 })
    const invite = decodeInvite(line)
    const { key, logSigner } = await loadVenue(at('venue'))
    expect(invite).toMatchObject({
      venue: 'hearts.example',
      role: 'holder',
      name: 'north',
      organisation: 'North Clinic',
      enrol: '127.0.0.1:7444',
      coordinator: '127.0.0.1:7443',
      coordinatorKey: key.publicKey,
      authority: new X509Certificate(readFileSync(at('venue/authority.pem'))).fingerprint256
        .replaceAll(':', '')
        .toLowerCase(),
    })
    expect(parseNoteKey(invite.logKey)).toEqual({
      role: 'log',
      name: 'hearts.example/log',
      publicKey: logSigner.key.publicKey,
    })
    const [file] = readdirSync(at('venue/invites'))
    expect(file).toBe(`${digestOf(fromHex(invite.secret))}.json`)
    expect(readFileSync(at('venue/invites', file), 'utf8')).not.toContain(invite.secret)
  })
})

describe('a file that is written', () => {
  it('is for its owner alone when it is secret, whatever stood there before', async () => {
    writeFileSync(at('key'), 'old', { mode: 0o666 })
    await writeSecretFile(at('key'), 'secret')
    expect(statSync(at('key')).mode & 0o777).toBe(0o600)
    expect(readFileSync(at('key'), 'utf8')).toBe('secret')
  })

  it('may be written by several at once: one of them wins, none fails, and nothing else is left', async () => {
    const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(100_000))
    await Promise.all(texts.map((text) => writeWholeFile(at('many', 'file'), text)))
    expect(texts).toContain(readFileSync(at('many', 'file'), 'utf8'))
    expect(readdirSync(at('many'))).toEqual(['file'])
  })

  it('replaces the one before as a whole', async () => {
    await writeWholeFile(at('a/b/c'), 'one')
    await writeWholeFile(at('a/b/c'), 'two')
    expect(readFileSync(at('a/b/c'), 'utf8')).toBe('two')
  })
})

describe('sluice', () => {
  it('ends with 2 for a log level that there is not, and says which there are', async () => {
    for (const command of ['coordinator', 'holder']) {
      const { code, stderr } = await runSluice([command, 'start', '--log-level', 'loud'])
      expect(code).toBe(2)
      expect(stderr).toContain('info')
    }
  })
})
