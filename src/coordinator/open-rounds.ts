import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import type { PayloadParameters } from '../crypto/payload-parameters.ts'
import { type CoordinatorRound, sealedContributions } from '../protocol/coordinator-round.ts'
import { findMember, planParameters } from '../protocol/round-plan.ts'
import type { RoundDesk } from './ports.ts'

/** The rounds that are running in this process, as they stand now: what the server may hand out and take in. */
export class OpenRounds implements RoundDesk {
  readonly #rounds = new Map<Digest, CoordinatorRound>()

  set(round: CoordinatorRound): void {
    this.#rounds.set(round.planDigest, round)
  }

  delete(planDigest: Digest): void {
    this.#rounds.delete(planDigest)
  }

  expectedPayload(planDigest: Digest, holder: string): PayloadParameters | undefined {
    const round = this.#rounds.get(planDigest)
    const due = round?.phase === 'collecting' && findMember(round.plan, holder) && !round.contributions.has(holder)
    return due ? planParameters(round.plan) : undefined
  }

  contributionsFor(planDigest: Digest, member: string): readonly Envelope[] | undefined {
    const round = this.#rounds.get(planDigest)
    if (!round?.manifest || !round.plan.committee.members.includes(member)) return undefined
    return sealedContributions(round).map(({ envelope }) => envelope)
  }
}
