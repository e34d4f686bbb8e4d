import { collectAbandonments } from '../coordinator/abandonments.ts'
import { CoordinatorError } from '../coordinator/coordinator-error.ts'
import { LoggedRequests } from '../coordinator/logged-requests.ts'
import { OpenRounds } from '../coordinator/open-rounds.ts'
import {
  type Clock,
  type CoordinatorStore,
  type OpeningStore,
  type PayloadSpool,
  unobserved,
} from '../coordinator/ports.ts'
import type { HolderNote, OpeningContext, RoundParts } from '../coordinator/round-context.ts'
import { manifestDigest, type OpenedRound, runRound } from '../coordinator/run-round.ts'
import { openTransparencyLog } from '../coordinator/transparency-log.ts'
import { type Digest, toHex } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import { KEY_ADDITIVE_RLWE } from '../crypto/key-additive-scheme.ts'
import type { PayloadWorkers } from '../crypto/payload-workers.ts'
import { systemRandomness } from '../crypto/randomness.ts'
import { logKeyOf } from '../log/checkpoint.ts'
import { advanceRound } from '../protocol/coordinator-round.ts'
import type { HolderRequest } from '../protocol/holder-messages.ts'
import { openingDigest } from '../protocol/opening.ts'
import { publicationStatement } from '../protocol/publication.ts'
import { questionOf } from '../protocol/question.ts'
import { drawPlanCommittee, type RoundPlan } from '../protocol/round-plan.ts'
import { signStatement } from '../protocol/statement.ts'
import type { Federation } from './federation.ts'
import { InMemoryWire } from './in-memory-wire.ts'
import { SimulatedHolder, type Surroundings } from './simulated-holder.ts'
import {
  type SegmentSums,
  SIMULATION_STEP,
  type Simulation,
  SUM_NAME,
  simulationLayout,
  simulationStatement,
  sumsReading,
} from './simulation.ts'

/** What a simulation runs on: the IO of a coordinator, as its ports have it. */
export interface SimulationParts {
  readonly store: CoordinatorStore
  /** Ciphertexts of contributors; what published rounds were opened from. */
  readonly spool: PayloadSpool
  readonly openings: OpeningStore
  readonly workers: PayloadWorkers
  readonly clock: Clock
  /** Lets go of what the store has of a published round's contributions, if it is a memory. */
  readonly forgetContributions?: (planDigest: Digest) => void
}

/** A published round, and the statement that says so. */
export interface PublishedRound {
  readonly opened: OpenedRound<SegmentSums>
  readonly publication: Envelope
  readonly publishMs: number
}

const LOG_ORIGIN = 'simulation.invalid/log'
/** Nobody is late in a simulation: what takes this long is a fault. */
const PATIENCE_MS = 3_600_000
/** Holders that work at a time, for each payload thread: one that is protecting, one whose statement is being made. */
const HOLDERS_AT_ONCE = 2

/**
 * The coordinator of a simulated federation: the code that runs rounds in a venue, between a store and a wire that is in
 * memory. It plans; what comes after the plan is `runRound`.
 */
export class SimulatedVenue {
  readonly wire: InMemoryWire
  readonly #parts: RoundParts
  readonly #forgetContributions: (planDigest: Digest) => void
  readonly #federation: Federation
  readonly #minContributors: number
  readonly #simulation: Simulation
  readonly #job: Envelope
  readonly #holders = new Map<string, SimulatedHolder>()
  #publication: { readonly envelope: Envelope; readonly output: Digest } | undefined
  #lastRound = 0

  private constructor(
    parts: RoundParts & Pick<SimulationParts, 'forgetContributions'>,
    wire: InMemoryWire,
    federation: Federation,
    minContributors: number,
    simulation: Simulation,
    job: Envelope,
  ) {
    this.#parts = parts
    this.#forgetContributions = parts.forgetContributions ?? (() => {})
    this.wire = wire
    this.#federation = federation
    this.#minContributors = minContributors
    this.#simulation = simulation
    this.#job = job
  }

  /** Opens the log, and puts the simulation into it where a venue has a job. */
  static async open(
    simulation: Simulation,
    federation: Federation,
    minContributors: number,
    { workers, ...io }: SimulationParts,
    onAnswer: (request: HolderRequest) => void,
  ): Promise<SimulatedVenue> {
    const { coordinatorKey: key, members } = federation
    const openRounds = new OpenRounds()
    const atOnce = HOLDERS_AT_ONCE * workers.threads
    const find = (name: string): SimulatedHolder => venue.#findHolder(name)
    const wire = new InMemoryWire([...members.keys()], find, { ...io, openRounds }, atOnce, onAnswer)
    const log = await openTransparencyLog(io.store, { origin: LOG_ORIGIN, key: federation.logKey })
    const logged = new LoggedRequests(log, io.store, wire)
    const job = signStatement(simulationStatement, simulation, key)
    await logged.append([job])
    await io.store.addJob(statementDigest(job), job, io.clock.now())
    const parts = {
      ...io,
      workers,
      key,
      openRounds,
      logged,
      holders: wire,
      randomness: systemRandomness,
      committeeTimeoutMs: PATIENCE_MS,
      observer: unobserved,
    }
    const venue = new SimulatedVenue(parts, wire, federation, minContributors, simulation, job)
    return venue
  }

  /** Plans a round over all holders, runs it and publishes its sum. @throws CoordinatorError `round-abandoned` */
  async runRound(signal: AbortSignal, note: (note: HolderNote) => void): Promise<PublishedRound> {
    const plan = this.#plan(++this.#lastRound)
    const abandonments = await this.#proveAbandoned(plan, signal)
    const publications = this.#publication ? [this.#publication.envelope] : []
    const context: OpeningContext<SegmentSums> = {
      ...this.#parts,
      job: this.#job,
      publications,
      abandonments,
      note,
      signal,
      reading: sumsReading,
    }
    const opened = await runRound(plan, context)
    return this.#publish(opened)
  }

  /** The number of the round that is planned next. */
  get nextRound(): number {
    return this.#lastRound + 1
  }

  /** Tells a holder of a publication; it verifies the sum. @returns why it did not, undefined when it did */
  async tell(
    holder: string,
    { opened, publication }: PublishedRound,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { planDigest } = opened.round
    const verdict = await this.wire.ask(holder, { kind: 'published', planDigest, publication }, signal)
    return verdict.ok ? undefined : `${holder}: ${verdict.reason}`
  }

  /** Lets all holders forget a round, its opening with it: what nobody verifies any more. */
  async forget({ opened }: PublishedRound): Promise<void> {
    const { planDigest } = opened.round
    for (const holder of this.#holders.values()) await holder.forget(planDigest)
    await this.#parts.openings.discard(planDigest)
    this.#forgetContributions(planDigest)
  }

  #findHolder(name: string): SimulatedHolder {
    const known = this.#holders.get(name)
    if (known) return known
    const { members, keys } = this.#federation
    const made = new SimulatedHolder(members.get(name)!, keys.get(name)!, this.#surroundings)
    this.#holders.set(name, made)
    return made
  }

  get #surroundings(): Surroundings {
    const { coordinatorKey, logKey, registry, members } = this.#federation
    return {
      coordinatorKey: coordinatorKey.publicKey,
      log: logKeyOf({ origin: LOG_ORIGIN, key: logKey }),
      registry,
      members,
      floors: { minContributors: this.#minContributors, threshold: 2, tolerates: 0, maxPrecisionBits: 32 },
      workers: this.#parts.workers,
      coordinator: this.wire,
    }
  }

  #plan(round: number): RoundPlan {
    const job = statementDigest(this.#job)
    const cohort = [...this.#federation.members.values()]
    const committee = drawPlanCommittee({ job, round, cohort })
    const nonce = new Uint8Array(32)
    systemRandomness.fill(nonce)
    const output = this.#publication?.output
    return {
      job,
      round,
      nonce: toHex(nonce),
      step: SIMULATION_STEP,
      inputs: output ? [{ name: SUM_NAME, digest: output }] : [],
      cohort,
      committee: { ...committee, tolerates: Math.min(committee.tolerates, this.#minContributors - 2) },
      minContributors: this.#minContributors,
      vector: simulationLayout(this.#simulation),
      payload: { scheme: KEY_ADDITIVE_RLWE },
      collectUntil: new Date(this.#parts.clock.now().getTime() + PATIENCE_MS).toISOString(),
      registry: this.#federation.registry,
      after: this.#parts.logged.head,
    }
  }

  /** That earlier attempts at this question are dead, so that holders may answer it again. */
  async #proveAbandoned(plan: RoundPlan, signal: AbortSignal): Promise<Envelope[]> {
    const rounds = await this.#parts.store.listRounds(plan.job)
    if (!rounds.some(({ phase }) => phase === 'abandoned')) return []
    return collectAbandonments(questionOf(plan), rounds, this.#parts, signal)
  }

  /** As a job does: publication, output and phase in one transaction; then ciphertexts are forgotten. */
  async #publish(opened: OpenedRound<SegmentSums>): Promise<PublishedRound> {
    const started = performance.now()
    const { round, aggregate, sum, keySum, hashes, contributors, ciphertextBytes, statementBytes, durations } = opened
    const { key, store, clock, openRounds, spool, logged } = this.#parts
    const job = statementDigest(this.#job)
    const publication = signStatement(
      publicationStatement,
      {
        job,
        plan: round.planDigest,
        manifest: manifestDigest(round),
        contributors: contributors.length,
        aggregate,
        sum,
        opening: openingDigest(keySum, sum),
        hashes: [...hashes],
        output: { name: SUM_NAME, digest: aggregate },
      },
      key,
    )
    const { round: number, step } = round.plan
    const sizes = { ciphertextBytes, statementBytes, durations: { ...durations, publishMs: 0, totalMs: 0 } }
    const event = { kind: 'round-published', round: number, step, contributors, ...sizes } as const
    const output = { name: SUM_NAME, version: number, digest: aggregate }
    await store.publishRound(round.planDigest, publication, output, clock.now(), event)
    const overdue = openRounds.publish(advanceRound(round, 'published'), keySum)
    await spool.discard(round.planDigest)
    for (const planDigest of overdue) await this.#parts.openings.discard(planDigest)
    await logged.catchUp()
    this.#publication = { envelope: publication, output: aggregate }
    return { opened, publication, publishMs: performance.now() - started }
  }
}

/** Whether an error says that a round was given up, and may be tried again. */
export function isAbandoned(error: unknown): error is CoordinatorError {
  return error instanceof CoordinatorError && error.code === 'round-abandoned'
}
