import { createCipheriv, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { initialWeights } from '../../src/learning/initial-weights.ts'
import { cnn, mlp } from '../../src/learning/model-presets.ts'
import { SeededStream } from '../../src/learning/seeded-stream.ts'

const seed = Uint8Array.from({ length: 32 }, (_, index) => index)

describe('initial weights', () => {
  it('are the same for the same seed and others for a seed that differs in its last bit', () => {
    const model = mlp(20, [64, 32])
    const other = seed.slice()
    other[31] ^= 1
    expect(initialWeights(model, seed)).toEqual(initialWeights(model, seed))
    expect(initialWeights(model, other)).not.toEqual(initialWeights(model, seed))
  })

  it('fill the Glorot interval of each kernel evenly and leave biases at zero', () => {
    const weights = initialWeights(cnn([12, 12, 2], 5), seed)
    const conv = weights.subarray(0, 3 * 3 * 2 * 8)
    const bias = weights.subarray(conv.length, conv.length + 8)
    const secondStart = conv.length + 8
    const second = weights.subarray(secondStart, secondStart + 3 * 3 * 8 * 16)
    expect([...bias]).toEqual(new Array(8).fill(0))
    for (const [kernel, limit] of [
      [conv, Math.sqrt(6 / (9 * 2 + 9 * 8))],
      [second, Math.sqrt(6 / (9 * 8 + 9 * 16))],
    ] as const) {
      const values = [...kernel]
      expect(Math.max(...values)).toBeLessThan(limit)
      expect(Math.max(...values)).toBeGreaterThan(0.9 * limit)
      expect(Math.min(...values)).toBeLessThan(-0.9 * limit)
      // Standard deviation of the mean: limit / sqrt(3 · count).
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      expect(Math.abs(mean)).toBeLessThan((5 * limit) / Math.sqrt(3 * values.length))
    }
  })

  it('match the written definition, word by word', () => {
    const key = createHmac('sha256', seed).update('sluice initial weights v1').digest()
    const keystream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(16 * 3))
    const expected = [0, 1, 2, 3, 4, 5].map((index) => {
      const unit =
        ((keystream.readUInt32LE(8 * index) >>> 5) * 2 ** 26 + (keystream.readUInt32LE(8 * index + 4) >>> 6)) / 2 ** 53
      return Math.fround((2 * unit - 1) * Math.sqrt(6 / 5))
    })
    expect([...initialWeights(mlp(3, [2]), seed).subarray(0, 6)]).toEqual(expected)
  })

  it('refuse a seed that is not 256 bits', () => {
    expect(() => initialWeights(mlp(2, []), seed.subarray(1))).toThrow(
      expect.objectContaining({ code: 'seed-length-mismatch' }),
    )
  })
})

describe('seeded stream', () => {
  it('gives independent numbers for different labels and runs on past its block', () => {
    const a = new SeededStream(seed, 'a')
    const b = new SeededStream(seed, 'b')
    const words = Array.from({ length: 10_000 }, () => a.uint32())
    expect(new Set(words.slice(0, 5000).concat(words.slice(5000))).size).toBeGreaterThan(9_990)
    expect(Array.from({ length: 8 }, () => b.uint32())).not.toEqual(words.slice(0, 8))
  })

  it('shuffles all elements, and any order about equally often', () => {
    const stream = new SeededStream(seed, 'shuffle')
    const counts = new Map<string, number>()
    for (let run = 0; run < 6_000; run++) {
      const order = Uint32Array.of(0, 1, 2)
      stream.shuffle(order)
      counts.set(order.join(), (counts.get(order.join()) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    // Each is binomial(6000, 1/6): six standard deviations are 173.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(173)
  })

  it('stays below its bound', () => {
    const stream = new SeededStream(seed, 'below')
    for (const bound of [1, 2, 3, 1000, 2 ** 31 + 1, 2 ** 32]) {
      for (let run = 0; run < 100; run++) expect(stream.below(bound)).toBeLessThan(bound)
    }
  })
})
