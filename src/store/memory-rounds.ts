import type { CoordinatorStore, JobEvent, JobOutput, RoundRecord } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { type Envelope, encodeEnvelope, statementDigest } from '../crypto/envelope.ts'
import type { CoordinatorRound, ReceivedContribution, RoundPhase } from '../protocol/coordinator-round.ts'
import type { MemoryJobs } from './memory-jobs.ts'
import type { MemoryJournal } from './memory-journal.ts'
import { StoreError } from './store-error.ts'
import { storableReason } from './stored-text.ts'

/** Each phase comes after the one before it. */
const PHASES: readonly RoundPhase[] = ['collecting', 'checking', 'sealed', 'certified', 'opened', 'published']

/** A phase may be repeated; a round is abandoned at any time before it is published. */
function mayBecome(from: RoundPhase, to: RoundPhase): boolean {
  if (from === to) return true
  if (to === 'abandoned') return from !== 'published'
  return from !== 'abandoned' && PHASES.indexOf(to) === PHASES.indexOf(from) + 1
}

interface HeldRound {
  readonly planned: CoordinatorRound
  readonly contributions: Map<string, ReceivedContribution>
  phase: RoundPhase
  reason?: string
  candidates?: Envelope
  manifest?: Envelope
  abandonment?: Envelope
  publication?: Envelope
}

type PhaseOptions = { candidates?: Envelope; manifest?: Envelope; reason?: string }

/** Rounds in memory; contracts on {@link CoordinatorStore}. Each call is done before it gives way to another. */
export class MemoryRounds
  implements
    Pick<
      CoordinatorStore,
      'addRound' | 'addContribution' | 'setRoundPhase' | 'setAbandonment' | 'publishRound' | 'listRounds' | 'loadRound'
    >
{
  readonly #rounds = new Map<Digest, HeldRound>()
  readonly #jobs: MemoryJobs
  readonly #journal: MemoryJournal

  constructor(jobs: MemoryJobs, journal: MemoryJournal) {
    this.#jobs = jobs
    this.#journal = journal
  }

  #held(planDigest: Digest): HeldRound {
    const held = this.#rounds.get(planDigest)
    if (held) return held
    throw new StoreError('not-found', `There is no round with the plan ${planDigest}: add it first.`)
  }

  #ofJob(job: Digest): HeldRound[] {
    const held = [...this.#rounds.values()].filter(({ planned }) => planned.plan.job === job)
    return held.sort((a, b) => a.planned.plan.round - b.planned.plan.round)
  }

  async addRound(planned: CoordinatorRound): Promise<void> {
    const { plan, planDigest } = planned
    this.#jobs.requireJob(plan.job)
    if (this.#rounds.has(planDigest)) return
    if (this.#ofJob(plan.job).some((held) => held.planned.plan.round === plan.round)) {
      throw new StoreError('conflict', `The job has another round ${plan.round}: plan the next one under a new number.`)
    }
    this.#rounds.set(planDigest, { planned, contributions: new Map(), phase: 'collecting' })
  }

  async addContribution(planDigest: Digest, holder: string, received: ReceivedContribution): Promise<void> {
    const { contributions } = this.#held(planDigest)
    const known = contributions.get(holder)
    if (known && known.digest !== received.digest) {
      throw new StoreError('conflict', `${holder} has another contribution in this round: that one stays.`)
    }
    contributions.set(holder, known ?? received)
  }

  async setRoundPhase(planDigest: Digest, phase: RoundPhase, options: PhaseOptions = {}): Promise<void> {
    this.#move(this.#held(planDigest), phase, options)
  }

  #move(held: HeldRound, phase: RoundPhase, { candidates, manifest, reason }: PhaseOptions): void {
    if (!mayBecome(held.phase, phase)) {
      throw new StoreError('conflict', `The round is ${held.phase} and cannot become ${phase}: read the round anew.`)
    }
    const isAnother =
      (candidates && held.candidates && encodeEnvelope(candidates) !== encodeEnvelope(held.candidates)) ||
      (manifest && held.manifest && statementDigest(manifest) !== statementDigest(held.manifest))
    if (isAnother) {
      throw new StoreError(
        'conflict',
        'The round has other candidates or another manifest. Those stand: read the round anew.',
      )
    }
    const lacks =
      (phase === 'checking' && !candidates && !held.candidates) || (phase === 'sealed' && !manifest && !held.manifest)
    if (lacks)
      throw new StoreError('invalid-value', `A round that is ${phase} has candidates, and a manifest if sealed.`)
    held.phase = phase
    held.candidates ??= candidates
    held.manifest = manifest ?? held.manifest
    held.reason ??= storableReason(reason) ?? undefined
  }

  async setAbandonment(planDigest: Digest, abandonment: Envelope): Promise<void> {
    const held = this.#held(planDigest)
    if (held.phase !== 'abandoned') {
      throw new StoreError('conflict', `The round is ${held.phase}: only an abandoned one has an abandonment.`)
    }
    if (held.abandonment && statementDigest(held.abandonment) !== statementDigest(abandonment)) {
      throw new StoreError('conflict', 'The round has another abandonment. That one stands: read the round anew.')
    }
    held.abandonment = abandonment
  }

  async publishRound(
    planDigest: Digest,
    publication: Envelope,
    output: JobOutput,
    at: Date,
    event: JobEvent,
  ): Promise<void> {
    const held = this.#held(planDigest)
    const { job } = held.planned.plan
    // All that may refuse comes first, so that nothing of a refused publication is kept.
    this.#jobs.checkOutput(job, output)
    this.#move(held, 'published', {})
    held.publication ??= publication
    this.#journal.append(publication)
    await this.#jobs.addJobOutput(job, output)
    this.#jobs.placed(job).place.idleClaims = 0
    await this.#jobs.appendJobEvent(job, at, event)
  }

  async listRounds(job: Digest): Promise<RoundRecord[]> {
    return this.#ofJob(job).map(({ planned, phase, reason, abandonment, publication }) => ({
      planDigest: planned.planDigest,
      job,
      round: planned.plan.round,
      step: planned.plan.step,
      phase,
      plan: planned.planEnvelope,
      ...(reason !== undefined && { reason }),
      ...(abandonment && { abandonment }),
      ...(publication && { publication }),
    }))
  }

  async loadRound(planDigest: Digest): Promise<CoordinatorRound> {
    const { planned, phase, contributions, candidates, manifest } = this.#held(planDigest)
    return {
      ...planned,
      phase,
      contributions: new Map(contributions),
      ...(candidates && { candidates }),
      ...(manifest && { manifest }),
    }
  }

  sealedSet(planDigest: Digest): { readonly plan: Envelope; readonly manifest: Envelope } | undefined {
    const held = this.#rounds.get(planDigest)
    return held?.manifest && { plan: held.planned.planEnvelope, manifest: held.manifest }
  }

  isToBeOpened(planDigest: Digest): boolean {
    return ['sealed', 'certified'].includes(this.#rounds.get(planDigest)?.phase ?? '')
  }

  /** Lets go of a round's contributions: what a disk keeps for an auditor would fill a memory. */
  forgetContributions(planDigest: Digest): void {
    this.#held(planDigest).contributions.clear()
  }
}
