import type { Digest } from '../crypto/digest.ts'
import {
  type Envelope,
  type EnvelopeSignature,
  isSignedBy,
  signatureOver,
  statementDigest,
} from '../crypto/envelope.ts'
import { addShare, packShare, unpackShare } from '../crypto/key-shares.ts'
import { RING_DEGREE } from '../crypto/ring-constants.ts'
import type { BoxKey } from '../crypto/sealed-box.ts'
import type { StatementKey, StatementPublicKey } from '../crypto/statement-key.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import {
  type Contribution,
  contributionStatement,
  SEALED_SHARE_CHARACTERS,
  shareAssociatedData,
} from './contribution.ts'
import { type Manifest, manifestStatement } from './manifest.ts'
import type { Refusal } from './protocol-error.ts'
import { countOrganisations, findMember, type RoundPlan } from './round-plan.ts'
import { shareSumStatement } from './share-sum.ts'
import { readStatement, signStatement } from './statement.ts'

/**
 * What a committee member remembers of a round. `endorsedManifest` is durable before the signature leaves: a member
 * signs one manifest per round, after a restart too (protocol §4.4).
 */
export interface MemberRound {
  readonly plan: RoundPlan
  readonly planDigest: Digest
  readonly endorsedManifest?: Digest
}

/** The keys of the member's own identity. */
export interface MemberKeys {
  readonly holder: string
  readonly statementKey: StatementKey
  readonly boxKey: BoxKey
}

/**
 * The member's signature on a manifest, if it may give it: the coordinator's manifest of this plan, over at least
 * `minContributors` organisations of the cohort, each contribution present, signed by its holder and bound to the plan,
 * and no other manifest endorsed before. Order matters: the caller stores `round` durably, then sends `signature`.
 *
 * @param contributions the envelopes that the manifest names, in any order.
 */
export function endorseManifest(
  round: MemberRound,
  manifestEnvelope: Envelope,
  contributions: readonly Envelope[],
  coordinatorKey: StatementPublicKey,
  keys: MemberKeys,
): Verdict<{ readonly round: MemberRound; readonly signature: EnvelopeSignature }, Refusal> {
  const agreed = agreeToManifest(round, manifestEnvelope, contributions, coordinatorKey, keys)
  if (!agreed.ok) return agreed
  const signature = signatureOver(manifestEnvelope.payloadType, manifestEnvelope.payload, keys.statementKey)
  return accepted({ round: agreed.value.round, signature })
}

/** Every rule under which a member lets a set of contributions be opened. Endorsing and answering go through here. */
function agreeToManifest(
  round: MemberRound,
  manifestEnvelope: Envelope,
  envelopes: readonly Envelope[],
  coordinatorKey: StatementPublicKey,
  keys: MemberKeys,
): Verdict<{ readonly round: MemberRound; readonly contributions: readonly Contribution[] }, Refusal> {
  if (!round.plan.committee.members.includes(keys.holder)) {
    return refused('not-on-committee', `${keys.holder} is not on the committee of this round.`)
  }
  const manifest = readManifest(round, manifestEnvelope, coordinatorKey)
  if (!manifest.ok) return manifest
  const digest = statementDigest(manifestEnvelope)
  if (round.endorsedManifest !== undefined && round.endorsedManifest !== digest) {
    return refused('other-manifest-endorsed', 'This member has already endorsed another manifest of this round.')
  }
  const contributions = matchContributions(round, manifest.value, envelopes)
  if (!contributions.ok) return contributions
  return accepted({ round: { ...round, endorsedManifest: digest }, contributions: contributions.value })
}

/** The coordinator's manifest of this plan, over a possible set of contributors. */
function readManifest(
  round: MemberRound,
  envelope: Envelope,
  coordinatorKey: StatementPublicKey,
): Verdict<Manifest, Refusal> {
  const manifest = readStatement(manifestStatement, envelope, coordinatorKey)
  if (!manifest.ok) return manifest
  if (manifest.value.plan !== round.planDigest) return refused('wrong-round', 'The manifest is of another plan.')
  return checkContributors(round.plan, manifest.value)
}

/** A set that may be opened: admitted members, each once, of at least `minContributors` organisations. */
export function checkContributors(plan: RoundPlan, manifest: Manifest): Verdict<Manifest, Refusal> {
  const members = []
  const seen = new Set<string>()
  for (const { holder } of manifest.contributions) {
    const member = findMember(plan, holder)
    if (!member) return refused('not-in-cohort', `The manifest names ${holder}, who is not in the cohort.`)
    if (seen.has(holder)) return refused('duplicate-contribution', `The manifest names ${holder} twice.`)
    seen.add(holder)
    members.push(member)
  }
  const organisations = countOrganisations(members)
  if (organisations < plan.minContributors) {
    return refused(
      'too-few-contributors',
      `The manifest has ${organisations} organisations; the plan demands ${plan.minContributors}.`,
    )
  }
  return accepted(manifest)
}

/** Every contribution that the manifest names, read and verified, in the manifest's order. */
function matchContributions(
  round: MemberRound,
  manifest: Manifest,
  envelopes: readonly Envelope[],
): Verdict<Contribution[], Refusal> {
  const byDigest = new Map(envelopes.map((envelope) => [statementDigest(envelope), envelope]))
  if (byDigest.size !== manifest.contributions.length) {
    return refused('contributions-mismatch', 'The contributions sent are not those that the manifest names.')
  }
  const contributions: Contribution[] = []
  for (const entry of manifest.contributions) {
    const envelope = byDigest.get(entry.contribution)
    if (!envelope) return refused('contributions-mismatch', `The contribution of ${entry.holder} is missing.`)
    const read = readContribution(round.plan, round.planDigest, envelope, entry.holder)
    if (!read.ok) return read
    if (read.value.payload.digest !== entry.payload) {
      return refused('payload-mismatch', `The manifest names another ciphertext for ${entry.holder}.`)
    }
    contributions.push(read.value)
  }
  return accepted(contributions)
}

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

/**
 * The member's answer to a certificate (protocol §4.5): the sum of its shares of the sealed contributors, signed. The
 * certificate is the manifest with at least t signatures of committee members. A member that was not needed for it
 * answers all the same, unless it has endorsed another manifest; the answer then binds it like an endorsement. Order
 * matters: the caller stores `round` durably, then sends `answer`. Deterministic: a repeat gives the same bytes, after a
 * restart too.
 */
export async function answerCertificate(
  round: MemberRound,
  certificate: Envelope,
  contributions: readonly Envelope[],
  coordinatorKey: StatementPublicKey,
  keys: MemberKeys,
): Promise<Verdict<{ readonly round: MemberRound; readonly answer: Envelope }, Refusal>> {
  const agreed = agreeToManifest(round, certificate, contributions, coordinatorKey, keys)
  if (!agreed.ok) return agreed
  const certified = checkCertificate(round.plan, certificate)
  if (!certified.ok) return certified
  const summed = await sumShares(round.planDigest, agreed.value.contributions, keys)
  if (!summed.ok) return summed
  const shareSum = Buffer.from(packShare(summed.value)).toString('base64')
  const manifest = statementDigest(certificate)
  const body = { plan: round.planDigest, manifest, member: keys.holder, shareSum }
  return accepted({ round: agreed.value.round, answer: signStatement(shareSumStatement, body, keys.statementKey) })
}

/** Whether a manifest carries the signatures of at least t distinct members of the plan's committee (protocol §4.4). */
export function checkCertificate(plan: RoundPlan, certificate: Envelope): Verdict<Envelope, Refusal> {
  const { members, threshold } = plan.committee
  const signers = members.filter((member) => isSignedBy(certificate, findMember(plan, member)!.statementKey))
  return signers.length >= threshold
    ? accepted(certificate)
    : refused('no-certificate', `The manifest has ${signers.length} endorsements; ${threshold} make a certificate.`)
}

/** Opens this member's share of every contribution and adds them up. */
async function sumShares(
  planDigest: Digest,
  contributions: readonly Contribution[],
  keys: MemberKeys,
): Promise<Verdict<Uint32Array, Refusal>> {
  const sum = new Uint32Array(RING_DEGREE)
  for (const { holder, payload, shares } of contributions) {
    const share = shares.find(({ member }) => member === keys.holder)!
    const associatedData = shareAssociatedData(planDigest, holder, keys.holder, payload.digest)
    try {
      const packed = await keys.boxKey.open(Buffer.from(share.sealed, 'base64'), associatedData)
      addShare(sum, unpackShare(packed, RING_DEGREE))
      packed.fill(0)
    } catch {
      return refused('share-not-openable', `The share that ${holder} sealed to ${keys.holder} does not open.`)
    }
  }
  return accepted(sum)
}
