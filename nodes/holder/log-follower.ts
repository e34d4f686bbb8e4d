import type { StatementKey } from '../../src/crypto/statement-key.ts'
import { type Checkpoint, parseCheckpoint } from '../../src/log/checkpoint.ts'
import { cosignedSize, witnessKeyOf } from '../../src/log/cosignature.ts'
import { parseNote } from '../../src/log/note.ts'
import type { NoteKey } from '../../src/log/note-key.ts'
import { addCheckpoint, NEW_WITNESS, type WitnessState } from '../../src/log/witness.ts'
import { decodeWitnessState, encodeWitnessState } from '../../src/log/witness-state.ts'
import { type AddCheckpointRequest, formatCosignatures } from '../../src/log/witness-wire.ts'
import { witnessKey } from '../../src/protocol/round-log.ts'
import type { Member } from '../../src/protocol/round-plan.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import type { HolderJournal } from './journal.ts'
import { loseMemory } from './lost-memory.ts'

/** What following a checkpoint came to: it continues the tree that this holder knows, or starts from another. */
export type Followed =
  | { readonly kind: 'followed'; readonly checkpoint: Checkpoint; readonly cosignature: string }
  /** Ask again from this size. */
  | { readonly kind: 'known-size'; readonly size: number }

/**
 * This holder as a witness of its venue's log: it follows what continues the last checkpoint it saw, cosigns it, and after
 * the first fork follows nothing any more (docs/adr/0009). What it saw is durable before an answer leaves.
 */
export class LogFollower {
  readonly #log: NoteKey
  readonly #name: string
  readonly #key: StatementKey
  readonly #journal: HolderJournal
  #state: WitnessState

  /** @throws LogError `malformed-witness-state`: a holder that forgot what it saw would cosign a fork */
  constructor(log: NoteKey, member: Member, key: StatementKey, journal: HolderJournal) {
    this.#log = log
    this.#name = witnessKey(log.name, member).name
    this.#key = key
    this.#journal = journal
    const stored = journal.readWitnessState()
    this.#state = stored === undefined ? NEW_WITNESS : decodeWitnessState(stored)
  }

  /**
   * Synchronous, so that of two requests at once the second meets what the first has stored.
   * Refusals: `log-forked`, `log-refused`; `memory-lost` when the note carries this holder's own cosignature of a larger tree than it
   * remembers: what it cosigns it stores first, so that its disk was put back to an earlier state, or has a copy that is in use.
   */
  follow(request: AddCheckpointRequest, now: Date): Verdict<Followed, 'log-forked' | 'log-refused' | 'memory-lost'> {
    const signer = { name: this.#name, key: this.#key }
    const cosigned = cosignedSize(request.note, witnessKeyOf(signer)) ?? 0
    if (cosigned > this.#knownSize) {
      return loseMemory(this.#journal, `it cosigned the log at ${cosigned} entries, and remembers ${this.#knownSize}`)
    }
    const config = { logs: [this.#log], signer }
    const { state, answer } = addCheckpoint(this.#state, request, config, Math.floor(now.getTime() / 1000))
    this.#store(state)
    if (answer.kind === 'cosigned') {
      const { checkpoint, cosignature } = answer
      return accepted({ kind: 'followed', checkpoint, cosignature: formatCosignatures([cosignature]) })
    }
    if (answer.code === 'size-conflict') return accepted({ kind: 'known-size', size: answer.knownSize! })
    return refused(answer.code === 'forked' ? 'log-forked' : 'log-refused', answer.reason)
  }

  get #knownSize(): number {
    const known = this.#state.get(this.#log.name)
    return known ? parseCheckpoint(parseNote(known.latest).text).size : 0
  }

  #store(state: WitnessState): void {
    const { latest, fork } = state.get(this.#log.name) ?? {}
    const known = this.#state.get(this.#log.name)
    // Between two statements of the log many requests come with one checkpoint.
    if (known?.latest !== latest || known?.fork !== fork) this.#journal.writeWitnessState(encodeWitnessState(state))
    this.#state = state
  }
}
