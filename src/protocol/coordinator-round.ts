import { type Digest, fromHex } from '../crypto/digest.ts'
import { type Envelope, type EnvelopeSignature, isSignedBy, statementDigest } from '../crypto/envelope.ts'
import { addShare, unpackShare } from '../crypto/key-shares.ts'
import { RING_DEGREE } from '../crypto/ring-constants.ts'
import { combineShare, expandShareChallenge, SHARE_CHECK_REPETITIONS, SHARED_NUMBERS } from '../crypto/share-check.ts'
import type { StatementKey } from '../crypto/statement-key.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import { type Candidate, type Candidates, candidatesStatement } from './candidates.ts'
import { checkContributors, readContribution } from './collected-contributions.ts'
import type { Contribution, PayloadReference } from './contribution.ts'
import { type Dealing, dealingStatement } from './dealing.ts'
import { judgeShares, type ShareVerdict } from './judge-shares.ts'
import { judgeSet, namedChecks, namedDealings } from './judged-set.ts'
import { type KeySumCandidate, keySumCandidates } from './key-sum.ts'
import { type Manifest, manifestStatement } from './manifest.ts'
import { ProtocolError, type Refusal } from './protocol-error.ts'
import { checkPlanConsistency, findMember, planParameters, type RoundPlan, roundPlanStatement } from './round-plan.ts'
import { type ShareCheck, shareCheckStatement } from './share-check.ts'
import { shareSumStatement } from './share-sum.ts'
import { bodiesOf, parseStatement, readStatement, signStatement } from './statement.ts'

/** Where a round stands; docs/PROTOCOL.md draws the transitions. `abandoned` is reachable from all but `published`. */
export type RoundPhase = 'collecting' | 'checking' | 'sealed' | 'certified' | 'opened' | 'published' | 'abandoned'

export interface ReceivedContribution {
  readonly envelope: Envelope
  readonly digest: Digest
  readonly contribution: Contribution
}

/**
 * The coordinator's side of one round, as a value. Each function below takes a state and a message and gives the next
 * state or a refusal; whoever calls stores the state before acting on it. Holds no plaintext; `shareSums` become the sum
 * of keys once there are t of them, which is the coordinator's to know after the certificate exists.
 */
export interface CoordinatorRound {
  readonly phase: RoundPhase
  readonly plan: RoundPlan
  readonly planEnvelope: Envelope
  readonly planDigest: Digest
  readonly contributions: ReadonlyMap<string, ReceivedContribution>
  /** What was collected, once collecting has ended. */
  readonly candidates?: Envelope
  /** Share checks by member, in the order of arrival. */
  readonly checks: ReadonlyMap<string, Envelope>
  /** What contributors say that they dealt, by contributor; asked for when checks do not agree. */
  readonly dealings: ReadonlyMap<string, Envelope>
  /** The manifest with the endorsements so far; the certificate once `phase` is `certified`. */
  readonly manifest?: Envelope
  readonly shareSums: ReadonlyMap<string, Uint32Array>
}

/**
 * Signs a plan and begins to collect (protocol §4.1).
 * @throws ProtocolError `impossible-plan` when no honest role could accept it.
 */
export function planRound(plan: RoundPlan, key: StatementKey): CoordinatorRound {
  const consistent = checkPlanConsistency(plan)
  if (!consistent.ok) throw new ProtocolError('impossible-plan', consistent.reason)
  const planEnvelope = signStatement(roundPlanStatement, plan, key)
  const planDigest = statementDigest(planEnvelope)
  return {
    phase: 'collecting',
    plan,
    planEnvelope,
    planDigest,
    contributions: new Map(),
    checks: new Map(),
    dealings: new Map(),
    shareSums: new Map(),
  }
}

/**
 * Takes in one contribution (§4.2). The same bytes again are accepted without effect; other bytes by the same holder are
 * refused, so that a holder cannot replace what others may already have seen.
 *
 * @param uploaded what arrived as this holder's ciphertext, as the receiver measured it.
 */
export function receiveContribution(
  round: CoordinatorRound,
  holder: string,
  envelope: Envelope,
  uploaded: PayloadReference,
  now: Date,
): Verdict<CoordinatorRound, Refusal> {
  if (round.phase !== 'collecting')
    return refused('wrong-phase', `The round is ${round.phase}: it takes no more contributions.`)
  if (now.getTime() > Date.parse(round.plan.collectUntil)) {
    return refused('deadline-passed', `The round closed at ${round.plan.collectUntil}.`)
  }
  const read = readContribution(round.plan, round.planDigest, envelope, holder)
  if (!read.ok) return read
  const digest = statementDigest(envelope)
  const earlier = round.contributions.get(holder)
  if (earlier) {
    return earlier.digest === digest
      ? accepted(round)
      : refused('duplicate-contribution', `${holder} has already contributed to this round.`)
  }
  const mismatch = findPayloadMismatch(round.plan, read.value.payload, uploaded)
  if (mismatch) return refused('payload-mismatch', mismatch)
  const contributions = new Map(round.contributions).set(holder, { envelope, digest, contribution: read.value })
  return accepted({ ...round, contributions })
}

function findPayloadMismatch(plan: RoundPlan, named: PayloadReference, uploaded: PayloadReference): string | undefined {
  const expected = planParameters(plan).ciphertextBytes
  if (named.bytes !== expected) return `A ciphertext of this plan has ${expected} bytes, not ${named.bytes}.`
  if (uploaded.bytes !== named.bytes || uploaded.digest !== named.digest) {
    return 'The uploaded ciphertext is not the one that the contribution names.'
  }
  return undefined
}

/**
 * Ends collecting: signs the candidates (§3, §4.3). The caller makes the new state durable and logs the candidates before any
 * member sees them: two candidate sets of one round must never exist.
 * @param nonce 32 random bytes, hexadecimal
 */
export function closeCollection(
  round: CoordinatorRound,
  nonce: Digest,
  key: StatementKey,
  now: Date,
): Verdict<CoordinatorRound, Refusal> {
  if (round.phase !== 'collecting') return refused('wrong-phase', `The round is ${round.phase}: its candidates stand.`)
  const possible = checkContributors(round.plan, listCandidates(round))
  if (!possible.ok) return possible
  const body = { plan: round.planDigest, contributions: possible.value, nonce, closedAt: now.toISOString() }
  return accepted({ ...round, phase: 'checking', candidates: signStatement(candidatesStatement, body, key) })
}

function listCandidates({ contributions }: CoordinatorRound): Candidate[] {
  const entries = [...contributions].sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(([holder, { digest, contribution }]) => ({
    holder,
    contribution: digest,
    payload: contribution.payload.digest,
  }))
}

/** Takes in one member's share check (§3). The same again is accepted without effect. */
export function receiveShareCheck(
  round: CoordinatorRound,
  member: string,
  envelope: Envelope,
): Verdict<CoordinatorRound, Refusal> {
  if (round.phase !== 'checking') return refused('wrong-phase', `The round is ${round.phase}: no share checks are due.`)
  if (!round.plan.committee.members.includes(member)) {
    return refused('not-on-committee', `${member} is not on the committee of this round.`)
  }
  const read = readStatement(shareCheckStatement, envelope, findMember(round.plan, member)!.statementKey)
  if (!read.ok) return read
  if (read.value.plan !== round.planDigest || read.value.candidates !== statementDigest(round.candidates!)) {
    return refused('wrong-round', `The share check of ${member} is of other candidates.`)
  }
  if (read.value.member !== member) return refused('bad-signature', `${member} checks in the name of another member.`)
  const judged = judge(round, [read.value], [])
  if (!judged.ok) return judged
  const earlier = round.checks.get(member)
  if (earlier && statementDigest(earlier) !== statementDigest(envelope)) {
    return refused('malformed-check', `${member} has given another share check before.`)
  }
  return accepted({ ...round, checks: new Map(round.checks).set(member, envelope) })
}

/** Takes in what a contributor says that it dealt. The first of each counts. */
export function receiveDealing(
  round: CoordinatorRound,
  holder: string,
  envelope: Envelope,
): Verdict<CoordinatorRound, Refusal> {
  if (!round.candidates) return refused('wrong-phase', `The round is ${round.phase}: no dealings are due.`)
  const author = round.contributions.has(holder) ? findMember(round.plan, holder) : undefined
  if (!author) return refused('not-in-cohort', `${holder} is no candidate of this round.`)
  const read = readStatement(dealingStatement, envelope, author.statementKey)
  if (!read.ok) return read
  if (read.value.plan !== round.planDigest || read.value.candidates !== statementDigest(round.candidates)) {
    return refused('wrong-round', `The dealing of ${holder} is of other candidates.`)
  }
  if (read.value.holder !== holder) return refused('bad-signature', `${holder} deals in the name of another.`)
  const judged = judge(round, [], [read.value])
  if (!judged.ok) return judged
  if (round.dealings.has(holder)) return accepted(round)
  return accepted({ ...round, dealings: new Map(round.dealings).set(holder, envelope) })
}

function judge(
  round: CoordinatorRound,
  checks: readonly ShareCheck[],
  dealings: readonly Dealing[],
): Verdict<ShareVerdict, Refusal> {
  const candidates = parseStatement(candidatesStatement, round.candidates!)
  return candidates.ok ? judgeShares(round.plan, candidates.value, checks, dealings) : candidates
}

/** What the checks and dealings so far come to. */
export function judgeRound(round: CoordinatorRound): Verdict<ShareVerdict, Refusal> {
  const checks = bodiesOf(shareCheckStatement, orderedChecks(round))
  return judge(round, checks, bodiesOf(dealingStatement, orderedDealings(round)))
}

/** The share checks in the committee's order: what a manifest rests on. */
export function orderedChecks({ plan, checks }: CoordinatorRound): Envelope[] {
  return plan.committee.members.flatMap((member) => checks.get(member) ?? [])
}

/** The dealings in the candidates' order. */
export function orderedDealings({ dealings }: CoordinatorRound): Envelope[] {
  return [...dealings].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, envelope]) => envelope)
}

/**
 * Closes the set (§4.3): signs the manifest over the candidates that the share checks leave in. The caller logs checks and
 * dealings first, and makes the new state durable before anyone sees the manifest: two manifests of one round must never exist.
 */
export function sealRound(round: CoordinatorRound, key: StatementKey, now: Date): Verdict<CoordinatorRound, Refusal> {
  if (round.phase !== 'checking') return refused('wrong-phase', `The round is ${round.phase}: it cannot be sealed.`)
  const candidates = parseStatement(candidatesStatement, round.candidates!)
  if (!candidates.ok) return candidates
  const checks = namedChecks(orderedChecks(round))
  const set = judgeSet(round.plan, candidates.value, checks, namedDealings(orderedDealings(round)))
  if (!set.ok) return set
  const possible = checkContributors(round.plan, set.value.contributions)
  if (!possible.ok) return possible
  const { contributions, checks: checkDigests, dealings, excluded, setAside } = set.value
  const manifest = {
    plan: round.planDigest,
    candidates: statementDigest(round.candidates!),
    contributions,
    checks: checkDigests,
    dealings,
    excluded,
    setAside,
    sealedAt: now.toISOString(),
  }
  return accepted({ ...round, phase: 'sealed', manifest: signStatement(manifestStatement, manifest, key) })
}

/** What a sealed round's manifest says. @throws ProtocolError `phase-out-of-order` before the seal */
export function manifestOf(round: CoordinatorRound): Manifest {
  const read = round.manifest && parseStatement(manifestStatement, round.manifest)
  if (!read?.ok) throw new ProtocolError('phase-out-of-order', `The round is ${round.phase} and has no manifest.`)
  return read.value
}

/**
 * The contributions of a set that is closed: the candidates', and once the round is sealed the manifest's, in their order. By what
 * those statements say: another coordinator, that had not seen the set closed, may have stored a later one.
 */
export function closedContributions(round: CoordinatorRound): ReceivedContribution[] {
  if (!round.candidates) return []
  const { contributions } = round.manifest ? manifestOf(round) : candidatesOf(round)
  return contributions.map(({ holder }) => round.contributions.get(holder)!)
}

function candidatesOf(round: CoordinatorRound): Candidates {
  const read = parseStatement(candidatesStatement, round.candidates!)
  if (!read.ok) throw new ProtocolError('phase-out-of-order', `The candidates of the round are none: ${read.reason}`)
  return read.value
}

/** Adds a member's signature to the manifest (§4.4); with the t-th the round is `certified`. */
export function receiveEndorsement(
  round: CoordinatorRound,
  member: string,
  signature: EnvelopeSignature,
): Verdict<CoordinatorRound, Refusal> {
  if (!round.manifest || (round.phase !== 'sealed' && round.phase !== 'certified')) {
    return refused('wrong-phase', `The round is ${round.phase}: there is nothing to endorse.`)
  }
  if (!round.plan.committee.members.includes(member)) {
    return refused('not-on-committee', `${member} is not on the committee of this round.`)
  }
  const author = findMember(round.plan, member)!
  if (!isSignedBy({ ...round.manifest, signatures: [signature] }, author.statementKey)) {
    return refused('bad-signature', `The endorsement of ${member} is not its signature of this manifest.`)
  }
  const signatures = round.manifest.signatures.filter(({ keyid }) => keyid !== signature.keyid)
  const manifest = { ...round.manifest, signatures: [...signatures, signature] }
  // The coordinator's own signature is the first; the others are distinct members by their key ids.
  const endorsements = manifest.signatures.length - 1
  const phase = endorsements >= round.plan.committee.threshold ? 'certified' : 'sealed'
  return accepted({ ...round, manifest, phase })
}

/** Takes in one member's answer (§4.5). The same answer again is accepted without effect. */
export function receiveShareSum(
  round: CoordinatorRound,
  member: string,
  envelope: Envelope,
): Verdict<CoordinatorRound, Refusal> {
  if (round.phase !== 'certified') return refused('wrong-phase', `The round is ${round.phase}: no share sums are due.`)
  if (!round.plan.committee.members.includes(member)) {
    return refused('not-on-committee', `${member} is not on the committee of this round.`)
  }
  const read = readStatement(shareSumStatement, envelope, findMember(round.plan, member)!.statementKey)
  if (!read.ok) return read
  if (read.value.plan !== round.planDigest || read.value.manifest !== statementDigest(round.manifest!)) {
    return refused('wrong-round', `The share sum of ${member} answers another manifest.`)
  }
  if (read.value.member !== member) return refused('bad-signature', `${member} answers in the name of another member.`)
  const shareSum = parseShareSum(read.value.shareSum)
  if (!shareSum)
    return refused('bad-share-sum', `The share sum of ${member} is not a vector of ${SHARED_NUMBERS} residues.`)
  if (!fitsCheck(round, member, shareSum)) {
    return refused('bad-share-sum', `The share sum of ${member} is not of the shares that it checked.`)
  }
  const earlier = round.shareSums.get(member)
  if (earlier) {
    return earlier.every((residue, i) => residue === shareSum[i])
      ? accepted(round)
      : refused('duplicate-share-sum', `${member} has given another answer before.`)
  }
  return accepted({ ...round, shareSums: new Map(round.shareSums).set(member, shareSum) })
}

function parseShareSum(text: string): Uint32Array | undefined {
  try {
    return unpackShare(Buffer.from(text, 'base64'), SHARED_NUMBERS)
  } catch {
    return undefined
  }
}

/**
 * Whether a share sum is of the very shares that its member checked (docs/adr/0010): its combination is the sum of the
 * combinations that this member published, for the sealed contributors. A wrong one passes with probability p^-3 < 2^-77.
 * Of a member whose check is not known nothing can be said here; the ciphertexts decide.
 */
function fitsCheck(round: CoordinatorRound, member: string, shareSum: Uint32Array): boolean {
  const check = round.checks.get(member)
  if (!check) return true
  const [{ combinations }] = bodiesOf(shareCheckStatement, [check])
  const sealed = new Set(manifestOf(round).contributions.map(({ holder }) => holder))
  const expected = new Uint32Array(SHARE_CHECK_REPETITIONS)
  for (const { holder, values } of combinations) if (sealed.has(holder)) addShare(expected, Uint32Array.from(values))
  const challenge = expandShareChallenge(fromHex(statementDigest(round.candidates!)))
  return combineShare(shareSum, challenge).every((value, r) => value === expected[r])
}

/**
 * What may be the sum of the sealed contributors' one-time keys (§3): to be tried on the ciphertexts, in turn. None before
 * t members have answered. Only the coordinator learns it.
 */
export function candidateKeySums(round: CoordinatorRound): Generator<KeySumCandidate> {
  const { members, threshold } = round.plan.committee
  const points = members.flatMap((member, i) => {
    const share = round.shareSums.get(member)
    return share ? [{ member, point: i + 1, share: share.subarray(0, RING_DEGREE) }] : []
  })
  return keySumCandidates(points, threshold, manifestOf(round).contributions.length)
}

/** The same round in a later phase; phases only go forward. */
export function advanceRound(round: CoordinatorRound, phase: 'opened' | 'published' | 'abandoned'): CoordinatorRound {
  const allowed: Record<typeof phase, readonly RoundPhase[]> = {
    opened: ['certified'],
    published: ['opened'],
    abandoned: ['collecting', 'checking', 'sealed', 'certified', 'opened'],
  }
  if (!allowed[phase].includes(round.phase)) {
    throw new ProtocolError('phase-out-of-order', `A round that is ${round.phase} cannot become ${phase}.`)
  }
  return { ...round, phase }
}
