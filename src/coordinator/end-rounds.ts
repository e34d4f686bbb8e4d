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
  for (const { planDigest, phase } of await store.listRounds(job)) {
    if (phase === 'published' || phase === 'abandoned') continue
    await store.setRoundPhase(planDigest, 'abandoned', { reason })
    await spool.discard(planDigest)
  }
}
