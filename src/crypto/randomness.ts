import { createCipheriv, randomFillSync } from 'node:crypto'
import { CryptoError } from './crypto-error.ts'
import { fillWithKeystream } from './keystream.ts'

/** The only seed length of Sluice: 256 bits end to end, so that no path goes through a smaller one. */
export const SEED_BYTES = 32

/**
 * A source of uniform bytes. All crypto takes its randomness through this port, so that a test can replay a run.
 *
 * `fill` overwrites every byte of its argument, of any length, and never gives the same stretch of its stream twice.
 */
export interface Randomness {
  fill(bytes: Uint8Array): void
}

/** The operating system's generator, through node:crypto. What every production path uses. */
export const systemRandomness: Randomness = {
  fill: (bytes) => {
    randomFillSync(bytes)
  },
}

/**
 * A deterministic stream: the AES-256-CTR keystream under `seed`, from counter block zero. For expanding a fresh
 * 256-bit seed in bulk, for tests and for simulation; the stream is as secret, and as unpredictable, as the seed.
 *
 * @param seed exactly 32 bytes; copied into the cipher, so the caller may erase its own afterwards
 * @throws CryptoError `seed-not-256-bits`
 * @see NIST SP 800-38A, section 6.5 (counter mode)
 */
export function seededRandomness(seed: Uint8Array): Randomness {
  if (seed.length !== SEED_BYTES) {
    throw new CryptoError('seed-not-256-bits', `A seed has ${SEED_BYTES} bytes, not ${seed.length}: draw a full one.`)
  }
  const keystream = createCipheriv('aes-256-ctr', seed, new Uint8Array(16))
  return {
    fill: (bytes) => fillWithKeystream(keystream, bytes),
  }
}
