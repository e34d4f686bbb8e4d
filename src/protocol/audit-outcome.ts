import type { Digest } from '../crypto/digest.ts'
import { isSignedBy } from '../crypto/envelope.ts'
import { keyIdOf } from '../crypto/statement-key.ts'
import type { Objection } from './audit-findings.ts'
import { type AuditedRound, type LoggedBody, missingBefore } from './audit-round.ts'
import { type Certificate, certificateStatement } from './certificate.ts'
import { manifestStatement } from './manifest.ts'
import { isSignedHash } from './payload-hash.ts'
import type { Publication, SignedHash } from './publication.ts'
import { findMember } from './round-plan.ts'

/*
 * What follows a manifest: the certificate, and the publication.
 */

/** t members of the committee endorsed the logged manifest. A restart may log a second certificate of the same manifest. */
export function enterCertificate(round: AuditedRound, { body }: LoggedBody<Certificate>): Objection[] {
  if (!round.manifest) {
    // Said once: what rests on the certificate is not held against the coordinator again.
    round.certified = true
    return [missingBefore('certificate', manifestStatement)]
  }
  if (body.manifest !== round.manifest.digest) {
    return round.certified
      ? [{ code: 'second-certificate', reason: 'The plan has a certificate already, of another manifest.' }]
      : [{ code: 'manifest-mismatch', reason: 'The certificate is of another manifest than was logged.' }]
  }
  round.certified = true
  return checkEndorsements(round, body)
}

function checkEndorsements({ plan, manifest }: AuditedRound, { endorsements }: Certificate): Objection[] {
  const valid = new Set<string>()
  const invalid: string[] = []
  for (const { member, signature } of endorsements) {
    const author = plan.committee.members.includes(member) ? findMember(plan, member) : undefined
    const sig = new Uint8Array(Buffer.from(signature, 'base64'))
    const isEndorsed =
      author !== undefined &&
      isSignedBy(
        { ...manifest!.envelope, signatures: [{ keyid: keyIdOf(author.statementKey), sig }] },
        author.statementKey,
      )
    if (isEndorsed) valid.add(member)
    else invalid.push(member)
  }
  const { threshold } = plan.committee
  if (valid.size < threshold) {
    const reason = `${valid.size} members of the committee have endorsed the manifest; ${threshold} must.`
    return [{ code: 'no-certificate', reason }]
  }
  return invalid.map((holder) => ({
    code: 'bad-endorsement',
    reason: `The endorsement in the name of ${holder} is not that of a member of the committee.`,
    holder,
  }))
}

/** What the certified manifest came to, and under each hash the signature of a contributor. */
export function enterPublication(round: AuditedRound, { body }: LoggedBody<Publication>): Objection[] {
  const objections: Objection[] = []
  if (body.job !== round.plan.job) {
    objections.push({ code: 'job-mismatch', reason: 'The publication names another job than its plan.' })
  }
  if (!round.certified) objections.push(missingBefore('publication', certificateStatement))
  if (!round.manifest) return objections
  if (body.manifest !== round.manifest.digest) {
    const reason = 'The publication is of another manifest than was logged.'
    return [...objections, { code: 'manifest-mismatch', reason }]
  }
  const { contributions } = round.manifest.body
  if (body.contributors !== contributions.length) {
    const reason = `The publication speaks of ${body.contributors} contributors; the manifest has ${contributions.length}.`
    objections.push({ code: 'contributions-mismatch', reason })
  }
  return [...objections, ...checkHashes(round, body)]
}

/** The contributors of a published sum that have signed no hash of their ciphertext; of the manifest's. */
export function findWithoutHash({ manifest }: AuditedRound, { hashes }: Publication): string[] {
  const given = new Set(hashes.map(({ holder }) => holder))
  return manifest!.body.contributions.flatMap(({ holder }) => (given.has(holder) ? [] : [holder]))
}

function checkHashes(round: AuditedRound, publication: Publication): Objection[] {
  const { hashes, sum } = publication
  const wrong = hashes.filter(
    (signed, i) => !isHashOf(round, sum, signed) || hashes.findIndex(({ holder }) => holder === signed.holder) !== i,
  )
  const objections: Objection[] = wrong.map(({ holder }) => ({
    code: 'bad-payload-hash',
    reason: `The hash in the name of ${holder} is not one that a contributor of this sum has signed, once.`,
    holder,
  }))
  const missing = findWithoutHash(round, publication)
  if (missing.length > 0) {
    const reason = `No holder could verify this sum: ${missing.join(', ')} has not hashed its ciphertext.`
    objections.push({ code: 'sum-unverified', reason, severity: 'remark', holder: missing[0] })
  }
  return objections
}

function isHashOf(round: AuditedRound, sum: Digest, claim: SignedHash): boolean {
  const { plan, planDigest, manifest } = round
  const author = findMember(plan, claim.holder)
  if (!author || !manifest!.body.contributions.some(({ holder }) => holder === claim.holder)) return false
  return isSignedHash(author.statementKey, { plan: planDigest, manifest: manifest!.digest, sum }, claim)
}
