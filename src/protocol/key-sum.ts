import { evaluateThrough, recoverSecret, type SharePoint } from '../crypto/key-shares.ts'
import { isPlausibleKeySum } from '../crypto/payload-parameters.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Refusal } from './protocol-error.ts'

/** One member's share sum at its evaluation point. */
export interface MemberPoint extends SharePoint {
  readonly member: string
}

/**
 * The sum of the one-time keys from the members' share sums, and who answered wrongly.
 *
 * A sum of n Gaussian keys is short: every coefficient lies within ±14·σ·√n. A vector that is off by one wrong share has
 * coefficients all over the field of 2^26, so that 2048 of them pass by chance with probability far below 2^-128. So any
 * t answers that give a short key are right, and whoever is off the polynomial through them is named. With t answers and
 * one of them wrong the key is not recoverable and nobody can be named: more answers are needed.
 *
 * @param points answers at distinct points, in the committee's order.
 * @param contributors n, the number of sealed contributions.
 */
export function recoverKeySum(
  points: readonly MemberPoint[],
  threshold: number,
  contributors: number,
): Verdict<{ readonly keySum: Int32Array; readonly wrongMembers: readonly string[] }, Refusal> {
  if (points.length < threshold) {
    return refused('too-few-share-sums', `${points.length} members answered; ${threshold} are needed to open.`)
  }
  for (const quorum of quorums(points, threshold)) {
    const keySum = recoverSecret(quorum)
    if (!isPlausibleKeySum(keySum, contributors)) continue
    const others = points.filter((point) => !quorum.includes(point))
    const wrongMembers = others.filter((point) => !isOnPolynomial(point, quorum)).map(({ member }) => member)
    return accepted({ keySum, wrongMembers })
  }
  return refused(
    'key-sum-not-recoverable',
    `No ${threshold} of the ${points.length} share sums agree on a key: a member or a contributor gave wrong shares.`,
  )
}

function isOnPolynomial(point: MemberPoint, quorum: readonly MemberPoint[]): boolean {
  const expected = evaluateThrough(quorum, point.point)
  return expected.every((residue, i) => residue === point.share[i])
}

/** All choices of `size` points, in lexicographic order: 21 for 5 of 7. Bounded, since a committee is small. */
function* quorums(points: readonly MemberPoint[], size: number, from = 0): Generator<MemberPoint[]> {
  if (size === 0) {
    yield []
    return
  }
  for (let i = from; i <= points.length - size; i++) {
    for (const rest of quorums(points, size - 1, i + 1)) yield [points[i], ...rest]
  }
}
