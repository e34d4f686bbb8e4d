import { X509Certificate } from 'node:crypto'
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js'
import { type Identity, parseSpiffeId } from '../crypto/certificates.ts'
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
      `The certificate of "${certificate.subject}" was not issued by the venue's authority: use the files of one admission.`,
    )
  }
  if (now.getTime() > Date.parse(certificate.validTo)) {
    throw new WireError(
      'certificate-expired',
      `The certificate of "${certificate.subject}" expired on ${certificate.validTo}: ask the venue to issue a new one (sluice coordinator admit).`,
    )
  }
  if (now.getTime() < Date.parse(certificate.validFrom)) {
    throw new WireError(
      'certificate-not-yet-valid',
      `The certificate of "${certificate.subject}" is valid from ${certificate.validFrom}, and this machine's clock says ${now.toISOString()}: check the clock.`,
    )
  }
  const identity = identityOf(certificate.subjectAltName ?? '')
  if (!identity) {
    throw new WireError('credential-invalid', `The certificate of "${certificate.subject}" names no Sluice identity.`)
  }
  return identity
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

/** Mutual TLS for a coordinator: a client without a certificate of this venue does not get as far as a call. */
export function serverCredentials(tls: TlsMaterial): ServerCredentials {
  const pair = { private_key: Buffer.from(tls.keyPem), cert_chain: Buffer.from(tls.certificatePem) }
  return ServerCredentials.createSsl(Buffer.from(tls.authorityPem), [pair], true)
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
    {
      checkServerIdentity: (host, peer) => {
        const identity = identityOf(peer.subjectaltname ?? '')
        if (identity?.role === 'coordinator' && identity.venue === venue) return undefined
        return new WireError('wrong-peer', `The peer at ${host} is not the coordinator of ${venue}.`)
      },
    },
  )
}
