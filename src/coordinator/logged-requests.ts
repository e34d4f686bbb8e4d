import type { Envelope } from '../crypto/envelope.ts'
import { statementDigest } from '../crypto/envelope.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import { addCosignatures, openCosignedCheckpoint } from '../log/cosignature.ts'
import { parseNote } from '../log/note.ts'
import type { AddCheckpointRequest } from '../log/witness-wire.ts'
import type { HolderRequest } from '../protocol/holder-messages.ts'
import { type LoggedStatement, type RangeEvidence, roundWitnesses, speaksOfRounds } from '../protocol/round-log.ts'
import type { RoundPlan } from '../protocol/round-plan.ts'
import { refused, type Verdict } from '../sluice-error.ts'
import { askHolders } from './ask-holders.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type { CoordinatorStore, HolderDirectory, HolderRefusal, ReceivedReply } from './ports.ts'
import type { TransparencyLog } from './transparency-log.ts'

/** A checkpoint with the note that says it. */
export interface NotedCheckpoint extends Checkpoint {
  readonly note: string
}

/** Makes the request for one holder, from a checkpoint that starts where this holder stands. */
export type MakeRequest = (checkpoint: AddCheckpointRequest) => HolderRequest

/** A holder that has to be asked again more often than this does not tell the truth about what it knows. */
const SIZE_CORRECTIONS_MAX = 2

/**
 * Asks holders what needs the log: with proofs that start from the tree that each of them knows. What a holder knows is
 * learnt from its answers and kept in memory; after a restart each of them corrects it once.
 */
export class LoggedRequests {
  readonly #log: TransparencyLog
  readonly #store: Pick<CoordinatorStore, 'listStatements'>
  readonly #holders: HolderDirectory
  readonly #knownSizes = new Map<string, number>()

  constructor(log: TransparencyLog, store: Pick<CoordinatorStore, 'listStatements'>, holders: HolderDirectory) {
    this.#log = log
    this.#store = store
    this.#holders = holders
  }

  /** Puts statements into the log. @returns the first one's position, and the checkpoint that covers them. */
  async append(
    statements: readonly Envelope[],
  ): Promise<{ positions: readonly number[]; checkpoint: NotedCheckpoint }> {
    return this.#log.append(statements)
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
      const verdict = await this.#holders.ask(holder, make({ note: checkpoint.note, oldSize, proof }), signal)
      if (!verdict.ok || verdict.value.kind !== 'known-size') {
        if (verdict.ok) this.#knownSizes.set(holder, checkpoint.size)
        return verdict
      }
      const { size } = verdict.value
      if (size > checkpoint.size) {
        return refused(
          'log-rolled-back',
          `${holder} has seen ${size} entries of the log, and it has ${checkpoint.size}: restore the newest backup of the coordinator's database.`,
        )
      }
      this.#knownSizes.set(holder, size)
    }
    return refused('malformed-message', `${holder} gives another size of the log each time it is asked.`)
  }

  /**
   * Has a checkpoint cosigned by t members of a plan's committee, and publishes it.
   * @param note takes what members say instead of cosigning
   * @throws CoordinatorError `round-abandoned` when fewer than t cosign in time
   */
  async cosign(
    plan: RoundPlan,
    checkpoint: NotedCheckpoint,
    signal: AbortSignal,
    note: (note: { holder: string; code: string; reason: string }) => void,
  ): Promise<NotedCheckpoint> {
    const policy = roundWitnesses(plan, this.#log.key)
    const ask = (holder: string, left: AbortSignal) =>
      this.ask(holder, checkpoint, (request) => ({ kind: 'cosign', checkpoint: request }), left)
    let cosigned = checkpoint.note
    for await (const { holder, verdict } of askHolders(plan.committee.members, ask, signal)) {
      if (!verdict.ok) {
        note({ holder, ...verdict })
        continue
      }
      if (verdict.value.kind !== 'cosignature') continue
      cosigned = addCosignatures(cosigned, verdict.value.line, policy.witnesses)
      const opened = openCosignedCheckpoint(parseNote(cosigned), policy)
      if (!opened.ok) continue
      await this.#log.publishCosigned(cosigned)
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
    const statements = await this.#store.listStatements(start, size - start)
    const payloads = statements
      .filter(
        (statement, i) => i > 0 && speaksOfRounds(statement.payloadType) && isDetached(range.entries[i], statement),
      )
      .map(({ payload }) => payload)
    return { ...range, payloads }
  }

  /** A statement with its audit path under a checkpoint. @throws CoordinatorError `round-abandoned` when it was never logged */
  async logged(envelope: Envelope, { size }: Checkpoint): Promise<LoggedStatement> {
    const position = await this.#log.find(statementDigest(envelope))
    if (position === undefined) {
      throw new CoordinatorError(
        'round-abandoned',
        `A ${envelope.payloadType} that the round rests on is not in the log.`,
      )
    }
    return { envelope, position, path: await this.#log.inclusion(position, size) }
  }
}

/** An entry is shorter than its statement's payload exactly when the payload is not in it: base64 only makes it longer. */
function isDetached(entry: Uint8Array, { payload }: Envelope): boolean {
  return entry.length < payload.length
}
