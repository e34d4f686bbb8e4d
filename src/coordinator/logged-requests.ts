import { type Digest, toHex } from '../crypto/digest.ts'
import type { Envelope } from '../crypto/envelope.ts'
import { statementDigest } from '../crypto/envelope.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import { addCosignatures, openCosignedCheckpoint } from '../log/cosignature.ts'
import { decodeLogEntry } from '../log/log-entry.ts'
import { LogError } from '../log/log-error.ts'
import { parseNote } from '../log/note.ts'
import type { NoteKey } from '../log/note-key.ts'
import type { AddCheckpointRequest } from '../log/witness-wire.ts'
import type { HolderRequest } from '../protocol/holder-messages.ts'
import { type LoggedStatement, type RangeEvidence, roundWitnesses, speaksOfRounds } from '../protocol/round-log.ts'
import type { RoundPlan } from '../protocol/round-plan.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { type AskHolder, askHolders } from './ask-holders.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type { CoordinatorStore, HolderDirectory, HolderRefusal, ReceivedReply } from './ports.ts'
import type { TransparencyLog } from './transparency-log.ts'

/** A checkpoint with the note that says it. */
export interface NotedCheckpoint extends Checkpoint {
  readonly note: string
}

/** Makes the request for one holder, from a checkpoint that starts where this holder stands. */
export type MakeRequest = (checkpoint: AddCheckpointRequest) => HolderRequest

/** A request that shows a checkpoint, and can be made from the tree that a holder knows. */
export interface LoggedRequest {
  readonly checkpoint: NotedCheckpoint
  readonly make: MakeRequest
}

/** Many rounds beside each other move the log on while one of them asks; each time it is one later checkpoint. */
const LATER_CHECKPOINTS_MAX = 16
/** A holder that has to be asked again more often than this does not tell the truth about what it knows. */
const SIZE_CORRECTIONS_MAX = 2
/** Positions of statements kept in memory. */
const POSITIONS_KEPT = 256

/**
 * Asks holders what needs the log: with proofs that start from the tree that each of them knows. What a holder knows is
 * learnt from its answers and kept in memory; after a restart each of them corrects it once.
 */
export class LoggedRequests {
  readonly #log: TransparencyLog
  readonly #store: Pick<CoordinatorStore, 'listStatements'>
  readonly #holders: HolderDirectory
  readonly #knownSizes = new Map<string, number>()
  readonly #positions = new Map<Digest, number>()
  /** The latest checkpoint of each holder that carries its own cosignature. */
  readonly #cosigned = new Map<string, NotedCheckpoint>()

  constructor(log: TransparencyLog, store: Pick<CoordinatorStore, 'listStatements'>, holders: HolderDirectory) {
    this.#log = log
    this.#store = store
    this.#holders = holders
  }

  /** Puts statements into the log. @returns the checkpoint that covers them */
  async append(statements: readonly Envelope[]): Promise<NotedCheckpoint> {
    return (await this.#log.append(statements)).checkpoint
  }

  /** The latest tree: what a plan is made after. */
  get head(): RoundPlan['after'] {
    const { size, root } = this.#log.checkpoint
    return { size, root: toHex(root) }
  }

  /** Brings what others put into the journal into the log. */
  catchUp(): Promise<NotedCheckpoint> {
    return this.#log.catchUp()
  }

  /** Asks one holder; once more when it knows another tree than was thought. */
  async ask(
    holder: string,
    checkpoint: NotedCheckpoint,
    make: MakeRequest,
    signal: AbortSignal,
  ): Promise<Verdict<ReceivedReply, HolderRefusal>> {
    for (let correction = 0; correction <= SIZE_CORRECTIONS_MAX; correction++) {
      const oldSize = Math.min(this.#knownSizes.get(holder) ?? 0, checkpoint.size)
      const proof = await this.#log.consistency(oldSize, checkpoint.size)
      // As of before the question: of what is cosigned meanwhile the answer need not know.
      const cosigned = this.#cosigned.get(holder)
      const verdict = await this.#holders.ask(holder, make({ note: checkpoint.note, oldSize, proof }), signal)
      if (!verdict.ok || verdict.value.kind !== 'known-size') {
        if (verdict.ok) this.#knownSizes.set(holder, checkpoint.size)
        return verdict
      }
      const { size } = verdict.value
      if (size > checkpoint.size) {
        // Another round's statements have come meanwhile, of this coordinator or another.
        if (size <= (await this.#log.catchUp()).size) {
          return refused('log-moved-on', `${holder} has seen a later checkpoint already.`)
        }
        return refused(
          'log-rolled-back',
          `${holder} has seen ${size} entries of the log, and it has ${checkpoint.size}: restore the newest backup of the coordinator's database.`,
        )
      }
      this.#knownSizes.set(holder, size)
      if (cosigned && size < cosigned.size) return this.#confront(holder, size, cosigned, signal)
    }
    return refused('malformed-message', `${holder} gives another size of the log each time it is asked.`)
  }

  /**
   * Asks holders on a checkpoint, and on a later one where a holder has seen more: all that are asked after that share it.
   * @param renew makes the request anew, on the log as it is then
   */
  askOnLatest(first: LoggedRequest, renew: () => Promise<LoggedRequest>): AskHolder {
    let latest = { request: Promise.resolve(first) }
    return async (holder, signal) => {
      for (let turn = 1; ; turn++) {
        const asked = latest
        const { checkpoint, make } = await asked.request
        const verdict = await this.ask(holder, checkpoint, make, signal)
        if (verdict.ok || verdict.code !== 'log-moved-on' || turn === LATER_CHECKPOINTS_MAX) return verdict
        if (latest === asked) latest = { request: renew() }
      }
    }
  }

  /**
   * A holder knows less of the log than it has cosigned: its disk was put back, or it has a copy. It is shown its own word, by which it
   * notices, and stops for good.
   */
  async #confront(
    holder: string,
    size: number,
    { note, size: cosignedSize }: NotedCheckpoint,
    signal: AbortSignal,
  ): Promise<Verdict<never, HolderRefusal>> {
    const proof = await this.#log.consistency(size, cosignedSize)
    await this.#holders.ask(holder, { kind: 'cosign', checkpoint: { note, oldSize: size, proof } }, signal)
    return refused(
      'memory-lost',
      `${holder} has cosigned ${cosignedSize} entries of the log and knows ${size}: its disk was put back to an earlier state, or a copy of it is in use.`,
    )
  }

  /** Publishes the latest checkpoint with its cosignatures, for readers of the log. */
  publish({ note }: NotedCheckpoint): Promise<boolean> {
    return this.#log.publishCosigned(note)
  }

  /**
   * Has a checkpoint cosigned by t members of a plan's committee; a later one, when members have seen more meanwhile.
   * @param note takes what members say instead of cosigning
   * @throws CoordinatorError `round-abandoned` when fewer than t cosign in time
   */
  async cosign(
    plan: RoundPlan,
    checkpoint: NotedCheckpoint,
    signal: AbortSignal,
    note: (note: { holder: string; code: string; reason: string }) => void,
  ): Promise<NotedCheckpoint> {
    for (let turn = 1; ; turn++) {
      const cosigned = await this.#cosignOnce(plan, turn === 1 ? checkpoint : await this.catchUp(), signal, note)
      if (cosigned !== 'moved-on') return cosigned
      if (turn === LATER_CHECKPOINTS_MAX) {
        throw new CoordinatorError('round-abandoned', 'The log grew faster than the committee could cosign it.')
      }
    }
  }

  async #cosignOnce(
    plan: RoundPlan,
    checkpoint: NotedCheckpoint,
    signal: AbortSignal,
    note: (note: { holder: string; code: string; reason: string }) => void,
  ): Promise<NotedCheckpoint | 'moved-on'> {
    const policy = roundWitnesses(plan, this.#log.key)
    const ask = (holder: string, left: AbortSignal) =>
      this.ask(holder, checkpoint, (request) => ({ kind: 'cosign', checkpoint: request }), left)
    let cosigned = checkpoint.note
    for await (const { holder, verdict } of askHolders(plan.committee.members, ask, signal)) {
      const witness = policy.witnesses[plan.committee.members.indexOf(holder)]
      const added = verdict.ok ? takeCosignature(cosigned, verdict.value, witness) : verdict
      if (!added.ok && added.code === 'log-moved-on') return 'moved-on'
      if (!added.ok) {
        note({ holder, code: added.code, reason: added.reason })
        continue
      }
      cosigned = added.value
      this.#cosigned.set(holder, { ...checkpoint, note: cosigned })
      const opened = openCosignedCheckpoint(parseNote(cosigned), policy)
      if (!opened.ok) continue
      return { ...checkpoint, note: cosigned }
    }
    throw new CoordinatorError(
      'round-abandoned',
      `Fewer than ${policy.quorum} members of the committee cosigned the log.`,
    )
  }

  /** Every entry from a position to the end of a checkpoint's tree, with the payloads that readers of rounds need. */
  async range(start: number, { size }: Checkpoint): Promise<RangeEvidence> {
    const range = await this.#log.range(start, size)
    const payloads: Uint8Array[] = []
    for (const [i, bytes] of range.entries.entries()) {
      const entry = decodeLogEntry(bytes)
      if (entry.kind !== 'detached' || !speaksOfRounds(entry.payloadType)) continue
      const [statement] = await this.#store.listStatements(start + i, 1)
      payloads.push(statement.payload)
    }
    return { ...range, payloads }
  }

  /** A statement with its audit path under a checkpoint. @throws CoordinatorError `round-abandoned` when it was never logged */
  async logged(envelope: Envelope, { size }: Checkpoint): Promise<LoggedStatement> {
    const position = await this.#positionOf(statementDigest(envelope))
    if (position === undefined) {
      throw new CoordinatorError(
        'round-abandoned',
        `A ${envelope.payloadType} that the round rests on is not in the log.`,
      )
    }
    return { envelope, position, path: await this.#log.inclusion(position, size) }
  }

  /** The jobs and publications of running jobs are asked for in every round. */
  async #positionOf(digest: Digest): Promise<number | undefined> {
    const known = this.#positions.get(digest) ?? (await this.#log.find(digest))
    if (known === undefined) return undefined
    this.#positions.set(digest, known)
    for (const oldest of [...this.#positions.keys()].slice(0, -POSITIONS_KEPT)) this.#positions.delete(oldest)
    return known
  }
}

/** The note with a member's cosignature; what one member sends instead must not cost the others the round. */
function takeCosignature(note: string, reply: ReceivedReply, witness: NoteKey): Verdict<string, HolderRefusal> {
  if (reply.kind !== 'cosignature') {
    return refused('malformed-message', `${witness.name} answered something else than it was asked.`)
  }
  try {
    const cosigned = addCosignatures(note, reply.line, [witness])
    if (cosigned !== note) return accepted(cosigned)
  } catch (fault) {
    if (!(fault instanceof LogError)) throw fault
  }
  return refused('bad-signature', `The cosignature of ${witness.name} is not its signature of this checkpoint.`)
}
