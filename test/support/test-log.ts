import { digestOf, fromHex } from '../../src/crypto/digest.ts'
import type { Envelope } from '../../src/crypto/envelope.ts'
import { type StatementPublicKey, statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { logKeyOf } from '../../src/log/checkpoint.ts'
import { addCosignatures, cosign } from '../../src/log/cosignature.ts'
import { encodeLogEntry } from '../../src/log/log-entry.ts'
import { createLog } from '../../src/log/log-writer.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { proveConsistency, proveInclusion } from '../../src/log/merkle-proof.ts'
import { parseNote } from '../../src/log/note.ts'
import { proveRange } from '../../src/log/range-proof.ts'
import { hashReaderOf } from '../../src/log/tile-reader.ts'
import { type AddCheckpointRequest, formatCosignatures } from '../../src/log/witness-wire.ts'
import {
  type LoggedStatement,
  type RangeEvidence,
  type RoundLog,
  readRoundLog,
  roundWitnesses,
  speaksOfRounds,
  witnessKey,
} from '../../src/protocol/round-log.ts'
import type { RoundPlan } from '../../src/protocol/round-plan.ts'
import type { Party } from './round-fixtures.ts'

const ORIGIN = 'venue.test/log'

/** The log's key in the tests. */
export const logSigner = {
  origin: ORIGIN,
  key: statementKeyFromSeed(fromHex(digestOf(Buffer.from('log')))),
}
export const logKey = logKeyOf(logSigner)

/** A real log in memory, as a coordinator (honest or not) has one. */
export class TestLog {
  readonly #storage = new MemoryLogStorage()
  readonly #statements: Envelope[] = []
  #writer!: Awaited<ReturnType<typeof createLog>>

  static async create(): Promise<TestLog> {
    const log = new TestLog()
    log.#writer = await createLog(log.#storage, logSigner)
    return log
  }

  get size(): number {
    return this.#writer.checkpoint.size
  }

  /** @returns the position of the first */
  async append(statements: readonly Envelope[]): Promise<number> {
    const { positions } = await this.#writer.append(statements.map((statement) => encodeLogEntry(statement)))
    this.#statements.push(...statements)
    return positions[0]
  }

  /** The latest checkpoint, cosigned by these parties, for a holder that knows the tree of `oldSize`. */
  async checkpoint(cosigners: readonly Party[], plan: RoundPlan, oldSize = 0): Promise<AddCheckpointRequest> {
    const { note, size } = this.#writer.checkpoint
    const { text } = parseNote(note)
    const lines = cosigners.map(({ member, keys }) =>
      cosign(text, { name: witnessKey(ORIGIN, member).name, key: keys.statementKey }, 1_700_000_000),
    )
    const proof = await proveConsistency(hashReaderOf(this.#storage, size), oldSize, size)
    const { witnesses } = roundWitnesses(plan, logKey)
    return { note: addCosignatures(note, formatCosignatures(lines), witnesses), oldSize, proof }
  }

  async range(start: number): Promise<RangeEvidence> {
    const range = await proveRange(this.#storage, start, this.size)
    const payloads = this.#statements
      .slice(start + 1)
      .filter(({ payloadType }) => speaksOfRounds(payloadType))
      .map(({ payload }) => payload)
    return { ...range, payloads }
  }

  async logged(envelope: Envelope): Promise<LoggedStatement> {
    const position = this.#statements.indexOf(envelope)
    return {
      envelope,
      position,
      path: await proveInclusion(hashReaderOf(this.#storage, this.size), position, this.size),
    }
  }

  /** The head of its tree. */
  get head() {
    const { size, root } = this.#writer.checkpoint
    return { origin: ORIGIN, size, root, extensions: [] }
  }
}

/** What a log says of a plan when these statements follow it; read as a member reads it. */
export async function roundLogOf(
  plan: RoundPlan,
  planEnvelope: Envelope,
  statements: readonly Envelope[],
  coordinatorKey: StatementPublicKey,
): Promise<RoundLog> {
  const log = await TestLog.create()
  const start = await log.append([planEnvelope])
  if (statements.length > 0) await log.append(statements)
  const read = readRoundLog(plan, planEnvelope, await log.range(start), log.head, coordinatorKey)
  if (!read.ok) throw new Error(`refused: ${read.code}: ${read.reason}`)
  return read.value
}
