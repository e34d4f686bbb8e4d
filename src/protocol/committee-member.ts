import type { Digest } from '../crypto/digest.ts'
import { fromHex } from '../crypto/digest.ts'
import {
  type Envelope,
  type EnvelopeSignature,
  isSignedBy,
  signatureOver,
  statementDigest,
} from '../crypto/envelope.ts'
import { addShare, packShare } from '../crypto/key-shares.ts'
import type { BoxKey } from '../crypto/sealed-box.ts'
import { combineShare, expandShareChallenge, SHARED_NUMBERS } from '../crypto/share-check.ts'
import type { StatementKey, StatementPublicKey } from '../crypto/statement-key.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { abandonmentStatement } from './abandonment.ts'
import { type Candidates, candidatesStatement } from './candidates.ts'
import { checkContributors, matchContributions } from './collected-contributions.ts'
import { isSameSet, judgeSet, namedChecks, namedDealings } from './judged-set.ts'
import { type Manifest, manifestStatement } from './manifest.ts'
import type { OpenedShares } from './opened-shares.ts'
import type { Refusal } from './protocol-error.ts'
import type { RoundLog } from './round-log.ts'
import { findMember, type RoundPlan } from './round-plan.ts'
import { shareCheckStatement } from './share-check.ts'
import { shareSumStatement } from './share-sum.ts'
import { readStatement, signStatement } from './statement.ts'

/**
 * What a committee member remembers of a round. Each field is durable before the message that it speaks of leaves, and
 * none is ever taken back: that is what makes a member answer one candidate set, one manifest, and no round that it gave
 * up, after a restart too (protocol §4.4, docs/adr/0009).
 */
export interface MemberRound {
  readonly plan: RoundPlan
  readonly planDigest: Digest
  readonly checkedCandidates?: Digest
  readonly endorsedManifest?: Digest
  /** It has given its share sum. */
  readonly answered: boolean
  /** It has signed that it never gives one. */
  readonly abandoned: boolean
}

/** The keys of the member's own identity. */
export interface MemberKeys {
  readonly holder: string
  readonly statementKey: StatementKey
  readonly boxKey: BoxKey
}

/**
 * The member's share check (protocol §3): blinded combinations of what each candidate sealed to it, under the challenge that
 * the candidates' digest fixes; complaints where nothing opened. One candidate set per plan: two challenges under one
 * blinding would say something about keys. Order matters: the caller stores `round` durably, then sends `check`. Deterministic.
 *
 * @param log what the log says of the plan, under a checkpoint that t members cosigned.
 * @param contributions the envelopes that the candidates name, in any order.
 * @param openShares opens this member's shares; not called unless every rule is met.
 */
export async function checkShares(
  round: MemberRound,
  candidatesEnvelope: Envelope,
  log: RoundLog,
  contributions: readonly Envelope[],
  coordinatorKey: StatementPublicKey,
  keys: MemberKeys,
  openShares: OpenedShares,
): Promise<Verdict<{ readonly round: MemberRound; readonly check: Envelope }, Refusal>> {
  const onDuty = checkDuty(round, keys)
  if (!onDuty.ok) return onDuty
  const candidates = readCandidates(round, candidatesEnvelope, log, coordinatorKey)
  if (!candidates.ok) return candidates
  const digest = statementDigest(candidatesEnvelope)
  if (round.checkedCandidates !== undefined && round.checkedCandidates !== digest) {
    return refused('other-candidates-checked', 'This member has already checked other candidates of this round.')
  }
  const possible = checkContributors(round.plan, candidates.value.contributions)
  if (!possible.ok) return possible
  const matched = matchContributions(round.plan, round.planDigest, possible.value, contributions)
  if (!matched.ok) return matched
  const shares = await openShares(matched.value)
  const challenge = expandShareChallenge(fromHex(digest))
  const holders = candidates.value.contributions.map(({ holder }) => holder)
  const body = {
    plan: round.planDigest,
    candidates: digest,
    member: keys.holder,
    combinations: holders.flatMap((holder) => {
      const share = shares.get(holder)
      return share ? [{ holder, values: [...combineShare(share, challenge)] }] : []
    }),
    unopenable: holders.filter((holder) => !shares.has(holder)),
  }
  const check = signStatement(shareCheckStatement, body, keys.statementKey)
  return accepted({ round: { ...round, checkedCandidates: digest }, check })
}

/** What every answer of a member begins with. */
function checkDuty({ plan, abandoned }: MemberRound, keys: MemberKeys): Verdict<true, Refusal> {
  if (!plan.committee.members.includes(keys.holder)) {
    return refused('not-on-committee', `${keys.holder} is not on the committee of this round.`)
  }
  if (abandoned) return refused('round-abandoned', 'This member has given the round up, for good.')
  return accepted(true)
}

/** The coordinator's candidates of this plan, the first that the log has, of a round that the log does not call abandoned. */
function readCandidates(
  { planDigest }: MemberRound,
  envelope: Envelope,
  log: RoundLog,
  coordinatorKey: StatementPublicKey,
): Verdict<Candidates, Refusal> {
  const candidates = readStatement(candidatesStatement, envelope, coordinatorKey)
  if (!candidates.ok) return candidates
  if (candidates.value.plan !== planDigest) return refused('wrong-round', 'The candidates are of another plan.')
  if (log.abandoned) return refused('round-abandoned', 'The log says that the round was abandoned.')
  if (!log.candidates || statementDigest(log.candidates) !== statementDigest(envelope)) {
    return refused('not-in-log', 'These are not the first candidates that the log has of this plan.')
  }
  return candidates
}

/**
 * The member's signature on a manifest, if it may give it: the coordinator's manifest of this plan, the first in the log;
 * over the logged candidates without exactly those that the logged share checks exclude; at least `minContributors`
 * organisations of the cohort; each contribution present, signed by its holder and bound to the plan; and no other
 * manifest endorsed before. Order matters: the caller stores `round` durably, then sends `signature`.
 *
 * @param contributions the envelopes that the manifest names, in any order.
 */
export function endorseManifest(
  round: MemberRound,
  manifestEnvelope: Envelope,
  log: RoundLog,
  contributions: readonly Envelope[],
  coordinatorKey: StatementPublicKey,
  keys: MemberKeys,
): Verdict<{ readonly round: MemberRound; readonly signature: EnvelopeSignature }, Refusal> {
  const onDuty = checkDuty(round, keys)
  if (!onDuty.ok) return onDuty
  const manifest = readManifest(round, manifestEnvelope, coordinatorKey)
  if (!manifest.ok) return manifest
  const logged = checkAgainstLog(round, manifestEnvelope, manifest.value, log, coordinatorKey)
  if (!logged.ok) return logged
  const matched = matchContributions(round.plan, round.planDigest, manifest.value.contributions, contributions)
  if (!matched.ok) return matched
  const signature = signatureOver(manifestEnvelope.payloadType, manifestEnvelope.payload, keys.statementKey)
  const endorsed = { ...round, endorsedManifest: statementDigest(manifestEnvelope) }
  return accepted({ round: endorsed, signature })
}

/** The coordinator's manifest of this plan, over a possible set of contributors, and no other one than before. */
function readManifest(
  round: MemberRound,
  envelope: Envelope,
  coordinatorKey: StatementPublicKey,
): Verdict<Manifest, Refusal> {
  const manifest = readStatement(manifestStatement, envelope, coordinatorKey)
  if (!manifest.ok) return manifest
  if (manifest.value.plan !== round.planDigest) return refused('wrong-round', 'The manifest is of another plan.')
  if (round.endorsedManifest !== undefined && round.endorsedManifest !== statementDigest(envelope)) {
    return refused('other-manifest-endorsed', 'This member has already endorsed another manifest of this round.')
  }
  const possible = checkContributors(round.plan, manifest.value.contributions)
  return possible.ok ? manifest : possible
}

function checkAgainstLog(
  round: MemberRound,
  envelope: Envelope,
  manifest: Manifest,
  log: RoundLog,
  coordinatorKey: StatementPublicKey,
): Verdict<true, Refusal> {
  if (!log.candidates) return refused('not-in-log', 'The log has no candidates of this plan.')
  const candidates = readCandidates(round, log.candidates, log, coordinatorKey)
  if (!candidates.ok) return candidates
  if (!log.manifest || statementDigest(log.manifest) !== statementDigest(envelope)) {
    return refused('not-in-log', 'This is not the first manifest that the log has of this plan.')
  }
  const candidatesDigest = statementDigest(log.candidates)
  if (manifest.candidates !== candidatesDigest) {
    return refused('not-in-log', 'The manifest is over other candidates than the log has.')
  }
  if (round.checkedCandidates !== undefined && round.checkedCandidates !== candidatesDigest) {
    return refused('other-candidates-checked', 'This member has checked other candidates of this round.')
  }
  return checkVerdict(round.plan, candidates.value, manifest, log)
}

/** The manifest leaves out exactly those whom the logged share checks exclude, and names why (docs/adr/0010). */
function checkVerdict(
  plan: RoundPlan,
  candidates: Candidates,
  manifest: Manifest,
  { checks, dealings }: RoundLog,
): Verdict<true, Refusal> {
  const judged = judgeSet(plan, candidates, namedChecks(checks), namedDealings(dealings))
  if (!judged.ok) return judged
  return isSameSet(manifest, judged.value)
    ? accepted(true)
    : refused('verdict-mismatch', 'The manifest leaves out, or lets in, others than the logged share checks say.')
}

/**
 * The member's answer to a certificate (protocol §4.5): the sum of its shares of the sealed contributors, signed. The
 * certificate is the manifest with at least t signatures of committee members; those have read the log. A member that
 * was not needed for it answers all the same, unless it has endorsed another manifest; the answer then binds it like an
 * endorsement. Order matters: the caller stores `round` durably, then sends `answer`. Deterministic: a repeat gives the
 * same bytes, after a restart too.
 */
export async function answerCertificate(
  round: MemberRound,
  certificate: Envelope,
  contributions: readonly Envelope[],
  coordinatorKey: StatementPublicKey,
  keys: MemberKeys,
  openShares: OpenedShares,
): Promise<Verdict<{ readonly round: MemberRound; readonly answer: Envelope }, Refusal>> {
  const onDuty = checkDuty(round, keys)
  if (!onDuty.ok) return onDuty
  const manifest = readManifest(round, certificate, coordinatorKey)
  if (!manifest.ok) return manifest
  const certified = checkCertificate(round.plan, certificate)
  if (!certified.ok) return certified
  const matched = matchContributions(round.plan, round.planDigest, manifest.value.contributions, contributions)
  if (!matched.ok) return matched
  const shares = await openShares(matched.value)
  const sum = new Uint32Array(SHARED_NUMBERS)
  for (const { holder } of matched.value) {
    const share = shares.get(holder)
    if (!share) {
      return refused('share-not-openable', `The share that ${holder} sealed to ${keys.holder} does not open.`)
    }
    // With the blinding: it says no more than the checks and the key sum say together, and lets the answer be held against
    // this member's own check (docs/adr/0010).
    addShare(sum, share)
  }
  const shareSum = Buffer.from(packShare(sum)).toString('base64')
  const digest = statementDigest(certificate)
  const body = { plan: round.planDigest, manifest: digest, member: keys.holder, shareSum }
  const answer = signStatement(shareSumStatement, body, keys.statementKey)
  return accepted({ round: { ...round, endorsedManifest: digest, answered: true }, answer })
}

/** Whether a manifest carries the signatures of at least t distinct members of the plan's committee (protocol §4.4). */
export function checkCertificate(plan: RoundPlan, certificate: Envelope): Verdict<Envelope, Refusal> {
  const { members, threshold } = plan.committee
  const signers = members.filter((member) => isSignedBy(certificate, findMember(plan, member)!.statementKey))
  return signers.length >= threshold
    ? accepted(certificate)
    : refused('no-certificate', `The manifest has ${signers.length} endorsements; ${threshold} make a certificate.`)
}

/**
 * The member's promise never to answer for a plan (docs/adr/0009), unless it has answered. Order matters: the caller stores
 * `round` durably, then sends `signature`.
 */
export function giveUpRound(
  round: MemberRound,
  abandonment: Envelope,
  coordinatorKey: StatementPublicKey,
  keys: MemberKeys,
): Verdict<{ readonly round: MemberRound; readonly signature: EnvelopeSignature }, Refusal> {
  if (!round.plan.committee.members.includes(keys.holder)) {
    return refused('not-on-committee', `${keys.holder} is not on the committee of this round.`)
  }
  const read = readStatement(abandonmentStatement, abandonment, coordinatorKey)
  if (!read.ok) return read
  if (read.value.plan !== round.planDigest) return refused('wrong-round', 'The abandonment is of another plan.')
  if (round.answered)
    return refused('already-answered', 'This member has given its share sum: it cannot be taken back.')
  const signature = signatureOver(abandonment.payloadType, abandonment.payload, keys.statementKey)
  return accepted({ round: { ...round, abandoned: true }, signature })
}
