import type { CoordinatorStore, ProposedStatement, RegistryRequestRecord } from '../coordinator/ports.ts'
import type { Digest } from '../crypto/digest.ts'
import { type Envelope, type EnvelopeSignature, statementDigest } from '../crypto/envelope.ts'
import { StoreError } from './store-error.ts'
import { storableReason } from './stored-text.ts'

interface HeldStatement {
  readonly digest: Digest
  readonly request: Digest
  statement: Envelope
  entered: boolean
}

/** The registry of members in memory; contracts on {@link CoordinatorStore}. */
export class MemoryRegistry
  implements
    Pick<
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
{
  readonly #requests = new Map<Digest, RegistryRequestRecord>()
  /** By number. */
  readonly #statements = new Map<number, HeldStatement>()
  /** By the statement that they are of, then by key. */
  readonly #signatures = new Map<Digest, Map<string, EnvelopeSignature>>()

  async addRegistryRequest(request: Envelope, filedAt: Date): Promise<void> {
    const digest = statementDigest(request)
    if (!this.#requests.has(digest)) this.#requests.set(digest, { digest, request, state: 'pending', filedAt })
  }

  async findRegistryRequest(request: Digest): Promise<RegistryRequestRecord | undefined> {
    const found = this.#requests.get(request)
    return found && this.#signedRequest(found)
  }

  async listPendingRequests(): Promise<RegistryRequestRecord[]> {
    const pending = [...this.#requests.values()].filter(({ state }) => state === 'pending')
    return pending.map((record) => this.#signedRequest(record))
  }

  async refuseRegistryRequest(request: Digest, reason: string): Promise<void> {
    const found = this.#requests.get(request)
    if (found?.state !== 'pending') return
    this.#requests.set(request, { ...found, state: 'refused', reason: storableReason(reason)! })
  }

  async addRegistrySignature(statement: Digest, signature: EnvelopeSignature): Promise<void> {
    const known = this.#signatures.get(statement) ?? new Map<string, EnvelopeSignature>()
    if (!known.has(signature.keyid)) known.set(signature.keyid, signature)
    this.#signatures.set(statement, known)
  }

  async proposeRegistryStatement(sequence: number, request: Digest, statement: Envelope): Promise<ProposedStatement> {
    const digest = statementDigest(statement)
    if (!this.#requests.has(request)) {
      throw new StoreError('not-found', `There is no registry request ${request}: file it first.`)
    }
    if (!this.#statements.has(sequence) && !this.#proposed()) {
      this.#statements.set(sequence, { digest, request, statement, entered: false })
    }
    const proposed = await this.findProposedStatement()
    if (proposed?.sequence === sequence) return proposed
    throw new StoreError('conflict', `Registry statement ${sequence} is not the next one: read the registry again.`)
  }

  async findProposedStatement(): Promise<ProposedStatement | undefined> {
    const found = this.#proposed()
    if (!found) return undefined
    const [sequence, { request, statement, digest }] = found
    return { sequence, request, statement: this.#signed(digest, statement) }
  }

  async enterRegistryStatement(sequence: number, statement: Envelope): Promise<void> {
    const held = this.#statements.get(sequence)
    if (!held) throw new StoreError('not-found', `No registry statement ${sequence} is proposed.`)
    if (held.digest !== statementDigest(statement)) {
      throw new StoreError('conflict', `Registry statement ${sequence} is another one: read the registry again.`)
    }
    if (held.entered) return
    held.entered = true
    held.statement = statement
    const request = this.#requests.get(held.request)!
    this.#requests.set(held.request, { ...request, state: 'entered' })
  }

  async listRegistryStatements(after: number, limit: number): Promise<Envelope[]> {
    const entered = [...this.#statements].filter(([sequence, held]) => held.entered && sequence > after)
    return entered
      .sort(([a], [b]) => a - b)
      .slice(0, limit)
      .map(([, { statement }]) => statement)
  }

  #proposed(): [number, HeldStatement] | undefined {
    return [...this.#statements].find(([, { entered }]) => !entered)
  }

  #signedRequest(record: RegistryRequestRecord): RegistryRequestRecord {
    return { ...record, request: this.#signed(record.digest, record.request) }
  }

  /** With what members have signed since, in the order in which it came. */
  #signed(digest: Digest, envelope: Envelope): Envelope {
    const added = this.#signatures.get(digest)?.values() ?? []
    return { ...envelope, signatures: [...envelope.signatures, ...added] }
  }
}
