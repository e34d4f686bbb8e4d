import type { RegistryStore } from '../../src/coordinator/admissions.ts'
import type { ProposedStatement, RegistryRequestRecord } from '../../src/coordinator/ports.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import { type Envelope, type EnvelopeSignature, statementDigest } from '../../src/crypto/envelope.ts'
import { StoreError } from '../../src/store/store-error.ts'

/** A registry's store that dies with the test: passes the contract suite, and is new in no time. */
export class MemoryRegistryStore implements RegistryStore {
  readonly #requests = new Map<Digest, RegistryRequestRecord>()
  readonly #signatures = new Map<Digest, Map<string, EnvelopeSignature>>()
  /** By number − 1. */
  readonly #statements: { request: Digest; statement: Envelope; entered: boolean }[] = []

  #signed(envelope: Envelope): Envelope {
    const added = this.#signatures.get(statementDigest(envelope))?.values() ?? []
    return { ...envelope, signatures: [...envelope.signatures, ...added] }
  }

  async addRegistryRequest(request: Envelope, filedAt: Date): Promise<void> {
    const digest = statementDigest(request)
    if (!this.#requests.has(digest)) this.#requests.set(digest, { digest, request, state: 'pending', filedAt })
  }

  async findRegistryRequest(digest: Digest): Promise<RegistryRequestRecord | undefined> {
    const record = this.#requests.get(digest)
    return record && { ...record, request: this.#signed(record.request) }
  }

  async listPendingRequests(): Promise<RegistryRequestRecord[]> {
    const pending = [...this.#requests.values()].filter(({ state }) => state === 'pending')
    return pending.map((record) => ({ ...record, request: this.#signed(record.request) }))
  }

  #settle(digest: Digest, settled: Pick<RegistryRequestRecord, 'state' | 'reason'>): void {
    const record = this.#requests.get(digest)
    if (record?.state === 'pending') this.#requests.set(digest, { ...record, ...settled })
  }

  async refuseRegistryRequest(digest: Digest, reason: string): Promise<void> {
    this.#settle(digest, { state: 'refused', reason: reason.replaceAll('\0', '\uFFFD') })
  }

  async addRegistrySignature(digest: Digest, signature: EnvelopeSignature): Promise<void> {
    const signatures = this.#signatures.get(digest) ?? new Map<string, EnvelopeSignature>()
    if (!signatures.has(signature.keyid)) signatures.set(signature.keyid, signature)
    this.#signatures.set(digest, signatures)
  }

  async proposeRegistryStatement(sequence: number, request: Digest, statement: Envelope): Promise<ProposedStatement> {
    if (!this.#requests.has(request)) throw new StoreError('not-found', 'no such request')
    const isOpen = this.#statements.at(-1)?.entered === false
    if (!isOpen && sequence === this.#statements.length + 1) {
      this.#statements.push({ request, statement, entered: false })
    }
    const proposed = await this.findProposedStatement()
    if (proposed?.sequence === sequence) return proposed
    throw new StoreError('conflict', 'not the next number')
  }

  async findProposedStatement(): Promise<ProposedStatement | undefined> {
    const last = this.#statements.at(-1)
    if (!last || last.entered) return undefined
    return { sequence: this.#statements.length, request: last.request, statement: this.#signed(last.statement) }
  }

  async enterRegistryStatement(sequence: number, statement: Envelope): Promise<void> {
    const row = this.#statements[sequence - 1]
    if (!row) throw new StoreError('not-found', 'not proposed')
    if (statementDigest(row.statement) !== statementDigest(statement)) throw new StoreError('conflict', 'another one')
    if (!row.entered) this.#statements[sequence - 1] = { ...row, statement, entered: true }
    this.#settle(row.request, { state: 'entered' })
  }

  async listRegistryStatements(after: number, limit: number): Promise<Envelope[]> {
    const entered = this.#statements.filter((row) => row.entered).map(({ statement }) => statement)
    return entered.slice(after, after + limit)
  }

  async close(): Promise<void> {}
}
