import type { Digest } from '../crypto/digest.ts'
import type { CoordinatorStore, PayloadSpool } from './ports.ts'

/**
 * Closes what a job leaves open when it ends: nobody carries its rounds on, so that each is abandoned with the reason and its
 * ciphertexts are forgotten. To be called before the job's end is stored: whoever dies between the two finds the job, and its
 * rounds ended.
 */
export async function endRounds(
  job: Digest,
  reason: string,
  { store, spool }: { readonly store: CoordinatorStore; readonly spool: PayloadSpool },
): Promise<void> {
  const rounds = await store.listRounds(job)
  for (const { planDigest, phase } of rounds) {
    const isOpen = phase !== 'published' && phase !== 'abandoned'
    if (isOpen) await store.setRoundPhase(planDigest, 'abandoned', { reason })
    // The last may have ended just before this, and its ciphertexts not yet.
    if (isOpen || planDigest === rounds.at(-1)?.planDigest) await spool.discard(planDigest)
  }
}
