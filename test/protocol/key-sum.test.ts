import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addShare, SHARE_MODULUS, splitKey } from '../../src/crypto/key-shares.ts'
import { drawOneTimeKey } from '../../src/crypto/one-time-key.ts'
import { keySumCandidates, type MemberPoint } from '../../src/protocol/key-sum.ts'
import { randomnessOf } from '../support/round-fixtures.ts'

/** The answers of k members over `contributors` fresh keys, and the sum of the keys. */
function answersOf(threshold: number, members: number, contributors: number) {
  const randomness = randomnessOf(`${threshold} of ${members}`)
  const keySum = new Int32Array(2048)
  const points: MemberPoint[] = Array.from({ length: members }, (_, i) => ({
    member: `member-${i + 1}`,
    point: i + 1,
    share: new Uint32Array(2048),
  }))
  for (let c = 0; c < contributors; c++) {
    const { coefficients } = drawOneTimeKey(randomness)
    for (const [i, coefficient] of coefficients.entries()) keySum[i] += coefficient
    for (const [i, share] of splitKey(coefficients, threshold, members, randomness).entries())
      addShare(points[i].share, share)
  }
  return { keySum, points }
}

/** The same answers with some replaced by random residues. */
function withRandomLies(points: readonly MemberPoint[], liars: readonly number[]): MemberPoint[] {
  const randomness = randomnessOf('lies')
  return points.map((point, i) => {
    if (!liars.includes(i)) return point
    const share = new Uint32Array(2048)
    randomness.fill(new Uint8Array(share.buffer))
    return { ...point, share: share.map((word) => word % SHARE_MODULUS) }
  })
}

describe('the answers of a committee', () => {
  it('give the one key sum, whoever answers, in whatever number from t on', () => {
    for (const [t, k] of [
      [2, 2],
      [3, 4],
      [5, 7],
    ]) {
      const { keySum, points } = answersOf(t, k, 4)
      const choices = fc.subarray(points, { minLength: t })
      fc.assert(
        fc.property(choices, (given) => {
          expect([...keySumCandidates(given, t, 4)]).toEqual([{ keySum, wrongMembers: [] }])
        }),
        { numRuns: 15 },
      )
    }
  })

  it('give nothing while fewer than t are there', () => {
    const { points } = answersOf(5, 7, 4)
    for (let count = 0; count < 5; count++) expect([...keySumCandidates(points.slice(0, count), 5, 4)]).toEqual([])
  })

  it('give the one key sum past random lies, and name the liars, while t honest ones are among them', () => {
    const { keySum, points } = answersOf(5, 7, 4)
    for (const liars of [[0], [3], [6], [0, 1], [2, 6]]) {
      const wrongMembers = liars.map((i) => points[i].member)
      expect([...keySumCandidates(withRandomLies(points, liars), 5, 4)]).toEqual([{ keySum, wrongMembers }])
    }
    expect([...keySumCandidates(withRandomLies(points, [0, 1, 2]), 5, 4)]).toEqual([])
  })

  it('give no candidate that is too long for its contributors', () => {
    const { points } = answersOf(3, 4, 64)
    expect([...keySumCandidates(points, 3, 64)]).toHaveLength(1)
    const shifted = points.map((point) => ({ ...point, share: point.share.slice() }))
    for (const { share } of shifted) share[9] = (share[9] + 100_000) % SHARE_MODULUS
    expect([...keySumCandidates(shifted, 3, 64)]).toEqual([])
  })

  it('give the true key sum among the candidates, though a small lie makes others that are as short', () => {
    const { keySum, points } = answersOf(5, 7, 4)
    const lying = points.map((point) => ({ ...point, share: point.share.slice() }))
    lying[0].share[17] = (lying[0].share[17] + 1) % SHARE_MODULUS
    const candidates = [...keySumCandidates(lying, 5, 4)]
    expect(candidates).toContainEqual({ keySum, wrongMembers: ['member-1'] })
    expect(candidates.length).toBeGreaterThan(1)
  })
})
