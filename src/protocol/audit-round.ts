import type { Digest } from '../crypto/digest.ts'
import { type Envelope, isSignedBy, statementDigest } from '../crypto/envelope.ts'
import type { Objection } from './audit-findings.ts'
import { type Candidates, candidatesStatement } from './candidates.ts'
import { checkContributors } from './collected-contributions.ts'
import { type Dealing, dealingStatement } from './dealing.ts'
import { judgeShares } from './judge-shares.ts'
import { isSameSet, judgeSet } from './judged-set.ts'
import type { Manifest } from './manifest.ts'
import { findMember, type RoundPlan } from './round-plan.ts'
import { type ShareCheck, shareCheckStatement } from './share-check.ts'

/** A logged statement: its bytes, its digest, what it says. */
export interface LoggedBody<T> {
  readonly envelope: Envelope
  readonly digest: Digest
  readonly body: T
}

/** What the log has said so far of a plan whose round is not over. The first of each kind counts, as for members. */
export interface AuditedRound {
  readonly position: number
  readonly planDigest: Digest
  readonly plan: RoundPlan
  /** Digest of the question that it asks. */
  readonly question: Digest
  candidates?: LoggedBody<Candidates>
  readonly checks: Map<string, LoggedBody<ShareCheck>>
  /** Before the manifest: it rests on them. */
  readonly dealings: Map<string, LoggedBody<Dealing>>
  /** After it: they say why a certified sum did not open. */
  readonly lateDealings: Map<string, LoggedBody<Dealing>>
  manifest?: LoggedBody<Manifest>
  certified: boolean
}

export function toLogged<T>(envelope: Envelope, body: T): LoggedBody<T> {
  return { envelope, digest: statementDigest(envelope), body }
}

/** One candidate set per plan, of members of its cohort, each once, of enough organisations. */
export function enterCandidates(round: AuditedRound, candidates: LoggedBody<Candidates>): Objection[] {
  if (round.candidates) {
    const reason = 'The plan has candidates already: under two challenges the blinding of shares would be used twice.'
    return [{ code: 'second-candidates', reason }]
  }
  round.candidates = candidates
  if (round.manifest) return [{ code: 'wrong-order', reason: 'The candidates come after the manifest.' }]
  const possible = checkContributors(round.plan, candidates.body.contributions)
  return possible.ok ? [] : [possible]
}

/** A share check: of the logged candidates, before the manifest, one a committee member, signed by it. */
export function enterShareCheck(round: AuditedRound, check: LoggedBody<ShareCheck>): Objection[] {
  const { member } = check.body
  if (!round.plan.committee.members.includes(member)) {
    return [
      { code: 'not-on-committee', reason: `${member} checks shares and is not on the committee.`, holder: member },
    ]
  }
  const objection = findWordObjection(round, check, member, 'share check')
  if (objection) return [objection]
  if (round.manifest) {
    return [{ code: 'wrong-order', reason: `The share check of ${member} comes after the manifest.`, holder: member }]
  }
  if (round.checks.has(member)) {
    return [{ code: 'second-share-check', reason: `${member} has checked these shares before.`, holder: member }]
  }
  const judged = judgeShares(round.plan, round.candidates!.body, [check.body])
  if (!judged.ok) return [{ ...judged, holder: member }]
  round.checks.set(member, check)
  return []
}

/** A dealing: of the logged candidates, one a candidate, signed by it. */
export function enterDealing(round: AuditedRound, dealing: LoggedBody<Dealing>): Objection[] {
  const { holder } = dealing.body
  if (!findMember(round.plan, holder)) {
    return [{ code: 'not-in-cohort', reason: `${holder} says what it dealt and is not in the cohort.`, holder }]
  }
  const objection = findWordObjection(round, dealing, holder, 'dealing')
  if (objection) return [objection]
  if (!round.candidates!.body.contributions.some((candidate) => candidate.holder === holder)) {
    return [{ code: 'candidates-mismatch', reason: `${holder} says what it dealt and is no candidate.`, holder }]
  }
  if (round.dealings.has(holder) || round.lateDealings.has(holder)) {
    return [{ code: 'second-dealing', reason: `${holder} has said before what it dealt.`, holder }]
  }
  const judged = judgeShares(round.plan, round.candidates!.body, [], [dealing.body])
  if (!judged.ok) return [{ ...judged, holder }]
  const dealings = round.manifest ? round.lateDealings : round.dealings
  dealings.set(holder, dealing)
  return []
}

/** What holds for a check and a dealing alike: signed by a holder of the cohort, at its time, about what was logged. */
function findWordObjection(
  round: AuditedRound,
  { envelope, body }: LoggedBody<{ readonly candidates: Digest }>,
  holder: string,
  what: string,
): Objection | undefined {
  if (!isSignedBy(envelope, findMember(round.plan, holder)!.statementKey)) {
    return { code: 'bad-signature', reason: `The ${what} in the name of ${holder} is not signed by it.`, holder }
  }
  if (!round.candidates) return missingBefore(what, candidatesStatement)
  if (body.candidates !== round.candidates.digest) {
    return { code: 'candidates-mismatch', reason: `The ${what} of ${holder} is of other candidates.`, holder }
  }
  return undefined
}

/** One manifest per plan, over the candidates that the logged checks and dealings leave, as everybody computes it. */
export function enterManifest(round: AuditedRound, manifest: LoggedBody<Manifest>): Objection[] {
  if (round.manifest) {
    return [{ code: 'second-manifest', reason: 'The plan has a manifest already: its set was closed.' }]
  }
  round.manifest = manifest
  if (!round.candidates) return [missingBefore('manifest', candidatesStatement)]
  const { body } = manifest
  if (body.candidates !== round.candidates.digest) {
    return [{ code: 'candidates-mismatch', reason: 'The manifest is over other candidates than were logged.' }]
  }
  const possible = checkContributors(round.plan, body.contributions)
  if (!possible.ok) return [possible]
  return checkVerdict(round, round.candidates.body, body)
}

function checkVerdict(
  { plan, checks, dealings }: AuditedRound,
  candidates: Candidates,
  manifest: Manifest,
): Objection[] {
  const restsOn = [shareCheckStatement, dealingStatement]
  const orderedChecks = plan.committee.members.flatMap((member) => checks.get(member) ?? [])
  const orderedDealings = candidates.contributions.flatMap(({ holder }) => dealings.get(holder) ?? [])
  const judged = judgeSet(plan, candidates, orderedChecks, orderedDealings)
  if (!judged.ok) return [{ code: judged.code, reason: judged.reason, restsOn }]
  if (isSameSet(manifest, judged.value)) return []
  const out = judged.value.excluded.map(({ holder }) => holder)
  const outcome = out.length > 0 ? `leave out ${out.join(', ')}` : 'leave nobody out'
  const reason = `The manifest does not say what the logged share checks come to: they ${outcome}.`
  return [{ code: 'verdict-mismatch', reason, restsOn }]
}

/**
 * Of a round that is given up: who lied about shares, when dealings were asked for because the certified sum did not open
 * (docs/adr/0010). A remark: what the checks alone could show was not broken.
 */
export function explainFailure({ plan, candidates, checks, dealings, lateDealings }: AuditedRound): Objection[] {
  if (lateDealings.size === 0 || !candidates) return []
  const all = [...dealings.values(), ...lateDealings.values()]
  const judged = judgeShares(plan, candidates.body, bodiesOf([...checks.values()]), bodiesOf(all))
  if (!judged.ok) return []
  const { excluded, setAside } = judged.value
  const named = [...setAside, ...excluded.map(({ holder }) => holder)]
  if (named.length === 0) return []
  const reason = `The sum did not open: by what was dealt the shares of ${named.join(', ')} do not agree.`
  return [{ code: 'shares-disputed', reason, holder: named[0], severity: 'remark' }]
}

const bodiesOf = <T>(logged: readonly LoggedBody<T>[]) => logged.map(({ body }) => body)

/** For a statement that comes before what it rests on. */
export function missingBefore(what: string, needed: { readonly payloadType: string }): Objection {
  const reason = `The ${what} comes before the plan has its ${nameOf(needed.payloadType)}.`
  return { code: 'wrong-order', reason, restsOn: [needed] }
}

/** `application/vnd.sluice.v1.share-check+json` is a share check. */
export function nameOf(payloadType: string): string {
  return payloadType.replace(/^.*\.(.+)\+json$/, '$1').replaceAll('-', ' ')
}
