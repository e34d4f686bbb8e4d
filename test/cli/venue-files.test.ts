import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeSecretFile, writeWholeFile } from '../../src/cli/files.ts'
import { admitHolder, admitResearcher, createVenue, loadResearcher, loadVenue } from '../../src/cli/venue-files.ts'
import { checkOwnCertificate } from '../../src/wire/credentials.ts'
import { runSluice } from '../support/processes.ts'

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

describe('admitting', () => {
  beforeEach(() => createVenue(at('venue'), options))

  it('makes nothing of a name that is no identity', async () => {
    for (const name of ['Ada Lovelace', 'ada-', '../ada', '', 'a'.repeat(64)]) {
      await expect(admitResearcher(at('venue'), name, at('out'))).rejects.toMatchObject({ code: 'usage' })
      await expect(admitHolder(at('venue'), name, 'Clinic', at('out'))).rejects.toMatchObject({ code: 'usage' })
    }
    expect(existsSync(at('out'))).toBe(false)
    expect((await loadVenue(at('venue'))).members.members).toEqual([])
  })

  it('enters nobody whose directory could not be written', async () => {
    writeFileSync(at('file'), '')
    await expect(admitHolder(at('venue'), 'north', 'Clinic', at('file'))).rejects.toMatchObject({
      code: 'file-not-writable',
      message: expect.stringContaining('ENOTDIR'),
    })
    expect((await loadVenue(at('venue'))).members.members).toEqual([])
    await admitHolder(at('venue'), 'north', 'Clinic', at('north'))
  })

  it('gives a researcher what its commands need', async () => {
    await admitResearcher(at('venue'), 'ada', at('ada'))
    const { config, tls } = await loadResearcher(at('ada'))
    expect(config).toEqual({ name: 'ada', venue: 'hearts.example', coordinator: '127.0.0.1:7443' })
    expect(checkOwnCertificate(tls, new Date())).toEqual({ venue: 'hearts.example', role: 'researcher', name: 'ada' })
  })
})

describe('a file that is written', () => {
  it('is for its owner alone when it is secret, whatever an interrupted run left behind', async () => {
    writeFileSync(at('key.part'), 'half', { mode: 0o666 })
    await writeSecretFile(at('key'), 'secret')
    expect(statSync(at('key')).mode & 0o777).toBe(0o600)
    expect(readFileSync(at('key'), 'utf8')).toBe('secret')
    expect(existsSync(at('key.part'))).toBe(false)
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
