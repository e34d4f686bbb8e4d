import { digestOf, fromHex } from '../crypto/digest.ts'
import { type Envelope, isSignedBy, statementDigest } from '../crypto/envelope.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import { openCosignedCheckpoint } from '../log/cosignature.ts'
import { attachPayload, decodeLogEntry, encodeLogEntry, type LogEntry } from '../log/log-entry.ts'
import { LogError } from '../log/log-error.ts'
import { leafHash } from '../log/merkle-hash.ts'
import { parseNote } from '../log/note.ts'
import type { NoteKey } from '../log/note-key.ts'
import { type LogRange, verifyRange } from '../log/range-proof.ts'
import { verifyInclusion } from '../log/verify-proof.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { abandonmentStatement } from './abandonment.ts'
import { candidatesStatement } from './candidates.ts'
import { dealingStatement } from './dealing.ts'
import { manifestStatement } from './manifest.ts'
import type { Refusal } from './protocol-error.ts'
import type { Member, RoundPlan } from './round-plan.ts'
import { shareCheckStatement } from './share-check.ts'
import { parseStatement } from './statement.ts'

/** The name under which a holder cosigns a log: `<origin>/<holder>`. */
export function witnessKey(origin: string, { holder, statementKey }: Member): NoteKey {
  return { role: 'witness', name: `${origin}/${holder}`, publicKey: statementKey }
}

/** Who must have cosigned a checkpoint that a round relies on: t of the plan's committee (docs/adr/0009). */
export function roundWitnesses(plan: RoundPlan, log: NoteKey) {
  const { members, threshold } = plan.committee
  const witnesses = members.map((name) => witnessKey(log.name, plan.cohort.find(({ holder }) => holder === name)!))
  return { log, witnesses, quorum: threshold }
}

/** The checkpoint of a note that the log signed and t of the plan's committee cosigned. */
export function openRoundCheckpoint(note: string, plan: RoundPlan, log: NoteKey): Verdict<Checkpoint, Refusal> {
  try {
    const opened = openCosignedCheckpoint(parseNote(note), roundWitnesses(plan, log))
    return opened.ok ? accepted(opened.value.checkpoint) : refused('checkpoint-not-accepted', opened.reason)
  } catch (fault) {
    if (fault instanceof LogError) return refused('checkpoint-not-accepted', fault.message)
    throw fault
  }
}

/** A statement and its audit path in the tree of a checkpoint. */
export interface LoggedStatement {
  readonly envelope: Envelope
  readonly position: number
  readonly path: readonly Uint8Array[]
}

/** Whether a statement, with exactly these signatures, is in the tree of a checkpoint. */
export function checkLogged(statement: LoggedStatement, checkpoint: Checkpoint): Verdict<Envelope, Refusal> {
  const { envelope, position, path } = statement
  const included = verifyInclusion(checkpoint, position, leafHash(encodeLogEntry(envelope)), path)
  return included.ok ? accepted(envelope) : refused('not-in-log', included.reason)
}

/** A part of the log as it travels: detached entries that speak of rounds come with their payloads. */
export interface RangeEvidence extends LogRange {
  readonly payloads: readonly Uint8Array[]
}

/** What the log says of one plan, up to a checkpoint. The first of each kind is the one that counts. */
export interface RoundLog {
  readonly candidates?: Envelope
  /** Of the candidates, logged before the manifest; at most one a member: the first. In the committee's order. */
  readonly checks: readonly Envelope[]
  /** Of the candidates, logged before the manifest; the first of each. In the candidates' order. */
  readonly dealings: readonly Envelope[]
  readonly manifest?: Envelope
  readonly abandoned: boolean
}

const KINDS = [
  candidatesStatement,
  shareCheckStatement,
  dealingStatement,
  manifestStatement,
  abandonmentStatement,
] as const
const ROUND_TYPES: ReadonlySet<string> = new Set(KINDS.map(({ payloadType }) => payloadType))

/** Whether readers of a round need the payload of an entry that is detached. */
export function speaksOfRounds(payloadType: string): boolean {
  return ROUND_TYPES.has(payloadType)
}

/**
 * Reads what the log says of a plan: every entry from the tree that the plan was made after to the end of the checkpoint's,
 * none left out. So the first of each kind is the first that the log has, whatever the reader has forgotten.
 * Refusals: `not-in-log` when the range is not of this tree, does not begin where the plan says, has no such plan, or lacks a
 * payload.
 */
export function readRoundLog(
  plan: RoundPlan,
  planEnvelope: Envelope,
  range: RangeEvidence,
  checkpoint: Checkpoint,
  coordinatorKey: StatementPublicKey,
): Verdict<RoundLog, Refusal> {
  const verified = verifyRange(range, checkpoint)
  if (!verified.ok) return refused('not-in-log', verified.reason)
  const { start, before } = range
  const { size, root } = plan.after
  const begins = start === size && verifyRange({ start, before, entries: [] }, { size, root: fromHex(root) }).ok
  if (!begins) return refused('not-in-log', 'The part of the log that was sent does not begin where the plan was made.')
  const planEntry = encodeLogEntry(planEnvelope)
  const isLogged = range.entries.some((entry) => Buffer.compare(entry, planEntry) === 0)
  if (!isLogged) return refused('not-in-log', 'The log does not have the plan.')
  // From the beginning and not from this entry: a plan that is logged with other signatures is the same plan.
  const statements = readStatements(range.entries, range.payloads)
  return statements.ok ? accepted(sortStatements(plan, planEnvelope, statements.value, coordinatorKey)) : statements
}

function readStatements(entries: readonly Uint8Array[], payloads: readonly Uint8Array[]): Verdict<Envelope[], Refusal> {
  const byDigest = new Map(payloads.map((payload) => [digestOf(payload), payload]))
  const statements: Envelope[] = []
  for (const bytes of entries) {
    const entry = decodeEntry(bytes)
    if (!entry || !speaksOfRounds(entry.payloadType)) continue
    const payload = entry.kind === 'detached' ? byDigest.get(entry.payloadSha256) : undefined
    if (entry.kind === 'detached' && !payload) {
      return refused('not-in-log', `The payload of an entry of ${entry.payloadType} was not sent with it.`)
    }
    statements.push(entry.kind === 'detached' ? attachPayload(entry, payload!) : entry)
  }
  return accepted(statements)
}

/** An entry that is no statement says nothing of a round, and must not keep a member from its duty. */
function decodeEntry(bytes: Uint8Array): LogEntry | undefined {
  try {
    return decodeLogEntry(bytes)
  } catch (fault) {
    if (fault instanceof LogError) return undefined
    throw fault
  }
}

function sortStatements(
  plan: RoundPlan,
  planEnvelope: Envelope,
  statements: readonly Envelope[],
  coordinatorKey: StatementPublicKey,
): RoundLog {
  const planDigest = statementDigest(planEnvelope)
  const ours = (kind: (typeof KINDS)[number]) => (envelope: Envelope) => {
    if (envelope.payloadType !== kind.payloadType || !isSignedBy(envelope, coordinatorKey)) return false
    const read = parseStatement<{ plan: string }>(kind, envelope)
    return read.ok && read.value.plan === planDigest
  }
  const candidates = statements.find(ours(candidatesStatement))
  const sealedAt = statements.findIndex(ours(manifestStatement))
  const before = sealedAt < 0 ? statements : statements.slice(0, sealedAt)
  return {
    candidates,
    checks: candidates ? checksOf(plan, statementDigest(candidates), before) : [],
    dealings: candidates ? dealingsOf(plan, candidates, before) : [],
    manifest: statements[sealedAt],
    abandoned: statements.some(ours(abandonmentStatement)),
  }
}

function checksOf(plan: RoundPlan, candidates: string, statements: readonly Envelope[]): Envelope[] {
  const checks = new Map<string, Envelope>()
  for (const envelope of statements) {
    const read = parseStatement(shareCheckStatement, envelope)
    if (!read.ok || read.value.candidates !== candidates || checks.has(read.value.member)) continue
    const member =
      plan.committee.members.includes(read.value.member) &&
      plan.cohort.find(({ holder }) => holder === read.value.member)
    if (member && isSignedBy(envelope, member.statementKey)) checks.set(member.holder, envelope)
  }
  return plan.committee.members.flatMap((member) => checks.get(member) ?? [])
}

function dealingsOf(plan: RoundPlan, candidates: Envelope, statements: readonly Envelope[]): Envelope[] {
  const digest = statementDigest(candidates)
  const dealings = new Map<string, Envelope>()
  for (const envelope of statements) {
    const read = parseStatement(dealingStatement, envelope)
    if (!read.ok || read.value.candidates !== digest || dealings.has(read.value.holder)) continue
    const author = plan.cohort.find(({ holder }) => holder === read.value.holder)
    if (author && isSignedBy(envelope, author.statementKey)) dealings.set(author.holder, envelope)
  }
  const named = parseStatement(candidatesStatement, candidates)
  return named.ok ? named.value.contributions.flatMap(({ holder }) => dealings.get(holder) ?? []) : []
}
