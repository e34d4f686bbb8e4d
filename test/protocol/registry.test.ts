import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { signEnvelope, statementDigest } from '../../src/crypto/envelope.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import {
  admissionQuorum,
  emptyRegistry,
  examineRegistryStatement,
  type Registry,
  registryHead,
} from '../../src/protocol/registry.ts'
import { examineApplication, examineRegistryRequest, readApplication } from '../../src/protocol/registry-request.ts'
import { applicationStatement } from '../../src/protocol/registry-statements.ts'
import {
  applicationOf,
  apply,
  departureOf,
  foundVenue,
  keysOf,
  statementFor,
  VENUE,
} from '../support/registry-fixtures.ts'
import { acceptedOf, codeOf, coordinatorKey, createParty, type Party, seedOf } from '../support/round-fixtures.ts'

const { publicKey } = coordinatorKey
const four = await foundVenue('cleveland', 'hungary', 'long-beach', 'switzerland')
const zurich = await createParty('zurich')

/** The same holder with new keys. */
async function withNewKeys({ member }: Party): Promise<Party> {
  const fresh = await createParty(`${member.holder}.new`)
  return {
    member: { ...fresh.member, holder: member.holder, organisation: member.organisation },
    keys: { ...fresh.keys, holder: member.holder },
  }
}

describe('a registry', () => {
  it('grows by one signed statement after another, each the head that the next one names', () => {
    let registry = emptyRegistry(VENUE)
    for (const statement of four.statements) {
      registry = acceptedOf(apply(registry, statement))
      expect(registryHead(registry)).toBe(statementDigest(statement))
    }
    expect(registry).toEqual(four.registry)
    expect([...registry.members.values()]).toEqual(four.parties.map(({ member }) => member))
    expect(registryHead(emptyRegistry(VENUE))).toBe(registryHead(emptyRegistry('other.example')))
  })

  it('asks two thirds of the organisations and one more: none for the first member', async () => {
    let registry = emptyRegistry(VENUE)
    const quorums = [admissionQuorum(registry)]
    for (const statement of four.statements) {
      registry = acceptedOf(apply(registry, statement))
      quorums.push(admissionQuorum(registry))
    }
    expect(quorums).toEqual([0, 1, 2, 3, 3])
    // About a member the others are asked.
    expect(admissionQuorum(registry, 'cleveland')).toBe(3)
  })

  it('takes an application with exactly a quorum, and none with one signature less, wherever it is missing', () => {
    fc.assert(
      fc.property(fc.subarray(keysOf(four.parties)), fc.subarray(keysOf(four.parties)), (approve, sign) => {
        const application = applicationOf(zurich, approve)
        const verdict = codeOf(apply(four.registry, statementFor(four.registry, application, sign)))
        expect(verdict).toBe(approve.length >= 3 && sign.length >= 3 ? 'accepted' : 'quorum-not-met')
      }),
      { numRuns: 60 },
    )
  })

  it('lets a member examine everything but the signatures on the statement itself', () => {
    const approved = applicationOf(zurich, keysOf(four.parties))
    const examine = (application: typeof approved) =>
      examineRegistryStatement(four.registry, statementFor(four.registry, application), publicKey)
    expect(acceptedOf(examine(approved))).toEqual({ kind: 'admission', member: zurich.member })
    expect(codeOf(examine(applicationOf(zurich)))).toBe('quorum-not-met')
  })

  it('gives a member new keys when it signs with both, and the others agree', async () => {
    const [cleveland, ...others] = four.parties
    const renewed = await withNewKeys(cleveland)
    const enter = (by: typeof others, alsoBy = [cleveland.keys.statementKey]) => {
      const application = applicationOf(renewed, [...alsoBy, ...keysOf(by)])
      return apply(four.registry, statementFor(four.registry, application, keysOf(by)))
    }
    const { members } = acceptedOf(enter(others))
    expect(members.get('cleveland')).toEqual(renewed.member)
    expect(members.size).toBe(4)
    expect(codeOf(enter(others.slice(1)))).toBe('quorum-not-met')
    const without = applicationOf(renewed, keysOf(others))
    expect(codeOf(examineApplication(four.registry, without, publicKey))).toBe('bad-signature')
  })

  it('lets venues of one and of two organisations change keys, and a sole member leave by its own will alone', async () => {
    for (const names of [['cleveland'], ['cleveland', 'hungary']]) {
      const { registry, parties } = await foundVenue(...names)
      const [cleveland, ...others] = parties
      const renewed = await withNewKeys(cleveland)
      const application = applicationOf(renewed, keysOf([cleveland, ...others]))
      const next = acceptedOf(apply(registry, statementFor(registry, application, keysOf(others))))
      expect(next.members.get('cleveland')).toEqual(renewed.member)
    }
    const { registry, parties } = await foundVenue('cleveland')
    expect(codeOf(apply(registry, statementFor(registry, departureOf(parties[0]))))).toBe('quorum-not-met')
    const own = departureOf(parties[0], [], parties[0].keys.statementKey)
    expect(acceptedOf(apply(registry, statementFor(registry, own))).members.size).toBe(0)
  })

  it('puts a member out by the other organisations, or by its own signature, and never by the coordinator alone', () => {
    const [cleveland, ...others] = four.parties
    const enter = (departure: ReturnType<typeof departureOf>) =>
      apply(four.registry, statementFor(four.registry, departure, keysOf(others)))
    expect(acceptedOf(enter(departureOf(cleveland, keysOf(others)))).members.has('cleveland')).toBe(false)
    expect(acceptedOf(enter(departureOf(cleveland, [cleveland.keys.statementKey]))).members.size).toBe(3)
    expect(codeOf(enter(departureOf(cleveland)))).toBe('quorum-not-met')
    expect(codeOf(enter(departureOf(cleveland, keysOf(others.slice(1)))))).toBe('quorum-not-met')
  })

  it('takes a revoked holder back under its name and organisation with keys that were never used', async () => {
    const [cleveland, ...others] = four.parties
    const departure = departureOf(cleveland, keysOf(others))
    const without = acceptedOf(apply(four.registry, statementFor(four.registry, departure, keysOf(others))))
    const examine = (party: Party, organisation = party.member.organisation) =>
      codeOf(examineApplication(without, applicationOf(party, keysOf(others), { organisation }), publicKey))
    const renewed = await withNewKeys(cleveland)
    expect(examine(renewed)).toBe('accepted')
    expect(examine(renewed, 'another hospital')).toBe('already-admitted')
    expect(examine(cleveland)).toBe('already-admitted')
    expect(codeOf(apply(without, statementFor(four.registry, departure, keysOf(others))))).toBe('registry-out-of-order')
  })

  it('never has two members with one name or key, whatever valid statements come in whatever order', async () => {
    const pool = await Promise.all(['a', 'b', 'c'].map((name) => createParty(name, `${name} clinic`)))
    const renewed = await Promise.all(pool.map(withNewKeys))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(8), { maxLength: 14 }), async (steps) => {
        let registry: Registry = emptyRegistry(VENUE)
        for (const step of steps) {
          const party = [...pool, ...renewed][step % 6]
          // Everybody signs everything: only the rules of names and keys are left.
          const everybody = keysOf([...pool, ...renewed])
          const request = step < 6 ? applicationOf(party, everybody) : departureOf(pool[step % 3], everybody)
          const examined = codeOf(examineRegistryRequest(registry, request, publicKey))
          if (examined !== 'accepted') continue
          registry = acceptedOf(apply(registry, statementFor(registry, request, everybody)))
          const members = [...registry.members.values()]
          const keys = members.flatMap(({ statementKey, boxKey }) => [statementKey, boxKey])
          expect(new Set(keys).size).toBe(2 * members.length)
          for (const key of keys) expect(registry.keys.has(key)).toBe(true)
        }
      }),
      { numRuns: 40 },
    )
  })

  it('counts a hundred organisations, and a quorum of 67 signs', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `holder-${i}`)
    const parties = await Promise.all(names.map((name) => createParty(name)))
    const members = new Map(parties.map(({ member }) => [member.holder, member]))
    const registry = { ...emptyRegistry(VENUE), sequence: 100, head: 'a'.repeat(64), members }
    expect(admissionQuorum(registry)).toBe(67)
    const enter = (count: number) => {
      const keys = keysOf(parties.slice(0, count))
      return codeOf(apply(registry, statementFor(registry, applicationOf(zurich, keys), keys)))
    }
    expect([enter(66), enter(67)]).toEqual(['quorum-not-met', 'accepted'])
  })

  it('reads an application only when the key that it names has signed it', () => {
    expect(acceptedOf(readApplication(applicationOf(zurich)))).toEqual({ venue: VENUE, member: zurich.member })
    const stranger = statementKeyFromSeed(seedOf('stranger'))
    const { payload, payloadType } = applicationOf(zurich)
    expect(codeOf(readApplication({ payload, payloadType, signatures: [] }))).toBe('bad-signature')
    expect(codeOf(readApplication(applicationOf(zurich, [], { statementKey: stranger.publicKey })))).toBe(
      'bad-signature',
    )
  })

  it('wants names of organisations that people can tell apart', () => {
    const names = ['Zürich', 'Zu\u0308rich', 'Zürich ', 'Zür\u200bich', 'Zürich  Spital', '', 'Zürich\nSpital']
    const codes = names.map((organisation) => {
      const body = JSON.stringify({ venue: VENUE, member: { ...zurich.member, organisation } })
      const { payloadType } = applicationStatement
      return codeOf(readApplication(signEnvelope(payloadType, Buffer.from(body), zurich.keys.statementKey)))
    })
    expect(codes).toEqual(['accepted', ...Array(6).fill('malformed-statement')])
  })
})
