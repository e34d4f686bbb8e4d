/** A coordinator that fills a venue with holders of its own. Admission itself is tested in test/protocol/registry*.test.ts. */
import { afterAll, beforeAll, expect } from 'vitest'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { planRound } from '../../src/protocol/coordinator-round.ts'
import { examinePlan } from '../../src/protocol/plan-policy.ts'
import { applyRegistryStatement, proposeRegistryStatement, registryHead } from '../../src/protocol/registry.ts'
import type { RoundPlan } from '../../src/protocol/round-plan.ts'
import { attack, limit } from '../support/attack.ts'
import {
  applicationOf,
  apply,
  type FoundedVenue,
  foundVenue,
  keysOf,
  statementFor,
  withSignatures,
} from '../support/registry-fixtures.ts'
import {
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  floorsOf,
  keySumWithoutGuards,
  lanesOf,
  type MadeContribution,
  makeContribution,
  makePlan,
  NOW,
  openSum,
  type Party,
} from '../support/round-fixtures.ts'

let scheme: PayloadScheme
let founded: FoundedVenue
let victim: Party
let sybils: Party[]
beforeAll(async () => {
  scheme = await createPayloadScheme()
  founded = await foundVenue('victim', 'b', 'c', 'd')
  ;[victim] = founded.parties
  sybils = await createParties(['sybil-1', 'sybil-2', 'sybil-3'])
})
afterAll(() => scheme.dispose())

/** The victim among nobody: a sum of one vector and of what the coordinator knows. */
async function sumAmong(others: readonly Party[], plan: RoundPlan) {
  const all = [victim, ...others]
  const planned = planRound(plan, coordinatorKey)
  const made: MadeContribution[] = []
  for (const party of all) made.push(await makeContribution(scheme, planned, party, lanesOf(party.keys.holder)))
  const sum = openSum(scheme, planned, made, await keySumWithoutGuards(planned, made, all))
  return sum.map((value, i) => value - others.reduce((known, { keys }) => known + lanesOf(keys.holder)[i], 0))
}

attack({
  name: 'a cohort of the coordinator’s own holders around one',
  by: 'coordinator',
  wins: 'that holder’s vector: it knows what all the others gave',
  guard: 'a member is one by the signatures of two thirds of the organisations; a plan with another is refused',
  lines: [6, 13],
  off: async () => {
    const plan = makePlan([victim, ...sybils])
    // A holder that takes the coordinator's word for who is a member:
    const floors = floorsOf(victim, [victim, ...sybils])
    const { planEnvelope } = planRound(plan, coordinatorKey)
    expect(codeOf(examinePlan(planEnvelope, victim.member, floors, NOW))).toBe('accepted')
    expect(await sumAmong(sybils, plan)).toEqual(Float64Array.from(lanesOf('victim')))
  },
  on: () => {
    const { registry, parties } = founded
    const [sybil] = sybils
    const [, ...others] = keysOf(parties)
    // The coordinator alone; with the newcomer's friends; with one member short of the quorum of three.
    for (const signers of [[], keysOf(sybils), others.slice(0, 2), [others[0], others[0], others[0]]]) {
      const application = applicationOf(sybil, signers)
      const change = { kind: 'admission', member: sybil.member } as const
      const proposed = proposeRegistryStatement(registry, change, application, NOW, coordinatorKey)
      const statement = withSignatures(proposed, signers)
      expect(codeOf(applyRegistryStatement(registry, statement, coordinatorKey.publicKey))).toBe('quorum-not-met')
    }
    expect(codeOf(apply(registry, statementFor(registry, applicationOf(sybil, others), others)))).toBe('accepted')
    // And a plan with whoever is in no registry is refused by name.
    const plan = makePlan([victim, ...sybils], { registry: registryHead(registry) })
    const { planEnvelope } = planRound(plan, coordinatorKey)
    const refused = examinePlan(planEnvelope, victim.member, floorsOf(victim, parties), NOW)
    expect(codeOf(refused)).toBe('unaccepted-member')
  },
})

attack({
  name: 'many nodes of one organisation',
  by: 'coordinator and one organisation',
  wins: 'the floor of a set, when nodes are counted',
  guard: 'organisations count, and spellings that look alike are one',
  lines: [6],
  off: async () => {
    // Four holders, of two parties: one of them knows three of the vectors.
    const plan = makePlan([victim, ...sybils])
    expect(await sumAmong(sybils, plan)).toEqual(Float64Array.from(lanesOf('victim')))
  },
  on: async () => {
    const nodes = await Promise.all(['n1', 'n2', 'n3'].map((name) => createParty(name, 'one for all')))
    expect(() => planRound(makePlan([victim, ...nodes], { minContributors: 3 }), coordinatorKey)).toThrow(
      expect.objectContaining({ code: 'impossible-plan' }),
    )
    const { registry, parties } = founded
    const alike = await createParty('twin', 'B HOSPITAL')
    const application = applicationOf(alike, keysOf(parties))
    const change = { kind: 'admission', member: alike.member } as const
    const proposed = proposeRegistryStatement(registry, change, application, NOW, coordinatorKey)
    const statement = withSignatures(proposed, keysOf(parties))
    expect(codeOf(apply(registry, statement))).toBe('already-admitted')
  },
})

limit({
  name: 'a venue that was founded by the coordinator’s own holders',
  by: 'coordinator',
  wins: 'every later admission, and whoever joins is alone among them',
  because:
    'the first members have nobody to ask: who joins reads the registry first, and names its company in its policy',
  shown: async () => {
    const own = await foundVenue('sybil-1', 'sybil-2', 'sybil-3')
    const joined = statementFor(own.registry, applicationOf(victim, keysOf(sybils)), keysOf(sybils))
    expect(codeOf(apply(own.registry, joined))).toBe('accepted')
    const plan = makePlan([victim, ...sybils])
    expect(await sumAmong(sybils, plan)).toEqual(Float64Array.from(lanesOf('victim')))
  },
})
