import type { CoordinatorStore } from '../coordinator/ports.ts'
import { type Digest, digestOf } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'

/** The journal of statements in memory; contracts on {@link CoordinatorStore}. */
export class MemoryJournal
  implements Pick<CoordinatorStore, 'appendStatements' | 'listStatements' | 'findStatement' | 'findPayload'>
{
  readonly #statements: Envelope[] = []
  readonly #positions = new Map<Digest, number>()
  readonly #payloads = new Map<Digest, Uint8Array>()

  async appendStatements(envelopes: readonly Envelope[]): Promise<number[]> {
    return envelopes.map((envelope) => this.append(envelope))
  }

  /** As a part of another write: done when it returns. */
  append(envelope: Envelope): number {
    const digest = statementDigest(envelope)
    const known = this.#positions.get(digest)
    if (known !== undefined) return known
    const position = this.#statements.push(envelope) - 1
    this.#positions.set(digest, position)
    this.#payloads.set(digestOf(envelope.payload), envelope.payload)
    return position
  }

  async listStatements(from: number, limit: number): Promise<Envelope[]> {
    return this.#statements.slice(from, from + limit)
  }

  async findStatement(digest: Digest): Promise<number | undefined> {
    return this.#positions.get(digest)
  }

  async findPayload(payloadSha256: Digest): Promise<Uint8Array | undefined> {
    return this.#payloads.get(payloadSha256)
  }
}
