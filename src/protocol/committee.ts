import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { ProtocolError } from './protocol-error.ts'

/** Members of a committee, unless the cohort is smaller (protocol §3: k = 7, t = 5, f = 2). */
export const COMMITTEE_SIZE = 7

/** t for a committee of k: the smallest two-thirds majority. 2→2, 3→3, 4→3, 5→4, 6→5, 7→5. */
export function committeeThreshold(k: number): number {
  return Math.floor((2 * k) / 3) + 1
}

/**
 * f: how many of k members may collude with the coordinator. 2t − k > f, so that two quorums share an honest member;
 * t > f, so that the colluders do not open alone; and at least two honest members stay, without which a sum of their
 * contributions and the colluders' own would be one holder's update.
 */
export function toleratedMembers(k: number, threshold: number): number {
  return Math.max(0, Math.min(2 * threshold - k - 1, threshold - 1, k - 2))
}

/**
 * What decides the committee of a round: public, the same for everybody, fixed by the job's statement in the log (protocol
 * §3). SHA-256("sluice/v1/committee-seed" NUL, job digest, round as 4 bytes big-endian).
 */
export function committeeSeed(job: Digest, round: number): Digest {
  const number = Buffer.alloc(4)
  number.writeUInt32BE(round)
  return digestOf(Buffer.from('sluice/v1/committee-seed\0'), fromHex(job), number)
}

/**
 * Draws the committee from public randomness: holders ordered by H(seed ‖ holder), the first of each organisation, k of
 * them. One seat an organisation, because f counts parties that collude and not their nodes. Nobody who cannot choose the
 * seed chooses the committee.
 *
 * @param seed 32 bytes, public.
 * @param organisationOf the organisation behind a holder; each holder its own unless told.
 * @throws ProtocolError `impossible-plan` for fewer than two organisations.
 */
export function drawCommittee(
  holders: readonly string[],
  seed: Digest,
  organisationOf: (holder: string) => string = (holder) => holder,
  size = COMMITTEE_SIZE,
) {
  const domain = Buffer.concat([Buffer.from('sluice/v1/committee\0'), fromHex(seed)])
  const ranked = holders.map((holder) => ({ holder, rank: digestOf(domain, Buffer.from(holder)) }))
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1))
  const seated = new Map<string, string>()
  for (const { holder } of ranked) {
    const organisation = organisationOf(holder)
    if (!seated.has(organisation)) seated.set(organisation, holder)
  }
  const members = [...seated.values()].slice(0, size)
  if (members.length < 2) {
    throw new ProtocolError('impossible-plan', 'A committee needs two organisations: wait for more holders to connect.')
  }
  const threshold = committeeThreshold(members.length)
  return { members, threshold, tolerates: toleratedMembers(members.length, threshold) }
}
