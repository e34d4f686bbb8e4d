import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  accuracy,
  accuracyFromHistograms,
  auc,
  aucFromHistograms,
  LOG_LOSS_FLOOR,
  logLoss,
  scoreHistograms,
} from '../../src/learning/classification-metrics.ts'

/** Scores with many ties, labels of both kinds. */
const scored = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.integer({ min: 0, max: 8 }).map((n) => n / 8),
        fc.float({ min: 0, max: 1, noNaN: true }),
      ),
      fc.boolean(),
    ),
    { minLength: 1, maxLength: 60 },
  )
  .map((pairs) => ({
    scores: Float32Array.from(pairs, ([score]) => score),
    labels: Float32Array.from(pairs, ([, label]) => Number(label)),
  }))

function aucByPairs(scores: Float32Array, labels: Float32Array): number | null {
  let pairs = 0
  let won = 0
  for (const [i, positive] of scores.entries()) {
    for (const [j, negative] of scores.entries()) {
      if (labels[i] !== 1 || labels[j] !== 0) continue
      pairs++
      won += positive > negative ? 1 : positive === negative ? 0.5 : 0
    }
  }
  return pairs ? won / pairs : null
}

describe('exact metrics', () => {
  it('compute the AUC that counting all pairs gives', () => {
    fc.assert(
      fc.property(scored, ({ scores, labels }) => {
        const expected = aucByPairs(scores, labels)
        const actual = auc(scores, labels)
        if (expected === null) expect(actual).toBeNull()
        else expect(actual).toBeCloseTo(expected, 12)
      }),
    )
  })

  it('compute accuracy at one half and by the largest score', () => {
    expect(accuracy(Float32Array.of(0.5, 0.49, 0.9, 0.1), Float32Array.of(1, 1, 0, 0))).toBe(0.5)
    const rows = Float32Array.of(0.2, 0.5, 0.3, 0.4, 0.4, 0.2)
    expect(accuracy(rows, Float32Array.of(1, 0))).toBe(1)
    expect(accuracy(rows, Float32Array.of(1, 1))).toBe(0.5)
  })

  it('compute the log loss with a floor under sure mistakes', () => {
    expect(logLoss(Float32Array.of(0.25, 0.5), Float32Array.of(0, 1))).toBeCloseTo(
      (-Math.log(0.75) - Math.log(0.5)) / 2,
      12,
    )
    expect(logLoss(Float32Array.of(0), Float32Array.of(1))).toBe(-Math.log(LOG_LOSS_FLOOR))
    expect(logLoss(Float32Array.of(0.25, 0.75), Float32Array.of(0))).toBeCloseTo(-Math.log(0.25), 12)
  })

  it.each([
    ['no example', Float32Array.of(), Float32Array.of()],
    ['fewer scores than labels', Float32Array.of(0.5), Float32Array.of(1, 0)],
    ['a score that is not a number', Float32Array.of(Number.NaN, 0.5), Float32Array.of(1, 0)],
    ['a label that is no class', Float32Array.of(0.5, 0.5), Float32Array.of(1, 2)],
  ])('refuse %s', (_, scores, labels) => {
    for (const metric of [accuracy, logLoss, auc]) {
      expect(() => metric(scores, labels)).toThrow(expect.objectContaining({ code: 'metrics-input-invalid' }))
    }
  })
})

describe('metrics from histograms', () => {
  it('give an AUC within the stated bound of the exact one', () => {
    fc.assert(
      fc.property(scored, fc.integer({ min: 1, max: 40 }), ({ scores, labels }, bins) => {
        const exact = auc(scores, labels)
        const binned = aucFromHistograms(scoreHistograms(scores, labels, bins))
        if (exact === null) expect(binned).toBeNull()
        else expect(Math.abs(binned!.value - exact)).toBeLessThanOrEqual(binned!.errorBound + 1e-12)
      }),
    )
  })

  it('give the exact accuracy for an even number of bins, and one within the bound for an odd one', () => {
    fc.assert(
      fc.property(scored, fc.integer({ min: 1, max: 40 }), ({ scores, labels }, bins) => {
        const binned = accuracyFromHistograms(scoreHistograms(scores, labels, bins))!
        expect(Math.abs(binned.value - accuracy(scores, labels))).toBeLessThanOrEqual(binned.errorBound + 1e-12)
        if (bins % 2 === 0) expect(binned.errorBound).toBe(0)
      }),
    )
  })

  it('are the same from the sum of two holders as from all scores together', () => {
    fc.assert(
      fc.property(scored, scored, (a, b) => {
        const sum = (x: Uint32Array, y: Uint32Array) => x.map((count, bin) => count + y[bin])
        const [ha, hb] = [a, b].map(({ scores, labels }) => scoreHistograms(scores, labels, 16))
        const together = scoreHistograms(
          Float32Array.of(...a.scores, ...b.scores),
          Float32Array.of(...a.labels, ...b.labels),
          16,
        )
        expect({ positives: sum(ha.positives, hb.positives), negatives: sum(ha.negatives, hb.negatives) }).toEqual(
          together,
        )
      }),
    )
  })

  it('narrow the bound as bins are added', () => {
    const scores = Float32Array.from({ length: 400 }, (_, index) => ((index * 97) % 400) / 400)
    const labels = scores.map((score, index) => Number(score + ((index * 31) % 10) / 10 > 1))
    const bounds = [4, 16, 64].map((bins) => aucFromHistograms(scoreHistograms(scores, labels, bins))!.errorBound)
    expect(bounds[1]).toBeLessThan(bounds[0])
    expect(bounds[2]).toBeLessThan(bounds[1])
    expect(bounds[2]).toBeLessThan(0.01)
  })

  it.each([
    ['unequal lengths', [1, 2], [1]],
    ['no bins', [], []],
    ['negative counts', [1, -1], [0, 2]],
    ['counts that are not numbers', [1, Number.NaN], [0, 2]],
  ])('refuse histograms of %s', (_, positives, negatives) => {
    for (const metric of [aucFromHistograms, accuracyFromHistograms]) {
      expect(() => metric({ positives, negatives })).toThrow(expect.objectContaining({ code: 'metrics-input-invalid' }))
    }
  })

  it('refuse scores that are no probabilities', () => {
    expect(() => scoreHistograms(Float32Array.of(1.5), Float32Array.of(1), 4)).toThrow(
      expect.objectContaining({ code: 'metrics-input-invalid' }),
    )
  })
})
