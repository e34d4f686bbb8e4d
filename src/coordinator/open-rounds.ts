import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import type { PayloadParameters } from '../crypto/payload-parameters.ts'
import { type CoordinatorRound, closedContributions } from '../protocol/coordinator-round.ts'
import { findMember, planParameters, type RoundPlan } from '../protocol/round-plan.ts'
import type { RoundDesk } from './ports.ts'

/** Openings kept for the holders of published rounds; who comes later cannot verify them any more. */
export const OPENINGS_KEPT = 8

/** The rounds that are running in this process, as they stand now: what the server may hand out and take in. */
export class OpenRounds implements RoundDesk {
  readonly #rounds = new Map<Digest, CoordinatorRound>()
  /** The latest published rounds, oldest first. */
  #published = new Map<Digest, { readonly plan: RoundPlan; readonly keySum: Uint8Array }>()

  set(round: CoordinatorRound): void {
    this.#rounds.set(round.planDigest, round)
  }

  delete(planDigest: Digest): void {
    this.#rounds.delete(planDigest)
  }

  /**
   * The round is over; its opening can be had for a while.
   * @param keySum encoded
   * @returns the plans of those whose openings are to be discarded
   */
  publish(round: CoordinatorRound, keySum: Uint8Array): Digest[] {
    this.#rounds.delete(round.planDigest)
    this.#published.set(round.planDigest, { plan: round.plan, keySum })
    const overdue = [...this.#published.keys()].slice(0, -OPENINGS_KEPT)
    for (const planDigest of overdue) this.#published.delete(planDigest)
    return overdue
  }

  /**
   * A round that another life has published; its opening can be had as if it were older than all of this one's.
   * @param keySum encoded
   * @returns false when it can be had already, or there is no room
   */
  restore(planDigest: Digest, plan: RoundPlan, keySum: Uint8Array): boolean {
    if (this.#published.has(planDigest) || this.#published.size >= OPENINGS_KEPT) return false
    this.#published = new Map([[planDigest, { plan, keySum }], ...this.#published])
    return true
  }

  expectedPayload(planDigest: Digest, holder: string): PayloadParameters | undefined {
    const round = this.#rounds.get(planDigest)
    const due = round?.phase === 'collecting' && findMember(round.plan, holder) && !round.contributions.has(holder)
    return due ? planParameters(round.plan) : undefined
  }

  contributionsFor(planDigest: Digest, member: string): readonly Envelope[] | undefined {
    const round = this.#rounds.get(planDigest)
    if (!round?.candidates || !round.plan.committee.members.includes(member)) return undefined
    return closedContributions(round).map(({ envelope }) => envelope)
  }

  openingFor(planDigest: Digest, holder: string) {
    const published = this.#published.get(planDigest)
    if (!published || !findMember(published.plan, holder)) return undefined
    return { keySum: published.keySum, sumBytes: planParameters(published.plan).ciphertextBytes }
  }
}
