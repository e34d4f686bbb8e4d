import { type Digest, fromHex } from '../../src/crypto/digest.ts'
import { drawOneTimeKey, type OneTimeKey } from '../../src/crypto/one-time-key.ts'
import { chunkGeometry } from '../../src/crypto/payload-parameters.ts'
import type { PayloadWorkers, VectorProtection } from '../../src/crypto/payload-workers.ts'
import type { Randomness } from '../../src/crypto/randomness.ts'
import { quantise } from '../../src/protocol/quantiser.ts'
import { planParameters, type RoundPlan } from '../../src/protocol/round-plan.ts'
import type { SegmentValues } from '../../src/protocol/segments.ts'

/** Pads prepared while the holder trains: 16 MiB, four million weights; later chunks make theirs when they are due. */
const PADS_AHEAD = 64
/** Chunks in work for each thread. */
const CHUNKS_AHEAD = 2

/**
 * The protection of one update (protocol §2): a one-time key, pads that are computed while the update is, and the
 * chunks. One per plan; everything secret is in memory only and erased by `end`.
 */
export class UpdateProtection {
  readonly key: OneTimeKey
  readonly #plan: RoundPlan
  readonly #parameters: ReturnType<typeof planParameters>
  readonly #vector: VectorProtection
  readonly #workers: PayloadWorkers
  readonly #randomness: Randomness
  /** Milliseconds spent waiting for quantised, protected chunks. */
  protectMs = 0

  constructor(plan: RoundPlan, planDigest: Digest, workers: PayloadWorkers, randomness: Randomness) {
    this.#plan = plan
    this.#parameters = planParameters(plan)
    this.#workers = workers
    this.#randomness = randomness
    this.key = drawOneTimeKey(randomness)
    this.#vector = workers.beginProtection({
      parameters: this.#parameters,
      planDigest: fromHex(planDigest),
      key: this.key,
    })
    const ahead = Math.min(PADS_AHEAD, this.#parameters.chunkCount)
    // A thread that dies here is met again, as an error, by the chunk that needs it.
    for (let index = 0; index < ahead; index++) this.#vector.preparePad(index).catch(() => undefined)
  }

  /** The packed chunks of the protected update, in order; work runs a little ahead of the consumer. */
  async *chunks(values: SegmentValues): AsyncGenerator<Uint8Array> {
    const { chunkCount } = this.#parameters
    const underWay: Promise<Uint8Array>[] = []
    for (let next = 0; next < chunkCount || underWay.length > 0; ) {
      const started = performance.now()
      while (next < chunkCount && underWay.length < CHUNKS_AHEAD * this.#workers.threads) {
        underWay.push(this.#protectChunk(next++, values))
      }
      const chunk = await underWay.shift()!
      this.protectMs += performance.now() - started
      yield chunk
    }
  }

  #protectChunk(index: number, values: SegmentValues): Promise<Uint8Array> {
    const { firstValue, valueCount } = chunkGeometry(this.#parameters, index)
    const lanes = quantise(this.#plan.vector, values, this.#randomness, firstValue, valueCount)
    const chunk = this.#vector.protectChunk(index, lanes)
    lanes.fill(0)
    // When an earlier chunk fails, nobody awaits this one any more.
    chunk.catch(() => undefined)
    return chunk
  }

  /** Erases the key, its copies in the threads and unused pads. */
  async end(): Promise<void> {
    this.key.dispose()
    await this.#vector.end()
  }
}
