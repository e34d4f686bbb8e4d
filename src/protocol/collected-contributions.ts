import type { Digest } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Candidate } from './candidates.ts'
import { type Contribution, contributionStatement, SEALED_SHARE_CHARACTERS } from './contribution.ts'
import type { Refusal } from './protocol-error.ts'
import { countOrganisations, findMember, type RoundPlan } from './round-plan.ts'
import { readStatement } from './statement.ts'

/** A contribution signed by this holder's key in the plan, bound to the plan, with one share for each member. */
export function readContribution(
  plan: RoundPlan,
  planDigest: Digest,
  envelope: Envelope,
  holder: string,
): Verdict<Contribution, Refusal> {
  const author = findMember(plan, holder)
  if (!author) return refused('not-in-cohort', `${holder} is not in the cohort of this round.`)
  const read = readStatement(contributionStatement, envelope, author.statementKey)
  if (!read.ok) return read
  const contribution = read.value
  if (contribution.plan !== planDigest)
    return refused('wrong-round', `The contribution of ${holder} is to another plan.`)
  if (contribution.holder !== holder) {
    return refused('bad-signature', `A contribution in the name of ${contribution.holder} is signed by ${holder}.`)
  }
  const { members } = plan.committee
  const matches =
    contribution.shares.length === members.length &&
    contribution.shares.every((share, i) => share.member === members[i])
  if (!matches)
    return refused('shares-mismatch', `${holder} does not give one share to each committee member, in order.`)
  // Found now it costs this contributor its place; found by a member after the seal it would cost everybody the round.
  const odd = contribution.shares.find(({ sealed }) => sealed.length !== SEALED_SHARE_CHARACTERS)
  if (odd) return refused('shares-mismatch', `What ${holder} gives to ${odd.member} does not have the size of a share.`)
  return accepted(contribution)
}

/** A set that may be opened: admitted members, each once, of at least `minContributors` organisations. */
export function checkContributors<T extends readonly Candidate[]>(plan: RoundPlan, entries: T): Verdict<T, Refusal> {
  const members = []
  const seen = new Set<string>()
  for (const { holder } of entries) {
    const member = findMember(plan, holder)
    if (!member) return refused('not-in-cohort', `The set names ${holder}, who is not in the cohort.`)
    if (seen.has(holder)) return refused('duplicate-contribution', `The set names ${holder} twice.`)
    seen.add(holder)
    members.push(member)
  }
  const organisations = countOrganisations(members)
  if (organisations < plan.minContributors) {
    return refused(
      'too-few-contributors',
      `The set has ${organisations} organisations; the plan demands ${plan.minContributors}.`,
    )
  }
  return accepted(entries)
}

/**
 * Every contribution that a set names, read and verified, in the set's order.
 * @param envelopes those of the set, in any order; others beside them are not looked at.
 */
export function matchContributions(
  plan: RoundPlan,
  planDigest: Digest,
  entries: readonly Candidate[],
  envelopes: readonly Envelope[],
): Verdict<Contribution[], Refusal> {
  const byDigest = new Map(envelopes.map((envelope) => [statementDigest(envelope), envelope]))
  const contributions: Contribution[] = []
  for (const entry of entries) {
    const envelope = byDigest.get(entry.contribution)
    if (!envelope) return refused('contributions-mismatch', `The contribution of ${entry.holder} is missing.`)
    const read = readContribution(plan, planDigest, envelope, entry.holder)
    if (!read.ok) return read
    if (read.value.payload.digest !== entry.payload) {
      return refused('payload-mismatch', `The set names another ciphertext for ${entry.holder}.`)
    }
    contributions.push(read.value)
  }
  return accepted(contributions)
}
