import type { Digest } from '../crypto/digest.ts'
import type { Envelope, EnvelopeSignature } from '../crypto/envelope.ts'
import type { PayloadParameters } from '../crypto/payload-parameters.ts'
import type { FederatedEvaluation } from '../learning/evaluation-vector.ts'
import type { LogStorage } from '../log/log-storage.ts'
import type { PayloadReference } from '../protocol/contribution.ts'
import type { CoordinatorRound, ReceivedContribution, RoundPhase } from '../protocol/coordinator-round.ts'
import type { HolderReply, HolderRequest } from '../protocol/holder-messages.ts'
import type { Refusal } from '../protocol/protocol-error.ts'
import type { Member } from '../protocol/round-plan.ts'
import type { Verdict } from '../sluice-error.ts'

/*
 * Every contract of the coordinator towards IO. An implementation that passes the suite in test/contract/ may replace
 * another; nothing else in the coordinator touches a disk, a database, a socket or a clock.
 */

/** Wall clock and waiting, injected so that tests own time. */
export interface Clock {
  now(): Date
  /** Resolves after `ms`, or at once when the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export type JobState = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled'

export interface JobRecord {
  /** Digest of the job's statement: its identity. */
  readonly job: Digest
  readonly envelope: Envelope
  readonly state: JobState
  /** Why it failed or was cancelled; for people. */
  readonly reason?: string
  readonly submittedAt: Date
  readonly startedAt?: Date
  readonly endedAt?: Date
}

export type JobPriority = 'low' | 'normal' | 'high'

/** What the queue goes by: whose job it is, and whom it needs. */
export interface JobPlacing {
  readonly priority: JobPriority
  readonly submittedBy: string
  /** Names; all members of the venue when absent. */
  readonly holders?: readonly string[]
  /** Organisations without which no sum of it is opened. */
  readonly minContributors: number
}

/** The placing of a job of which nothing is known. */
export const UNPLACED: JobPlacing = { priority: 'normal', submittedBy: '', minContributors: 2 }

/** A coordinator: its name is the same after a restart, its incarnation is of one process. */
export interface Claimant {
  readonly name: string
  readonly incarnation: string
}

/** A job that has not ended, as the queue has it. */
export interface QueuedJob extends JobPlacing {
  readonly job: Digest
  readonly state: 'queued' | 'running'
  readonly submittedAt: Date
  /** Name of the coordinator whose lease of it lives. */
  readonly owner?: string
  /** How often in a row it failed for a transient reason. */
  readonly retries: number
  /** How often it was claimed since a round of it was last published, or it was given back: as often its coordinator went away. */
  readonly idleClaims: number
  /** Not to be taken before. */
  readonly retryAt?: Date
  /** Why it is tried again; for people. */
  readonly reason?: string
}

/** All jobs that have not ended, oldest first; instants of leases, pauses and turns are of the store's clock. */
export interface JobQueue {
  /** By the store's clock. */
  readonly now: Date
  readonly jobs: readonly QueuedJob[]
  /** When a job of a researcher was last taken up, of those who have had one. */
  readonly lastTurns: ReadonlyMap<string, Date>
}

/** A job that this coordinator has the lease of. */
export interface ClaimedJob {
  readonly record: JobRecord
  readonly retries: number
  /** As {@link QueuedJob.idleClaims}, this claim included. */
  readonly idleClaims: number
  /** Somebody wants it cancelled. */
  readonly isCancelled: boolean
}

/** One thing that a finished round gave to its job: `statistics`, `model`, `evaluation`. */
export interface JobOutput {
  readonly name: string
  /** Counts from 0 for each name: the model's version, say. */
  readonly version: number
  /** Where the bytes are: see {@link ArtifactStore}. */
  readonly digest: Digest
}

/** How long each phase of a published round took, in milliseconds, as the coordinator's clock saw it. */
export interface RoundDurations {
  /** Plan into the log, and its checkpoint cosigned. */
  readonly planMs: number
  /** Plan sent to last contribution taken in: local training, protection and transport, in parallel. */
  readonly collectMs: number
  /** Candidates into the log, shares checked, set sealed. */
  readonly checkMs: number
  /** Manifest cosigned in the log, sent, certificate complete. */
  readonly certifyMs: number
  /** Certificate sent to enough share sums received. */
  readonly answerMs: number
  /** Folding of ciphertexts, key sum, opening. */
  readonly openMs: number
  /** Strategy, model version, records. */
  readonly publishMs: number
  readonly totalMs: number
}

/** What watchers of a job see, in order. Public to who may watch the job: sums and sizes only. */
export type JobEvent =
  | { readonly kind: 'job-state'; readonly state: JobState; readonly reason?: string }
  | {
      readonly kind: 'round-planned'
      readonly round: number
      readonly step: string
      readonly holders: readonly string[]
    }
  | {
      readonly kind: 'round-abandoned'
      readonly round: number
      readonly step: string
      readonly reason: string
    }
  | {
      readonly kind: 'holder-refused'
      readonly round: number
      readonly holder: string
      readonly code: string
      readonly reason: string
    }
  | {
      readonly kind: 'round-published'
      readonly round: number
      readonly step: string
      readonly contributors: readonly string[]
      /** Of one contributor: its packed ciphertext, and its signed statement with the sealed shares. */
      readonly ciphertextBytes: number
      readonly statementBytes: number
      readonly durations: RoundDurations
      /** Of the model that the round started from. */
      readonly evaluation?: FederatedEvaluation
      /** The version that the round made. */
      readonly modelVersion?: number
    }

export interface StoredJobEvent {
  /** Counts from 1 within the job, without gaps. */
  readonly sequence: number
  readonly at: Date
  readonly event: JobEvent
}

/** A round as the store gives it back. */
export interface RoundRecord {
  readonly planDigest: Digest
  readonly job: Digest
  readonly round: number
  readonly step: string
  readonly phase: RoundPhase
  readonly reason?: string
  readonly plan: Envelope
  /** With the signatures collected so far. */
  readonly abandonment?: Envelope
  readonly publication?: Envelope
}

/** An application or a departure that the coordinator has taken in. */
export interface RegistryRequestRecord {
  /** Of the request's statement: its identity. */
  readonly digest: Digest
  /** With the signatures that members have given to it so far, in the order in which they came. */
  readonly request: Envelope
  readonly state: 'pending' | 'entered' | 'refused'
  /** Why it was refused; for people. */
  readonly reason?: string
  readonly filedAt: Date
}

/** The one registry statement that members are asked to sign now. */
export interface ProposedStatement {
  readonly sequence: number
  /** Digest of the request that it enters. */
  readonly request: Digest
  /** With the signatures so far. */
  readonly statement: Envelope
}

/** A part of a round's sum that somebody adds up, for as long as the claim is renewed. */
export interface FoldClaim {
  readonly planDigest: Digest
  /** From 0: the PART_CHUNKS chunks from `part * PART_CHUNKS` on. */
  readonly part: number
  /** Drawn for this claim alone. */
  readonly claimant: string
}

/**
 * The parts of sums of ciphertexts that whoever shares the store adds up together (docs/adr/0015). There are rows of a round while it
 * is `sealed` or `certified`; they go with the end of that. Durability, idempotency, atomicity, retries and errors as in
 * {@link CoordinatorStore}, of which this is all that a worker without keys needs.
 */
export interface FoldStore {
  /**
   * Puts up `count` parts of a sealed round to be added up; those that are there stay as they are.
   * @throws StoreError `conflict` when the round is neither sealed nor certified
   */
  addFoldParts(planDigest: Digest, count: number): Promise<void>
  /**
   * Takes a part for `leaseMs` by the store's clock, the lowest that nobody has a living claim of. Calls do not wait for each other, and
   * no two get the same.
   * @param planDigest only of this round, and then also parts with a fault. Who has no say in the round leaves those to who has.
   */
  claimFoldPart(claimant: string, leaseMs: number, planDigest?: Digest): Promise<FoldClaim | undefined>
  /** @returns false when another has it now, it is added up, or the round is over. One that has run out is renewed if nobody took it. */
  renewFoldClaim(claim: FoldClaim, leaseMs: number): Promise<boolean>
  /**
   * Gives a part back to be taken at once. @param fault why it could not be added up here; for people
   * @returns as {@link renewFoldClaim}
   */
  giveBackFoldPart(claim: FoldClaim, fault?: string): Promise<boolean>
  /**
   * The part's sum is stored. Whoever added it up, and whether the claim still lives, makes no difference: there is one sum.
   * @param digest of the part's sum, as that of a payload
   * @throws StoreError `conflict` when somebody has added it up to another one
   */
  finishFoldPart(claim: FoldClaim, digest: Digest): Promise<void>
  /** In order; with the digest of those that are added up. Empty when the round is over. */
  listFoldParts(planDigest: Digest): Promise<{ readonly part: number; readonly digest?: Digest }[]>
  /** What says whose ciphertexts are added up, and how long they are. @throws StoreError `not-found` when no such round is sealed */
  readSealedSet(planDigest: Digest): Promise<{ readonly plan: Envelope; readonly manifest: Envelope }>
  /** Calls `listener` when there may be parts to take, or added up; a hint, as {@link CoordinatorStore.onJobChange} is. */
  onFoldChange(listener: () => void): () => void
}

/**
 * The coordinator's durable state.
 *
 * - *Durability*: when a method that writes resolves, the write survives the death of the process.
 * - *Idempotency*: every write may be repeated with the same arguments; a repeat changes nothing and resolves alike.
 * - *Atomicity*: each call is one transaction. *Concurrency*: calls may overlap.
 * - *Retries* are the caller's; an error leaves the state as before or as after the call, never between.
 * - Errors: `StoreError`, codes there.
 */
export interface CoordinatorStore extends FoldStore {
  /**
   * Appends to the journal of signed statements, which is the queue of the transparency log: all in the order given, with
   * no other between those that are new. A statement that is in it already, by its digest, stays where and as it is:
   * signatures that a manifest gains later are kept with its round.
   * @returns their positions in the order given: from 0, without gaps.
   */
  appendStatements(envelopes: readonly Envelope[]): Promise<number[]>
  /** The statements at positions ≥ from, in order, `limit` at most; each as it was appended first. */
  listStatements(from: number, limit: number): Promise<Envelope[]>
  /** The position of the statement with this digest; undefined when it was never appended. */
  findStatement(digest: Digest): Promise<number | undefined>
  /** The payload of a statement of the journal by the SHA-256 of its bytes. */
  findPayload(payloadSha256: Digest): Promise<Uint8Array | undefined>
  /** Where the transparency log of the journal lives; errors are `StoreError`s here too. */
  readonly log: LogStorage

  addJob(job: Digest, envelope: Envelope, submittedAt: Date, placing?: JobPlacing): Promise<void>
  findJob(job: Digest): Promise<JobRecord | undefined>
  /** Newest first. */
  listJobs(limit: number): Promise<JobRecord[]>
  /** Running jobs (left by a dead process) before queued ones, each oldest first. */
  listUnfinishedJobs(): Promise<JobRecord[]>
  /**
   * Moves a job on, never back to `queued`; sets startedAt at the first `running`, endedAt at an end. A job that has
   * ended stays as it is, and one that is asked to be cancelled runs and completes no more.
   * @returns whether the job is now in this state.
   * @throws StoreError `not-found`
   */
  setJobState(job: Digest, state: JobState, at: Date, reason?: string): Promise<boolean>

  /**
   * From now on this process is the coordinator of this name: an earlier one under it can claim and renew nothing more, and
   * the jobs that it had are free.
   */
  enterCoordinator(name: string): Promise<Claimant>
  /** The queue as it is now. */
  readQueue(): Promise<JobQueue>
  /**
   * Takes the lease of the job that `choose` picks, for `leaseMs` by the store's clock. Claims take turns, so that each chooses
   * from a queue that has the others in it; a job whose row is being written at this moment is not waited for, and not shown.
   * @param choose synchronous and without effect; may be called again when its choice was gone
   * @returns undefined when `choose` picks none. @throws StoreError `conflict` when another process has entered under the name
   */
  claimJob(
    claimant: Claimant,
    leaseMs: number,
    choose: (queue: JobQueue) => Digest | undefined,
  ): Promise<ClaimedJob | undefined>
  /**
   * Renews leases, also one that has run out and that nobody has taken. @returns those of `jobs` that this process still has:
   * who finds one missing has lost it, or it has ended
   */
  renewLeases(
    claimant: Claimant,
    leaseMs: number,
    jobs: readonly Digest[],
  ): Promise<{ readonly job: Digest; readonly isCancelled: boolean }[]>
  /** Gives a lease back; of a job that this process does not have, nothing changes. @param pause before it is tried again */
  giveBackJob(
    claimant: Claimant,
    job: Digest,
    pause?: { readonly retries: number; readonly pauseMs: number; readonly reason: string },
  ): Promise<void>
  /**
   * Asks whoever has the job to cancel it. @returns `free` when nobody has it: the caller may end it; `ended` when there is
   * nothing to cancel. @throws StoreError `not-found`
   */
  requestCancel(job: Digest): Promise<'leased' | 'free' | 'ended'>
  /**
   * Calls `listener` when something has happened to a job, by this process or another. A hint that may be lost or come twice:
   * whoever waits for a job also looks by itself now and then. @returns the way to stop
   */
  onJobChange(listener: (job: Digest) => void): () => void

  /** @throws StoreError `conflict` when this version of the output has another digest; `not-found`. */
  addJobOutput(job: Digest, output: JobOutput): Promise<void>
  /** By name, then version. */
  listJobOutputs(job: Digest): Promise<JobOutput[]>

  /**
   * The same event of the same instant is the same append.
   * @returns its sequence number.
   * @throws StoreError `not-found`
   */
  appendJobEvent(job: Digest, at: Date, event: JobEvent): Promise<number>
  /** Events with sequence > after, in order. */
  listJobEvents(job: Digest, after: number, limit: number): Promise<StoredJobEvent[]>

  /**
   * Stores a planned round (phase `collecting`), before anyone sees its plan.
   * @throws StoreError `conflict` when the job has another round of this number; `not-found` when there is no such job.
   */
  addRound(round: CoordinatorRound): Promise<void>
  /**
   * Stores an accepted contribution.
   * @throws StoreError `conflict` when another contribution of this holder is stored; `not-found`.
   */
  addContribution(planDigest: Digest, holder: string, received: ReceivedContribution): Promise<void>
  /**
   * Moves a round to a later phase, with candidates and manifest as they stand. Only forwards: `collecting` → `checking` →
   * `sealed` → `certified` → `opened` → `published`, or `abandoned` from any but `published`.
   * @throws StoreError `conflict` when the round is elsewhere, or has other candidates or another manifest; `invalid-value`
   * for `checking` or `sealed` without theirs; `not-found`.
   */
  setRoundPhase(
    planDigest: Digest,
    phase: RoundPhase,
    options?: { candidates?: Envelope; manifest?: Envelope; reason?: string },
  ): Promise<void>
  /**
   * Stores the abandonment of an abandoned round, with the signatures that it has so far.
   * @throws StoreError `conflict` when the round is not abandoned or has another abandonment; `not-found`.
   */
  setAbandonment(planDigest: Digest, abandonment: Envelope): Promise<void>
  /**
   * Publishes an opened round, all or nothing: the publication enters the journal of statements, output and event their
   * job, and the round becomes `published`. So a round counts if and only if its result does, whenever the process dies.
   * @throws StoreError `conflict` when the round is not opened, or the job has another output of this name and version.
   */
  publishRound(planDigest: Digest, publication: Envelope, output: JobOutput, at: Date, event: JobEvent): Promise<void>
  /** In the order of planning. */
  listRounds(job: Digest): Promise<RoundRecord[]>
  /** A round with its contributions, as it was last stored; share checks and share sums are not. @throws StoreError `not-found` */
  loadRound(planDigest: Digest): Promise<CoordinatorRound>

  /** Files an application or a departure, pending; one that is known by its digest stays as it is. */
  addRegistryRequest(request: Envelope, filedAt: Date): Promise<void>
  findRegistryRequest(request: Digest): Promise<RegistryRequestRecord | undefined>
  /** Oldest first. */
  listPendingRequests(): Promise<RegistryRequestRecord[]>
  /** Settles a pending request; any other stays as it is. */
  refuseRegistryRequest(request: Digest, reason: string): Promise<void>
  /** Keeps a member's signature on a request or a proposed statement; the first of each key stays. */
  addRegistrySignature(statement: Digest, signature: EnvelopeSignature): Promise<void>
  /**
   * Puts a statement at its number, before any member sees it: there is one for each number, for ever, and one that is not
   * entered altogether. @returns what is at this number, which may be another one, proposed before.
   * @throws StoreError `conflict` when another number is proposed, or this one entered; `not-found` without its request.
   */
  proposeRegistryStatement(sequence: number, request: Digest, statement: Envelope): Promise<ProposedStatement>
  findProposedStatement(): Promise<ProposedStatement | undefined>
  /**
   * Enters the proposed statement in the registry, with its signatures, and settles its request.
   * @throws StoreError `conflict` when another statement has this number; `not-found`.
   */
  enterRegistryStatement(sequence: number, statement: Envelope): Promise<void>
  /** Entered statements with a number over `after`, in order. */
  listRegistryStatements(after: number, limit: number): Promise<Envelope[]>

  close(): Promise<void>
}

/**
 * Named bytes that outlive a process; several processes may share them (docs/adr/0014). Keys are segments of a–z, A–Z, 0–9, ".", "_"
 * and "-", joined by "/"; no key is the beginning of another one's segments.
 *
 * - *Durability*: what `put` stored survives a power failure when it resolves. *Atomicity*: a reader sees all of it, or what was there
 *   before. *Concurrency*: calls may overlap; of two puts of one key either is left, whole.
 * - *Idempotency*: every call may be repeated. *Retries* are the caller's.
 * - Errors: `StoreError`; of every method `invalid-value` for what is no key, `io-failed` and the like.
 */
export interface BlobStore {
  /** Replaces what is there as a whole. When the iterable throws, nothing is stored. @throws StoreError `disk-full` */
  put(key: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>
  /**
   * All bytes, or a range of them, in a buffer of their own.
   * @throws StoreError `not-found`; `invalid-value` for a range that is not within the bytes
   */
  get(key: string, range?: { readonly offset: number; readonly bytes: number }): Promise<Uint8Array>
  /** Bytes under a key; undefined when there are none. */
  size(key: string): Promise<number | undefined>
  /** The keys under `prefix/`, sorted; whole ones. */
  list(prefix: string): Promise<string[]>
  /** Bytes of everything under `prefix/`, for those who watch; what goes meanwhile may be counted or not. */
  bytesUnder(prefix: string): Promise<number>
  /** Forgets `prefix` itself and everything under it. */
  delete(prefix: string): Promise<void>
}

/**
 * Content-addressed bytes that outlive a process: models, statistics. Durable when `put` resolves; idempotent by
 * digest; a reader never sees half of them.
 */
export interface ArtifactStore {
  /**
   * @param bytes in one piece, or in pieces that are gone through twice: first for their digest, then to be stored. So a model is
   *   not copied to get its file's header.
   * @throws StoreError `invalid-value` when the pieces are others the second time, as those of a generator are
   */
  put(bytes: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Digest>
  /** The bytes, checked against the digest; the caller's to overwrite. @throws StoreError `not-found`, `corrupt`. */
  get(digest: Digest): Promise<Uint8Array>
  /**
   * The bytes from an offset on, in pieces of at most 256 KiB, for who sends them on: a large artifact is never whole in memory.
   * Not checked against the digest, which their receiver does.
   * @throws StoreError `not-found`; `invalid-value` for what is no digest
   */
  read(digest: Digest, offset: number): AsyncIterable<Uint8Array>
}

/** Chunks of a ciphertext that are stored as one blob: the step in which an upload becomes durable, and is gone on with. */
export const PART_CHUNKS = 32

/**
 * Takes in one payload, chunk by chunk, in order, and holds one part of it in memory. Only `commit` makes it readable; parts that
 * were stored before a death are there for the next `open`.
 */
export interface SpoolWriter {
  /** What is there from an earlier upload: chunks, and `payloadDigest` over exactly theirs. None of a new one. */
  readonly resumed: { readonly chunks: number; readonly digest: Digest }
  /** Chunks that a death would not take: those of stored parts. The last part is stored by `commit`. */
  readonly durable: number
  /**
   * The chunk after the last; may be reused when this resolves.
   * @throws StoreError `invalid-value` for a chunk of another size than its geometry says; `not-found` when the round was discarded;
   *   `conflict` when another writer of the same payload was opened, or after an earlier error; `disk-full` and the like. The writer is then
   *   to be closed, and the payload opened again.
   */
  append(chunk: Uint8Array): Promise<void>
  /**
   * Makes the payload readable under its plan and holder. A payload that is there already stays: the same bytes are welcome.
   * @throws StoreError as `append`; `conflict` when another payload is there; `invalid-value` when chunks are missing
   */
  commit(): Promise<PayloadReference>
  /** Lets go without a commit; stored parts stay. Idempotent; never rejects. */
  close(): Promise<void>
}

/** The name under which the sum of a round's ciphertexts lies in the spool of openings. */
export const SUM = 'sum'

/** The name under which one part of a sum of several lies there until they are joined. */
export function partOfSum(part: number): string {
  return `${SUM}-${String(part).padStart(5, '0')}`
}

/**
 * Ciphertexts of open rounds. A payload never is whole in memory.
 *
 * *Writers*: within a process there is one of each payload; a later one takes over, and the earlier one's calls are refused. Writers in
 * several processes do not know of each other: each goes on from what the other has stored if its bytes continue it, no payload is
 * ever made of both, and the first that commits stays.
 */
export interface PayloadSpool {
  /**
   * @param parameters how the payload is cut; the same for a plan, always
   * @throws StoreError `conflict` when the payload is committed: `stat` has it
   */
  open(planDigest: Digest, holder: string, parameters: PayloadParameters): Promise<SpoolWriter>
  /** What is committed, undefined when nothing is. Reads no chunk. */
  stat(planDigest: Digest, holder: string): Promise<PayloadReference | undefined>
  /**
   * `bytes` bytes of a committed payload from `offset`, in a buffer of their own; checked against damage.
   * @throws StoreError `not-found`, `corrupt`; `invalid-value` for a range that is not within the payload.
   */
  read(planDigest: Digest, holder: string, offset: number, bytes: number): Promise<Uint8Array>
  /** Forgets all payloads of a round, or one; their writers of this process are refused from now on. Idempotent. */
  discard(planDigest: Digest, holder?: string): Promise<void>
  /** Plans of which anything is stored, committed or not; sorted. */
  plans(): Promise<Digest[]>
}

/**
 * What rounds are opened from: sums of ciphertexts, and with each that is about to be published its key sum, which its holders may have.
 * `discard` forgets both.
 */
export interface OpeningStore extends PayloadSpool {
  /** Durable when it resolves; the same bytes may be put again. @param keySum encoded */
  putKeySum(planDigest: Digest, keySum: Uint8Array): Promise<void>
  /** Undefined when there is none (any more). The bytes are not checked: the publication names their digest. @throws StoreError */
  readKeySum(planDigest: Digest): Promise<Uint8Array | undefined>
}

/** A holder's reply as the coordinator has it: with a contribution, what arrived as its ciphertext. */
export type ReceivedReply =
  | Exclude<HolderReply, { kind: 'contribution' }>
  | { readonly kind: 'contribution'; readonly envelope: Envelope; readonly uploaded: PayloadReference }

/** Codes with which a holder says no: the protocol's, or its own (`dataset-…`, `policy-…`, `trainer-…`). */
export type HolderRefusal = Refusal | (string & {})

/**
 * The admitted holders that are connected now.
 *
 * *Idempotency*: a request may be repeated after a lost connection; a holder that has answered it answers the same.
 * *Retries*: the port's: it waits for a holder that dropped to come back until the signal fires or the grace is over,
 * and asks again. Never rejects for what a holder does: that is a refusal, `holder-unreachable` among them.
 */
export interface HolderDirectory {
  /** Names of connected holders, sorted. */
  connected(): string[]
  ask(holder: string, request: HolderRequest, signal: AbortSignal): Promise<Verdict<ReceivedReply, HolderRefusal>>
}

/** Who belongs to the venue, as of now. */
export interface VenueRegistry {
  /** The members, and the digest of the last registry statement that makes them so. */
  current(): { readonly members: ReadonlyMap<string, Member>; readonly head: Digest }
}

/** What the server asks about the rounds that are open in this process. All answers are immediate and in memory. */
export interface RoundDesk {
  /** Geometry of the payload that this holder may upload to this plan now; undefined when none is due. */
  expectedPayload(planDigest: Digest, holder: string): PayloadParameters | undefined
  /** The candidates' contributions, once sealed the manifest's, for a member of the committee; undefined for anyone else, and before. */
  contributionsFor(planDigest: Digest, member: string): readonly Envelope[] | undefined
  /**
   * A published round's opening, for a holder of its cohort, as long as it is kept: the encoded key sum, and how many bytes of
   * the ciphertexts' sum lie in the openings. Undefined otherwise.
   */
  openingFor(planDigest: Digest, holder: string): { readonly keySum: Uint8Array; readonly sumBytes: number } | undefined
}

/** A job, and where it stands in the queue until it has ended. */
export interface JobStanding extends JobRecord {
  readonly priority?: JobPriority
  /** From 1: how many are to be taken up before it, and itself. Of a job that no coordinator has. */
  readonly place?: number
  /** Why it is not taken up now, or by whom it is run; for people. */
  readonly standing?: string
}

/**
 * What researchers can do. Errors: `CoordinatorError` (`job-not-found`, `output-not-found`, `holder-unknown`),
 * `LearningError` (`job-invalid`, …).
 */
export interface JobDesk {
  /** Durable when it resolves. @param specification parsed JSON, not yet checked. */
  submit(specification: unknown, submittedBy: string): Promise<Digest>
  list(limit: number): Promise<JobStanding[]>
  result(job: Digest): Promise<{ readonly record: JobStanding; readonly outputs: readonly JobOutput[] }>
  /** Stored events after `after`, then new ones as they come; ends after the job's last or when the signal fires. */
  watch(job: Digest, after: number, signal: AbortSignal): AsyncIterable<StoredJobEvent>
  /** @returns false when the job had ended before. */
  cancel(job: Digest): Promise<boolean>
  /** The bytes of one of the job's outputs. */
  output(job: Digest, digest: Digest): Promise<Uint8Array>
}

/** What a round is named by before it has a plan. */
export interface ObservedRound {
  readonly job: Digest
  readonly round: number
  readonly step: string
}

/** The parts of a round that are timed on their own; `open` lies within `answer`. */
export type RoundWork = 'gather' | 'plan' | 'collect' | 'check' | 'certify' | 'answer' | 'open' | 'publish'

/**
 * Whoever watches rounds: traces, metrics, the process's log (docs/adr/0013). It gets names, sizes, codes and times, and never a
 * plaintext, a key or a share; nor the message of an error, which may speak of more than its code.
 *
 * - *Context*: what runs within `work`, through every await, belongs to the round or the part that `work` is.
 * - *Errors*: none of its own; what `work` throws passes through.
 */
export interface RoundObserver {
  round<T>(subject: ObservedRound, work: () => Promise<T>): Promise<T>
  part<T>(name: RoundWork, work: () => Promise<T>): Promise<T>
  /** The round that is running has this plan. */
  planned(planDigest: Digest, cohort: number): void
  /** A contribution counts. */
  contributed(holder: string, ciphertextBytes: number): void
  /** A holder said no, or did not answer. */
  refused(holder: string, code: string): void
  published(contributors: number, durations: RoundDurations): void
}

/** Nobody watches; costs nothing. */
export const unobserved: RoundObserver = {
  round: (_, work) => work(),
  part: (_, work) => work(),
  planned: () => {},
  contributed: () => {},
  refused: () => {},
  published: () => {},
}
