import type { Digest } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { type JobSpecification, jobStatement } from '../../src/learning/job-specification.ts'
import { isJobStep, type JobStep } from '../../src/learning/job-steps.ts'
import type { Candidate } from '../../src/protocol/candidates.ts'
import { contributionStatement } from '../../src/protocol/contribution.ts'
import { planParameters, type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { parseStatement } from '../../src/protocol/statement.ts'
import type { HolderJournal } from './journal.ts'
import type { KeptContribution, Outbox } from './outbox.ts'

/** A contribution of this holder as it left, and what it was to. No plaintext, no key, no share. */
export interface SentContribution {
  readonly plan: RoundPlan
  readonly planDigest: Digest
  readonly specification: JobSpecification
  readonly step: JobStep
  /** Holder, statement and ciphertext, by digest, as a manifest must name them. */
  readonly entry: Candidate
  /** A chunk of the ciphertext, packed. @throws HolderError `ciphertext-not-kept` when it is damaged */
  readonly readChunk: (index: number) => Promise<Uint8Array>
  /** The manifest for which this holder has hashed its ciphertext. */
  readonly manifest?: Envelope
}

/** Rounds whose shares are kept. */
const SHARES_KEPT = 16

/** What this holder sent of late, by plan: what the outbox keeps, and, in memory only, what it dealt. */
export class SentContributions {
  readonly #outbox: Outbox
  readonly #journal: HolderJournal
  /** As dealt, by committee member. Secret; overwritten when the round is forgotten. */
  readonly #shares = new Map<Digest, readonly Uint32Array[]>()

  constructor(outbox: Outbox, journal: HolderJournal) {
    this.#outbox = outbox
    this.#journal = journal
  }

  async keep(planDigest: Digest, kept: KeptContribution, shares: readonly Uint32Array[]): Promise<void> {
    this.#shares.set(planDigest, shares)
    for (const oldest of [...this.#shares.keys()].slice(0, -SHARES_KEPT)) this.#forgetShares(oldest)
    await this.#outbox.keep(planDigest, kept)
  }

  /** What was dealt, in this life of the process. */
  sharesOf(planDigest: Digest): readonly Uint32Array[] | undefined {
    return this.#shares.get(planDigest)
  }

  /** What the outbox has of a plan that this holder has accepted. */
  async findKept(planDigest: Digest): Promise<KeptContribution | undefined> {
    const plan = this.#planOf(planDigest)
    return plan && this.#outbox.find(planDigest, planParameters(plan))
  }

  async find(planDigest: Digest): Promise<SentContribution | undefined> {
    const plan = this.#planOf(planDigest)
    const kept = await this.findKept(planDigest)
    if (!plan || !kept || !isJobStep(plan.step)) return undefined
    const contribution = parseStatement(contributionStatement, kept.contribution)
    const job = parseStatement(jobStatement, kept.job)
    if (!contribution.ok || !job.ok) return undefined
    const { holder, payload } = contribution.value
    return {
      plan,
      planDigest,
      specification: job.value.specification,
      step: plan.step,
      entry: { holder, contribution: statementDigest(kept.contribution), payload: payload.digest },
      readChunk: (index) => kept.payload.readChunk(index),
      ...(kept.manifest ? { manifest: kept.manifest } : {}),
    }
  }

  #planOf(planDigest: Digest): RoundPlan | undefined {
    const known = this.#journal.find(planDigest)
    const plan = known && parseStatement(roundPlanStatement, known.plan)
    return plan?.ok ? plan.value : undefined
  }

  /** Keeps the manifest for which the ciphertext was hashed: the sum is verified against this one. */
  async noteManifest(planDigest: Digest, manifest: Envelope): Promise<void> {
    const kept = await this.findKept(planDigest)
    if (kept) await this.#outbox.keep(planDigest, { ...kept, manifest })
  }

  /** Never rejects. */
  async forget(planDigest: Digest): Promise<void> {
    this.#forgetShares(planDigest)
    await this.#outbox.forget(planDigest)
  }

  #forgetShares(planDigest: Digest): void {
    for (const share of this.#shares.get(planDigest) ?? []) share.fill(0)
    this.#shares.delete(planDigest)
  }
}
