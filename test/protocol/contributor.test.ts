import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { recoverSecret, SHARE_MODULUS, unpackShare } from '../../src/crypto/key-shares.ts'
import { drawOneTimeKey } from '../../src/crypto/one-time-key.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import type { Randomness } from '../../src/crypto/randomness.ts'
import { SHARE_CHECK_REPETITIONS, SHARED_NUMBERS } from '../../src/crypto/share-check.ts'
import { type Contribution, contributionStatement, shareAssociatedData } from '../../src/protocol/contribution.ts'
import { signContribution } from '../../src/protocol/contributor.ts'
import { planRound } from '../../src/protocol/coordinator-round.ts'
import { readStatement } from '../../src/protocol/statement.ts'
import {
  acceptedOf,
  coordinatorKey,
  createParties,
  lanesOf,
  makeContribution,
  makePlan,
  type Party,
  randomnessOf,
} from '../support/round-fixtures.ts'

let scheme: PayloadScheme
let parties: Party[]

beforeAll(async () => {
  scheme = await createPayloadScheme()
  parties = await createParties(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
})
afterAll(() => scheme.dispose())

/** The same stream, with a note of every request. */
function recorded(randomness: Randomness) {
  const requests: number[] = []
  const recording: Randomness = {
    fill: (bytes) => {
      requests.push(bytes.length)
      randomness.fill(bytes)
    },
  }
  return { requests, recording }
}

describe('a contribution', () => {
  const payload = { digest: 'e'.repeat(64), bytes: 100 }

  async function contribute(randomness: Randomness) {
    const round = planRound(makePlan(parties), coordinatorKey)
    const key = drawOneTimeKey(randomnessOf('key'))
    const [{ keys }] = parties
    const { envelope } = await signContribution(
      round.plan,
      round.planDigest,
      keys.holder,
      key.coefficients,
      payload,
      keys.statementKey,
      randomness,
    )
    const body = acceptedOf(readStatement(contributionStatement, envelope, keys.statementKey.publicKey))
    return { round, body, key }
  }

  async function openShare(contribution: Contribution, index: number, planDigest: string) {
    const { member, sealed } = contribution.shares[index]
    const { keys } = parties.find((party) => party.keys.holder === member)!
    const associatedData = shareAssociatedData(planDigest, contribution.holder, member, contribution.payload.digest)
    return unpackShare(await keys.boxKey.open(Buffer.from(sealed, 'base64'), associatedData), SHARED_NUMBERS)
  }

  it('has one sealed share for each member, in the committee’s order, that only this member opens', async () => {
    const { round, body } = await contribute(randomnessOf('shares'))
    expect(body.shares.map(({ member }) => member)).toEqual(round.plan.committee.members)
    const shares = await Promise.all(body.shares.map((_, i) => openShare(body, i, round.planDigest)))
    expect(shares.every((share) => share.every((residue) => residue < SHARE_MODULUS))).toBe(true)
    expect(new Set(shares.map((share) => share.join())).size).toBe(7)
    const swapped = { ...body, shares: [{ ...body.shares[0], member: body.shares[1].member }] }
    await expect(openShare(swapped, 0, round.planDigest)).rejects.toMatchObject({ code: 'box-not-openable' })
  })

  it('shares the key over polynomials whose every coefficient is drawn from the source: t − 1 words each', async () => {
    const { requests, recording } = recorded(randomnessOf('polynomials'))
    const { round } = await contribute(recording)
    const [blinding, ...rest] = requests
    expect(blinding).toBe(4 * SHARE_CHECK_REPETITIONS)
    const bulk = rest.find((bytes) => bytes !== 4)
    expect(bulk).toBe(4 * SHARED_NUMBERS * (round.plan.committee.threshold - 1))
    // Second draws of single values.
    expect(rest.filter((bytes) => bytes !== bulk).every((bytes) => bytes === 4)).toBe(true)
  })

  it('shares fresh blinding beside the key, other each time', async () => {
    const blindingOf = async (name: string) => {
      const { round, body, key } = await contribute(randomnessOf(name))
      const { threshold } = round.plan.committee
      const points = []
      for (let i = 0; i < threshold; i++)
        points.push({ point: i + 1, share: await openShare(body, i, round.planDigest) })
      const shared = recoverSecret(points)
      expect(shared.subarray(0, 2048)).toEqual(key.coefficients)
      return shared.subarray(2048)
    }
    const first = await blindingOf('one')
    expect(first).toHaveLength(SHARE_CHECK_REPETITIONS)
    expect(await blindingOf('other')).not.toEqual(first)
  })

  it('shares with other polynomials each time, and seals under other keys', async () => {
    const first = await contribute(randomnessOf('one'))
    const second = await contribute(randomnessOf('other'))
    const again = await contribute(randomnessOf('one'))
    const share = ({ body, round }: typeof first) => openShare(body, 0, round.planDigest)
    expect(await share(second)).not.toEqual(await share(first))
    expect(await share(again)).toEqual(await share(first))
    expect(again.body.shares[0].sealed).not.toBe(first.body.shares[0].sealed)
  })

  it('leaves the key to its owner, who erases it', async () => {
    const { key } = await contribute(randomnessOf('owner'))
    expect(key.coefficients.some((coefficient) => coefficient !== 0)).toBe(true)
  })

  it('draws a seed of 256 bits for its errors, and no shorter one anywhere', async () => {
    const { requests, recording } = recorded(randomnessOf('seeds'))
    const round = planRound(makePlan(parties), coordinatorKey)
    await makeContribution(scheme, round, parties[0], lanesOf('a'), recording)
    expect(requests).toContain(32)
    // Besides: bulk draws for the key and the polynomials, and second draws of single values.
    const key = requests.slice(0, requests.indexOf(32))
    expect(key.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThanOrEqual(2 * 2048)
  })
})
