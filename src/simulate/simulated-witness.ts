import type { Envelope } from '../crypto/envelope.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import type { NoteKey } from '../log/note-key.ts'
import { addCheckpoint, NEW_WITNESS, type WitnessState } from '../log/witness.ts'
import { type AddCheckpointRequest, formatCosignatures } from '../log/witness-wire.ts'
import type { MemberKeys } from '../protocol/committee-member.ts'
import {
  openRoundCheckpoint,
  type RangeEvidence,
  type RoundLog,
  readRoundLog,
  witnessKey,
} from '../protocol/round-log.ts'
import type { Member, RoundPlan } from '../protocol/round-plan.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'

/** The checkpoint continues the tree that this holder knows; or it starts elsewhere, and this is the size to ask from. */
export type Followed =
  | { readonly kind: 'followed'; readonly checkpoint: Checkpoint; readonly cosignature: string }
  | { readonly kind: 'known-size'; readonly size: number }

/** What a holder was shown of the log with a request. */
export interface ShownLog {
  readonly checkpoint: AddCheckpointRequest
  readonly range: RangeEvidence
}

/** A simulated holder's memory of the venue's log: it follows what continues what it saw, and nothing after a fork. */
export class SimulatedWitness {
  readonly #log: NoteKey
  readonly #signer: { readonly name: string; readonly key: MemberKeys['statementKey'] }
  #state: WitnessState = NEW_WITNESS

  constructor(log: NoteKey, member: Member, { statementKey }: MemberKeys) {
    this.#log = log
    this.#signer = { name: witnessKey(log.name, member).name, key: statementKey }
  }

  follow(request: AddCheckpointRequest): Verdict<Followed, string> {
    const config = { logs: [this.#log], signer: this.#signer }
    const { state, answer } = addCheckpoint(this.#state, request, config, Math.floor(Date.now() / 1000))
    this.#state = state
    if (answer.kind === 'cosigned') {
      const { checkpoint, cosignature } = answer
      return accepted({ kind: 'followed', checkpoint, cosignature: formatCosignatures([cosignature]) })
    }
    if (answer.code === 'size-conflict') return accepted({ kind: 'known-size', size: answer.knownSize! })
    return refused(answer.code === 'forked' ? 'log-forked' : 'log-refused', answer.reason)
  }

  /** What the log says of a plan, under a checkpoint that t of its committee cosigned and that continues what was seen. */
  readLog(
    plan: RoundPlan,
    planEnvelope: Envelope,
    { checkpoint, range }: ShownLog,
    coordinatorKey: StatementPublicKey,
  ): Verdict<
    { kind: 'log'; roundLog: RoundLog; checkpoint: Checkpoint } | { kind: 'known-size'; size: number },
    string
  > {
    const cosigned = openRoundCheckpoint(checkpoint.note, plan, this.#log)
    if (!cosigned.ok) return cosigned
    const followed = this.follow(checkpoint)
    if (!followed.ok) return followed
    if (followed.value.kind === 'known-size') return accepted(followed.value)
    const read = readRoundLog(plan, planEnvelope, range, cosigned.value, coordinatorKey)
    return read.ok ? accepted({ kind: 'log', roundLog: read.value, checkpoint: cosigned.value }) : read
  }
}
