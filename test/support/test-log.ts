import { digestOf, fromHex } from '../../src/crypto/digest.ts'
import type { Envelope } from '../../src/crypto/envelope.ts'
import { type StatementPublicKey, statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { type Checkpoint, logKeyOf, signCheckpoint } from '../../src/log/checkpoint.ts'
import { addCosignatures, cosign } from '../../src/log/cosignature.ts'
import { encodeLogEntry } from '../../src/log/log-entry.ts'
import { leafHash, perfectRoot } from '../../src/log/merkle-hash.ts'
import { type HashReader, proveConsistency, proveInclusion, rootFromReader } from '../../src/log/merkle-proof.ts'
import { parseNote } from '../../src/log/note.ts'
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

/**
 * A log in memory whose owner puts into it what it likes: the same entry twice, nonsense, one history for one reader and
 * another for the next. Hashes, proofs and signatures are the product's own.
 */
export class TestLog {
  readonly #statements: Envelope[] = []
  readonly #entries: Uint8Array[] = []

  static async create(): Promise<TestLog> {
    return new TestLog()
  }

  /** A log with the same history up to a size, under the same key: the beginning of a lie. */
  async fork(size = this.size): Promise<TestLog> {
    const other = new TestLog()
    other.#statements.push(...this.#statements.slice(0, size))
    other.#entries.push(...this.#entries.slice(0, size))
    return other
  }

  get size(): number {
    return this.#entries.length
  }

  /** Of the first entry that is this statement. */
  positionOf(statement: Envelope): number {
    return this.#statements.indexOf(statement)
  }

  /** @returns the position of the first */
  async append(statements: readonly Envelope[]): Promise<number> {
    const position = this.size
    this.#statements.push(...statements)
    this.#entries.push(...statements.map((statement) => encodeLogEntry(statement)))
    return position
  }

  /** Anything at all. */
  async appendBytes(entries: readonly Uint8Array[]): Promise<void> {
    this.#entries.push(...entries)
    this.#statements.push(...entries.map((payload) => ({ payloadType: 'none', payload, signatures: [] })))
  }

  readonly #hashes: HashReader = {
    hash: async (height, index) => {
      const width = 2 ** height
      return perfectRoot(this.#entries.slice(index * width, (index + 1) * width).map(leafHash))
    },
  }

  /** The latest checkpoint, cosigned by these parties, for a holder that knows the tree of `oldSize`. */
  async checkpoint(cosigners: readonly Party[], plan: RoundPlan, oldSize = 0): Promise<AddCheckpointRequest> {
    const note = signCheckpoint({ size: this.size, root: await rootFromReader(this.#hashes, this.size) }, logSigner)
    const { text } = parseNote(note)
    const lines = cosigners.map(({ member, keys }) =>
      cosign(text, { name: witnessKey(ORIGIN, member).name, key: keys.statementKey }, 1_700_000_000),
    )
    return this.withCosignatures(note, lines.length === 0 ? '' : formatCosignatures(lines), plan, oldSize)
  }

  /** The same, with cosignature lines as holders have given them. */
  async withCosignatures(note: string, lines: string, plan: RoundPlan, oldSize = 0): Promise<AddCheckpointRequest> {
    // A log that shrank has no proof to offer.
    const proof = oldSize > this.size ? [] : await proveConsistency(this.#hashes, oldSize, this.size)
    const { witnesses } = roundWitnesses(plan, logKey)
    return { note: lines === '' ? note : addCosignatures(note, lines, witnesses), oldSize, proof }
  }

  async range(start: number): Promise<RangeEvidence> {
    const before: Uint8Array[] = []
    for (let height = 40, done = 0; height >= 0; height--) {
      const width = 2 ** height
      if (Math.floor(start / width) % 2 === 0) continue
      before.push(await this.#hashes.hash(height, done / width))
      done += width
    }
    const payloads = this.#statements
      .slice(start)
      .filter(({ payloadType }) => speaksOfRounds(payloadType))
      .map(({ payload }) => payload)
    return { start, before, entries: this.#entries.slice(start), payloads }
  }

  async logged(envelope: Envelope): Promise<LoggedStatement> {
    const position = this.positionOf(envelope)
    return { envelope, position, path: await proveInclusion(this.#hashes, position, this.size) }
  }

  /** The head of its tree. */
  async head(): Promise<Checkpoint> {
    return { origin: ORIGIN, size: this.size, root: await rootFromReader(this.#hashes, this.size), extensions: [] }
  }
}

/** What a log says of a plan, made after the empty tree, when these statements follow it; read as a member reads it. */
export async function roundLogOf(
  plan: RoundPlan,
  planEnvelope: Envelope,
  statements: readonly Envelope[],
  coordinatorKey: StatementPublicKey,
): Promise<RoundLog> {
  const log = await TestLog.create()
  await log.append([planEnvelope, ...statements])
  const read = readRoundLog(plan, planEnvelope, await log.range(0), await log.head(), coordinatorKey)
  if (!read.ok) throw new Error(`refused: ${read.code}: ${read.reason}`)
  return read.value
}
