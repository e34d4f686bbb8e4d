import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
  X509CrlReason,
} from '@peculiar/x509'
import { CryptoError } from './crypto-error.ts'
import { digestOf } from './digest.ts'

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
  const keys = await newKeyPair()
  const certificatePem = await signLeaf(authority, keys.publicKey, identity, lifetimeMs, hosts)
  return { keyPem: await exportKey(keys.privateKey), certificatePem }
}

/** A new P-256 key, and what its owner sends to have it certified. The key (PKCS#8, PEM) is secret and stays. */
export interface SigningRequest {
  readonly keyPem: string
  /** PKCS #10 (RFC 2986), DER: the public key, the identity asked for, and a signature that proves possession. */
  readonly signingRequest: Uint8Array
}

/** Draws a key for an identity, and asks for its certificate; the identity stands in a requested SAN (RFC 2985 §5.4.2). */
export async function createSigningRequest(identity: Identity): Promise<SigningRequest> {
  const keys = await newKeyPair()
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${identity.name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: spiffeId(identity) }])],
  })
  return { keyPem: await exportKey(keys.privateKey), signingRequest: new Uint8Array(request.rawData) }
}

/**
 * The certificate (PEM) for the key of a signing request. The identity is the caller's word, never the request's: a request
 * that names another one is refused.
 * @throws CryptoError `bad-signing-request`: not PKCS #10, not P-256, signed by another key, or of another identity
 */
export async function issueFromRequest(
  authority: CertifiedKey,
  signingRequest: Uint8Array,
  identity: Identity,
  lifetimeMs: number,
): Promise<string> {
  const { publicKey } = await examineSigningRequest(signingRequest, identity)
  return signLeaf(authority, publicKey, identity, lifetimeMs, [])
}

/** Refuses what {@link issueFromRequest} would refuse, before anything is done for it. @throws CryptoError `bad-signing-request` */
export async function checkSigningRequest(signingRequest: Uint8Array, identity: Identity): Promise<void> {
  await examineSigningRequest(signingRequest, identity)
}

async function examineSigningRequest(
  signingRequest: Uint8Array,
  identity: Identity,
): Promise<Pkcs10CertificateRequest> {
  const request = readSigningRequest(signingRequest)
  if (request.curve !== 'P-256') throw badRequest(`its key is ${request.curve}, not P-256`)
  if (!(await request.parsed.verify().catch(() => false))) throw badRequest('whoever sent it does not hold the key')
  if (request.names.some(({ type, value }) => type !== 'url' || value !== spiffeId(identity))) {
    throw badRequest(`it asks for another identity than ${spiffeId(identity)}`)
  }
  return request.parsed
}

/** The parser looks at parts of a request when they are asked for, and throws what it likes: all of that happens here. */
function readSigningRequest(signingRequest: Uint8Array) {
  try {
    const parsed = new Pkcs10CertificateRequest(new Uint8Array(signingRequest))
    const { name, namedCurve } = parsed.publicKey.algorithm as { name: string; namedCurve?: string }
    const names = parsed.extensions.flatMap((each) =>
      each instanceof SubjectAlternativeNameExtension ? each.names.items : [],
    )
    return { parsed, curve: name === 'ECDSA' && namedCurve ? namedCurve : name, names }
  } catch (cause) {
    throw badRequest('it is not PKCS #10', cause)
  }
}

function badRequest(why: string, cause?: unknown): CryptoError {
  return new CryptoError('bad-signing-request', `The certificate signing request is refused, ${why}: make a new one.`, {
    cause,
  })
}

async function signLeaf(
  authority: CertifiedKey,
  publicKey: PublicKey | webcrypto.CryptoKey,
  identity: Identity,
  lifetimeMs: number,
  hosts: readonly string[],
): Promise<string> {
  const issuer = new X509Certificate(authority.certificatePem)
  const usage = identity.role === 'coordinator' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${identity.name}`,
    issuer: issuer.subject,
    ...validity(lifetimeMs),
    publicKey,
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
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return certificate.toString('pem')
}

/** A certificate that counts no more, by the serial number of {@link serialNumberOf}. */
export interface RevokedCertificate {
  readonly serialNumber: string
  readonly revokedAt: Date
}

/** The authority's signed list of certificates that count no more, PEM (RFC 5280 §5). Public; to be renewed by `nextUpdate`. */
export async function createRevocationList(
  authority: CertifiedKey,
  revoked: readonly RevokedCertificate[],
  nextUpdate: Date,
): Promise<string> {
  const issuer = new X509Certificate(authority.certificatePem)
  const list = await X509CrlGenerator.create({
    issuer: issuer.subject,
    thisUpdate: new Date(Date.now() - BACKDATE_MS),
    nextUpdate,
    // A reason, because without one the library writes an empty list of extensions, which RFC 5280 forbids.
    entries: revoked.map(({ serialNumber, revokedAt }) => ({
      serialNumber,
      revocationDate: revokedAt,
      reason: X509CrlReason.privilegeWithdrawn,
    })),
    signingAlgorithm: ALGORITHM,
    signingKey: await importKey(authority.keyPem),
    extensions: [await AuthorityKeyIdentifierExtension.create(issuer.publicKey), revocationListNumber(Date.now())],
  })
  // RFC 7468 §6: the label that other programs look for; the library's own is another.
  return `${PemConverter.encode(list.rawData, 'X509 CRL')}\n`
}

/** RFC 5280 §5.2.3: a number that grows; the time does. */
function revocationListNumber(value: number): Extension {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  // DER INTEGER, shortest form: milliseconds since 1970 have six bytes, the first below 0x80, until the year 6429.
  return new Extension('2.5.29.20', false, Buffer.concat([Uint8Array.of(0x02, 6), bytes.subarray(2)]))
}

/** The serial number of a certificate, lowercase hexadecimal. */
export function serialNumberOf(certificatePem: string): string {
  return new X509Certificate(certificatePem).serialNumber.toLowerCase()
}

/** SHA-256 of a certificate (DER), lowercase hexadecimal: how people and invites name an authority. */
export function certificateFingerprint(certificatePem: string): string {
  return digestOf(new Uint8Array(new X509Certificate(certificatePem).rawData))
}

/** When a certificate ends, and when its owner is to have a new one: at two thirds of its life. */
export function certificateTimes(certificatePem: string): { readonly notAfter: Date; readonly renewAt: Date } {
  const { notBefore, notAfter } = new X509Certificate(certificatePem)
  const lifeMs = notAfter.getTime() - notBefore.getTime()
  return { notAfter, renewAt: new Date(notBefore.getTime() + (lifeMs * 2) / 3) }
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
