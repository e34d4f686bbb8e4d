import { findOffPoints } from '../crypto/share-check.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Candidates } from './candidates.ts'
import type { Dealing } from './dealing.ts'
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
 * Who is left out of a set, by the members' share checks, and by what contributors say that they dealt where checks do not
 * agree (protocol §3, docs/adr/0010). A pure function of what is in the log: coordinator, members, holders and auditors come to
 * the same verdict.
 *
 * A member *objects* to a candidate when it complains, when its point is off the one polynomial that the most others agree
 * on, or when it differs from the candidate's own dealing.
 * 1. A member that objects to more than half of the candidates is set aside.
 * 2. A candidate is excluded when a member that is left objects to it, when fewer than t points are left, when they do not lie
 *    on one polynomial of degree below t, or when its own dealing does not.
 *
 * @param checks of distinct members of the plan's committee, for exactly these candidates.
 * @param dealings of distinct candidates.
 * Refusals: `malformed-check` for a check that does not speak of every candidate once, or a dealing that does not of every
 * member.
 */
export function judgeShares(
  plan: RoundPlan,
  candidates: Candidates,
  checks: readonly ShareCheck[],
  dealings: readonly Dealing[] = [],
): Verdict<ShareVerdict, Refusal> {
  const holders = candidates.contributions.map(({ holder }) => holder)
  const odd = checks.find((check) => !speaksOfAll(check, holders))
  if (odd) return refused('malformed-check', `The share check of ${odd.member} does not speak of every candidate once.`)
  const { members, threshold } = plan.committee
  const unclear = dealings.find(
    ({ combinations }) => combinations.map(({ member }) => member).join() !== members.join(),
  )
  if (unclear)
    return refused('malformed-check', `The dealing of ${unclear.holder} does not speak of every member once.`)
  const rows = rowsByHolder(members, holders, checks, dealings)
  const setAside = members.filter((member) => {
    const against = holders.filter((holder) => objectors(rows.get(holder)!, threshold).includes(member))
    return against.length > holders.length / 2
  })
  const excluded: Exclusion[] = []
  for (const holder of holders) {
    const row = rows.get(holder)!
    const left = { ...row, points: row.points.filter(({ member }) => !setAside.includes(member)) }
    const against = objectors(left, threshold)
    const sound = against.length === 0 && left.points.length >= threshold && agree(left.points, threshold)
    if (!sound || !isConsistent(row.dealt, threshold)) excluded.push({ holder, members: against })
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

/** What is said of one candidate. */
interface Row {
  readonly points: readonly Point[]
  /** By its own word; undefined when it was not asked. */
  readonly dealt?: readonly OpenedPoint[]
}

function rowsByHolder(
  members: readonly string[],
  holders: readonly string[],
  checks: readonly ShareCheck[],
  dealings: readonly Dealing[],
): Map<string, Row> {
  const pointOf = (member: string) => members.indexOf(member) + 1
  const toPoint = ({ member, values }: { member: string; values: number[] }) => ({
    member,
    point: pointOf(member),
    values: Uint32Array.from(values),
  })
  const rows = new Map(
    holders.map((holder) => {
      const dealing = dealings.find((each) => each.holder === holder)
      return [holder, { points: [] as Point[], dealt: dealing?.combinations.map(toPoint) }]
    }),
  )
  for (const { member, combinations, unopenable } of checks) {
    for (const { holder, values } of combinations) rows.get(holder)!.points.push(toPoint({ member, values }))
    for (const holder of unopenable) rows.get(holder)!.points.push({ member, point: pointOf(member) })
  }
  return rows
}

type OpenedPoint = Point & { readonly values: Uint32Array }

const isOpened = (point: Point): point is OpenedPoint => point.values !== undefined

/** Members who complain, whose points are off what the most others agree on, or other than the candidate says it dealt. */
function objectors({ points, dealt }: Row, threshold: number): string[] {
  const opened = points.filter(isOpened)
  const { off, unique } = findOffPoints(opened, threshold)
  return points
    .filter((point) => {
      if (!isOpened(point)) return true
      if (dealt) return dealt.some((own) => own.point === point.point && !equalValues(own.values, point.values))
      return unique && off.includes(point.point)
    })
    .map(({ member }) => member)
}

const equalValues = (a: Uint32Array, b: Uint32Array) => a.every((value, i) => value === b[i])

function agree(points: readonly Point[], threshold: number): boolean {
  return isConsistent(points.filter(isOpened), threshold)
}

function isConsistent(points: readonly OpenedPoint[] | undefined, threshold: number): boolean {
  if (!points) return true
  const { off, unique } = findOffPoints(points, threshold)
  return unique && off.length === 0
}
