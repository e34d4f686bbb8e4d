import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { PeerCertificate } from 'node:tls'
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js'
import { type CertifiedKey, type Identity, parseSpiffeId } from '../crypto/certificates.ts'
import { WireError } from './wire-error.ts'

/** What a process shows its peers, and whom it believes: PEM texts. `keyPem` is secret. */
export interface TlsMaterial {
  readonly keyPem: string
  readonly certificatePem: string
  /** The venue's root. */
  readonly authorityPem: string
}

/**
 * Checks one's own certificate before anything is dialled or listened to: the peer would only say "handshake failure".
 * @returns the identity that it names.
 * @throws WireError `credential-invalid`, `certificate-expired`, `certificate-not-yet-valid`, `certificate-foreign`.
 */
export function checkOwnCertificate(tls: TlsMaterial, now: Date): Identity {
  const certificate = parseCertificate(tls.certificatePem)
  const authority = parseCertificate(tls.authorityPem)
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) {
    throw new WireError(
      'certificate-foreign',
      `The certificate of "${certificate.subject}" was not issued by the venue's authority: use the files of one directory.`,
    )
  }
  if (now.getTime() > Date.parse(certificate.validTo)) {
    throw new WireError(
      'certificate-expired',
      `The certificate of "${certificate.subject}" expired on ${certificate.validTo}: ask the venue for a new invite, and join again with the same directory.`,
    )
  }
  if (now.getTime() < Date.parse(certificate.validFrom)) {
    throw new WireError(
      'certificate-not-yet-valid',
      `The certificate of "${certificate.subject}" is valid from ${certificate.validFrom}, and this machine's clock says ${now.toISOString()}: check the clock.`,
    )
  }
  if (!isKeyOf(tls.keyPem, certificate)) {
    throw new WireError(
      'credential-invalid',
      `The private key is not that of the certificate of "${certificate.subject}": use the files of one directory.`,
    )
  }
  const identity = identityOf(certificate.subjectAltName ?? '')
  if (!identity) {
    throw new WireError('credential-invalid', `The certificate of "${certificate.subject}" names no Sluice identity.`)
  }
  return identity
}

function isKeyOf(keyPem: string, certificate: X509Certificate): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    // What OpenSSL says of a key that is none is not to be shown.
    return false
  }
}

function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new WireError('credential-invalid', 'A certificate file does not hold a PEM certificate.', { cause })
  }
}

/** The SPIFFE identity among subject alternative names as node writes them: exactly one URI, or none is believed. */
export function identityOf(subjectAltName: string): Identity | undefined {
  const uris = subjectAltName.split(', ').filter((entry) => entry.startsWith('URI:'))
  return uris.length === 1 ? parseSpiffeId(uris[0].slice(4)) : undefined
}

const KEY_BLOCK = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----\n?/
const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n?/

/** A key and its certificate in one PEM file: a renewal swaps both at once, whenever the process dies. Secret. */
export function joinKeyAndCertificate({ keyPem, certificatePem }: CertifiedKey): string {
  return `${keyPem.trim()}\n${certificatePem.trim()}\n`
}

/** The inverse of {@link joinKeyAndCertificate}. @throws WireError `credential-invalid` when one of them is not there */
export function splitKeyAndCertificate(pem: string): CertifiedKey {
  const [keyPem, certificatePem] = [KEY_BLOCK, CERTIFICATE_BLOCK].map((block) => block.exec(pem)?.[0])
  if (keyPem && certificatePem) return { keyPem, certificatePem }
  throw new WireError('credential-invalid', 'A TLS file does not hold a private key and its certificate: restore it.')
}

/** Mutual TLS for a coordinator: a client without a certificate of this venue does not get as far as a call. */
export function serverCredentials(tls: TlsMaterial): ServerCredentials {
  const pair = { private_key: Buffer.from(tls.keyPem), cert_chain: Buffer.from(tls.certificatePem) }
  return ServerCredentials.createSsl(Buffer.from(tls.authorityPem), [pair], true)
}

/** TLS for enrolment: nobody who comes has a certificate yet; the root goes along, so that it can be held against an invite. */
export function enrolmentServerCredentials(tls: TlsMaterial): ServerCredentials {
  const chain = `${tls.certificatePem.trim()}\n${tls.authorityPem.trim()}\n`
  return ServerCredentials.createSsl(
    null,
    [{ private_key: Buffer.from(tls.keyPem), cert_chain: Buffer.from(chain) }],
    false,
  )
}

/** TLS to a venue's enrolment, under an authority that the caller has checked against its invite. */
export function enrolmentClientCredentials(authorityPem: string, venue: string): ChannelCredentials {
  return ChannelCredentials.createSsl(Buffer.from(authorityPem), null, null, {
    checkServerIdentity: checkCoordinator(venue),
  })
}

/**
 * Mutual TLS for a holder or researcher. The peer must hold the venue's coordinator identity: names and addresses may
 * change with the network, the SPIFFE id does not.
 */
export function clientCredentials(tls: TlsMaterial, venue: string): ChannelCredentials {
  return ChannelCredentials.createSsl(
    Buffer.from(tls.authorityPem),
    Buffer.from(tls.keyPem),
    Buffer.from(tls.certificatePem),
    { checkServerIdentity: checkCoordinator(venue) },
  )
}

function checkCoordinator(venue: string) {
  return (host: string, peer: PeerCertificate) => {
    const identity = identityOf(peer.subjectaltname ?? '')
    if (identity?.role === 'coordinator' && identity.venue === venue) return undefined
    return new WireError('wrong-peer', `The peer at ${host} is not the coordinator of ${venue}.`)
  }
}
