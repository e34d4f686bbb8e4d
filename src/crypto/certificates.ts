import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
/** Clocks differ: a certificate counts from a little before it was made. */
const BACKDATE_MS = 5 * 60_000

/** A private key (PKCS#8) and its certificate, PEM. The key is secret to its owner. */
export interface CertifiedKey {
  readonly keyPem: string
  readonly certificatePem: string
}

/** The roles that a certificate of a venue can name; the role is part of the SPIFFE id. */
export type Role = 'coordinator' | 'holder' | 'researcher'

/** What a SPIFFE id of a venue says: `spiffe://<venue>/<role>/<name>`. */
export interface Identity {
  readonly venue: string
  readonly role: Role
  readonly name: string
}

const SPIFFE_FORM =
  /^spiffe:\/\/([a-z0-9.-]{1,120})\/(coordinator|holder|researcher)\/([a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?)$/

/** The URI form of an identity (SPIFFE-ID, section 2). */
export function spiffeId({ venue, role, name }: Identity): string {
  return `spiffe://${venue}/${role}/${name}`
}

/** The identity of a SPIFFE id of this form; undefined for anything else. */
export function parseSpiffeId(uri: string): Identity | undefined {
  const match = SPIFFE_FORM.exec(uri)
  return match ? { venue: match[1], role: match[2] as Role, name: match[3] } : undefined
}

/** The venue's own root: a self-signed P-256 certificate that may sign leaves and nothing below them. */
export async function createAuthority(venue: string, lifetimeMs: number): Promise<CertifiedKey> {
  const keys = await newKeyPair()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${venue} authority`,
    ...validity(lifetimeMs),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${venue}` }]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { keyPem: await exportKey(keys.privateKey), certificatePem: certificate.toString('pem') }
}

/**
 * A leaf certificate for one identity, with a new P-256 key: TLS server for a coordinator, TLS client for the others.
 * @param hosts DNS names and IP addresses under which a coordinator is dialled; peers check the SPIFFE id, not these.
 */
export async function issueCertificate(
  authority: CertifiedKey,
  identity: Identity,
  lifetimeMs: number,
  hosts: readonly string[] = [],
): Promise<CertifiedKey> {
  const issuer = new X509Certificate(authority.certificatePem)
  const keys = await newKeyPair()
  const usage = identity.role === 'coordinator' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${identity.name}`,
    issuer: issuer.subject,
    ...validity(lifetimeMs),
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.keyPem),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage]),
      new SubjectAlternativeNameExtension([
        { type: 'url', value: spiffeId(identity) },
        ...hosts.map((value) => ({ type: isAddress(value) ? ('ip' as const) : ('dns' as const), value })),
      ]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return { keyPem: await exportKey(keys.privateKey), certificatePem: certificate.toString('pem') }
}

function newKeyPair() {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', PemConverter.decode(pem)[0], ALGORITHM, false, ['sign'])
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets; 128 random bits. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16))
  bytes[0] = (bytes[0] & 0x7f) | 0x40
  return Buffer.from(bytes).toString('hex')
}

function validity(lifetimeMs: number) {
  const now = Date.now()
  return { notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(now + lifetimeMs) }
}

function isAddress(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || host.includes(':')
}
