import type { Digest } from '../crypto/digest.ts'
import { OPENINGS_KEPT } from './open-rounds.ts'
import type { Clock, CoordinatorStore, PayloadSpool } from './ports.ts'

/** How long after its job's end a round's opening is kept for holders that have not verified the sum yet. */
const OPENING_LIFE_MS = 3_600_000

export interface SweepParts {
  readonly store: CoordinatorStore
  readonly spool: PayloadSpool
  readonly openings: PayloadSpool
  readonly clock: Clock
}

/** How often a coordinator sweeps. */
const SWEEP_MS = 600_000

/** Whoever watches the sweeping. */
export interface SweepListener {
  onSwept(rounds: number): void
  /** The next sweep tries again. */
  onFault(error: unknown): void
}

/** Sweeps now and then until the signal fires: what a worker writes to a round that was abandoned meanwhile has no other end. */
export async function keepSwept(parts: SweepParts, listener: SweepListener, signal: AbortSignal): Promise<void> {
  for (;;) {
    await parts.clock.sleep(SWEEP_MS, signal)
    if (signal.aborted) return
    try {
      const rounds = await sweepPayloads(parts)
      listener.onSwept(rounds)
    } catch (error) {
      listener.onFault(error)
    }
  }
}

/**
 * Discards what was left behind: ciphertexts of rounds that are over, openings that nobody asks for any more. Other
 * coordinators over the same store may be running: what is stored is listed before the store is asked, and a round is in the store
 * before its first chunk is stored, so that nothing of a round that begins meanwhile is taken for left over.
 * @returns how many rounds' payloads were discarded
 * @throws StoreError
 */
export async function sweepPayloads({ store, spool, openings, clock }: SweepParts): Promise<number> {
  const [spooled, opened] = await Promise.all([spool.plans(), openings.plans()])
  const { open, published } = await neededRounds(store)
  let swept = 0
  for (const plan of spooled) {
    if (open.has(plan)) continue
    await spool.discard(plan)
    swept++
  }
  for (const plan of opened) {
    if (open.has(plan) || published.has(plan) || (await hasJustEnded(plan, store, clock))) continue
    await openings.discard(plan)
    swept++
  }
  return swept
}

/** Of unfinished jobs: the rounds that are not over, and the latest that were published. */
async function neededRounds(store: CoordinatorStore) {
  const open = new Set<Digest>()
  const published = new Set<Digest>()
  for (const { job } of await store.listUnfinishedJobs()) {
    const rounds = await store.listRounds(job)
    for (const { phase, planDigest } of rounds) {
      if (phase !== 'published' && phase !== 'abandoned') open.add(planDigest)
    }
    const latest = rounds.filter(({ phase }) => phase === 'published').slice(-OPENINGS_KEPT)
    for (const { planDigest } of latest) published.add(planDigest)
  }
  return { open, published }
}

async function hasJustEnded(planDigest: Digest, store: CoordinatorStore, clock: Clock): Promise<boolean> {
  const round = await store.loadRound(planDigest).catch((error: { code?: string }) => {
    if (error.code === 'not-found') return undefined
    throw error
  })
  const job = round?.phase === 'published' ? await store.findJob(round.plan.job) : undefined
  return job?.endedAt !== undefined && clock.now().getTime() - job.endedAt.getTime() < OPENING_LIFE_MS
}
