import type { Envelope } from '../crypto/envelope.ts'
import type { PayloadWorkers } from '../crypto/payload-workers.ts'
import type { Randomness } from '../crypto/randomness.ts'
import type { StatementKey } from '../crypto/statement-key.ts'
import type { CollectionRule } from '../learning/job-specification.ts'
import type { AddCheckpointRequest } from '../log/witness-wire.ts'
import type { CoordinatorRound } from '../protocol/coordinator-round.ts'
import type { HolderRequest } from '../protocol/holder-messages.ts'
import { type RangeEvidence, type RoundLog, readRoundLog } from '../protocol/round-log.ts'
import type { SumReading } from '../protocol/sum-reading.ts'
import type { AskHolder } from './ask-holders.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type { LoggedRequests, NotedCheckpoint } from './logged-requests.ts'
import type { OpenRounds } from './open-rounds.ts'
import type { Clock, CoordinatorStore, HolderDirectory, OpeningStore, PayloadSpool, RoundObserver } from './ports.ts'

/** What rounds run on. */
export interface RoundParts {
  readonly key: StatementKey
  readonly clock: Clock
  readonly randomness: Randomness
  readonly store: CoordinatorStore
  /** Ciphertexts of contributors; what published rounds were opened from. */
  readonly spool: PayloadSpool
  readonly openings: OpeningStore
  readonly holders: HolderDirectory
  /** Requests that rest on the log. */
  readonly logged: LoggedRequests
  readonly openRounds: OpenRounds
  readonly workers: PayloadWorkers
  /** How long a committee has for each of its duties. */
  readonly committeeTimeoutMs: number
  readonly observer: RoundObserver
}

/** A holder that said no, or did not answer. */
export interface HolderNote {
  readonly holder: string
  readonly code: string
  readonly reason: string
}

/** What one round works on. */
export interface RoundContext extends RoundParts {
  /** The statement of the job. */
  readonly job: Envelope
  /** The publications of the plan's inputs. */
  readonly publications: readonly Envelope[]
  /** Of earlier plans of the same question, each with t signatures. */
  readonly abandonments: readonly Envelope[]
  /** The job's rule for closing early; everybody is waited for without one. */
  readonly collection?: CollectionRule
  readonly note: (note: HolderNote) => void
  readonly signal: AbortSignal
}

/** What one round works on to its end: also what is made of its sum, while that opens (docs/adr/0016). */
export interface OpeningContext<Made> extends RoundContext {
  readonly reading: SumReading<Made>
}

/** What members and contributors are shown of the log: a checkpoint that t of the committee cosigned, and all since the plan was made. */
export interface LogEvidence {
  readonly checkpoint: NotedCheckpoint
  readonly range: RangeEvidence
}

/** A checkpoint cosigned by t of the committee: what holders rely on. */
export function cosign(
  round: CoordinatorRound,
  checkpoint: NotedCheckpoint,
  context: RoundContext,
): Promise<NotedCheckpoint> {
  return context.logged.cosign(round.plan, checkpoint, dutySignal(context), context.note)
}

/** The time that a committee has for one of its duties. */
export function dutySignal({ signal, committeeTimeoutMs }: RoundContext): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(committeeTimeoutMs)])
}

/** Has the latest checkpoint cosigned, and gives everything under it since the plan was made. */
export async function cosignedRange(
  round: CoordinatorRound,
  latest: NotedCheckpoint,
  context: RoundContext,
): Promise<LogEvidence> {
  return evidenceUnder(round, await cosign(round, latest, context), context)
}

/** Everything under a checkpoint since the plan was made. */
export async function evidenceUnder(
  { plan }: CoordinatorRound,
  checkpoint: NotedCheckpoint,
  { logged }: RoundContext,
): Promise<LogEvidence> {
  return { checkpoint, range: await logged.range(plan.after.size, checkpoint) }
}

/** What the log says of a round: what its holders read there, and what another life of this process has put there. */
export function readLogged(
  { plan, planEnvelope }: CoordinatorRound,
  { checkpoint, range }: LogEvidence,
  { key }: RoundContext,
): RoundLog {
  const log = readRoundLog(plan, planEnvelope, range, checkpoint, key.publicKey)
  if (!log.ok) throw new CoordinatorError('round-abandoned', `The log of the round cannot be read: ${log.reason}`)
  return log.value
}

/** Asks each holder from the tree that it knows. */
export function askOnLog(
  round: CoordinatorRound,
  evidence: LogEvidence,
  context: RoundContext,
  make: (evidence: { readonly checkpoint: AddCheckpointRequest; readonly range: RangeEvidence }) => HolderRequest,
): AskHolder {
  const { logged } = context
  const onEvidence = ({ checkpoint, range }: LogEvidence) => ({
    checkpoint,
    make: (known: AddCheckpointRequest) => make({ checkpoint: known, range }),
  })
  const renew = async () => onEvidence(await cosignedRange(round, await logged.catchUp(), context))
  return logged.askOnLatest(onEvidence(evidence), renew)
}

/** Tells of a holder that said no, or answered something else than it was asked. */
export function noteRefusal(
  holder: string,
  verdict: { readonly ok: boolean; readonly code?: string; readonly reason?: string },
  { note }: RoundContext,
): void {
  const { code = 'malformed-message', reason = `${holder} answered something else than it was asked.` } = verdict
  note({ holder, code, reason })
}
