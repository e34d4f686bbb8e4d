import type { Digest } from '../crypto/digest.ts'
import { type Envelope, isSignedBy, statementDigest } from '../crypto/envelope.ts'
import type { StatementKey, StatementPublicKey } from '../crypto/statement-key.ts'
import {
  admissionQuorum,
  applyRegistryStatement,
  checkApproval,
  emptyRegistry,
  examineRegistryStatement,
  proposeRegistryStatement,
  type Registry,
  registryHead,
  signingOrganisations,
} from '../protocol/registry.ts'
import { examineRegistryRequest, type RegistryChange, readApplication } from '../protocol/registry-request.ts'
import { departureStatement } from '../protocol/registry-statements.ts'
import type { Member } from '../protocol/round-plan.ts'
import { signStatement } from '../protocol/statement.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { askHolders } from './ask-holders.ts'
import { CoordinatorError } from './coordinator-error.ts'
import type {
  Clock,
  CoordinatorStore,
  HolderDirectory,
  HolderRefusal,
  ProposedStatement,
  RegistryRequestRecord,
  VenueRegistry,
} from './ports.ts'
import type { TransparencyLog } from './transparency-log.ts'

/** Statements that are read from the store, or served, at once. */
export const REGISTRY_PAGE = 100

/** What happens at the desk, for the process's log. */
export interface AdmissionListener {
  /** A statement is in the log and in the registry. */
  onEntered(change: RegistryChange, sequence: number): void
  /** A member does not sign: for now (`approval-needed`, `holder-unreachable`) or at all. */
  onUnsigned(member: string, holder: string, code: HolderRefusal, reason: string): void
  /** A request that can never be entered any more, by its digest. */
  onRefused(request: Digest, code: string, reason: string): void
  /** A fault that is nobody's refusal; the desk tries again. */
  onFault(error: unknown): void
}

/** As much of the store as the desk needs. */
export type RegistryStore = Pick<
  CoordinatorStore,
  | 'addRegistryRequest'
  | 'findRegistryRequest'
  | 'listPendingRequests'
  | 'refuseRegistryRequest'
  | 'addRegistrySignature'
  | 'proposeRegistryStatement'
  | 'findProposedStatement'
  | 'enterRegistryStatement'
  | 'listRegistryStatements'
>

export interface AdmissionParts {
  readonly venue: string
  readonly key: StatementKey
  readonly clock: Clock
  readonly store: RegistryStore
  readonly log: Pick<TransparencyLog, 'append'>
  readonly holders: HolderDirectory
  readonly listener: AdmissionListener
  /** How long a member has for a signature. */
  readonly askMs: number
  /** After how long members are asked again while something is pending: their operators approve meanwhile. */
  readonly askAgainMs: number
}

/**
 * Where a venue's registry grows: takes in applications and departures, has members approve and sign them, and enters
 * them in the log and the registry, one statement after another. What it knows is in the store, so that a coordinator that
 * dies anywhere goes on after its restart: a proposed statement stays the only one of its number, signatures are kept, and
 * the log takes a statement once.
 */
export class AdmissionDesk implements VenueRegistry {
  readonly #parts: AdmissionParts
  readonly #listeners = new Set<(registry: Registry) => void>()
  readonly #closing = new AbortController()
  #registry: Registry
  #working: Promise<void> | undefined
  #isWokenAgain = false
  #isWaiting = false
  #catchingUp: Promise<void> = Promise.resolve()
  #knownPending: ReadonlySet<Digest> = new Set()

  private constructor(parts: AdmissionParts, registry: Registry) {
    this.#parts = parts
    this.#registry = registry
  }

  /**
   * Rebuilds the registry from the store.
   * @throws CoordinatorError `registry-broken` when a stored statement does not apply; StoreError
   */
  static async open(parts: AdmissionParts): Promise<AdmissionDesk> {
    const desk = new AdmissionDesk(parts, emptyRegistry(parts.venue))
    await desk.#catchUp()
    return desk
  }

  /** As of now; another value after each change. */
  get registry(): Registry {
    return this.#registry
  }

  current(): { readonly members: ReadonlyMap<string, Member>; readonly head: Digest } {
    return { members: this.#registry.members, head: registryHead(this.#registry) }
  }

  /** Entered statements with a number over `sequence`, in order: {@link REGISTRY_PAGE} at most. */
  statementsAfter(sequence: number): Promise<Envelope[]> {
    return this.#parts.store.listRegistryStatements(sequence, REGISTRY_PAGE)
  }

  /** Calls `listener` with every new registry. @returns the way to stop */
  onChange(listener: (registry: Registry) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Files an application that its holder has signed; durable when it resolves. The same one again changes nothing. Refusals:
   * those of `examineApplication`; `already-admitted` also while the holder's application with other keys is pending.
   */
  async apply(application: Envelope): Promise<Verdict<RegistryRequestRecord['state'], string>> {
    const read = readApplication(application)
    if (!read.ok) return read
    return this.#file(application, read.value.member.holder)
  }

  /**
   * Files the departure of a member, as the coordinator wants it. It takes effect when the member itself or a quorum of the
   * other organisations has signed it, and every time a quorum has to give it its place.
   * @param reason for people, at most 500 characters
   */
  async revoke(holder: string, reason: string): Promise<Verdict<RegistryRequestRecord['state'], string>> {
    const member = this.#registry.members.get(holder)
    if (!member) return refused('not-a-member', `${holder} is no member of ${this.#parts.venue}.`)
    const body = { venue: this.#parts.venue, holder, statementKey: member.statementKey, reason }
    return this.#file(signStatement(departureStatement, body, this.#parts.key), holder)
  }

  /** What has become of a request, by the digest of its statement. */
  find(request: Digest): Promise<RegistryRequestRecord | undefined> {
    return this.#parts.store.findRegistryRequest(request)
  }

  /** What waits for signatures, oldest first. */
  pending(): Promise<RegistryRequestRecord[]> {
    return this.#parts.store.listPendingRequests()
  }

  async #file(request: Envelope, holder: string): Promise<Verdict<RegistryRequestRecord['state'], string>> {
    const { store, clock, key } = this.#parts
    const known = await store.findRegistryRequest(statementDigest(request))
    if (known?.state === 'refused') return refused('request-refused', known.reason ?? 'The request was refused before.')
    if (known) return accepted(known.state)
    const change = examineRegistryRequest(this.#registry, request, key.publicKey)
    if (!change.ok) return change
    for (const other of await store.listPendingRequests()) {
      const same = examineRegistryRequest(this.#registry, other.request, key.publicKey)
      if (same.ok && same.value.member.holder === holder && same.value.kind === change.value.kind) {
        return refused('already-admitted', `Another request about ${holder} is pending: let it be settled first.`)
      }
    }
    const { member } = change.value
    const signers = [member.statementKey, this.#registry.members.get(holder)?.statementKey, key.publicKey]
    await store.addRegistryRequest(onlySignedBy(request, signers), clock.now())
    this.wake()
    return accepted('pending')
  }

  /** Goes on with what is pending: whenever a holder connects. Never rejects; faults go to the listener. */
  wake(): void {
    if (this.#closing.signal.aborted) return
    if (this.#working) {
      this.#isWokenAgain = true
      return
    }
    this.#working = this.#work().finally(() => {
      this.#working = undefined
      if (this.#isWokenAgain) this.wake()
    })
  }

  async #work(): Promise<void> {
    this.#isWokenAgain = false
    try {
      while (!this.#closing.signal.aborted && (await this.#advance())) {}
      if ((await this.pending()).length > 0) this.#wakeLater()
    } catch (error) {
      if (this.#closing.signal.aborted) return
      this.#parts.listener.onFault(error)
      this.#wakeLater()
    }
  }

  #wakeLater(): void {
    if (this.#isWaiting || this.#closing.signal.aborted) return
    this.#isWaiting = true
    const { clock, askAgainMs } = this.#parts
    const waited = () => {
      this.#isWaiting = false
      this.wake()
    }
    clock.sleep(askAgainMs, this.#closing.signal).then(waited, () => undefined)
  }

  /** One statement further. @returns false when nothing can be done now */
  async #advance(): Promise<boolean> {
    const { store } = this.#parts
    // Another coordinator of the same store may have entered some.
    await this.#catchUp()
    const proposed = (await store.findProposedStatement()) ?? (await this.#proposeNext())
    return proposed !== undefined && this.#complete(proposed)
  }

  /** The oldest request that a quorum approves, put at the next number before any member sees it there. */
  async #proposeNext(): Promise<ProposedStatement | undefined> {
    const { store, key, clock, listener } = this.#parts
    for (const { digest, request } of await store.listPendingRequests()) {
      const change = examineRegistryRequest(this.#registry, request, key.publicKey)
      if (!change.ok) {
        await store.refuseRegistryRequest(digest, change.reason)
        listener.onRefused(digest, change.code, change.reason)
        continue
      }
      const isApproved = (signed: Envelope) => checkApproval(this.#registry, change.value, signed).ok
      const approved = await this.#gather(request, change.value, isApproved)
      if (!approved) continue
      const statement = proposeRegistryStatement(this.#registry, change.value, approved, clock.now(), key)
      return store.proposeRegistryStatement(this.#registry.sequence + 1, digest, statement)
    }
    return undefined
  }

  /** Has a proposed statement signed, then logs and enters it. @returns false when a quorum cannot be reached now */
  async #complete({ sequence, statement }: ProposedStatement): Promise<boolean> {
    const { store, log, key, listener } = this.#parts
    const change = examineRegistryStatement(this.#registry, statement, key.publicKey)
    if (!change.ok) throw broken(sequence, change.reason)
    const { holder } = change.value.member
    const quorum = admissionQuorum(this.#registry, holder)
    const isSigned = (signed: Envelope) => signingOrganisations(this.#registry, holder, signed).length >= quorum
    const signed = await this.#gather(statement, change.value, isSigned)
    if (!signed) return false
    // First the log: what is in force anywhere is there to be seen. It takes the statement once, whatever dies here.
    await log.append([signed])
    await store.enterRegistryStatement(sequence, signed)
    await this.#catchUp()
    listener.onEntered(change.value, sequence)
    return true
  }

  /**
   * Asks connected members of organisations that have not signed yet, and keeps their signatures.
   * @returns the envelope with its signatures as soon as they are enough; undefined when they are not
   */
  async #gather(
    envelope: Envelope,
    { member: { holder } }: RegistryChange,
    isEnough: (signed: Envelope) => boolean,
  ): Promise<Envelope | undefined> {
    if (isEnough(envelope)) return envelope
    const { store, holders, listener, askMs } = this.#parts
    const { members } = this.#registry
    const unsigned = holders.connected().filter((name) => {
      const member = members.get(name)
      return member && !isSignedBy(envelope, member.statementKey)
    })
    const digest = statementDigest(envelope)
    // Members need no more than what they sign: what others have signed is within a statement, or no concern of theirs.
    const asked = { ...envelope, signatures: envelope.signatures.slice(0, OWN_SIGNATURES_MAX) }
    const ask = (name: string, signal: AbortSignal) => holders.ask(name, { kind: 'admit', statement: asked }, signal)
    const signal = AbortSignal.any([AbortSignal.timeout(askMs), this.#closing.signal])
    let signed = envelope
    for await (const { holder: name, verdict } of askHolders(unsigned, ask, signal)) {
      if (!verdict.ok) {
        listener.onUnsigned(name, holder, verdict.code, verdict.reason)
        continue
      }
      if (verdict.value.kind !== 'endorsement') continue
      const { signature } = verdict.value
      if (!isSignedBy({ ...envelope, signatures: [signature] }, members.get(name)!.statementKey)) {
        listener.onUnsigned(name, holder, 'bad-signature', `${name} gave a signature that is not its own.`)
        continue
      }
      await store.addRegistrySignature(digest, signature)
      signed = { ...signed, signatures: [...signed.signatures, signature] }
      if (isEnough(signed)) return signed
    }
    return undefined
  }

  /**
   * Takes in what another coordinator of the same store has entered, and goes on with what it has left pending: to be called now and
   * then by a coordinator that is not alone.
   */
  async refresh(): Promise<void> {
    await this.#catchUp()
    const pending = (await this.pending()).map(({ digest }) => digest)
    const isNew = pending.some((digest) => !this.#knownPending.has(digest))
    this.#knownPending = new Set(pending)
    // Those that were here before are asked for in their own time.
    if (isNew) this.wake()
  }

  /** Applies what the store has entered beyond this registry; one call at a time, so that each is applied once. */
  #catchUp(): Promise<void> {
    const turn = this.#catchingUp.then(() => this.#applyEntered())
    this.#catchingUp = turn.catch(() => undefined)
    return turn
  }

  async #applyEntered(): Promise<void> {
    for (;;) {
      const page = await this.statementsAfter(this.#registry.sequence)
      for (const statement of page) {
        const applied = applyRegistryStatement(this.#registry, statement, this.#parts.key.publicKey)
        if (!applied.ok) throw broken(this.#registry.sequence + 1, applied.reason)
        this.#registry = applied.value
      }
      if (page.length === 0) return
      for (const listener of this.#listeners) listener(this.#registry)
    }
  }

  /** Stops asking; resolves when nothing is written any more. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#working
  }
}

/** Of an application: by the holder's new key and its present one. Of anything else: the coordinator's, and one to spare. */
const OWN_SIGNATURES_MAX = 2

/** The envelope with one signature of each of these keys, where it has one, and no other. */
function onlySignedBy(envelope: Envelope, keys: readonly (StatementPublicKey | undefined)[]): Envelope {
  const signatures = [...new Set(keys)].flatMap(
    (key) =>
      envelope.signatures.find((signature) => key && isSignedBy({ ...envelope, signatures: [signature] }, key)) ?? [],
  )
  return { ...envelope, signatures }
}

function broken(sequence: number, reason: string): CoordinatorError {
  return new CoordinatorError(
    'registry-broken',
    `Registry statement ${sequence} in the database does not apply (${reason}): restore the database from a copy.`,
  )
}
