import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type CertifiedKey,
  createAuthority,
  createRevocationList,
  createSigningRequest,
  type Identity,
  issueCertificate,
  issueFromRequest,
  serialNumberOf,
} from '../../../src/crypto/certificates.ts'

/*
 * Our certificates, signing requests and revocation lists judged by the system's openssl command (3.0 or newer).
 */

const run = promisify(execFile)
const DAY_MS = 86_400_000
const north: Identity = { venue: 'hearts.example', role: 'holder', name: 'north' }
const coordinator: Identity = { venue: 'hearts.example', role: 'coordinator', name: 'coordinator' }

const enabled = process.env.SLUICE_INTEROP === '1'
const why = enabled ? '' : ' (skipped: needs the openssl command; set SLUICE_INTEROP=1)'

describe.skipIf(!enabled)(`certificates, judged from outside${why}`, () => {
  let directory: string
  let authority: CertifiedKey
  const file = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(directory, name), content)
    return name
  }

  /** What openssl says: its output, and its complaint when it fails. */
  async function openssl(...args: string[]): Promise<{ readonly ok: boolean; readonly says: string }> {
    try {
      const { stdout, stderr } = await run('openssl', args, { cwd: directory })
      return { ok: true, says: stdout + stderr }
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      return { ok: false, says: stdout + stderr }
    }
  }

  const verify = (leaf: string, ...options: string[]) =>
    openssl('verify', '-x509_strict', ...options, '-CAfile', 'root.pem', leaf)
  /** A leaf as a holder gets it: over a key that it made. */
  const enrolled = async (signer = authority, lifetimeMs = DAY_MS) =>
    issueFromRequest(signer, (await createSigningRequest(north)).signingRequest, north, lifetimeMs)

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-openssl-'))
    authority = await createAuthority('hearts.example', 100 * DAY_MS)
    file('root.pem', authority.certificatePem)
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it('openssl req verifies our signing request, and reads the identity in it', async () => {
    const { signingRequest } = await createSigningRequest(north)
    const request = file('request.der', signingRequest)
    const { ok, says } = await openssl('req', '-in', request, '-inform', 'DER', '-noout', '-verify', '-text')
    expect(ok, says).toBe(true)
    expect(says).toContain('verify OK')
    expect(says).toContain('URI:spiffe://hearts.example/holder/north')
    expect(says).toContain('prime256v1')
    const mauled = signingRequest.slice()
    mauled[mauled.length - 1] ^= 1
    const wrong = await openssl('req', '-in', file('mauled.der', mauled), '-inform', 'DER', '-noout', '-verify')
    expect(wrong.says).toContain('verify failure')
  })

  it('openssl verify accepts our chains for their purpose, and for no other', async () => {
    const leaf = file('leaf.pem', await enrolled())
    const server = file('server.pem', (await issueCertificate(authority, coordinator, DAY_MS)).certificatePem)
    expect(await verify(leaf, '-purpose', 'sslclient')).toEqual({ ok: true, says: 'leaf.pem: OK\n' })
    expect(await verify(server, '-purpose', 'sslserver')).toEqual({ ok: true, says: 'server.pem: OK\n' })
    expect((await verify(leaf, '-purpose', 'sslserver')).says).toContain('unsuitable certificate purpose')
    expect((await verify(server, '-purpose', 'sslclient')).says).toContain('unsuitable certificate purpose')
  })

  it('openssl verify rejects a revoked one by our list, and accepts the others', async () => {
    const [revoked, kept] = [await enrolled(), await enrolled()]
    file('revoked.pem', revoked)
    file('kept.pem', kept)
    const entry = { serialNumber: serialNumberOf(revoked), revokedAt: new Date() }
    const list = (entries: (typeof entry)[]) => createRevocationList(authority, entries, new Date(Date.now() + DAY_MS))
    file('empty.crl.pem', await list([]))
    file('list.crl.pem', await list([entry]))
    expect((await openssl('crl', '-in', 'list.crl.pem', '-noout', '-CAfile', 'root.pem')).says).toContain('verify OK')
    const check = (leaf: string, crl: string) => verify(leaf, '-crl_check', '-CRLfile', crl)
    expect(await check('kept.pem', 'list.crl.pem')).toEqual({ ok: true, says: 'kept.pem: OK\n' })
    expect(await check('revoked.pem', 'empty.crl.pem')).toEqual({ ok: true, says: 'revoked.pem: OK\n' })
    const rejected = await check('revoked.pem', 'list.crl.pem')
    expect(rejected.ok).toBe(false)
    expect(rejected.says).toContain('certificate revoked')
  })

  it('openssl verify takes no list of another authority, and none that is out of date', async () => {
    file('leaf.pem', await enrolled())
    const foreign = await createAuthority('hearts.example', DAY_MS)
    file('foreign.crl.pem', await createRevocationList(foreign, [], new Date(Date.now() + DAY_MS)))
    file('old.crl.pem', await createRevocationList(authority, [], new Date(Date.now() - 1000)))
    const check = (crl: string) => verify('leaf.pem', '-crl_check', '-CRLfile', crl)
    expect((await check('foreign.crl.pem')).says).toMatch(/CRL signature failure|unable to get certificate CRL/)
    expect((await check('old.crl.pem')).says).toContain('CRL has expired')
  })

  it('openssl verify rejects an expired and a foreign one', async () => {
    const leaf = file('leaf.pem', await enrolled())
    const later = String(Math.floor(Date.now() / 1000) + 2 * 86_400)
    expect(await verify(leaf, '-attime', String(Math.floor(Date.now() / 1000) + 3600))).toMatchObject({ ok: true })
    expect((await verify(leaf, '-attime', later)).says).toContain('certificate has expired')
    const stranger = await createAuthority('hearts.example', DAY_MS)
    const foreign = await verify(file('foreign.pem', await enrolled(stranger)))
    expect(foreign.ok).toBe(false)
    expect(foreign.says).toMatch(/unable to get local issuer certificate|signature failure/)
  })
})
