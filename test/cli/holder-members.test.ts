import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isApproved, notePendingRequest, writeRegistryFile } from '../../nodes/holder/admission-requests.ts'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { applicationOf, foundVenue } from '../support/registry-fixtures.ts'
import { createParty } from '../support/round-fixtures.ts'

const SLUICE = resolve(import.meta.dirname, '../../src/cli/sluice.ts')

describe('sluice holder members, and approve', () => {
  let directory: string
  let request: string
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-members-'))
    const zurich = await createParty('zurich')
    request = statementDigest(applicationOf(zurich))
    writeRegistryFile(directory, (await foundVenue('cleveland', 'hungary')).registry)
    notePendingRequest(directory, { kind: 'admission', member: zurich.member }, request)
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  const sluice = (...args: string[]) =>
    spawnSync(process.execPath, [SLUICE, 'holder', ...args, '--directory', directory], { encoding: 'utf8' })

  it('shows who is a member and who waits, and approves with the command that it shows', () => {
    const { stdout } = sluice('members')
    expect(stdout).toContain('cleveland: cleveland hospital')
    expect(stdout).toContain('admission of zurich, zurich hospital')
    expect(JSON.parse(sluice('members', '--json').stdout)).toMatchObject({
      registry: { sequence: 2 },
      pending: [{ holder: 'zurich', request }],
    })
    const wrong = sluice('approve', 'zurich', '0'.repeat(20))
    expect(wrong.status).not.toBe(0)
    expect(wrong.stderr).toContain('request-unknown')
    const [, fingerprint] = /sluice holder approve zurich ([0-9a-f]+)/.exec(stdout)!
    expect(isApproved(directory, 'zurich', request)).toBe(false)
    expect(sluice('approve', 'zurich', fingerprint).status).toBe(0)
    expect(isApproved(directory, 'zurich', request)).toBe(true)
    expect(sluice('members').stdout).toContain('Nothing waits for your approval.')
  })
})
