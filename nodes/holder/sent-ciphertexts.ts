import type { Digest } from '../../src/crypto/digest.ts'
import type { Envelope } from '../../src/crypto/envelope.ts'
import type { JobSpecification } from '../../src/learning/job-specification.ts'
import type { JobStep } from '../../src/learning/job-steps.ts'
import type { Candidate } from '../../src/protocol/candidates.ts'
import type { RoundPlan } from '../../src/protocol/round-plan.ts'

/** A contribution of this holder as it left: ciphertext, shares, and what it was to. No plaintext, no key. */
export interface SentContribution {
  readonly plan: RoundPlan
  readonly planDigest: Digest
  readonly specification: JobSpecification
  readonly step: JobStep
  /** Holder, statement and ciphertext, by digest, as a manifest must name them. */
  readonly entry: Candidate
  /** Packed, in order. */
  readonly chunks: readonly Uint8Array[]
  /** As dealt, by committee member. Secret; overwritten when the round is forgotten. */
  readonly shares: readonly Uint32Array[]
  /** The manifest for which this holder has hashed its ciphertext. */
  manifest?: Envelope
}

/** Rounds whose ciphertext is kept for its hash and for the verification of the sum. */
const KEPT = 4

/** What this holder sent of late, by plan. In memory only: after a restart a holder gives no hash, and verifies no sum. */
export class SentCiphertexts {
  readonly #sent = new Map<Digest, SentContribution>()

  keep(sent: SentContribution): void {
    this.#sent.set(sent.planDigest, sent)
    for (const oldest of [...this.#sent.keys()].slice(0, -KEPT)) this.forget(oldest)
  }

  find(planDigest: Digest): SentContribution | undefined {
    return this.#sent.get(planDigest)
  }

  forget(planDigest: Digest): void {
    for (const share of this.#sent.get(planDigest)?.shares ?? []) share.fill(0)
    this.#sent.delete(planDigest)
  }
}
