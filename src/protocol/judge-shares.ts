import { findOffPoints } from '../crypto/share-check.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Candidates } from './candidates.ts'
import type { Exclusion } from './manifest.ts'
import type { Refusal } from './protocol-error.ts'
import type { RoundPlan } from './round-plan.ts'
import type { ShareCheck } from './share-check.ts'

/** What the share checks of a round come to. */
export interface ShareVerdict {
  /** In the candidates' order. */
  readonly excluded: readonly Exclusion[]
  /** In the committee's order. */
  readonly setAside: readonly string[]
}

/** One member's word about one candidate. */
interface Point {
  readonly member: string
  readonly point: number
  /** Undefined: a complaint. */
  readonly values?: Uint32Array
}

/**
 * Who is left out of a set, by the members' share checks (protocol §3, docs/adr/0010). A pure function of what is in the log:
 * coordinator, members, holders and auditors come to the same verdict.
 *
 * 1. A member that is off, or complains, about more than half of the candidates is set aside.
 * 2. A candidate is excluded when a member that is left complains about it, when fewer than t points are left, or when
 *    they do not lie on one polynomial of degree below t.
 *
 * @param checks of distinct members of the plan's committee, for exactly these candidates.
 * Refusals: `malformed-check` for a check that does not speak of every candidate once.
 */
export function judgeShares(
  plan: RoundPlan,
  candidates: Candidates,
  checks: readonly ShareCheck[],
): Verdict<ShareVerdict, Refusal> {
  const holders = candidates.contributions.map(({ holder }) => holder)
  const odd = checks.find((check) => !speaksOfAll(check, holders))
  if (odd) return refused('malformed-check', `The share check of ${odd.member} does not speak of every candidate once.`)
  const { members, threshold } = plan.committee
  const rows = pointsByHolder(members, holders, checks)
  const setAside = members.filter((member) => {
    const against = holders.filter((holder) => objectors(rows.get(holder)!, threshold).includes(member))
    return against.length > holders.length / 2
  })
  const excluded: Exclusion[] = []
  for (const holder of holders) {
    const left = rows.get(holder)!.filter(({ member }) => !setAside.includes(member))
    const sound = left.every(({ values }) => values) && left.length >= threshold && agree(left, threshold)
    if (!sound) excluded.push({ holder, members: objectors(left, threshold) })
  }
  return accepted({ excluded, setAside })
}

/** A member speaks of every candidate: a combination, or a complaint. Combinations stand in the candidates' order. */
function speaksOfAll({ combinations, unopenable }: ShareCheck, holders: readonly string[]): boolean {
  const complaints = new Set(unopenable)
  const opened = holders.filter((holder) => !complaints.has(holder))
  return (
    complaints.size === unopenable.length &&
    opened.length + complaints.size === holders.length &&
    combinations.length === opened.length &&
    combinations.every(({ holder }, i) => holder === opened[i])
  )
}

function pointsByHolder(
  members: readonly string[],
  holders: readonly string[],
  checks: readonly ShareCheck[],
): Map<string, Point[]> {
  const rows = new Map<string, Point[]>(holders.map((holder) => [holder, []]))
  for (const { member, combinations, unopenable } of checks) {
    const point = members.indexOf(member) + 1
    for (const { holder, values } of combinations) {
      rows.get(holder)!.push({ member, point, values: Uint32Array.from(values) })
    }
    for (const holder of unopenable) rows.get(holder)!.push({ member, point })
  }
  return rows
}

type OpenedPoint = Point & { readonly values: Uint32Array }

const isOpened = (point: Point): point is OpenedPoint => point.values !== undefined

/** Members who complain, and those whose points are off the one polynomial that the most others agree on. */
function objectors(row: readonly Point[], threshold: number): string[] {
  const opened = row.filter(isOpened)
  const { off, unique } = findOffPoints(opened, threshold)
  const wrong = unique ? opened.filter(({ point }) => off.includes(point)) : []
  const complaining = row.filter((point) => !isOpened(point))
  return [...complaining, ...wrong].map(({ member }) => member)
}

function agree(row: readonly Point[], threshold: number): boolean {
  const { off, unique } = findOffPoints(row.filter(isOpened), threshold)
  return unique && off.length === 0
}
