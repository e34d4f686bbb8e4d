import { checkSigningRequest, type Identity } from '../crypto/certificates.ts'
import { CryptoError } from '../crypto/crypto-error.ts'
import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import type { Registry } from '../protocol/registry.ts'
import { readApplication } from '../protocol/registry-request.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Enrolment, EnrolmentDesk, EnrolmentRefusal } from '../wire/enrolment-service.ts'
import type { CertificateDesk, IssuedCertificate } from '../wire/peer.ts'
import type { InviteBook, InviteRecord } from './invite-book.ts'

/** Where a holder's application goes: the venue's registry of members. */
export interface Applications {
  /** The venue's registry as of now. */
  readonly registry: Registry
  /** Idempotent; durable when it resolves. A name or a key that is taken makes it a refusal. */
  apply(application: Envelope): Promise<Verdict<unknown, string>>
}

export interface EnrolmentOfficeParts {
  readonly venue: string
  /** PEM. */
  readonly authorityPem: string
  readonly invites: InviteBook
  readonly certificates: CertificateDesk
  readonly applications: Applications
  readonly now: () => Date
}

/**
 * Enrols invited parties: the invite first, used up durably for exactly this enrolment, then the application, then the
 * certificate. Wherever it dies between, the same enrolment again goes on, and no other one can.
 */
export class EnrolmentOffice implements EnrolmentDesk {
  readonly #parts: EnrolmentOfficeParts
  #queue: Promise<unknown> = Promise.resolve()

  constructor(parts: EnrolmentOfficeParts) {
    this.#parts = parts
  }

  enrol(enrolment: Enrolment): Promise<Verdict<IssuedCertificate, EnrolmentRefusal>> {
    // One after another: of two that come at once with one secret, the second finds it used.
    const turn = this.#queue.then(() => this.#enrol(enrolment))
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  async #enrol(enrolment: Enrolment): Promise<Verdict<IssuedCertificate, EnrolmentRefusal>> {
    const { invites, certificates, venue, now } = this.#parts
    const { secret, signingRequest, application } = enrolment
    const digest = enrolmentDigest(enrolment)
    const found = await invites.find(secret, digest, now())
    if (!found.ok) return found
    const identity: Identity = { venue, role: found.value.role, name: found.value.name }
    const objection =
      (await objectToRequest(signingRequest, identity)) ?? objectToApplication(application, found.value, venue)
    if (objection) return refused('enrolment-refused', objection)
    const record = await invites.use(secret, found.value, digest, now())
    if (application && !this.#isMember(application)) {
      const applied = await this.#parts.applications.apply(application)
      if (!applied.ok) return refused('enrolment-refused', applied.reason)
    }
    // The very certificate again, if it was made: it may be in use already.
    const issued = record.certificatePem ?? (await certificates.issue(identity, signingRequest)).certificatePem
    if (!record.certificatePem) await invites.answer(secret, record, issued)
    return accepted({ certificatePem: issued, authorityPem: this.#parts.authorityPem })
  }

  /** A member under these very keys comes for a certificate only: its last one expired while it was away. */
  #isMember(application: Envelope): boolean {
    const read = readApplication(application)
    if (!read.ok) return false
    const { holder, statementKey, boxKey } = read.value.member
    const known = this.#parts.applications.registry.members.get(holder)
    return known?.statementKey === statementKey && known.boxKey === boxKey
  }
}

/** What makes an enrolment the same again: the key to be certified, and the application. */
function enrolmentDigest({ signingRequest, application }: Enrolment): Digest {
  const parts = [digestOf(signingRequest), ...(application ? [statementDigest(application)] : [])]
  return digestOf(...parts.map(fromHex))
}

async function objectToRequest(signingRequest: Uint8Array, identity: Identity): Promise<string | undefined> {
  try {
    await checkSigningRequest(signingRequest, identity)
    return undefined
  } catch (error) {
    if (error instanceof CryptoError) return error.message
    throw error
  }
}

/** The invite says for whom it is; what the application says is held against it. */
function objectToApplication(application: Envelope | undefined, invite: InviteRecord, venue: string) {
  const { role, name, organisation } = invite
  if (role === 'researcher') return application && `The invite is a researcher's: ${name} has nothing to apply for.`
  if (!application) return `The invite is a data holder's: ${name} has to apply with its keys.`
  const read = readApplication(application)
  if (!read.ok) return read.reason
  const { member } = read.value
  if (read.value.venue === venue && member.holder === name && member.organisation === organisation) return undefined
  return `The application is not of ${name} of ${organisation} at ${venue}, for whom the invite was made.`
}
