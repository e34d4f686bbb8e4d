import { CryptoError } from './crypto-error.ts'
import { sha256 } from './digest.ts'
import { drawGaussian } from './discrete-gaussian.ts'
import { type Randomness, SEED_BYTES, seededRandomness } from './randomness.ts'
import { RING_DEGREE } from './ring-constants.ts'

const ERROR_DOMAIN = Buffer.from('sluice/payload-errors/v1')

/**
 * A contributor's secret for one vector of one round: the RLWE key s (2048 discrete Gaussian coefficients) and the
 * 256-bit seed from which the errors of every chunk are expanded, so that a key determines its pads completely and chunks
 * can be made in any order, in any thread.
 *
 * One-time: two vectors masked by the same pad give away their difference. The key therefore binds itself to the first
 * plan it is used with, and gives out each chunk's pad once. Keep it in memory only; `dispose` erases it. Secret to its
 * holder; the coefficients leave it as Shamir shares only.
 */
export class OneTimeKey {
  /** s: 2048 signed coefficients, each of magnitude at most 93. Secret. Read it to share it; do not keep it. */
  readonly coefficients: Int32Array
  /** 32 bytes. Secret. */
  readonly noiseSeed: Uint8Array
  readonly #claimed = new Set<number>()
  readonly #erasers: (() => void)[] = []
  #plan: string | undefined
  #disposed = false
  #allClaimed = false

  /** From parts that came from another thread of this process; otherwise use `drawOneTimeKey`. Takes ownership. */
  constructor(coefficients: Int32Array, noiseSeed: Uint8Array) {
    if (coefficients.length !== RING_DEGREE || noiseSeed.length !== SEED_BYTES) {
      throw new CryptoError('parameters-out-of-range', 'A one-time key has 2048 coefficients and a 32-byte seed.')
    }
    this.coefficients = coefficients
    this.noiseSeed = noiseSeed
  }

  /**
   * Binds the key to a plan; every later call must name the same.
   *
   * @throws CryptoError `key-bound-to-another-plan` | `already-disposed`
   */
  bindTo(planDigest: Uint8Array): void {
    this.#requireAlive()
    const plan = Buffer.from(planDigest).toString('hex')
    this.#plan ??= plan
    if (this.#plan !== plan) {
      throw new CryptoError('key-bound-to-another-plan', 'A one-time key serves one plan: draw a new key for this one.')
    }
  }

  /**
   * Takes the pad of a chunk, which can be done once.
   *
   * @throws CryptoError `pad-already-used` | `already-disposed`
   */
  claimPad(chunkIndex: number): void {
    this.#requireAlive()
    if (this.#allClaimed || this.#claimed.has(chunkIndex)) {
      throw new CryptoError(
        'pad-already-used',
        `The pad of chunk ${chunkIndex} was given out before. Send again the bytes it made, or draw a new key.`,
      )
    }
    this.#claimed.add(chunkIndex)
  }

  /**
   * Takes the pads of all chunks at once, for use in other threads.
   *
   * @throws CryptoError `pad-already-used` when any pad was taken before, or all were | `already-disposed`
   */
  claimVector(): void {
    this.#requireAlive()
    if (this.#allClaimed || this.#claimed.size > 0) {
      throw new CryptoError('pad-already-used', 'A one-time key protects one vector: draw a new key for this one.')
    }
    this.#allClaimed = true
  }

  /**
   * The stream from which the errors of a chunk are drawn: AES-256-CTR under
   * SHA-256("sluice/payload-errors/v1" || seed || chunk index as 32-bit little-endian).
   */
  errorRandomness(chunkIndex: number): Randomness {
    this.#requireAlive()
    const index = Buffer.alloc(4)
    index.writeUInt32LE(chunkIndex)
    const seed = sha256(ERROR_DOMAIN, this.noiseSeed, index)
    const randomness = seededRandomness(seed)
    seed.fill(0)
    return randomness
  }

  /** Registers what must be erased together with this key: its transformed copies. */
  whenDisposed(erase: () => void): void {
    this.#erasers.push(erase)
  }

  /** Erases the key, here and wherever it was transformed. It cannot be used afterwards. */
  dispose(): void {
    this.#disposed = true
    this.coefficients.fill(0)
    this.noiseSeed.fill(0)
    for (const erase of this.#erasers.splice(0)) erase()
  }

  #requireAlive(): void {
    if (this.#disposed) throw new CryptoError('already-disposed', 'This one-time key was erased: draw a new one.')
  }
}

/** Draws a fresh one-time key: 256 bits for the errors' seed, and at least 2 bytes for each coefficient. Secret. */
export function drawOneTimeKey(randomness: Randomness): OneTimeKey {
  const samples = new Int8Array(RING_DEGREE)
  const noiseSeed = new Uint8Array(SEED_BYTES)
  drawGaussian(samples, randomness)
  randomness.fill(noiseSeed)
  const key = new OneTimeKey(Int32Array.from(samples), noiseSeed)
  samples.fill(0)
  return key
}
