import { evaluateThrough, recoverSecret, type SharePoint } from '../crypto/key-shares.ts'
import { isPlausibleKeySum } from '../crypto/payload-parameters.ts'

/** One member's share sum at its evaluation point. */
export interface MemberPoint extends SharePoint {
  readonly member: string
}

/** A key sum that some t answers agree on, and who then answered wrongly. */
export interface KeySumCandidate {
  /** Sum of the contributors' one-time keys, if it opens the sum of their ciphertexts. For the coordinator alone. */
  readonly keySum: Int32Array
  /** Members whose answers are off the polynomial. Named only once the candidate has opened. */
  readonly wrongMembers: readonly string[]
}

/**
 * The key sums that t of the answers agree on: one, when nobody lies.
 *
 * A sum of n Gaussian keys is short: every coefficient lies within ±14·σ·√n. Answers that are off by random amounts give
 * nothing short, and are passed over here. A member that lies by a *small* amount in a few coefficients can make a short
 * wrong sum together with honest members (Lagrange weights are small), and there would even be several such sums; which of
 * them is the key sum is decided by the ciphertexts alone: a wrong key leaves noise in the check segment.
 *
 * @param points answers at distinct points, in the committee's order; candidates with more agreement are not preferred.
 * @param contributors n, the number of sealed contributions.
 */
export function* keySumCandidates(
  points: readonly MemberPoint[],
  threshold: number,
  contributors: number,
): Generator<KeySumCandidate> {
  const seen: ReadonlySet<MemberPoint>[] = []
  for (const quorum of quorums(points, threshold)) {
    // Quorums on one polynomial give one candidate.
    if (seen.some((agreeing) => quorum.every((point) => agreeing.has(point)))) continue
    const keySum = recoverSecret(quorum)
    if (!isPlausibleKeySum(keySum, contributors)) continue
    const agreeing = new Set(points.filter((point) => quorum.includes(point) || isOnPolynomial(point, quorum)))
    seen.push(agreeing)
    const wrongMembers = points.filter((point) => !agreeing.has(point)).map(({ member }) => member)
    yield { keySum, wrongMembers }
  }
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
