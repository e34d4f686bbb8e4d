import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type CertifiedKey,
  createAuthority,
  issueCertificate,
  parseSpiffeId,
  spiffeId,
} from '../../src/crypto/certificates.ts'

const DAY_MS = 86_400_000
const identity = { venue: 'hearts.example', role: 'holder', name: 'cleveland' } as const

describe('certificates of a venue', () => {
  let directory: string
  let authority: CertifiedKey
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-certificates-'))
    authority = await createAuthority('hearts.example', 10 * DAY_MS)
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  function openssl(leaf: CertifiedKey, root: CertifiedKey, purpose: string): string {
    writeFileSync(join(directory, 'root.pem'), root.certificatePem)
    writeFileSync(join(directory, 'leaf.pem'), leaf.certificatePem)
    const args = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', 'root.pem', 'leaf.pem']
    try {
      return execFileSync('openssl', args, { cwd: directory, encoding: 'utf8', stdio: 'pipe' }).trim()
    } catch (error) {
      return (error as { stderr: string }).stderr
    }
  }

  it('name one SPIFFE identity, and addresses for a coordinator', async () => {
    const leaf = await issueCertificate(authority, identity, DAY_MS)
    expect(new X509Certificate(leaf.certificatePem).subjectAltName).toBe('URI:spiffe://hearts.example/holder/cleveland')
    const coordinator = { venue: 'hearts.example', role: 'coordinator', name: 'coordinator' } as const
    const server = await issueCertificate(authority, coordinator, DAY_MS, ['localhost', '127.0.0.1', '::1'])
    expect(new X509Certificate(server.certificatePem).subjectAltName).toContain('DNS:localhost, IP Address:127.0.0.1')
  })

  it('are accepted by OpenSSL for their purpose, and not for another or under a foreign root', async () => {
    const leaf = await issueCertificate(authority, identity, DAY_MS)
    expect(openssl(leaf, authority, 'sslclient')).toBe('leaf.pem: OK')
    expect(openssl(leaf, authority, 'sslserver')).toContain('unsuitable certificate purpose')
    const foreign = await createAuthority('hearts.example', DAY_MS)
    expect(openssl(leaf, foreign, 'sslclient')).toMatch(/unable to get local issuer certificate|signature failure/)
    expect(openssl(await issueCertificate(authority, identity, -1), authority, 'sslclient')).toContain('expired')
  })

  it('sign nothing themselves, and their root signs nothing that signs: no holder makes a coordinator', async () => {
    const leaf = await issueCertificate(authority, identity, DAY_MS)
    const extensionsOf = ({ certificatePem }: CertifiedKey) =>
      execFileSync('openssl', ['x509', '-noout', '-ext', 'basicConstraints,keyUsage'], {
        input: certificatePem,
        encoding: 'utf8',
      })
    expect(extensionsOf(leaf)).toMatch(/CA:FALSE\n/)
    expect(extensionsOf(leaf)).not.toMatch(/Certificate Sign/)
    expect(extensionsOf(authority)).toMatch(/CA:TRUE, pathlen:0\n/)
    expect(extensionsOf(authority)).toMatch(/Certificate Sign, CRL Sign\n/)
    writeFileSync(join(directory, 'root.pem'), authority.certificatePem)
    // Guard off: a holder signs whatever it likes. Guard on: nobody takes it.
    const coordinator = { venue: 'hearts.example', role: 'coordinator', name: 'coordinator' } as const
    const forged = await issueCertificate(leaf, coordinator, DAY_MS)
    writeFileSync(join(directory, 'chain.pem'), leaf.certificatePem)
    writeFileSync(join(directory, 'forged.pem'), forged.certificatePem)
    const verify = ['verify', '-CAfile', 'root.pem', '-untrusted', 'chain.pem', 'forged.pem']
    const verdict = spawnSync('openssl', verify, { cwd: directory, encoding: 'utf8' })
    expect(verdict.status).not.toBe(0)
    expect(verdict.stderr).toMatch(/invalid CA certificate|path length constraint/)
  })

  it('have keys that nobody else has', async () => {
    const leaves = await Promise.all([1, 2].map(() => issueCertificate(authority, identity, DAY_MS)))
    const [a, b] = leaves.map(({ certificatePem }) => new X509Certificate(certificatePem))
    expect(a.publicKey.export({ format: 'der', type: 'spki' })).not.toEqual(
      b.publicKey.export({ format: 'der', type: 'spki' }),
    )
    expect(a.serialNumber).not.toBe(b.serialNumber)
  })
})

describe('a SPIFFE id', () => {
  it('comes back from its text', () => {
    expect(parseSpiffeId(spiffeId(identity))).toEqual(identity)
  })

  it('is nothing else', () => {
    for (const text of [
      'spiffe://hearts.example/holder/',
      'spiffe://hearts.example/holder/a/b',
      'spiffe://hearts.example/admin/a',
      'https://hearts.example/holder/a',
      'spiffe://hearts.example/holder/A',
      'spiffe://user@hearts.example/holder/a',
      ' spiffe://hearts.example/holder/a',
    ]) {
      expect(parseSpiffeId(text)).toBeUndefined()
    }
  })
})
