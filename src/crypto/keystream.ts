import type { Cipheriv } from 'node:crypto'

/** Keystream taken at a time: stays in the first-level cache, and below the size for which malloc goes to the system. */
const ZEROS = new Uint8Array(2 ** 14)

/**
 * Overwrites `bytes` with the next stretch of a counter-mode keystream, which is what such a cipher makes of zeros.
 *
 * What node:crypto returns is erased, because it may be secret, and freed at once: left to the garbage collector, which
 * hears of such memory late, it would pile up to tens of megabytes in every thread.
 */
export function fillWithKeystream(cipher: Cipheriv, bytes: Uint8Array): void {
  for (let start = 0; start < bytes.length; start += ZEROS.length) {
    const part = cipher.update(ZEROS.subarray(0, bytes.length - start))
    bytes.set(part, start)
    part.fill(0)
    if (part.length === part.buffer.byteLength) part.buffer.transfer(0)
  }
}
