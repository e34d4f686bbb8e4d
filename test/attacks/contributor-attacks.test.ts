/** What a single contributor, or a copy of one, does with its key, its values, its noise and its randomness. */
import { afterAll, beforeAll, expect } from 'vitest'
import { digestOf, fromHex } from '../../src/crypto/digest.ts'
import { isSignedBy } from '../../src/crypto/envelope.ts'
import { drawOneTimeKey } from '../../src/crypto/one-time-key.ts'
import { payloadParameters } from '../../src/crypto/payload-parameters.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { seededRandomness } from '../../src/crypto/randomness.ts'
import { RING_MODULUS } from '../../src/crypto/ring-constants.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { signContribution } from '../../src/protocol/contributor.ts'
import { type CoordinatorRound, planRound, receiveContribution } from '../../src/protocol/coordinator-round.ts'
import { planParameters } from '../../src/protocol/round-plan.ts'
import { attack, limit } from '../support/attack.ts'
import { HoldersUnderAttack } from '../support/holders-under-attack.ts'
import { modulo, packChunk, unpackChunk } from '../support/packed-chunks.ts'
import {
  acceptedOf,
  checkRoundShares,
  codeOf,
  coordinatorKey,
  createParties,
  keySumWithoutGuards,
  lanesOf,
  type MadeContribution,
  makeContribution,
  makePlan,
  NOW,
  openSum,
  type Party,
  plainSum,
  randomnessOf,
  receiveAll,
} from '../support/round-fixtures.ts'
import { TestLog } from '../support/test-log.ts'

let scheme: PayloadScheme
let parties: Party[]
let round: CoordinatorRound

beforeAll(async () => {
  scheme = await createPayloadScheme()
  parties = await createParties()
  round = planRound(makePlan(parties), coordinatorKey)
})
afterAll(() => scheme.dispose())

const receive = (into: CoordinatorRound, made: MadeContribution) =>
  receiveContribution(into, made.holder, made.envelope, made.payload, NOW)

/** The same process twice: cloned, or restored from a snapshot, with one state of its randomness. */
const twins = async () => {
  const [first, second] = [lanesOf('today'), lanesOf('tomorrow')]
  return {
    first: await makeContribution(scheme, round, parties[0], first, randomnessOf('one state')),
    second: await makeContribution(scheme, round, parties[0], second, randomnessOf('one state')),
  }
}

attack({
  name: 'a one-time key that is used twice',
  by: 'coordinator, with a clone of the holder’s process',
  wins: 'the difference of two vectors, exactly, without any share: the masks cancel',
  guard:
    'a key gives each pad once and serves one plan; a journal lets one contribution to a plan leave; the second is seen',
  lines: [12],
  off: async () => {
    const { first, second } = await twins()
    const parameters = planParameters(round.plan)
    const [one, two] = [first, second].map(({ chunks }) => unpackChunk(parameters, chunks[0]))
    const { deltaBits, laneBits } = parameters
    for (const [i, coefficient] of one.entries()) {
      const rest = modulo(coefficient - two[i])
      const signed = rest > RING_MODULUS / 2n ? rest - RING_MODULUS : rest
      // Two lanes a coefficient: what is left is Δ times their difference, and nothing else.
      const lane = (lanes: Uint32Array, l: number) => BigInt(lanes[2 * i + l] ?? 0)
      const low = lane(first.lanes, 0) - lane(second.lanes, 0)
      const high = lane(first.lanes, 1) - lane(second.lanes, 1)
      expect(signed).toBe((low + (high << BigInt(laneBits))) << BigInt(deltaBits))
    }
  },
  on: async () => {
    const parameters = planParameters(round.plan)
    const key = drawOneTimeKey(randomnessOf('key'))
    const protector = scheme.createProtector(parameters, fromHex(round.planDigest), key)
    protector.preparePad(0)
    const code = (of: string) => expect.objectContaining({ code: of })
    expect(() => protector.preparePad(0)).toThrow(code('pad-already-used'))
    const elsewhere = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
    expect(() => scheme.createProtector(parameters, fromHex(elsewhere.planDigest), key)).toThrow(
      code('key-bound-to-another-plan'),
    )
    // The clones' two contributions meet at the coordinator.
    const { first, second } = await twins()
    expect(codeOf(receive(acceptedOf(receive(round, first)), second))).toBe('duplicate-contribution')
    // The restored node finds in its journal that one has left.
    const venue = await HoldersUnderAttack.open()
    try {
      const job = venue.createJob()
      const log = await TestLog.create()
      const planned = venue.createPlan(job)
      await log.append([job, planned.planEnvelope])
      const [self] = venue.parties
      const made = acceptedOf(await venue.contribute(self, log, planned, job))
      const uploaded = () => venue.uploads.get(`${planned.planDigest}/${self.keys.holder}`)!
      const bytes = uploaded()
      // The same bytes, or none.
      venue.restart(self)
      expect(acceptedOf(await venue.contribute(self, log, planned, job))).toEqual(made)
      expect(uploaded()).toEqual(bytes)
      venue.restart(self, { losesOutbox: true })
      expect(codeOf(await venue.contribute(self, log, planned, job))).toBe('already-contributed')
    } finally {
      await venue.close()
    }
  },
})

attack({
  name: 'values over the bound',
  by: 'contributor',
  wins: 'its neighbour lane’s value: what does not fit carries over',
  guard: 'a holder’s own code protects no value of more bits than the plan’s',
  lines: [1],
  off: () => {
    const { laneBits, lanes } = planParameters(round.plan)
    expect(lanes).toBe(2)
    // Two lanes of one coefficient, the lower one over its width: the upper one is one more.
    const packed = (low: bigint, high: bigint) => low + (high << BigInt(laneBits))
    expect(packed(1n << BigInt(laneBits), 7n)).toBe(packed(0n, 8n))
  },
  on: () => {
    const parameters = planParameters(round.plan)
    const key = drawOneTimeKey(randomnessOf('key'))
    const pad = scheme.createProtector(parameters, fromHex(round.planDigest), key).preparePad(0)
    const values = lanesOf('any')
    for (const over of [2 ** 16, 2 ** 18, 2 ** 32 - 1]) {
      const wrong = values.slice()
      wrong[3] = over
      expect(() => pad.protect(wrong)).toThrow(expect.objectContaining({ code: 'value-out-of-bounds' }))
    }
    expect(pad.protect(values).length).toBeGreaterThan(0)
  },
})

/** A round of all, to one contribution of which noise was added. */
async function withNoise(noise: bigint) {
  const made: MadeContribution[] = []
  for (const party of parties) made.push(await makeContribution(scheme, round, party, lanesOf(party.keys.holder)))
  const parameters = planParameters(round.plan)
  const noisy = unpackChunk(parameters, made[0].chunks[0]).map((c, i) => (i === 0 ? modulo(c + noise) : c))
  const set = [{ ...made[0], chunks: [packChunk(noisy)] }, ...made.slice(1)]
  return { set, keySum: await keySumWithoutGuards(round, made, parties) }
}

attack({
  name: 'noise beyond what rounding takes away',
  by: 'contributor',
  wins: 'a wrong digit in the sum, for whoever rounds without a bound',
  guard: 'noise outside of its bound is an error, never a value',
  lines: [2],
  off: () => {
    const delta = 2 ** planParameters(round.plan).deltaBits
    expect(Math.round((41 * delta + 300) / delta)).toBe(42)
  },
  on: async () => {
    const inside = await withNoise(100n)
    expect(openSum(scheme, round, inside.set, inside.keySum)).toEqual(plainSum(inside.set))
    const outside = await withNoise(256n)
    expect(() => openSum(scheme, round, outside.set, outside.keySum)).toThrow(
      expect.objectContaining({ code: 'noise-out-of-bounds' }),
    )
  },
})

attack({
  name: 'a contribution of another round, sent again',
  by: 'coordinator or contributor',
  wins: 'an old vector in a new sum: its signature is good and its size is right',
  guard: 'every message names its plan by digest',
  lines: [8],
  off: async () => {
    const [party] = parties
    const made = await makeContribution(scheme, round, party, lanesOf('old'))
    const later = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
    expect(isSignedBy(made.envelope, party.member.statementKey)).toBe(true)
    expect(made.payload.bytes).toBe(planParameters(later.plan).ciphertextBytes)
  },
  on: async () => {
    const made = await makeContribution(scheme, round, parties[0], lanesOf('old'))
    for (const changes of [{ round: 2 }, { nonce: 'f'.repeat(64) }, { job: 'f'.repeat(64) }]) {
      const later = planRound(makePlan(parties, changes), coordinatorKey)
      expect(codeOf(receive(later, made))).toBe('wrong-round')
    }
  },
})

attack({
  name: 'a seed that is shorter than it looks',
  by: 'whoever can count to 2^16',
  wins: 'the one-time key, by trying',
  guard: 'a source of randomness takes 256 bits, or nothing',
  lines: [15],
  off: () => {
    const seed = new Uint8Array(32)
    const short = (value: number) => {
      new DataView(seed.buffer).setUint16(0, value)
      return seededRandomness(seed)
    }
    const drawn = (value: number) => {
      const bytes = new Uint8Array(16)
      short(value).fill(bytes)
      return Buffer.from(bytes).toString('hex')
    }
    const seen = drawn(1234)
    const tried = Array.from({ length: 2000 }, (_, value) => value).find((value) => drawn(value) === seen)
    expect(tried).toBe(1234)
  },
  on: () => {
    for (const bytes of [0, 2, 16, 31, 33, 64]) {
      expect(() => seededRandomness(new Uint8Array(bytes))).toThrow(
        expect.objectContaining({ code: 'seed-not-256-bits' }),
      )
    }
  },
})

attack({
  name: 'more contributors than the lanes were made for',
  by: 'coordinator',
  wins: 'carries between the lanes of a sum that opens',
  guard: 'an accumulator takes as many as the plan’s cohort, and no more',
  lines: [1],
  off: () => {
    const { laneBits } = payloadParameters({ precisionBits: 16, maxContributors: 4, length: 10 })
    expect(5 * 0xffff).toBeGreaterThan(2 ** laneBits - 1)
  },
  on: async () => {
    const parameters = planParameters(round.plan)
    const made = await makeContribution(scheme, round, parties[0], lanesOf('any'))
    const sum = scheme.createAccumulator(parameters, fromHex(round.planDigest), 0)
    for (let i = 0; i < 4; i++) sum.add(made.chunks[0])
    expect(() => sum.add(made.chunks[0])).toThrow(expect.objectContaining({ code: 'too-many-contributors' }))
    sum.dispose()
  },
})

limit({
  name: 'a contributor that counts for three',
  by: 'contributor',
  wins: 'thrice its weight in the sum, within the sum’s own bounds: shares, check and opening see nothing',
  because: 'no proof of range over the ciphertext: an honest holder’s code keeps the bounds; groups are the remedy',
  shown: async () => {
    const made: MadeContribution[] = []
    // Lanes that are a quarter full, so that the sum stays within the bounds of four.
    for (const party of parties) {
      const lanes = lanesOf(party.keys.holder).map((lane) => lane >>> 2)
      made.push(await makeContribution(scheme, round, party, lanes))
    }
    const [light] = made
    const chunk = packChunk(unpackChunk(planParameters(round.plan), light.chunks[0]).map((c) => modulo(3n * c)))
    const payload = { digest: payloadDigest([digestOf(chunk)]), bytes: chunk.length }
    const heavyKey = light.oneTimeKey.map((c) => 3 * c)
    const { keys } = parties[0]
    const { plan, planDigest } = round
    const signed = await signContribution(
      plan,
      planDigest,
      keys.holder,
      heavyKey,
      payload,
      keys.statementKey,
      randomnessOf('heavy'),
    )
    const heavy = { ...light, envelope: signed.envelope, payload, chunks: [chunk] }
    const set = [heavy, ...made.slice(1)]
    const checked = await checkRoundShares(receiveAll(round, set), parties)
    expect(checked.checks.size).toBe(4)
    const keySum = await keySumWithoutGuards(round, set, parties)
    expect(openSum(scheme, round, set, keySum)).toEqual(plainSum([light, light, ...made]))
  },
})
