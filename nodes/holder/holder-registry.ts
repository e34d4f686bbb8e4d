import type { DatabaseSync } from 'node:sqlite'
import type { Digest } from '../../src/crypto/digest.ts'
import {
  decodeEnvelope,
  type Envelope,
  type EnvelopeSignature,
  encodeEnvelope,
  signatureOver,
  statementDigest,
} from '../../src/crypto/envelope.ts'
import type { StatementKey, StatementPublicKey } from '../../src/crypto/statement-key.ts'
import {
  applyRegistryStatement,
  emptyRegistry,
  examineRegistryStatement,
  type Registry,
  readRegistryStatement,
  registryHead,
} from '../../src/protocol/registry.ts'
import { examineRegistryRequest, type RegistryChange } from '../../src/protocol/registry-request.ts'
import { applicationStatement, departureStatement } from '../../src/protocol/registry-statements.ts'
import type { Member } from '../../src/protocol/round-plan.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import { forgetRequest, isApproved, notePendingRequest, writeRegistryFile } from './admission-requests.ts'
import { HolderError } from './holder-error.ts'
import type { HolderPolicy } from './holder-policy.ts'

export interface HolderRegistryParts {
  readonly venue: string
  readonly coordinatorKey: StatementPublicKey
  readonly key: StatementKey
  readonly policy: Pick<HolderPolicy, 'admissions'>
  /** The journal's: a node has one durable memory. */
  readonly journal: { readonly database: DatabaseSync }
  /** The holder's, for what its operator reads and approves: `admission-requests.ts`. */
  readonly directory: string
  readonly coordinator: {
    /** Registry statements after a number, in order: a page of them. */
    fetchRegistry(afterSequence: number): Promise<Envelope[]>
  }
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS registry_statements (
    sequence INTEGER PRIMARY KEY,
    envelope TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS registry_signatures (
    sequence         INTEGER PRIMARY KEY,
    statement_digest TEXT NOT NULL
  ) STRICT;
`

/** Who has never this many statements behind is not behind, but led astray. */
const STATEMENTS_MAX = 65_536

/**
 * Who belongs to the venue, as this holder has verified it, statement by statement from the first. Durable; never goes back:
 * what it once knew it knows after a restart, and another past, or an older state, is refused.
 *
 * As a member it signs one statement for each number, noted before the signature leaves, so that a coordinator cannot get
 * two registries signed. Whether it *wants* a newcomer is another signature, on the application: see `holder-policy.ts`.
 */
export class HolderRegistry {
  readonly #parts: HolderRegistryParts
  readonly #database: DatabaseSync
  #registry: Registry
  /** Heads before the present one. */
  readonly #past = new Set<Digest>()
  /** Calls take turns: each goes on from where the one before has left the registry. */
  #turn: Promise<unknown> = Promise.resolve()

  /** @throws HolderError `journal-unreadable` when what is stored is no registry of this venue */
  constructor(parts: HolderRegistryParts) {
    this.#parts = parts
    this.#database = parts.journal.database
    this.#database.exec(SCHEMA)
    this.#registry = emptyRegistry(parts.venue)
    for (const row of this.#database.prepare('SELECT envelope FROM registry_statements ORDER BY sequence').all()) {
      const applied = this.#applied(this.#registry, decodeEnvelope(row.envelope as string))
      if (!applied.ok) throw unreadable(applied.reason)
      this.#advance(applied.value)
    }
    // It may have been lost between two starts; a node whose registry is empty has nothing to show.
    if (this.#registry.sequence > 0) writeRegistryFile(parts.directory, this.#registry)
  }

  get registry(): Registry {
    return this.#registry
  }

  /**
   * The members at a head. What this holder does not know yet is fetched, verified in order and stored. Refusals:
   * `registry-out-of-order` for a head that is older than what this holder knows, or does not continue it; those of
   * `applyRegistryStatement` for a statement on the way. Rejects with what fetching rejects with.
   */
  membersAt(head: Digest): Promise<Verdict<ReadonlyMap<string, Member>, string>> {
    return this.#inTurn(async () => {
      const reached = await this.#reach(head)
      return reached.ok ? accepted(reached.value.members) : reached
    })
  }

  /**
   * This holder's signature: on an application or departure if its policy, or its operator, approves (otherwise
   * `approval-needed`, and the operator is told; its own departure is always the operator's to decide); on a membership or revocation if it is the next statement, its request
   * is approved by a quorum, and this holder has signed no other of its number.
   */
  endorse(statement: Envelope): Promise<Verdict<EnvelopeSignature, string>> {
    return this.#inTurn(async () => {
      const { payloadType } = statement
      const isRequest =
        payloadType === applicationStatement.payloadType || payloadType === departureStatement.payloadType
      const examined = await (isRequest ? this.#approve(statement) : this.#claim(statement))
      if (!examined.ok) return examined
      return accepted(signatureOver(payloadType, statement.payload, this.#parts.key))
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /** Against the newest registry that there is: a request says nothing of its place. */
  async #approve(request: Envelope): Promise<Verdict<RegistryChange, string>> {
    const { coordinatorKey, policy, directory, key } = this.#parts
    const newest = await this.#reach('newest')
    if (!newest.ok) return newest
    const change = examineRegistryRequest(newest.value, request, coordinatorKey)
    if (!change.ok) return change
    // Nobody leaves but by its own word: this holder's signature alone would put it out.
    const isOwnDeparture = change.value.kind === 'revocation' && change.value.member.statementKey === key.publicKey
    if (policy.admissions === 'approve' && !isOwnDeparture) return change
    const { holder } = change.value.member
    const digest = statementDigest(request)
    if (isApproved(directory, holder, digest)) return change
    notePendingRequest(directory, change.value, digest)
    return refused('approval-needed', `The operator has to decide on ${holder}: see "sluice holder members".`)
  }

  async #claim(statement: Envelope): Promise<Verdict<RegistryChange, string>> {
    const { coordinatorKey, venue } = this.#parts
    const read = readRegistryStatement(statement, coordinatorKey)
    if (!read.ok) return read
    const { previous, sequence } = read.value
    const reached = await this.#reach(previous ?? registryHead(emptyRegistry(venue)))
    if (!reached.ok) return reached
    const change = examineRegistryStatement(reached.value, statement, coordinatorKey)
    if (!change.ok) return change
    if (!this.#claimSequence(sequence, statementDigest(statement))) {
      return refused('registry-out-of-order', `This holder has signed another registry statement ${sequence}.`)
    }
    return change
  }

  /** Binds this member to a statement. @returns false when it is bound to another of this number */
  #claimSequence(sequence: number, digest: Digest): boolean {
    this.#database
      .prepare('INSERT OR IGNORE INTO registry_signatures (sequence, statement_digest) VALUES (?, ?)')
      .run(sequence, digest)
    const row = this.#database
      .prepare('SELECT statement_digest FROM registry_signatures WHERE sequence = ?')
      .get(sequence)
    return row!.statement_digest === digest
  }

  /** Goes forwards to a head; nothing of the way is kept unless it leads there. */
  async #reach(head: Digest | 'newest'): Promise<Verdict<Registry, string>> {
    if (this.#past.has(head)) {
      return refused(
        'registry-out-of-order',
        `This holder knows a newer registry: statement ${this.#registry.sequence}.`,
      )
    }
    const way: { readonly envelope: Envelope; readonly registry: Registry }[] = []
    let reached = this.#registry
    while (registryHead(reached) !== head) {
      const page = way.length < STATEMENTS_MAX ? await this.#parts.coordinator.fetchRegistry(reached.sequence) : []
      if (page.length === 0 && head === 'newest') break
      if (page.length === 0) {
        return refused(
          'registry-out-of-order',
          `The registry ${head.slice(0, 16)}… does not continue the one that this holder knows.`,
        )
      }
      for (const envelope of page) {
        const applied = this.#applied(reached, envelope)
        if (!applied.ok) return applied
        reached = applied.value
        way.push({ envelope, registry: reached })
        if (registryHead(reached) === head) break
      }
    }
    this.#store(way)
    return accepted(reached)
  }

  #applied(registry: Registry, envelope: Envelope): Verdict<Registry, string> {
    return applyRegistryStatement(registry, envelope, this.#parts.coordinatorKey)
  }

  #store(way: readonly { readonly envelope: Envelope; readonly registry: Registry }[]): void {
    if (way.length === 0) return
    const before = this.#registry
    const insert = this.#database.prepare('INSERT INTO registry_statements (sequence, envelope) VALUES (?, ?)')
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      for (const { envelope, registry } of way) insert.run(registry.sequence, encodeEnvelope(envelope))
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
    for (const { registry } of way) this.#advance(registry)
    writeRegistryFile(this.#parts.directory, this.#registry)
    for (const holder of changedHolders(before, this.#registry)) forgetRequest(this.#parts.directory, holder)
  }

  #advance(registry: Registry): void {
    this.#past.add(registryHead(this.#registry))
    this.#registry = registry
  }
}

function changedHolders(before: Registry, after: Registry): string[] {
  return [...after.names.keys()].filter((holder) => before.members.get(holder) !== after.members.get(holder))
}

function unreadable(reason: string): HolderError {
  return new HolderError(
    'journal-unreadable',
    `The registry in the journal is not one of this venue (${reason}): restore the newest backup, and check venue and coordinatorKey in holder.yaml.`,
  )
}
