/** What runs at a first start, and does nothing at every other. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { askReadiness } from '../../src/cli/ask-readiness.ts'
import { writeInviteOnce } from '../../src/cli/coordinator-actions.ts'
import { drawDatabaseSecret } from '../../src/cli/database-secret.ts'
import { foundVenueOnce } from '../../src/cli/found-venue.ts'
import { decodeInvite, encodeInvite } from '../../src/cli/invite.ts'
import { joinHolder } from '../../src/cli/join-holder.ts'
import { type JoiningParty, joinOnce } from '../../src/cli/join-once.ts'
import { loadVenue } from '../../src/cli/venue-files.ts'
import { startAdminServer } from '../../src/wire/admin-server.ts'
import { runSluice } from '../support/processes.ts'
import { startTestVenue } from '../support/test-venue.ts'

let root: string
const at = (...path: string[]) => join(root, ...path)
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-first-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const silent = pino({ level: 'silent' })

describe('founding at the first start', () => {
  const env = { SLUICE_VENUE: 'hearts.example', SLUICE_LISTEN: '0.0.0.0:7443', SLUICE_ADDRESS: 'venue.example:443' }

  it('founds the venue of the environment once, and leaves it at the next start', async () => {
    expect(await foundVenueOnce(at('venue'), { ...env, SLUICE_ENROL_ADDRESS: 'venue.example:8443' })).toBe(true)
    const before = await loadVenue(at('venue'), { env: {} })
    expect(before.config).toMatchObject({
      venue: 'hearts.example',
      address: 'venue.example:443',
      enrolAddress: 'venue.example:8443',
    })
    expect(await foundVenueOnce(at('venue'), { ...env, SLUICE_VENUE: 'other.example' })).toBe(false)
    const after = await loadVenue(at('venue'), { env: {} })
    expect([after.config, after.key.publicKey]).toEqual([before.config, before.key.publicKey])
  })

  it('names the variable that is missing, and makes nothing', async () => {
    for (const missing of ['SLUICE_VENUE', 'SLUICE_LISTEN']) {
      const error = await foundVenueOnce(at('venue'), { ...env, [missing]: undefined }).catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining(missing) })
    }
    expect(existsSync(at('venue'))).toBe(false)
  })
})

describe('an invite for a file', () => {
  it('is written once, for its owner alone', async () => {
    await foundVenueOnce(at('venue'), { SLUICE_VENUE: 'hearts.example', SLUICE_LISTEN: '127.0.0.1:7443' })
    const party = { organisation: 'North Clinic', expiresMs: 60_000 }
    expect(await writeInviteOnce(at('north/invite'), at('venue'), 'north', party)).toBe(true)
    const line = readFileSync(at('north/invite'), 'utf8')
    expect(decodeInvite(line)).toMatchObject({ name: 'north', organisation: 'North Clinic' })
    expect(statSync(at('north/invite')).mode & 0o777).toBe(0o600)
    expect(await writeInviteOnce(at('north/invite'), at('venue'), 'north', party)).toBe(false)
    expect(readFileSync(at('north/invite'), 'utf8')).toBe(line)
  })
})

describe('the password of a new database', () => {
  it('is drawn once, for owner and group, and the same in both files', async () => {
    const options = { host: 'db:5432', user: 'sluice', database: 'venue' }
    expect(await drawDatabaseSecret(at('secret'), options)).toBe(true)
    const [password, url] = ['password', 'url'].map((name) => readFileSync(at('secret', name), 'utf8').trim())
    expect(password).toMatch(/^[0-9a-f]{64}$/)
    expect(url).toBe(`postgres://sluice:${password}@db:5432/venue`)
    for (const name of ['password', 'url']) expect(statSync(at('secret', name)).mode & 0o777).toBe(0o640)
    expect(await drawDatabaseSecret(at('secret'), options)).toBe(false)
    expect(readFileSync(at('secret/url'), 'utf8').trim()).toBe(url)
    await drawDatabaseSecret(at('other'), options)
    expect(readFileSync(at('other/password'), 'utf8').trim()).not.toBe(password)
  })

  it('is not printed', async () => {
    const { stdout, stderr, code } = await runSluice(['coordinator', 'database-secret', at('secret')])
    expect(code).toBe(0)
    expect(stdout + stderr).not.toContain(readFileSync(at('secret/password'), 'utf8').trim())
  })
})

describe('joining at the first start', () => {
  const party = { configuration: 'holder.yaml', join: joinHolder } as const

  it('waits for the invite, joins with it, and needs it no more', async () => {
    const venue = await startTestVenue(at('venue'))
    const joining = joinOnce(at('north'), at('invite'), party, silent, AbortSignal.timeout(20_000))
    await sleep(50)
    expect(existsSync(at('north'))).toBe(false)
    writeFileSync(at('invite'), encodeInvite(await venue.invite('north', { organisation: 'North Clinic' })))
    await joining
    expect(existsSync(at('north/holder.yaml'))).toBe(true)
    expect(venue.seen).toHaveLength(1)
    rmSync(at('invite'))
    await joinOnce(at('north'), at('invite'), party, silent, AbortSignal.timeout(20_000))
    expect(venue.seen).toHaveLength(1)
    await venue.close()
  })

  it('dials again while the venue does not answer, and ends when it is told to', async () => {
    const venue = await startTestVenue(at('venue'))
    const invite = await venue.invite('north', { organisation: 'North Clinic' })
    await venue.close()
    writeFileSync(at('invite'), encodeInvite(invite))
    let attempts = 0
    const counted: JoiningParty = {
      ...party,
      join: (...args) => {
        attempts++
        return joinHolder(...args)
      },
    }
    await joinOnce(at('north'), at('invite'), counted, silent, AbortSignal.timeout(2600))
    expect(attempts).toBe(2)
    expect(existsSync(at('north/holder.yaml'))).toBe(false)
  })

  it('refuses what is no invite', async () => {
    writeFileSync(at('invite'), 'nonsense')
    await expect(
      joinOnce(at('north'), at('invite'), party, silent, new AbortController().signal),
    ).rejects.toMatchObject({ code: 'invite-malformed' })
  })
})

describe('sluice ready', () => {
  async function serve(ready: boolean) {
    const desk = {
      identity: {},
      readiness: async () => ({ ready, checks: { store: 'ok', disk: ready ? 'ok' : 'disk-full' } }),
      metrics: async () => ({ text: '', type: 'text/plain' }),
    }
    return startAdminServer('127.0.0.1:0', desk, () => {})
  }

  it('ends with 0 for a process that is ready, with 1 and the names of the checks for one that is not', async () => {
    for (const ready of [true, false]) {
      const server = await serve(ready)
      const { code, stdout } = await runSluice(['ready', `http://127.0.0.1:${server.port}`])
      expect({ code, stdout }).toEqual(
        ready ? { code: 0, stdout: 'ready\n' } : { code: 1, stdout: 'not ready: disk disk-full\n' },
      )
      await server.stop()
    }
  })

  it('ends with 1 where nobody answers, and is told what is no URL', async () => {
    expect(await askReadiness('http://127.0.0.1:9')).toContain('no answer')
    await expect(askReadiness('127.0.0.1:7446')).rejects.toMatchObject({ code: 'usage' })
  })
})
