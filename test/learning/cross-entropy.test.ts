import { describe, expect, it } from 'vitest'
import { binaryCrossEntropy, categoricalCrossEntropy } from '../../src/learning/cross-entropy.ts'

describe('cross-entropy', () => {
  it('agrees with the textbook formula for moderate logits', () => {
    const { lossSum, scores, slope } = binaryCrossEntropy(Float32Array.of(0.5, -2), Float32Array.of(1, 1))
    const p = [1 / (1 + Math.exp(-0.5)), 1 / (1 + Math.exp(2))]
    expect(lossSum).toBeCloseTo(-Math.log(p[0]) - Math.log(p[1]), 12)
    expect([...scores]).toEqual(p.map(Math.fround))
    expect([...slope]).toEqual(p.map((score) => expect.closeTo(score - 1, 6)))
  })

  it('neither overflows nor loses the loss for sure and wrong logits', () => {
    const binary = binaryCrossEntropy(Float32Array.of(1000, -1000, 1000), Float32Array.of(0, 1, 1))
    expect(binary.lossSum).toBe(2000)
    expect([...binary.scores]).toEqual([1, 0, 1])
    const categorical = categoricalCrossEntropy(Float32Array.of(1000, -1000, 0), Float32Array.of(1))
    expect(categorical.lossSum).toBe(2000)
    expect([...categorical.slope]).toEqual([1, -1, 0])
  })

  it('is the same for two classes as softmax and as sigmoid of the difference', () => {
    const softmax = categoricalCrossEntropy(Float32Array.of(0.3, 1.1, -0.4, 0.2), Float32Array.of(1, 0))
    const sigmoid = binaryCrossEntropy(Float32Array.of(1.1 - 0.3, 0.2 - -0.4), Float32Array.of(1, 0))
    expect(softmax.lossSum).toBeCloseTo(sigmoid.lossSum, 6)
    expect(softmax.scores[1]).toBeCloseTo(sigmoid.scores[0], 6)
    expect(softmax.slope[3]).toBeCloseTo(sigmoid.slope[1], 6)
  })
})
