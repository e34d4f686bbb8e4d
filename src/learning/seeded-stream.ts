import { type Cipheriv, createCipheriv, createHmac } from 'node:crypto'
import { LearningError } from './learning-error.ts'

/** Bytes of every seed: 256 bits end to end, no path through a smaller state. */
export const SEED_BYTES = 32

const BLOCK_BYTES = 16_384

/**
 * A deterministic stream of random numbers for learning: initial weights, the order of examples, dropout. Written so
 * that any language can repeat it: the AES-256-CTR keystream from counter zero under the key
 * HMAC-SHA-256(key = seed, message = label in UTF-8), read as little-endian uint32.
 *
 * Not for keys or noise that protects somebody: those come from `src/crypto`.
 */
export class SeededStream {
  readonly #keystream: Cipheriv
  #block = new DataView(new ArrayBuffer(0))
  #offset = 0

  /**
   * @param seed 32 bytes
   * @param label what the numbers are for; streams with different labels are independent
   * @throws LearningError `seed-length-mismatch`
   */
  constructor(seed: Uint8Array, label: string) {
    checkSeed(seed)
    const key = createHmac('sha256', seed).update(label, 'utf8').digest()
    this.#keystream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  }

  /** Uniform integer in [0, 2^32). */
  uint32(): number {
    if (this.#offset === this.#block.byteLength) this.#refill()
    const value = this.#block.getUint32(this.#offset, true)
    this.#offset += 4
    return value
  }

  /** Uniform multiple of 2^-53 in [0, 1), from two words: 27 high bits of the first, 26 of the second. */
  unit(): number {
    const high = this.uint32() >>> 5
    const low = this.uint32() >>> 6
    return (high * 2 ** 26 + low) / 2 ** 53
  }

  /** Uniform integer in [0, bound) for 1 ≤ bound ≤ 2^32; words of the incomplete last interval are skipped. */
  below(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound)
    let word = this.uint32()
    while (word >= limit) word = this.uint32()
    return word % bound
  }

  /** Puts the elements into a uniformly random order, in place (Fisher and Yates, from the last element down). */
  shuffle(elements: Uint32Array): void {
    for (let last = elements.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      const element = elements[last]
      elements[last] = elements[other]
      elements[other] = element
    }
  }

  #refill(): void {
    const bytes = this.#keystream.update(Buffer.alloc(BLOCK_BYTES))
    this.#block = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#offset = 0
  }
}

/** @throws LearningError `seed-length-mismatch` unless the seed is 32 bytes */
export function checkSeed(seed: Uint8Array): void {
  if (!(seed instanceof Uint8Array) || seed.length !== SEED_BYTES) {
    throw new LearningError('seed-length-mismatch', `give a seed of ${SEED_BYTES} bytes`)
  }
}
