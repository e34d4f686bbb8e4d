import type { Digest } from '../crypto/digest.ts'
import type { CoordinatorStore, PayloadSpool } from './ports.ts'

/** Where a round's payloads lie. */
export interface PayloadPlaces {
  readonly spool: PayloadSpool
  readonly openings: PayloadSpool
}

/** Forgets the ciphertexts of a round that was abandoned, and what was added up of them. */
export async function discardPayloads(planDigest: Digest, { spool, openings }: PayloadPlaces): Promise<void> {
  await spool.discard(planDigest)
  await openings.discard(planDigest)
}

/**
 * Closes what a job leaves open when it ends: nobody carries its rounds on, so that each is abandoned with the reason and its
 * payloads are forgotten. To be called before the job's end is stored: whoever dies between the two finds the job, and its
 * rounds ended.
 */
export async function endRounds(
  job: Digest,
  reason: string,
  { store, ...places }: PayloadPlaces & { readonly store: CoordinatorStore },
): Promise<void> {
  const rounds = await store.listRounds(job)
  for (const { planDigest, phase } of rounds) {
    const isOpen = phase !== 'published' && phase !== 'abandoned'
    if (isOpen) await store.setRoundPhase(planDigest, 'abandoned', { reason })
    // The last may have ended just before this, and its payloads not yet.
    const isLast = planDigest === rounds.at(-1)?.planDigest
    if (isOpen || (isLast && phase === 'abandoned')) await discardPayloads(planDigest, places)
    else if (isLast) await places.spool.discard(planDigest)
  }
}
