import { setTimeout as sleep } from 'node:timers/promises'
import type { Digest } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { openingDigest } from '../protocol/opening.ts'
import { publicationStatement } from '../protocol/publication.ts'
import { type RoundPlan, roundPlanStatement } from '../protocol/round-plan.ts'
import { parseStatement } from '../protocol/statement.ts'
import { OPENINGS_KEPT } from './open-rounds.ts'
import type { RoundRecord } from './ports.ts'
import type { HolderNote, RoundParts } from './round-context.ts'
import { isTransient } from './transient.ts'

/** How long a holder has to verify the sum; nothing waits for it. */
const ANNOUNCE_MS = 120_000
/** How often is looked whether a holder is back. */
const POLL_MS = 500

/** A round that was published, as its holders are told of it. */
export interface Announcement {
  readonly plan: RoundPlan
  readonly planDigest: Digest
  readonly publication: Envelope
}

/**
 * Tells the holders of a round, those that are not there now when they come. One that has verified the sum answers at once; one that
 * finds it wrong says so, and `note` is told.
 */
export function announce(
  { plan, planDigest, publication }: Announcement,
  { holders }: Pick<RoundParts, 'holders'>,
  note: (refusal: HolderNote) => void,
): void {
  const signal = AbortSignal.timeout(ANNOUNCE_MS)
  const tell = async (holder: string) => {
    // Nothing waits for it, nor does the end of the process.
    while (!holders.connected().includes(holder) && !signal.aborted) {
      await sleep(POLL_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
    const verdict = await holders.ask(holder, { kind: 'published', planDigest, publication }, signal)
    if (!verdict.ok && verdict.code === 'wrong-sum') note({ holder, code: verdict.code, reason: verdict.reason })
  }
  for (const { holder } of plan.cohort) void tell(holder)
}

/**
 * Makes the openings that another life published available here: the latest, as far as there is room.
 * @returns those that were not available here before, oldest first: their holders may not have verified them
 * @throws StoreError that passes by itself
 */
export async function restoreOpenings(
  rounds: readonly RoundRecord[],
  parts: Pick<RoundParts, 'openRounds' | 'openings'>,
): Promise<Announcement[]> {
  const restored: Announcement[] = []
  for (const record of rounds
    .filter(({ phase }) => phase === 'published')
    .slice(-OPENINGS_KEPT)
    .reverse()) {
    const announcement = await restoreOpening(record, parts)
    if (announcement) restored.unshift(announcement)
  }
  return restored
}

async function restoreOpening(
  { planDigest, plan: envelope, publication }: RoundRecord,
  { openRounds, openings }: Pick<RoundParts, 'openRounds' | 'openings'>,
): Promise<Announcement | undefined> {
  const plan = parseStatement(roundPlanStatement, envelope)
  if (!plan.ok || !publication) return undefined
  const published = parseStatement(publicationStatement, publication)
  if (!published.ok) return undefined
  // What is gone, or cannot be read, leaves its round unverified: the job goes on.
  const keySum = await openings.readKeySum(planDigest).catch((error: unknown) => {
    if (isTransient(error)) throw error
    return undefined
  })
  // A damaged one would make holders call the sum wrong.
  if (!keySum || openingDigest(keySum, published.value.sum) !== published.value.opening) return undefined
  if (!openRounds.restore(planDigest, plan.value, keySum)) return undefined
  return { plan: plan.value, planDigest, publication }
}
