import type { ChunkHasher } from './linear-hash.ts'
import type { OneTimeKey } from './one-time-key.ts'
import { checkPacked } from './packing.ts'
import { chunkGeometry, type PayloadParameters } from './payload-parameters.ts'

/**
 * How vectors are protected, added and opened, chunk by chunk: the contract that a payload scheme implements. Synchronous
 * and free of IO; payload-workers.ts runs it in threads. Chunks are independent and may be taken in any order.
 */
export interface PayloadScheme {
  /** Named in the plan, so that all parties use the same. */
  readonly name: string
  /**
   * Holder side. Binds `key` to the plan, and prepares its use.
   *
   * @param planDigest SHA-256 of the round's plan, 32 bytes
   * @throws CryptoError `digest-not-256-bits` | `key-bound-to-another-plan` | `already-disposed`
   */
  createProtector(parameters: PayloadParameters, planDigest: Uint8Array, key: OneTimeKey): ChunkProtector
  /**
   * Coordinator side. An empty sum for one chunk.
   *
   * @throws CryptoError `digest-not-256-bits` | `chunk-out-of-range`
   */
  createAccumulator(parameters: PayloadParameters, planDigest: Uint8Array, chunkIndex: number): ChunkAccumulator
  /**
   * Coordinator side. Brings a sum of one-time keys into the form in which it opens chunks; copies what it needs.
   *
   * @param keySum 2048 signed coefficients, from the committee's shares. May be known to the coordinator only once the
   * set of contributions is certified.
   * @throws CryptoError `key-sum-implausible` when it cannot be a sum of even the most contributors that a plan allows
   */
  prepareKeySum(keySum: Int32Array): PreparedKeySum
  /**
   * Either side. Hashes a packed ciphertext, a contribution or a sum of them, linearly: linear-hash.ts.
   *
   * @param challenge 32 bytes, fixed after the ciphertexts. Public.
   * @throws CryptoError `digest-not-256-bits`
   */
  createHasher(parameters: PayloadParameters, challenge: Uint8Array): ChunkHasher
  /** Releases the scheme's memory. */
  dispose(): void
}

/** A holder's means to protect one vector. */
export interface ChunkProtector {
  /**
   * Computes what masks a chunk. Does not depend on the values, so it can be done while they are being computed.
   *
   * @throws CryptoError `chunk-out-of-range` | `pad-already-used` when this chunk's pad was given out before
   */
  preparePad(chunkIndex: number): Pad
}

/** The mask of one chunk, to be used once. Secret; in memory only. */
export interface Pad {
  readonly chunkIndex: number
  /**
   * Protects the chunk's values, which consumes the pad.
   *
   * @param values exactly as many as the chunk holds, each below 2^precisionBits. Not kept. A refusal consumes nothing.
   * @returns the packed chunk, a buffer of its own: safe to send
   * @throws CryptoError `wrong-value-count` | `value-out-of-bounds` | `pad-already-used`
   */
  protect(values: Uint32Array): Uint8Array
  /** Erases the pad unused. */
  dispose(): void
}

/** A running sum over contributions to one chunk. Holds ciphertext only, until `open`. */
export interface ChunkAccumulator {
  readonly chunkIndex: number
  /** Contributions added so far. */
  readonly contributorCount: number
  /**
   * Adds one contribution. Nothing about `bytes` is trusted; a refused contribution leaves the sum as it was.
   *
   * @throws CryptoError `wrong-length` | `padding-not-zero` | `residue-not-canonical` | `too-many-contributors`
   */
  add(bytes: Uint8Array): void
  /**
   * Adds what `pack` gave for a sum of `contributorCount` contributions, which count against the plan's limit and in the
   * bounds of `open` as if they had been added one by one.
   *
   * @throws CryptoError as `add` | `parameters-out-of-range` unless `contributorCount` is 1 or more
   */
  addSum(bytes: Uint8Array, contributorCount: number): void
  /**
   * The sum itself, reduced modulo q and packed as a contribution's chunk is: a buffer of its own. Ciphertext: whoever has
   * the key sum opens it. The sum may be added to and opened afterwards.
   *
   * @throws CryptoError `nothing-to-open`
   */
  pack(): Uint8Array
  /** Expands the public polynomials now rather than in `open`: something to do while waiting. Holds 256 KiB more. */
  expandAhead(): void
  /**
   * Opens the sum. Repeatable, and the sum may be added to afterwards.
   *
   * @returns for each value of the chunk its exact sum over the contributions, an integer below 2^48
   * @throws CryptoError `nothing-to-open` | `key-sum-implausible` | `noise-out-of-bounds` | `sum-out-of-bounds`
   */
  open(keySum: PreparedKeySum): Float64Array
  /** Gives its memory back at once. It cannot be used afterwards. */
  dispose(): void
}

/** A key sum ready for use by the scheme that prepared it. */
export interface PreparedKeySum {
  /** Erases it. */
  dispose(): void
}

/**
 * Refuses bytes that are not the one encoding of a chunk, without keeping them: what the receiving side of an upload calls.
 * Costs about a millisecond a million values; the length alone is checked first.
 *
 * @throws CryptoError `chunk-out-of-range` | `wrong-length` | `padding-not-zero` | `residue-not-canonical`
 */
export function checkChunk(parameters: PayloadParameters, chunkIndex: number, bytes: Uint8Array): void {
  checkPacked(bytes, chunkGeometry(parameters, chunkIndex).coefficientCount)
}
