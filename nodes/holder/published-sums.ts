import type { Logger } from 'pino'
import type { Digest } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { PayloadWorkers } from '../../src/crypto/payload-workers.ts'
import type { StatementPublicKey } from '../../src/crypto/statement-key.ts'
import type { HolderObserver } from '../../src/observe/holder-observer.ts'
import { planName } from '../../src/observe/plan-name.ts'
import type { MemberKeys } from '../../src/protocol/committee-member.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { isSignedHash } from '../../src/protocol/payload-hash.ts'
import { type Publication, publicationStatement } from '../../src/protocol/publication.ts'
import type { Member } from '../../src/protocol/round-plan.ts'
import { readStatement } from '../../src/protocol/statement.ts'
import type { FetchOpening, SumVerdict } from '../../src/protocol/sum-verification.ts'
import { accepted, refused, SluiceError, type Verdict } from '../../src/sluice-error.ts'
import type { ContributeRequest } from './examine-request.ts'
import type { HolderJournal } from './journal.ts'
import { loseMemory } from './lost-memory.ts'
import type { SentContribution, SentContributions } from './sent-contributions.ts'
import { hashOwnPayload, verifyOwnSum } from './sum-verification.ts'

type Answer = Verdict<HolderReply, string>

export interface PublishedSumParts {
  readonly keys: MemberKeys
  readonly member: Member
  readonly coordinatorKey: StatementPublicKey
  readonly workers: PayloadWorkers
  readonly journal: HolderJournal
  readonly observer: HolderObserver
  readonly sent: SentContributions
  readonly fetchOpening: FetchOpening
  readonly fetchArtifact: (digest: Digest) => Promise<Uint8Array>
  /** The round is over: what is in memory for it goes. */
  readonly onPublished: (planDigest: Digest) => void
}

/**
 * What a holder makes of sums that it is in: it hashes its ciphertext, verifies what is published, and remembers durably what came of
 * it. A wrong sum ends its part in the job.
 */
export class PublishedSums {
  readonly #parts: PublishedSumParts
  /** Verifications under way: what comes next in a job waits for them. */
  readonly #verifying = new Map<Digest, Promise<unknown>>()

  constructor(parts: PublishedSumParts) {
    this.#parts = parts
  }

  /**
   * What the plan rests on is what this holder verified, where it took part: the publication that it was told of must be the
   * one that the log has. One that it was not told of is verified now. A lie is noted, and met by the claim.
   */
  async checkPublications(job: Digest, publications: ContributeRequest['publications'], log: Logger): Promise<void> {
    await this.#verifying.get(job)
    const { journal, coordinatorKey, sent: sentContributions } = this.#parts
    for (const { envelope } of publications) {
      const read = readStatement(publicationStatement, envelope, coordinatorKey)
      if (!read.ok) continue
      const { plan } = read.value
      // Not the round of the request, which the lines of `log` are of.
      const about = log.child({ of: planName(plan) })
      const verified = journal.findVerified(plan)
      if (verified !== undefined && verified !== statementDigest(envelope)) {
        const reason =
          'The log has another publication of a round than the one that this holder was told of and verified.'
        this.#noteVerdict(plan, statementDigest(envelope), refused('wrong-sum', reason), about)
      }
      const hasContributed = journal.find(plan)?.contributed === true
      if (!hasContributed && this.#hasHashed(read.value)) {
        loseMemory(journal, `it hashed its ciphertext of round ${planName(plan)}, of which it knows nothing`)
      }
      if (verified !== undefined || !hasContributed) continue
      const sent = await sentContributions.find(plan)
      // A holder whose outbox does not have it has its word for it no more.
      if (!sent) journal.noteUnverified(plan)
      else await this.#verify(sent, envelope, about).catch(() => undefined)
    }
  }

  /** Whether a publication has a hash that this holder's key signed. */
  #hasHashed(publication: Publication): boolean {
    const { holder, statementKey } = this.#parts.member
    return publication.hashes.some((claim) => claim.holder === holder && isSignedHash(statementKey, publication, claim))
  }

  /** The hash of the ciphertext that it sent, signed; for the manifest that names it, and no other. */
  async hashPayload(request: Extract<HolderRequest, { kind: 'hash-payload' }>): Promise<Answer> {
    const sent = await this.#parts.sent.find(request.planDigest)
    if (!sent) return refused('ciphertext-not-kept', 'This holder has no ciphertext of this round any more.')
    const hashed = await hashOwnPayload(sent, request.manifest, request.sum, this.#parts, this.#parts.keys.statementKey)
    if (!hashed.ok) return hashed
    await this.#parts.sent.noteManifest(request.planDigest, request.manifest)
    return accepted({ kind: 'payload-hash', envelope: hashed.value })
  }

  /** Verifies the sum of a round that it is in. Refusals: `wrong-sum`, `wrong-round`, those of reading a statement. */
  async notePublished(
    { planDigest, publication: envelope }: Extract<HolderRequest, { kind: 'published' }>,
    log: Logger,
  ): Promise<Answer> {
    const publication = readStatement(publicationStatement, envelope, this.#parts.coordinatorKey)
    if (!publication.ok) return publication
    if (publication.value.plan !== planDigest) return refused('wrong-round', 'The publication is of another plan.')
    this.#parts.onPublished(planDigest)
    log.info({ event: 'published', contributors: publication.value.contributors }, 'the round was published')
    const sent = await this.#parts.sent.find(planDigest)
    if (!sent) return accepted({ kind: 'noted' })
    const verified = this.#verify(sent, envelope, log)
    this.#verifying.set(
      sent.plan.job,
      verified.catch(() => undefined),
    )
    return verified.finally(() => this.#verifying.delete(sent.plan.job))
  }

  async #verify(sent: SentContribution, envelope: Envelope, log: Logger): Promise<Answer> {
    const { planDigest } = sent
    try {
      const verdict = await this.#parts.observer.part('verify', () => verifyOwnSum(sent, envelope, this.#parts))
      return this.#noteVerdict(planDigest, statementDigest(envelope), verdict, log)
    } catch (error) {
      const code = error instanceof SluiceError ? error.code : 'holder-failed'
      log.warn({ event: 'sum-unverified', code, err: error }, 'the sum could not be verified')
      this.#parts.journal.noteUnverified(planDigest)
      throw error
    }
  }

  /** A wrong sum is remembered before anything else of the job is answered. */
  #noteVerdict(planDigest: Digest, publication: Digest, verdict: Verdict<SumVerdict, string>, log: Logger): Answer {
    const { journal, observer } = this.#parts
    observer.sumChecked(verdict.ok ? verdict.value.kind : 'wrong')
    if (!verdict.ok) {
      journal.markWrongSum(planDigest)
      void this.#parts.sent.forget(planDigest)
      log.error({ event: 'wrong-sum', code: verdict.code }, verdict.reason)
      return refused('wrong-sum', verdict.reason)
    }
    if (verdict.value.kind === 'unverified') {
      // Its ciphertext is kept: another publication, or the same with what is missing, may come.
      journal.noteUnverified(planDigest)
      log.warn({ event: 'sum-unverified' }, `the sum could not be verified: ${verdict.value.reason}`)
    } else {
      journal.noteVerified(planDigest, publication)
      void this.#parts.sent.forget(planDigest)
      log.info({ event: 'sum-verified', contributors: verdict.value.contributors }, 'verified the sum')
    }
    return accepted({ kind: 'noted' })
  }
}
