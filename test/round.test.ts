/**
 * The protected round, from the plan to the published sum, between four hospitals and a coordinator. No network, no disk:
 * the roles are pure functions, and the lines between them are the messages. Sections are those of docs/PROTOCOL.md.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../src/crypto/digest.ts'
import type { PayloadScheme } from '../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../src/crypto/payload-schemes.ts'
import { answerCertificate, checkShares, endorseManifest } from '../src/protocol/committee-member.ts'
import {
  advanceRound,
  type CoordinatorRound,
  candidateKeySums,
  closeCollection,
  manifestOf,
  planRound,
  receiveContribution,
  receiveEndorsement,
  receiveShareCheck,
  receiveShareSum,
  sealRound,
} from '../src/protocol/coordinator-round.ts'
import { examinePlan } from '../src/protocol/plan-policy.ts'
import { dequantiseSums, quantise } from '../src/protocol/quantiser.ts'
import { checkSegment, countSegment, quantisationStep, type VectorLayout } from '../src/protocol/segments.ts'
import {
  acceptedOf,
  coordinatorKey,
  createParties,
  floorsOf,
  logOfRound,
  type MadeContribution,
  makeContribution,
  makePlan,
  memberRound,
  membersOf,
  NOW,
  openSum,
  type Party,
  plainSum,
  randomnessOf,
  sharesOf,
} from './support/round-fixtures.ts'

/** The vector of this round: four weights of an update, how many examples are behind it, and the zeros of the check. */
const layout: VectorLayout = {
  precisionBits: 16,
  segments: [{ name: 'update', length: 4, low: -1, high: 1 }, countSegment('examples', 1, 16), checkSegment(16)],
}

/** What each hospital has computed. Nobody but the hospital ever sees it. */
const secrets = [
  { update: [0.25, -0.5, 1, 0], examples: [304] },
  { update: [0.1, 0.1, -1, 0.75], examples: [293] },
  { update: [-0.3, 0.2, 0.5, -0.125], examples: [200] },
  { update: [0.9, -0.9, 0.4, 0.4], examples: [123] },
]

describe('a protected round', () => {
  let scheme: PayloadScheme
  let hospitals: Party[]

  beforeAll(async () => {
    scheme = await createPayloadScheme()
    hospitals = await createParties()
  })
  afterAll(() => scheme.dispose())

  it('opens the sum of what four hospitals computed, and nothing else', async () => {
    // §4.1 Plan: the coordinator fixes everything in one signed statement.
    let round: CoordinatorRound = planRound(makePlan(hospitals, { vector: layout }), coordinatorKey)

    // §4.2 Contribute: each hospital examines the plan against its own policy, quantises, protects, shares its key, signs.
    const contributions: MadeContribution[] = []
    for (const [i, hospital] of hospitals.entries()) {
      const plan = acceptedOf(examinePlan(round.planEnvelope, hospital.member, floorsOf(hospital, hospitals), NOW))
      const { update, examples } = secrets[i]
      const values = new Map([
        ['update', update],
        ['examples', examples],
      ])
      const lanes = quantise(plan.vector, values, randomnessOf(`rounding ${i}`))
      contributions.push(await makeContribution(scheme, { plan, planDigest: round.planDigest }, hospital, lanes))
    }
    for (const { holder, envelope, payload } of contributions) {
      round = acceptedOf(receiveContribution(round, holder, envelope, payload, NOW))
    }

    // §3 Check: what was collected is logged; each member opens its shares and publishes blinded combinations of them.
    round = acceptedOf(closeCollection(round, digestOf(Buffer.from('nonce')), coordinatorKey, NOW))
    const envelopes = contributions.map(({ envelope }) => envelope)
    const members = membersOf(round, hospitals).map((hospital) => ({
      ...hospital,
      remembered: memberRound(round),
      openShares: sharesOf(round, hospital),
    }))
    let log = await logOfRound(round)
    for (const member of members) {
      const { remembered, keys, openShares } = member
      const checked = acceptedOf(
        await checkShares(remembered, round.candidates!, log, envelopes, coordinatorKey.publicKey, keys, openShares),
      )
      member.remembered = checked.round // durable, before the check leaves
      round = acceptedOf(receiveShareCheck(round, keys.holder, checked.check))
    }

    // §4.3 Seal: checks and manifest go into the log; the set is closed, and from here on no contribution comes or goes.
    round = acceptedOf(sealRound(round, coordinatorKey, NOW))
    expect(manifestOf(round)).toMatchObject({ excluded: [], setAside: [] })
    log = await logOfRound(round)

    // §4.4 Certify: three of the four committee members verify the manifest and sign it. Together that is the certificate.
    const [absent, ...present] = members
    for (const member of present) {
      const { remembered, keys } = member
      const endorsed = acceptedOf(
        endorseManifest(remembered, round.manifest!, log, envelopes, coordinatorKey.publicKey, keys),
      )
      member.remembered = endorsed.round // durable, before the signature leaves
      round = acceptedOf(receiveEndorsement(round, keys.holder, endorsed.signature))
    }
    expect(round.phase).toBe('certified')

    // §4.5 Open: each answers once with the sum of its key shares. The first hospital may be gone: three answers are enough.
    for (const { remembered, keys, openShares } of present) {
      const { answer } = acceptedOf(
        await answerCertificate(remembered, round.manifest!, envelopes, coordinatorKey.publicKey, keys, openShares),
      )
      round = acceptedOf(receiveShareSum(round, keys.holder, answer))
    }
    expect(round.shareSums.has(absent.keys.holder)).toBe(false)

    // §4.6 Publish: the answers give the sum of the one-time keys, which opens the sum of the vectors, exactly.
    const [{ keySum, wrongMembers }] = candidateKeySums(round)
    const laneSums = openSum(scheme, round, contributions, keySum)
    expect(wrongMembers).toEqual([])
    expect(laneSums).toEqual(plainSum(contributions))
    round = advanceRound(advanceRound(round, 'opened'), 'published')
    expect(round.phase).toBe('published')

    // §2 The counts came through exactly; the update to within one step of rounding per hospital.
    const sums = dequantiseSums(layout, laneSums, contributions.length)
    expect([...sums.get('examples')!]).toEqual([304 + 293 + 200 + 123])
    const tolerance = hospitals.length * quantisationStep(layout.segments[0], layout.precisionBits)
    for (let w = 0; w < 4; w++) {
      const expected = secrets.reduce((sum, { update }) => sum + update[w], 0)
      expect(Math.abs(sums.get('update')![w] - expected)).toBeLessThan(tolerance)
    }
  })
})
