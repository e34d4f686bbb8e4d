/** What a coordinator or a newcomer tries against the registry of members; each wins without its guard. */
import { createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/crypto/digest.ts'
import { isSignedBy, statementDigest } from '../../src/crypto/envelope.ts'
import { sealBox } from '../../src/crypto/sealed-box.ts'
import { committeeThreshold } from '../../src/protocol/committee.ts'
import { type Registry, registryHead } from '../../src/protocol/registry.ts'
import { examineApplication, examineRegistryRequest } from '../../src/protocol/registry-request.ts'
import { applicationStatement, embedStatement, membershipStatement } from '../../src/protocol/registry-statements.ts'
import { countOrganisations, type Member } from '../../src/protocol/round-plan.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import {
  applicationOf,
  apply,
  departureOf,
  foundVenue,
  keysOf,
  statementFor,
  VENUE,
  withSignatures,
} from '../support/registry-fixtures.ts'
import { acceptedOf, codeOf, coordinatorKey, createParty, type Party } from '../support/round-fixtures.ts'

const { publicKey } = coordinatorKey
const { registry, parties } = await foundVenue('cleveland', 'hungary', 'long-beach', 'switzerland')
const quorum = 3
const zurich = await createParty('zurich')
const examine = (party: Party, changes: Partial<Member> = {}, by = registry) =>
  codeOf(examineApplication(by, applicationOf(party, [], changes), publicKey))

describe('a coordinator that invents members', () => {
  it('gets none in beside real ones: guard on', async () => {
    const sybils = await Promise.all(['one', 'two', 'three'].map((name) => createParty(`sybil-${name}`)))
    const own = [coordinatorKey, ...keysOf(sybils)]
    for (const sybil of sybils) {
      const statement = statementFor(registry, applicationOf(sybil, own), own)
      expect(codeOf(apply(registry, statement))).toBe('quorum-not-met')
    }
  })

  it('would have a cohort of one honest holder among its own, whose sum is that holder’s update: guard off', async () => {
    const sybils = await Promise.all(['one', 'two'].map((name) => createParty(`sybil-${name}`)))
    const cohort = [parties[0], ...sybils].map(({ member }) => member)
    expect(countOrganisations(cohort)).toBe(3)
  })

  it('does not get its own key in as a member’s, whose signature would count twice', () => {
    const self: Party = { ...zurich, keys: { ...zurich.keys, statementKey: coordinatorKey } }
    expect(examine(self, { statementKey: publicKey })).toBe('unusable-key')
    // Guard off: the one signature of the coordinator is found under both names.
    expect(isSignedBy(statementFor(registry, applicationOf(zurich)), publicKey)).toBe(true)
  })
})

describe('one organisation with many nodes', () => {
  it('counts once: guard on, and would be a quorum alone: guard off', async () => {
    const nodes = await Promise.all([1, 2, 3].map((i) => createParty(`node-${i}`, 'Cleveland Clinic')))
    let grown: Registry = registry
    for (const [i, node] of nodes.entries()) {
      const everybody = keysOf([...parties, ...nodes.slice(0, i)])
      grown = acceptedOf(apply(grown, statementFor(grown, applicationOf(node, everybody), everybody)))
    }
    const clinic = keysOf(nodes)
    const application = applicationOf(zurich, clinic)
    const statement = statementFor(grown, application, clinic)
    expect(codeOf(apply(grown, statement))).toBe('quorum-not-met')
    const signers = nodes.filter(({ member }) => isSignedBy(statement, member.statementKey))
    expect(signers.length).toBeGreaterThanOrEqual(quorum)
  })

  it('is not another one under another spelling', async () => {
    for (const [i, organisation] of ['Cleveland Hospital', 'ｃleveland hospital'].entries()) {
      const node = await createParty(`spelt-${i}`, organisation)
      expect(examine(node)).toBe('already-admitted')
      expect(countOrganisations([parties[0].member, node.member])).toBe(2)
    }
  })

  it('has no node that it has not signed for: its voice would be in a stranger’s hands', async () => {
    const [cleveland, ...others] = parties
    const impostor = await createParty('impostor', cleveland.member.organisation)
    const enter = (by: readonly Party[]) => {
      const application = applicationOf(impostor, keysOf(by))
      return codeOf(apply(registry, statementFor(registry, application, keysOf(parties))))
    }
    expect(enter(others)).toBe('quorum-not-met')
    expect(enter([cleveland, ...others.slice(1)])).toBe('accepted')
  })
})

describe('replayed signatures', () => {
  const all = keysOf(parties)
  const statement = statementFor(registry, applicationOf(zurich, all), all)

  it('are over one number and one past: another statement does not have them', async () => {
    const next = acceptedOf(apply(registry, statement))
    expect(codeOf(apply(next, statement))).toBe('registry-out-of-order')
    const other = statementFor(next, departureOf(zurich, all))
    const { signatures } = statement
    expect(codeOf(apply(next, { ...other, signatures: [...other.signatures, ...signatures] }))).toBe('quorum-not-met')
  })

  it('do not enter the application of another venue', () => {
    const body = { venue: 'other.example', member: zurich.member }
    const foreign = signStatement(
      membershipStatement,
      {
        venue: VENUE,
        sequence: 5,
        previous: registryHead(registry),
        application: embedStatement({ ...applicationOf(zurich, all), payload: Buffer.from(JSON.stringify(body)) }),
        admittedAt: '2026-03-01T12:00:00.000Z',
      },
      coordinatorKey,
    )
    expect(codeOf(apply(registry, withSignatures(foreign, all)))).toBe('bad-signature')
  })

  it('do not bring back keys that were given up, and may have been given up because they were stolen', async () => {
    const [cleveland, ...others] = parties
    const application = applicationOf(cleveland, keysOf(parties))
    const departure = departureOf(cleveland, keysOf(others))
    const without = acceptedOf(apply(registry, statementFor(registry, departure, keysOf(others))))
    expect(codeOf(examineApplication(without, application, publicKey))).toBe('already-admitted')
    // Guard off: the old application is still signed by everybody.
    expect(examineApplication({ ...without, keys: new Set(), names: new Map() }, application, publicKey).ok).toBe(true)
  })

  it('do not put a holder out that came back', async () => {
    const [cleveland, ...others] = parties
    const departure = departureOf(cleveland, keysOf(others))
    const without = acceptedOf(apply(registry, statementFor(registry, departure, keysOf(others))))
    const fresh = await createParty('cleveland.again')
    const back: Party = {
      member: { ...fresh.member, holder: 'cleveland', organisation: cleveland.member.organisation },
      keys: fresh.keys,
    }
    const again = acceptedOf(apply(without, statementFor(without, applicationOf(back, keysOf(others)), keysOf(others))))
    const replay = () => statementFor(again, departure, keysOf(others))
    expect(replay).toThrow()
  })
})

describe('a fork of the registry', () => {
  const all = keysOf(parties)

  it('needs two statements of one number, and a member signs one: two quorums share an honest organisation', async () => {
    const other = await createParty('geneva')
    const left = statementFor(registry, applicationOf(zurich, all))
    const right = statementFor(registry, applicationOf(other, all))
    // Guard off: members that sign whatever is next make both of them valid.
    for (const statement of [left, right]) {
      expect(codeOf(apply(registry, withSignatures(statement, all)))).toBe('accepted')
    }
    // Guard on: each signs one, however the coordinator divides them, and one of them may sign both.
    for (let split = 0; split < 2 ** parties.length; split++) {
      const onLeft = all.filter((_, i) => i === 0 || split & (1 << i))
      const onRight = all.filter((_, i) => i === 0 || !(split & (1 << i)))
      const verdicts = [withSignatures(left, onLeft), withSignatures(right, onRight)].map((statement) =>
        codeOf(apply(registry, statement)),
      )
      expect(verdicts.filter((verdict) => verdict === 'accepted').length).toBeLessThan(2)
    }
    for (let n = 1; n < 100; n++) expect(2 * committeeThreshold(n) - n).toBeGreaterThan(Math.floor((n - 1) / 3))
  })

  it('is not one by another number for the same place, for which members would sign again', () => {
    const statement = statementFor(registry, applicationOf(zurich, all))
    const body = JSON.parse(new TextDecoder().decode(statement.payload))
    const elsewhere = { ...body, sequence: 7 }
    const renumbered = withSignatures(signStatement(membershipStatement, elsewhere, coordinatorKey), all)
    expect(codeOf(apply(registry, renumbered))).toBe('registry-out-of-order')
    // Guard off: it names the same past, and whoever notes a signature for each number has none for this one.
    expect(elsewhere.previous).toBe(registryHead(registry))
    expect(codeOf(apply({ ...registry, sequence: 6 }, renumbered))).toBe('accepted')
  })

  it('is not one that continues another past', () => {
    const statement = statementFor(registry, applicationOf(zurich, all), all)
    const elsewhere = { ...registry, head: 'b'.repeat(64) }
    expect(codeOf(apply(elsewhere, statement))).toBe('registry-out-of-order')
    expect(statementDigest(statement)).not.toBe(statementDigest(statementFor(elsewhere, applicationOf(zurich, all))))
  })
})

describe('a request that is not what it seems', () => {
  const all = keysOf(parties)

  it('to another venue is none to this one, whoever has signed it', () => {
    const body = { venue: 'other.example', member: zurich.member }
    const foreign = withSignatures(signStatement(applicationStatement, body, zurich.keys.statementKey), all)
    expect(codeOf(examineApplication(registry, foreign, publicKey))).toBe('registry-out-of-order')
    expect(codeOf(examineApplication({ ...registry, venue: 'other.example' }, foreign, publicKey))).toBe('accepted')
  })

  it('for a departure does not enter as a membership', () => {
    const place = { venue: VENUE, sequence: 5, previous: registryHead(registry) }
    const application = embedStatement(departureOf(parties[0], all))
    const body = { ...place, application, admittedAt: '2026-03-01T12:00:00.000Z' }
    const disguised = withSignatures(signStatement(membershipStatement, body, coordinatorKey), all)
    expect(codeOf(apply(registry, disguised))).toBe('wrong-statement-type')
  })

  it('for a departure comes from the coordinator or from who departs, not from a rival', () => {
    const [cleveland, rival] = parties
    const departure = departureOf(cleveland, [], rival.keys.statementKey)
    expect(codeOf(examineRegistryRequest(registry, departure, publicKey))).toBe('bad-signature')
    expect(codeOf(examineRegistryRequest(registry, departureOf(cleveland), publicKey))).toBe('accepted')
  })
})

describe('swapped and shared keys', () => {
  it('in an application on its way leave it unsigned by the one who applied', async () => {
    const reader = await createParty('reader')
    const { payloadType, signatures } = applicationOf(zurich)
    const swapped = { venue: VENUE, member: { ...zurich.member, boxKey: reader.member.boxKey } }
    const envelope = { payloadType, signatures, payload: Buffer.from(JSON.stringify(swapped)) }
    expect(codeOf(examineApplication(registry, envelope, publicKey))).toBe('bad-signature')
    // Guard off: the coordinator opens what is sealed to zurich.
    const box = await sealBox(swapped.member.boxKey, Buffer.from('share'), new Uint8Array())
    expect(toHex(await reader.keys.boxKey.open(box, new Uint8Array()))).toBe(toHex(Buffer.from('share')))
  })

  it('of a member are nobody else’s, in either place', () => {
    const { statementKey, boxKey } = parties[0].member
    expect(examine(zurich, { boxKey })).toBe('already-admitted')
    expect(examine(zurich, { boxKey: statementKey })).toBe(
      // Half of all Ed25519 encodings have the top bit, which no box key has.
      fromHex(statementKey)[31] & 0x80 ? 'unusable-key' : 'already-admitted',
    )
    expect(
      examine({ ...zurich, keys: { ...zurich.keys, statementKey: parties[0].keys.statementKey } }, { statementKey }),
    ).toBe('already-admitted')
  })

  it('are the same key under another encoding, too', () => {
    const { boxKey } = parties[0].member
    const encoded = fromHex(boxKey)
    encoded[31] |= 0x80
    const alias = toHex(encoded)
    expect(examine(zurich, { boxKey: alias })).toBe('unusable-key')
    // Guard off: another text, of which the registry knows nothing, and one secret for both.
    expect(registry.keys.has(alias)).toBe(false)
    const { privateKey } = generateKeyPairSync('x25519')
    const [secret, same] = [boxKey, alias].map((text) => {
      const key = Buffer.concat([fromHex('302a300506032b656e032100'), fromHex(text)])
      return diffieHellman({ privateKey, publicKey: createPublicKey({ key, format: 'der', type: 'spki' }) })
    })
    expect(same).toEqual(secret)
  })

  it('of low order are nobody’s secret', () => {
    expect(examine(zurich, { boxKey: `01${'00'.repeat(31)}` })).toBe('unusable-key')
    expect(examine(zurich, { statementKey: `01${'00'.repeat(31)}` })).toBe('unusable-key')
  })

  it('for a known name are its holder’s: a stranger does not replace a member', async () => {
    const stranger = await createParty('stranger')
    const changes = { holder: 'cleveland', organisation: parties[0].member.organisation }
    expect(examine(stranger, changes)).toBe('bad-signature')
    expect(examine(stranger, { holder: 'cleveland' })).toBe('already-admitted')
  })
})
