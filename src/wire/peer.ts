import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js'
import type { Identity, Role } from '../crypto/certificates.ts'
import { identityOf } from './credentials.ts'
import { WireError } from './wire-error.ts'

/** Which holders belong to the venue, as of now: that changes while a coordinator runs. Answers at once. */
export interface MemberLookup {
  has(holder: string): boolean
  /** It has applied, and the members have not signed yet. */
  isPending(holder: string): boolean
}

/** A certificate and the authority that signed it, PEM. Public. */
export interface IssuedCertificate {
  readonly certificatePem: string
  readonly authorityPem: string
}

/** The venue's certificates, as of now. */
export interface CertificateDesk {
  /** Whether the certificate with this serial number (lowercase hexadecimal) was revoked. Answers at once. */
  isRevoked(serialNumber: string): boolean
  /**
   * A new certificate for an identity that the caller has verified, over a key that the peer made.
   * @throws CryptoError `bad-signing-request`; WireError `too-many-certificates`
   */
  issue(identity: Identity, signingRequest: Uint8Array): Promise<IssuedCertificate>
}

/** A call, as far as it says who makes it. */
export interface Call {
  getAuthContext(): AuthContext
}

/**
 * Who is calling, by the certificate that TLS has verified against the venue's root.
 * @throws WireError `not-admitted` for a certificate of another venue or role, or one that was revoked.
 */
export function requireRole(
  call: Call,
  venue: string,
  roles: readonly Role[],
  certificates: Pick<CertificateDesk, 'isRevoked'>,
): Identity {
  const certificate = call.getAuthContext().sslPeerCertificate
  const identity = identityOf(certificate?.subjectaltname ?? '')
  if (identity?.venue !== venue || !roles.includes(identity.role)) {
    throw new WireError(
      'not-admitted',
      `This call is for a ${roles.join(' or ')} of ${venue}: use the certificate of one.`,
    )
  }
  // TLS alone would take a revoked certificate until it expires.
  if (certificates.isRevoked(certificate!.serialNumber.toLowerCase())) {
    throw new WireError(
      'not-admitted',
      `The certificate of ${identity.name} was revoked: ask the venue's operator why.`,
    )
  }
  return identity
}

/**
 * The holder behind a call, if it is a member now.
 * @throws WireError `not-admitted`; `admission-pending`, which waiting cures
 */
export function requireMember(
  call: Call,
  venue: string,
  members: MemberLookup,
  certificates: Pick<CertificateDesk, 'isRevoked'>,
): string {
  const { name } = requireRole(call, venue, ['holder'], certificates)
  if (members.has(name)) return name
  if (members.isPending(name)) {
    throw new WireError(
      'admission-pending',
      `${name} has applied to ${venue} and waits for the signatures of its members; they sign as they come on line.`,
    )
  }
  throw new WireError('not-admitted', `${name} is not a member of ${venue}: ask its operator for an invite.`)
}
