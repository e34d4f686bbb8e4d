import type { Digest } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Candidates } from './candidates.ts'
import { type Dealing, dealingStatement } from './dealing.ts'
import { judgeShares } from './judge-shares.ts'
import type { Manifest } from './manifest.ts'
import type { Refusal } from './protocol-error.ts'
import type { RoundPlan } from './round-plan.ts'
import { type ShareCheck, shareCheckStatement } from './share-check.ts'
import { parseStatement, type StatementKind } from './statement.ts'

/** A statement's body, and the digest that others name it by. */
export interface NamedBody<T> {
  readonly digest: Digest
  readonly body: T
}

/** What a manifest says of its set. */
export type JudgedSet = Pick<Manifest, 'contributions' | 'checks' | 'dealings' | 'excluded' | 'setAside'>

/**
 * The set that logged share checks and dealings come to (docs/adr/0010). The coordinator seals it; members and auditors
 * compare it with the manifest.
 *
 * @param checks in the committee's order, one a member
 * @param dealings in the candidates' order, one a contributor
 * Refusals: `verdict-mismatch` with fewer than t checks; those of `judgeShares`
 */
export function judgeSet(
  plan: RoundPlan,
  candidates: Candidates,
  checks: readonly NamedBody<ShareCheck>[],
  dealings: readonly NamedBody<Dealing>[],
): Verdict<JudgedSet, Refusal> {
  const { threshold } = plan.committee
  if (checks.length < threshold) {
    return refused('verdict-mismatch', `${checks.length} members have checked their shares; ${threshold} are needed.`)
  }
  const judged = judgeShares(
    plan,
    candidates,
    checks.map(({ body }) => body),
    dealings.map(({ body }) => body),
  )
  if (!judged.ok) return judged
  const { excluded, setAside } = judged.value
  const out = new Set(excluded.map(({ holder }) => holder))
  return accepted({
    contributions: candidates.contributions.filter(({ holder }) => !out.has(holder)),
    checks: checks.map(({ digest }) => digest),
    dealings: dealings.map(({ digest }) => digest),
    excluded: [...excluded],
    setAside: [...setAside],
  })
}

/** Whether two say one thing, whatever the order of their fields. */
export function isSameSet(a: JudgedSet, b: JudgedSet): boolean {
  return textOf(a) === textOf(b)
}

function textOf({ contributions, checks, dealings, excluded, setAside }: JudgedSet): string {
  return JSON.stringify([
    contributions.map(({ holder, contribution, payload }) => [holder, contribution, payload]),
    checks,
    dealings,
    excluded.map(({ holder, members }) => [holder, members]),
    setAside,
  ])
}

export function namedChecks(envelopes: readonly Envelope[]): NamedBody<ShareCheck>[] {
  return named(shareCheckStatement, envelopes)
}

export function namedDealings(envelopes: readonly Envelope[]): NamedBody<Dealing>[] {
  return named(dealingStatement, envelopes)
}

/** Of envelopes that were verified before; what is none is left out. */
function named<T>(kind: StatementKind<T>, envelopes: readonly Envelope[]): NamedBody<T>[] {
  return envelopes.flatMap((envelope) => {
    const read = parseStatement(kind, envelope)
    return read.ok ? [{ digest: statementDigest(envelope), body: read.value }] : []
  })
}
