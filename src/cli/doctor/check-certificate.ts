import { certificateTimes, type Identity, spiffeId } from '../../crypto/certificates.ts'
import { checkOwnCertificate, type TlsMaterial } from '../../wire/credentials.ts'
import { type Diagnosis, failing, warning, well } from './diagnosis.ts'

const DAY_MS = 86_400_000

/**
 * The party's own certificate: issued by the venue's root, in force, of the key beside it, of the identity that the configuration
 * says, and not overdue for renewal.
 * @param renewal what renews it
 * @throws WireError by `checkOwnCertificate`
 */
export function checkCertificate(tls: TlsMaterial, expected: Identity, renewal: string, now: Date): Diagnosis {
  const identity = checkOwnCertificate(tls, now)
  if (spiffeId(identity) !== spiffeId(expected)) {
    return failing(
      'certificate',
      `it is of ${spiffeId(identity)}, the configuration of ${spiffeId(expected)}`,
      'Use the files of one directory.',
    )
  }
  const { notAfter, renewAt } = certificateTimes(tls.certificatePem)
  const days = ((notAfter.getTime() - now.getTime()) / DAY_MS).toFixed(1)
  const found = `${spiffeId(identity)}, until ${notAfter.toISOString()} (${days} days)`
  return now < renewAt ? well('certificate', found) : warning('certificate', `renewal is due: ${found}`, renewal)
}
