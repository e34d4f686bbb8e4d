import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js'
import type { Identity, Role } from '../crypto/certificates.ts'
import { identityOf } from './credentials.ts'
import { WireError } from './wire-error.ts'

/**
 * Who is calling, by the certificate that TLS has verified against the venue's root.
 * @throws WireError `not-admitted` for a certificate of another venue or role.
 */
export function requireRole(context: AuthContext, venue: string, role: Role): Identity {
  const identity = identityOf(context.sslPeerCertificate?.subjectaltname ?? '')
  if (identity?.venue !== venue || identity.role !== role) {
    throw new WireError('not-admitted', `This call is for a ${role} of ${venue}: use the certificate of one.`)
  }
  return identity
}
