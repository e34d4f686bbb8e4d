import { execFileSync, spawnSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type CertifiedKey,
  certificateFingerprint,
  certificateTimes,
  checkSigningRequest,
  createAuthority,
  createSigningRequest,
  issueCertificate,
  issueFromRequest,
  parseSpiffeId,
  serialNumberOf,
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

describe('a signing request', () => {
  let authority: CertifiedKey
  beforeAll(async () => {
    authority = await createAuthority('hearts.example', 10 * DAY_MS)
  })

  it('gets a certificate of the identity and of the key that asked, which did not travel', async () => {
    const { keyPem, signingRequest } = await createSigningRequest(identity)
    const certificate = new X509Certificate(await issueFromRequest(authority, signingRequest, identity, DAY_MS))
    expect(certificate.subjectAltName).toBe('URI:spiffe://hearts.example/holder/cleveland')
    expect(certificate.checkPrivateKey(createPrivateKey(keyPem))).toBe(true)
    expect(certificate.verify(new X509Certificate(authority.certificatePem).publicKey)).toBe(true)
    const scalar = createPrivateKey(keyPem).export({ format: 'jwk' }).d!
    expect(Buffer.from(signingRequest).includes(Buffer.from(scalar, 'base64url'))).toBe(false)
  })

  it('gets none for an identity that the caller does not vouch for', async () => {
    const { signingRequest } = await createSigningRequest(identity)
    for (const other of [{ name: 'hungary' }, { role: 'coordinator' as const }, { venue: 'other.example' }]) {
      await expect(
        issueFromRequest(authority, signingRequest, { ...identity, ...other }, DAY_MS),
      ).rejects.toMatchObject({
        code: 'bad-signing-request',
      })
    }
    await checkSigningRequest(signingRequest, identity)
  })

  it('gets none with another’s key: whoever sends it must hold it', async () => {
    const { signingRequest } = await createSigningRequest(identity)
    const other = await createSigningRequest(identity)
    // Uncompressed points begin with 03 42 00 04 in both; the signatures stay.
    const at = Buffer.from(signingRequest).indexOf(Buffer.from('03420004', 'hex')) + 4
    const otherAt = Buffer.from(other.signingRequest).indexOf(Buffer.from('03420004', 'hex')) + 4
    const stolen = signingRequest.slice()
    stolen.set(other.signingRequest.subarray(otherAt, otherAt + 64), at)
    await expect(issueFromRequest(authority, stolen, identity, DAY_MS)).rejects.toMatchObject({
      code: 'bad-signing-request',
      message: expect.stringContaining('does not hold the key'),
    })
  })

  it('gets none for another kind of key, and none for bytes that are no request', async () => {
    const made = (...args: string[]) =>
      execFileSync('openssl', ['req', '-new', '-nodes', '-keyout', '-', '-subj', '/CN=x', '-outform', 'DER', ...args], {
        stdio: 'pipe',
      })
    const derOf = (output: Buffer) => output.subarray(output.indexOf('-----END PRIVATE KEY-----\n') + 26)
    for (const key of [['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], ['rsa:2048'], ['ed25519']]) {
      const request = derOf(made('-newkey', ...key))
      await expect(issueFromRequest(authority, request, identity, DAY_MS)).rejects.toMatchObject({
        message: expect.stringContaining('not P-256'),
      })
    }
    const foreign = derOf(made('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'))
    expect(await issueFromRequest(authority, foreign, identity, DAY_MS)).toContain('BEGIN CERTIFICATE')
  })

  it('changed in any byte is refused by name, or changed where nothing is said: the key stays the one that signed', async () => {
    const { keyPem, signingRequest } = await createSigningRequest(identity)
    const key = createPrivateKey(keyPem)
    await fc.assert(
      fc.asyncProperty(fc.nat(signingRequest.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const mauled = signingRequest.slice()
        mauled[at] ^= flip
        const outcome = await issueFromRequest(authority, mauled, identity, DAY_MS).catch((error) => error)
        if (typeof outcome === 'string') expect(new X509Certificate(outcome).checkPrivateKey(key)).toBe(true)
        else expect(outcome.code).toBe('bad-signing-request')
      }),
      { numRuns: 100 },
    )
  })
})

describe('a certificate’s times and number', () => {
  it('are those that OpenSSL reads, and renewal is due at two thirds', async () => {
    const authority = await createAuthority('hearts.example', 10 * DAY_MS)
    const { certificatePem } = await issueCertificate(authority, identity, 3 * DAY_MS)
    const read = new X509Certificate(certificatePem)
    expect(serialNumberOf(certificatePem)).toBe(read.serialNumber.toLowerCase())
    const { notAfter, renewAt } = certificateTimes(certificatePem)
    expect(notAfter).toEqual(new Date(read.validTo))
    const lifeMs = notAfter.getTime() - new Date(read.validFrom).getTime()
    expect(notAfter.getTime() - renewAt.getTime()).toBeCloseTo(lifeMs / 3, -1)
    expect(certificateFingerprint(certificatePem)).toBe(read.fingerprint256.replaceAll(':', '').toLowerCase())
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
