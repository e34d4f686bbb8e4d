import { createCipheriv } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { seededRandomness, systemRandomness } from '../../src/crypto/randomness.ts'

describe('seeded randomness', () => {
  it('refuses every seed length but 256 bits', () => {
    for (const length of [0, 1, 4, 8, 16, 24, 31, 33, 64]) {
      expect(() => seededRandomness(new Uint8Array(length))).toThrow(
        expect.objectContaining({ code: 'seed-not-256-bits' }),
      )
    }
  })

  it('depends on every bit of the seed', () => {
    const stream = (seed: Uint8Array): string => {
      const bytes = new Uint8Array(16)
      seededRandomness(seed).fill(bytes)
      return Buffer.from(bytes).toString('hex')
    }
    const streams = new Set([stream(new Uint8Array(32))])
    for (let bit = 0; bit < 256; bit++) {
      const seed = new Uint8Array(32)
      seed[bit >> 3] = 1 << (bit & 7)
      streams.add(stream(seed))
    }
    expect(streams.size).toBe(257)
  })

  it('is the AES-256-CTR keystream, however the requests are cut', () => {
    const seed = Uint8Array.from({ length: 32 }, (_, i) => i)
    const expected = createCipheriv('aes-256-ctr', seed, new Uint8Array(16)).update(new Uint8Array(100_000))
    const randomness = seededRandomness(seed)
    const got = new Uint8Array(100_000).fill(255)
    for (const [start, end] of [
      [0, 1],
      [1, 17],
      [17, 17],
      [17, 40_000],
      [40_000, 100_000],
    ]) {
      randomness.fill(got.subarray(start, end))
    }
    expect(Buffer.from(got).equals(expected)).toBe(true)
  })
})

describe('system randomness', () => {
  it('fills the whole array, differently each time', () => {
    const first = new Uint8Array(64)
    const second = new Uint8Array(64)
    systemRandomness.fill(first)
    systemRandomness.fill(second)
    expect(first).not.toEqual(second)
    expect(first.subarray(32).some((byte) => byte !== 0)).toBe(true)
  })
})
