import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holdoutSplit } from '../../src/learning/holdout-split.ts'

const labelsArbitrary = fc
  .array(fc.integer({ min: 0, max: 1 }), { maxLength: 300 })
  .map((labels) => Uint8Array.from(labels))
const seedArbitrary = fc.uint8Array({ minLength: 32, maxLength: 32 })
const seed = new Uint8Array(32).fill(7)

describe('holdout split', () => {
  it('puts every record into exactly one part, in record order', () => {
    fc.assert(
      fc.property(labelsArbitrary, seedArbitrary, (labels, anySeed) => {
        const { training, holdout } = holdoutSplit({ labels, seed: anySeed })
        const both = [...training, ...holdout].sort((a, b) => a - b)
        expect(both).toEqual(Array.from(labels.keys()))
        expect([...training]).toEqual([...training].sort((a, b) => a - b))
        expect([...holdout]).toEqual([...holdout].sort((a, b) => a - b))
      }),
    )
  })

  it('holds out a fifth of each label, rounded', () => {
    fc.assert(
      fc.property(labelsArbitrary, seedArbitrary, (labels, anySeed) => {
        const { holdout } = holdoutSplit({ labels, seed: anySeed })
        for (const label of [0, 1]) {
          const total = labels.filter((other) => other === label).length
          expect(holdout.filter((record) => labels[record] === label).length).toBe(Math.round(total / 5))
        }
      }),
    )
  })

  it('gives the same parts on every machine', () => {
    const labels = Uint8Array.from({ length: 20 }, (_, i) => i % 2)
    expect([...holdoutSplit({ labels, seed }).holdout]).toEqual([8, 10, 11, 15])
  })

  it('gives other parts for another seed', () => {
    const labels = new Uint8Array(200)
    const other = holdoutSplit({ labels, seed: new Uint8Array(32).fill(8) })
    expect([...other.holdout]).not.toEqual([...holdoutSplit({ labels, seed }).holdout])
  })

  it('holds out every record equally often over many seeds', () => {
    const labels = new Uint8Array(50)
    const counts = new Uint32Array(50)
    const runs = 2000
    for (let i = 0; i < runs; i++) {
      const anySeed = new Uint8Array(32)
      new DataView(anySeed.buffer).setUint32(0, i)
      for (const record of holdoutSplit({ labels, seed: anySeed }).holdout) counts[record]++
    }
    // 400 expected, standard deviation 17.9: six of them.
    for (const count of counts) expect(Math.abs(count - runs / 5)).toBeLessThan(108)
  })

  it('refuses a seed that is not 32 bytes, and a fraction outside of (0, 1)', () => {
    const labels = new Uint8Array(10)
    expect(() => holdoutSplit({ labels, seed: new Uint8Array(16) })).toThrow(
      expect.objectContaining({ code: 'seed-length-mismatch' }),
    )
    for (const holdoutFraction of [0, 1, -0.2, Number.NaN]) {
      expect(() => holdoutSplit({ labels, seed, holdoutFraction })).toThrow(
        expect.objectContaining({ code: 'split-fraction-invalid' }),
      )
    }
  })
})
