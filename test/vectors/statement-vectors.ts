import { digestOf, fromHex, toHex } from '../../src/crypto/digest.ts'
import { encodeEnvelope, signEnvelope, statementDigest } from '../../src/crypto/envelope.ts'
import { encodeKeySum } from '../../src/crypto/key-sum-encoding.ts'
import { RING_DEGREE } from '../../src/crypto/ring-constants.ts'
import { boxKeyFromSeed } from '../../src/crypto/sealed-box.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { formatNoteKey } from '../../src/log/note-key.ts'
import { committeeSeed } from '../../src/protocol/committee.ts'
import { payloadDigest, shareAssociatedData } from '../../src/protocol/contribution.ts'
import { openingDigest } from '../../src/protocol/opening.ts'
import { hashChallenge } from '../../src/protocol/payload-hash.ts'
import { questionOf } from '../../src/protocol/question.ts'
import { admissionQuorum, emptyRegistry, registryHead } from '../../src/protocol/registry.ts'
import { witnessKey } from '../../src/protocol/round-log.ts'
import { drawPlanCommittee, planParameters, type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { checkSegment, countSegment } from '../../src/protocol/segments.ts'
import { statementBytes } from '../../src/protocol/statement.ts'
import { sealReference } from '../support/hpke-reference.ts'
import { applicationOf, apply, departureOf, keysOf, statementFor, VENUE } from '../support/registry-fixtures.ts'
import { acceptedOf, coordinatorKey, createParties, makePlan, seedOf } from '../support/round-fixtures.ts'

/* The vectors of signed statements and of what follows from them. */

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')
const named = (name: string) => digestOf(Buffer.from(name))

export function envelopeVectors() {
  const makeCase = (seed: string, payloadType: string, payload: string) => {
    const key = statementKeyFromSeed(fromHex(seed))
    const envelope = signEnvelope(payloadType, Buffer.from(payload), key)
    const [{ keyid, sig }] = envelope.signatures
    const { publicKey } = key
    const common = { seed, publicKey, keyid, payloadType, payload, signature: toHex(sig) }
    return { ...common, statementDigest: statementDigest(envelope), json: encodeEnvelope(envelope) }
  }
  const payloadType = 'application/vnd.sluice.v1.test+json'
  return {
    description: [
      'DSSE v1 envelopes (src/crypto/envelope.ts). seed: Ed25519 private seed (RFC 8032), hexadecimal. payload: UTF-8 text.',
      'signature: Ed25519 over PAE = "DSSEv1 " len(payloadType) " " payloadType " " len(payload) " " payload, lengths in bytes, decimal. keyid: SHA-256 of the raw public key. statementDigest: SHA-256 of PAE. json: the envelope as it is stored, base64 with padding.',
    ],
    cases: [
      makeCase('07'.repeat(32), payloadType, '{}'),
      makeCase('2a'.repeat(32), payloadType, '{"text":"Zürich"}'),
      makeCase('ff'.repeat(32), '', ''),
    ],
  }
}

export async function planVectors() {
  const parties = await createParties(['cleveland', 'hungary', 'switzerland'])
  const plan = makePlan(parties, {
    job: named('job of the vectors'),
    round: 3,
    nonce: named('nonce of the vectors'),
    step: 'train',
    inputs: [{ name: 'model', digest: named('model of the vectors') }],
    after: { size: 5, root: named('tree of the vectors') },
    vector: {
      precisionBits: 16,
      segments: [
        { name: 'update', length: 5000, low: -0.5, high: 0.5 },
        countSegment('examples', 1, 16),
        checkSegment(16),
      ],
    },
  })
  const cohort = plan.cohort.with(2, { ...plan.cohort[2], organisation: 'Universitätsspital Zürich' })
  const makeCase = (value: RoundPlan, body: Uint8Array) => {
    const envelope = signEnvelope(roundPlanStatement.payloadType, body, coordinatorKey)
    const { length: values, lanes, ciphertextBytes } = planParameters(value)
    const planDigest = statementDigest(envelope)
    const signature = toHex(envelope.signatures[0].sig)
    return { body: text(body), planDigest, signature, question: questionOf(value), values, lanes, ciphertextBytes }
  }
  const elsewhere = { ...plan, cohort }
  return {
    description: [
      "The name of a round plan: SHA-256 over the DSSE v1 pre-authentication encoding (envelope.json) of exactly the UTF-8 bytes of body. White space and the order of fields are the signer's: the third case says the same as the first and has another name (src/protocol/round-plan.ts).",
      'signature: of the coordinator, from its seed. The rest follows from the plan for every party: the question (round.json), the number of values, and the geometry (payload.json, with the size of the cohort as maxContributors). The committee in the body is the one that is drawn (round.json).',
    ],
    payloadType: roundPlanStatement.payloadType,
    coordinatorSeed: toHex(seedOf('coordinator')),
    cases: [
      makeCase(plan, statementBytes(roundPlanStatement, plan)),
      makeCase(elsewhere, statementBytes(roundPlanStatement, elsewhere)),
      makeCase(plan, Buffer.from(JSON.stringify(plan, null, 1))),
    ],
  }
}

export async function sealedBoxVectors() {
  const info = 'sluice/v1/key-share'
  const makeCase = async (recipient: Uint8Array, ephemeral: Uint8Array, binding: readonly string[], hex: string) => {
    const [plan, contributor, member, payload] = binding
    const associatedData = shareAssociatedData(plan, contributor, member, payload)
    const box = sealReference(recipient, ephemeral, Buffer.from(info), associatedData, fromHex(hex))
    // The library that seals in production draws its own ephemeral key; it opens what is sealed here.
    const key = await boxKeyFromSeed(recipient)
    if (toHex(await key.open(box, associatedData)) !== hex) throw new Error('The two implementations of HPKE disagree.')
    return {
      recipientSeed: toHex(recipient),
      ephemeralSeed: toHex(ephemeral),
      plan,
      contributor,
      member,
      payload,
      associatedData: text(associatedData),
      plaintext: hex,
      recipientPublicKey: key.publicKey,
      box: toHex(box),
    }
  }
  return {
    description: [
      'HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002 (src/crypto/sealed-box.ts).',
      'Seeds are the ikm of DeriveKeyPair (section 7.1.3), of the recipient and of the ephemeral key; info is the ASCII text below; associated data is the UTF-8 text of the JSON array ["sluice/v1/key-share", plan, contributor, member, payload] without white space.',
      'box = enc (32 bytes) || ciphertext || tag (16 bytes). All bytes in lowercase hexadecimal. Made with an implementation written from the RFC on node:crypto, not with the library that seals in production.',
    ],
    info,
    cases: [
      await makeCase(
        new Uint8Array(32).fill(1),
        new Uint8Array(32).fill(2),
        ['a1'.repeat(32), 'cleveland', 'hungary', 'b2'.repeat(32)],
        '000102030405060708090a0b0c0d0e0f',
      ),
      await makeCase(seedOf('recipient'), seedOf('ephemeral'), ['00'.repeat(32), 'a', 'z', 'ff'.repeat(32)], ''),
    ],
  }
}

export async function roundVectors() {
  const parties = await createParties(['cleveland', 'hungary', 'long-beach', 'switzerland'])
  const cohortOf = (count: number, organisations: number) =>
    Array.from({ length: count }, (_, i) => ({ holder: `holder-${i}`, organisation: `clinic ${i % organisations}` }))
  const committees = [
    {
      job: named('job'),
      round: 1,
      cohort: parties.map(({ member: { holder, organisation } }) => ({ holder, organisation })),
    },
    { job: named('job'), round: 2, cohort: cohortOf(12, 9) },
    { job: named('another job'), round: 65_537, cohort: cohortOf(5, 2) },
  ]
  const questions = [
    { job: named('job'), inputs: [] },
    {
      job: named('job'),
      inputs: [
        { name: 'statistics', digest: named('statistics') },
        { name: 'model', digest: named('model') },
      ],
    },
  ]
  const chunks = ['first', 'second'].map(named)
  const keySum = Int32Array.from({ length: RING_DEGREE }, (_, k) => ((3 * k * k + 1) % 187) - 93)
  return {
    description: [
      'What follows from the statements of a round. NUL is a zero byte; digests enter as 32 bytes unless they stand in JSON. JSON has no white space and is UTF-8.',
      "committees (src/protocol/committee.ts): seed = SHA-256('sluice/v1/committee-seed' NUL || job || round as 4 bytes, big-endian). Holders are ordered by SHA-256('sluice/v1/committee' NUL || seed || holder), the first of each organisation is kept, the first seven of these are members. threshold = floor(2k / 3) + 1; tolerates = min(2 threshold - k - 1, threshold - 1, k - 2), at least 0. A plan may tolerate fewer.",
      'questions (src/protocol/question.ts): SHA-256 of the JSON array ["sluice/v1/question", job, [[name, digest], ...]], inputs in the order of their names.',
      "hashChallenges (src/protocol/payload-hash.ts): SHA-256('sluice/v1/payload-hash' NUL || manifest || sum), the sum by its digest as a payload's.",
      "payloads (src/protocol/contribution.ts): SHA-256('sluice/v1/payload' NUL || SHA-256 of each chunk, in order).",
      "openings (src/protocol/opening.ts): SHA-256('sluice/v1/opening' NUL || SHA-256 of the key sum's bytes || sum), the sum by its digest as a payload's. Here coefficient k of the key sum is (3 k^2 + 1) mod 187 - 93, as a signed 16-bit little-endian integer.",
      'witnesses (src/protocol/round-log.ts): the name under which a holder cosigns a log is origin "/" holder, its key the statement key; vkey in the form of log.json.',
    ],
    committees: committees.map(({ job, round, cohort }) => {
      const members = cohort.map((each) => ({ ...each, statementKey: '', boxKey: '' }))
      return {
        job,
        round,
        cohort,
        seed: committeeSeed(job, round),
        ...drawPlanCommittee({ job, round, cohort: members }),
      }
    }),
    questions: questions.map((question) => ({ ...question, digest: questionOf(question) })),
    hashChallenges: [
      {
        manifest: named('manifest'),
        sum: named('sum'),
        challenge: toHex(hashChallenge(named('manifest'), named('sum'))),
      },
    ],
    payloads: [{ chunks, digest: payloadDigest(chunks) }],
    openings: [{ sum: named('sum'), digest: openingDigest(encodeKeySum(keySum), named('sum')) }],
    witnesses: parties.slice(0, 1).map(({ member }) => {
      const origin = 'venue.test/log'
      const { holder, statementKey } = member
      return { origin, holder, statementKey, vkey: formatNoteKey(witnessKey(origin, member)) }
    }),
  }
}

export async function registryVectors() {
  const parties = await createParties(['cleveland', 'hungary', 'long-beach', 'switzerland'])
  let registry = emptyRegistry(VENUE)
  const enter = (holder: string, makeRequest: () => ReturnType<typeof applicationOf>, approving: typeof parties) => {
    const quorum = admissionQuorum(registry, holder)
    const statement = statementFor(registry, makeRequest(), keysOf(approving))
    registry = acceptedOf(apply(registry, statement))
    const members = [...registry.members.keys()].sort()
    return { statement: encodeEnvelope(statement), quorum, head: registryHead(registry), members }
  }
  const statements = parties.map((party, i) => {
    const approving = parties.slice(0, i)
    return enter(party.member.holder, () => applicationOf(party, keysOf(approving)), approving)
  })
  const others = parties.filter(({ member }) => member.holder !== 'hungary')
  statements.push(enter('hungary', () => departureOf(parties[1], keysOf(others)), others))
  return {
    description: [
      'The registry of a venue (src/protocol/registry.ts): each statement enters a request, an application or a departure, which it holds with its signatures. statement: a DSSE envelope as JSON (envelope.json); so is the request within, as an object.',
      "head: the digest of the last statement; of an empty registry SHA-256('sluice/v1/empty-registry' NUL). sequence counts from 1, previous is the head before, absent in the first. members: the holders that are members afterwards.",
      'quorum: floor(2n / 3) + 1 of the n organisations of members, none when n = 0; the organisation of a member that the statement is about is not counted. So many have signed the request and the statement. An application is signed with the key that it brings, a statement by the coordinator.',
      'signers: Ed25519 seeds (RFC 8032) of all who have signed.',
    ],
    venue: VENUE,
    emptyHead: registryHead(emptyRegistry(VENUE)),
    signers: [
      { name: 'coordinator', seed: toHex(seedOf('coordinator')) },
      ...parties.map(({ member: { holder } }) => ({ name: holder, seed: toHex(seedOf(`${holder}/statement`)) })),
    ],
    statements,
  }
}
