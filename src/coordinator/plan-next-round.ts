import { type Digest, toHex } from '../crypto/digest.ts'
import { KEY_ADDITIVE_RLWE } from '../crypto/key-additive-scheme.ts'
import type { Randomness } from '../crypto/randomness.ts'
import type { JobSpecification } from '../learning/job-specification.ts'
import { type JobStep, stepLayout } from '../learning/job-steps.ts'
import { countOrganisations, drawPlanCommittee, type Member, type RoundPlan } from '../protocol/round-plan.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type { Clock, HolderDirectory, VenueRegistry } from './ports.ts'

/** How long a job waits for as many holders as a sum needs, before it fails. */
const ENOUGH_HOLDERS_MS = 120_000
const POLL_MS = 50

export interface GatheringParts {
  readonly clock: Clock
  readonly holders: HolderDirectory
  readonly registry: VenueRegistry
  /** How long a round waits for a holder that it wants before it begins without it. */
  readonly gatherMs: number
}

/** Holders of a round, and the head of the registry that they are members by. */
export interface Cohort {
  readonly members: readonly Member[]
  readonly registry: Digest
}

/**
 * The cohort of the next round: the admitted holders of the job that are connected. Waits a while for all of them, and
 * longer for as many organisations as `minContributors` demands.
 *
 * @param absent holders that were waited for in vain; kept by the caller from round to round, so that a holder that is
 *   down delays a job once, and is waited for again only after it came back.
 * @throws CoordinatorError `too-few-holders`
 */
export async function gatherCohort(
  job: JobSpecification,
  absent: Set<string>,
  { clock, holders, registry, gatherMs }: GatheringParts,
  signal: AbortSignal,
): Promise<Cohort> {
  const began = clock.now().getTime()
  for (;;) {
    signal.throwIfAborted()
    // Each time anew: members come and go while a job waits.
    const { members, head } = registry.current()
    const wanted = job.holders ?? [...members.keys()]
    const connected = new Set(holders.connected())
    for (const name of connected) absent.delete(name)
    const cohort = wanted.flatMap((name) => (connected.has(name) && members.has(name) ? [members.get(name)!] : []))
    const awaited = wanted.filter((name) => !connected.has(name) && !absent.has(name))
    const waitedMs = clock.now().getTime() - began
    if (countOrganisations(cohort) >= job.protection.minContributors) {
      if (awaited.length === 0) return { members: cohort, registry: head }
      if (waitedMs >= gatherMs) {
        for (const name of awaited) absent.add(name)
        return { members: cohort, registry: head }
      }
    }
    if (waitedMs > ENOUGH_HOLDERS_MS) {
      throw new CoordinatorError(
        'too-few-holders',
        `${cohort.length} of the job's ${wanted.length} holders are connected; a sum needs ${job.protection.minContributors} organisations: start their holder nodes.`,
      )
    }
    await clock.sleep(POLL_MS, signal)
  }
}

/**
 * Waits until as many of a round's committee are connected as its duties need: after a restart of the coordinator holders dial again
 * one by one, and a round is not to fail for the lack of those that are on their way. Who is still away then has the grace of
 * every request; when too few come in time, the round goes on and says so.
 */
export async function awaitCommittee(
  { committee }: RoundPlan,
  { clock, holders }: Pick<GatheringParts, 'clock' | 'holders'>,
  signal: AbortSignal,
): Promise<void> {
  const until = clock.now().getTime() + ENOUGH_HOLDERS_MS
  for (;;) {
    signal.throwIfAborted()
    const connected = new Set(holders.connected())
    const present = committee.members.filter((name) => connected.has(name)).length
    if (present >= committee.threshold || clock.now().getTime() > until) return
    await clock.sleep(POLL_MS, signal)
  }
}

/** The plan of one step over a cohort. The committee follows from the job and the round number (protocol §3). */
export function planStep(
  job: Digest,
  specification: JobSpecification,
  round: number,
  step: JobStep,
  inputs: Readonly<Record<string, Digest>>,
  { members, registry }: Cohort,
  after: RoundPlan['after'],
  now: Date,
  randomness: Randomness,
): RoundPlan {
  const cohort = [...members].sort((a, b) => (a.holder < b.holder ? -1 : 1))
  const committee = drawPlanCommittee({ job, round, cohort })
  // Colluding members contribute, too: of the smallest set at least two contributions must be honest ones (protocol §2).
  const { minContributors } = specification.protection
  const nonce = new Uint8Array(32)
  randomness.fill(nonce)
  return {
    job,
    round,
    nonce: toHex(nonce),
    step,
    inputs: Object.entries(inputs).map(([name, digest]) => ({ name, digest })),
    cohort,
    committee: { ...committee, tolerates: Math.min(committee.tolerates, minContributors - 2) },
    minContributors,
    vector: stepLayout(specification, step),
    payload: { scheme: KEY_ADDITIVE_RLWE },
    collectUntil: new Date(now.getTime() + specification.roundTimeoutMs).toISOString(),
    registry,
    after,
  }
}
