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
import { attack } from '../support/attack.ts'
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
})

attack({
  name: 'the coordinator’s own key as a member’s',
  by: 'coordinator',
  wins: 'one voice more: its one signature on a statement is found under both names',
  guard: 'the coordinator’s key is nobody’s in the registry',
  off: () => expect(isSignedBy(statementFor(registry, applicationOf(zurich)), publicKey)).toBe(true),
  on: () => {
    const self: Party = { ...zurich, keys: { ...zurich.keys, statementKey: coordinatorKey } }
    expect(examine(self, { statementKey: publicKey })).toBe('unusable-key')
  },
})

/** A venue in which one organisation runs as many nodes as a quorum has members, and what they sign by themselves. */
async function clinicOfMany() {
  const nodes = await Promise.all([1, 2, 3].map((i) => createParty(`node-${i}`, 'Cleveland Clinic')))
  let grown: Registry = registry
  for (const [i, node] of nodes.entries()) {
    const everybody = keysOf([...parties, ...nodes.slice(0, i)])
    grown = acceptedOf(apply(grown, statementFor(grown, applicationOf(node, everybody), everybody)))
  }
  const clinic = keysOf(nodes)
  return { grown, nodes, statement: statementFor(grown, applicationOf(zurich, clinic), clinic) }
}

attack({
  name: 'a quorum of one organisation’s nodes',
  by: 'coordinator and one organisation',
  wins: 'whatever members it likes: as many signatures as a quorum has',
  guard: 'organisations sign, not nodes: all nodes of one count once',
  lines: [6],
  off: async () => {
    const { nodes, statement } = await clinicOfMany()
    const signers = nodes.filter(({ member }) => isSignedBy(statement, member.statementKey))
    expect(signers.length).toBeGreaterThanOrEqual(quorum)
  },
  on: async () => {
    const { grown, statement } = await clinicOfMany()
    expect(codeOf(apply(grown, statement))).toBe('quorum-not-met')
  },
})

describe('one organisation with many nodes', () => {
  it('is not another one under another spelling', async () => {
    for (const [i, organisation] of ['Cleveland Hospital', 'ｃleveland hospital'].entries()) {
      const node = await createParty(`spelt-${i}`, organisation)
      expect(examine(node)).toBe('already-admitted')
      expect(countOrganisations([parties[0].member, node.member])).toBe(2)
    }
  })
})

attack({
  name: 'a node in another organisation’s name',
  by: 'coordinator and the other organisations',
  wins: 'that organisation’s voice: a signature in its name that it has not given',
  guard: 'a node enters an organisation with that organisation’s own signature, whatever the quorum',
  lines: [6],
  off: async () => {
    const impostor = await createParty('impostor', parties[0].member.organisation)
    const statement = statementFor(registry, applicationOf(zurich), [impostor.keys.statementKey])
    // Once it is in, its key speaks where the organisation's does.
    const organisations = [...parties, impostor]
      .filter(({ member }) => isSignedBy(statement, member.statementKey))
      .map(({ member }) => member.organisation)
    expect(organisations).toEqual([parties[0].member.organisation])
  },
  on: async () => {
    const [cleveland, ...others] = parties
    const impostor = await createParty('impostor', cleveland.member.organisation)
    const enter = (by: readonly Party[]) => {
      const application = applicationOf(impostor, keysOf(by))
      return codeOf(apply(registry, statementFor(registry, application, keysOf(parties))))
    }
    expect(enter(others)).toBe('quorum-not-met')
    expect(enter([cleveland, ...others.slice(1)])).toBe('accepted')
  },
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

/** A venue that one member has left, and the application with which it once came in. */
function departed() {
  const [cleveland, ...others] = parties
  const departure = departureOf(cleveland, keysOf(others))
  const without = acceptedOf(apply(registry, statementFor(registry, departure, keysOf(others))))
  return { without, application: applicationOf(cleveland, keysOf(parties)) }
}

attack({
  name: 'an old application of a member that has left',
  by: 'coordinator, with stolen keys',
  wins: 'that member’s place for whoever has its keys: everybody’s signatures on it are still good',
  guard: 'a key that was once entered enters no second time',
  lines: [8],
  off: () => {
    const { without, application } = departed()
    const forgetful = { ...without, keys: new Set<string>(), names: new Map() }
    expect(codeOf(examineApplication(forgetful, application, publicKey))).toBe('accepted')
  },
  on: () => {
    const { without, application } = departed()
    expect(codeOf(examineApplication(without, application, publicKey))).toBe('already-admitted')
  },
})

/** Two statements of one number, over one past. */
async function twoNext() {
  const all = keysOf(parties)
  const other = await createParty('geneva')
  return {
    all,
    left: statementFor(registry, applicationOf(zurich, all)),
    right: statementFor(registry, applicationOf(other, all)),
  }
}

attack({
  name: 'two registry statements of one number',
  by: 'coordinator',
  wins: 'two registries of one venue: one for each of two holders, both signed by all',
  guard: 'a member signs one statement of a number, and two quorums share an honest organisation',
  off: async () => {
    const { all, left, right } = await twoNext()
    // Members that sign whatever is next.
    for (const statement of [left, right]) {
      expect(codeOf(apply(registry, withSignatures(statement, all)))).toBe('accepted')
    }
  },
  on: async () => {
    const { all, left, right } = await twoNext()
    // However the coordinator divides them, and one of them may sign both.
    for (let split = 0; split < 2 ** parties.length; split++) {
      const onLeft = all.filter((_, i) => i === 0 || split & (1 << i))
      const onRight = all.filter((_, i) => i === 0 || !(split & (1 << i)))
      const verdicts = [withSignatures(left, onLeft), withSignatures(right, onRight)].map((statement) =>
        codeOf(apply(registry, statement)),
      )
      expect(verdicts.filter((verdict) => verdict === 'accepted').length).toBeLessThan(2)
    }
    for (let n = 1; n < 100; n++) expect(2 * committeeThreshold(n) - n).toBeGreaterThan(Math.floor((n - 1) / 3))
  },
})

/** A statement for the next place, under a number for which nobody has signed yet. */
function renumbered() {
  const all = keysOf(parties)
  const statement = statementFor(registry, applicationOf(zurich, all))
  const body = JSON.parse(new TextDecoder().decode(statement.payload))
  expect(body.previous).toBe(registryHead(registry))
  return withSignatures(signStatement(membershipStatement, { ...body, sequence: 7 }, coordinatorKey), all)
}

attack({
  name: 'a registry statement under another number',
  by: 'coordinator',
  wins: 'a second statement of one past, signed by members that remember what they signed by its number',
  guard: 'the number is that of the place, or the statement is none',
  off: () => expect(codeOf(apply({ ...registry, sequence: 6 }, renumbered()))).toBe('accepted'),
  on: () => expect(codeOf(apply(registry, renumbered()))).toBe('registry-out-of-order'),
})

describe('a fork of the registry', () => {
  const all = keysOf(parties)

  it('is not one that continues another past', () => {
    const statement = statementFor(registry, applicationOf(zurich, all), all)
    const elsewhere = { ...registry, head: 'b'.repeat(64) }
    expect(codeOf(apply(elsewhere, statement))).toBe('registry-out-of-order')
    expect(statementDigest(statement)).not.toBe(statementDigest(statementFor(elsewhere, applicationOf(zurich, all))))
  })
})

function foreignApplication() {
  const body = { venue: 'other.example', member: zurich.member }
  return withSignatures(signStatement(applicationStatement, body, zurich.keys.statementKey), keysOf(parties))
}

attack({
  name: 'an application to another venue',
  by: 'coordinator of two venues',
  wins: 'a member here that applied there, with the signatures that it was given there',
  guard: 'an application names its venue, under its signatures',
  lines: [8],
  off: () => {
    const elsewhere = { ...registry, venue: 'other.example' }
    expect(codeOf(examineApplication(elsewhere, foreignApplication(), publicKey))).toBe('accepted')
  },
  on: () => expect(codeOf(examineApplication(registry, foreignApplication(), publicKey))).toBe('registry-out-of-order'),
})

describe('a request that is not what it seems', () => {
  const all = keysOf(parties)

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

/** An application on its way, in which the box key is the reader's. */
async function swappedApplication() {
  const reader = await createParty('reader')
  const { payloadType, signatures } = applicationOf(zurich)
  const member = { ...zurich.member, boxKey: reader.member.boxKey }
  const payload = Buffer.from(JSON.stringify({ venue: VENUE, member }))
  return { reader, member, envelope: { payloadType, signatures, payload } }
}

attack({
  name: 'another box key in an application on its way',
  by: 'coordinator',
  wins: 'the shares that are sealed to that member, for good',
  guard: 'who applies has signed all of its entry with the key that it brings',
  lines: [13],
  off: async () => {
    const { reader, member } = await swappedApplication()
    const box = await sealBox(member.boxKey, Buffer.from('share'), new Uint8Array())
    expect(toHex(await reader.keys.boxKey.open(box, new Uint8Array()))).toBe(toHex(Buffer.from('share')))
  },
  on: async () => {
    const { envelope } = await swappedApplication()
    expect(codeOf(examineApplication(registry, envelope, publicKey))).toBe('bad-signature')
  },
})

/** The same point of the curve, as another text: the top bit is not looked at (RFC 7748). */
function aliasOf(boxKey: string): string {
  const encoded = fromHex(boxKey)
  encoded[31] |= 0x80
  return toHex(encoded)
}

attack({
  name: 'a member’s box key under another encoding',
  by: 'newcomer',
  wins: 'a second entry for one secret, of which the registry knows nothing',
  guard: 'a key has one encoding, or is none',
  off: () => {
    const { boxKey } = parties[0].member
    expect(registry.keys.has(aliasOf(boxKey))).toBe(false)
    const { privateKey } = generateKeyPairSync('x25519')
    const [secret, same] = [boxKey, aliasOf(boxKey)].map((text) => {
      const key = Buffer.concat([fromHex('302a300506032b656e032100'), fromHex(text)])
      return diffieHellman({ privateKey, publicKey: createPublicKey({ key, format: 'der', type: 'spki' }) })
    })
    expect(same).toEqual(secret)
  },
  on: () => expect(examine(zurich, { boxKey: aliasOf(parties[0].member.boxKey) })).toBe('unusable-key'),
})

describe('swapped and shared keys', () => {
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
