/**
 * The check of key shares: what it costs a member and a judge for one contributor, and both once a round.
 *
 *     node bench/share-check.ts [--json]
 */
import { randomBytes } from 'node:crypto'
import { SHARE_MODULUS, splitKey } from '../src/crypto/key-shares.ts'
import { drawOneTimeKey } from '../src/crypto/one-time-key.ts'
import { systemRandomness } from '../src/crypto/randomness.ts'
import { combineShare, drawSharedNumbers, expandShareChallenge, findOffPoints } from '../src/crypto/share-check.ts'
import { round, summarise, timed } from './measure.ts'

const RUNS = 60
const WARM_UP = 20

for (const [threshold, members] of [
  [3, 4],
  [5, 7],
  [8, 15],
]) {
  const samples = { expand: [] as number[], combine: [] as number[], agree: [] as number[], garbage: [] as number[] }
  for (let run = 0; run < WARM_UP + RUNS; run++) {
    const numbers = drawSharedNumbers(drawOneTimeKey(systemRandomness).coefficients, systemRandomness)
    const shares = splitKey(numbers, threshold, members, systemRandomness)
    const challenge = timed(samples.expand, () => expandShareChallenge(randomBytes(32)))
    const points = shares.map((share, i) => ({
      point: i + 1,
      values: i === 0 ? timed(samples.combine, () => combineShare(share, challenge)) : combineShare(share, challenge),
    }))
    const { off } = timed(samples.agree, () => findOffPoints(points, threshold))
    if (off.length > 0) throw new Error('Honest shares are called off.')
    // The dearest: no polynomial has more than t of the points, and all subsets are tried.
    const garbage = points.map(({ point }) => ({
      point,
      values: Uint32Array.from({ length: 3 }, () => Math.floor(Math.random() * SHARE_MODULUS)),
    }))
    timed(samples.garbage, () => findOffPoints(garbage, threshold))
  }
  const medianUs = (list: number[]) => round(1000 * summarise(list.slice(WARM_UP)).medianMs)
  const row = {
    case: 'share-check',
    threshold,
    members,
    expandChallengeUs: medianUs(samples.expand),
    combinePerContributorUs: medianUs(samples.combine),
    judgePerContributorUs: medianUs(samples.agree),
    judgeGarbageUs: medianUs(samples.garbage),
  }
  console.log(
    process.argv.includes('--json')
      ? JSON.stringify(row)
      : Object.entries(row)
          .map(([name, value]) => `${name} ${value}`)
          .join('  '),
  )
}
