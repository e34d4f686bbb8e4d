/** A coordinator, and contributors, that say a wrong sum: real contributions of four holders, and what one of them finds. */
import { afterAll, beforeAll, expect } from 'vitest'
import type { SentContribution } from '../../nodes/holder/sent-ciphertexts.ts'
import { type SumVerificationParts, verifySum } from '../../nodes/holder/sum-verification.ts'
import { type Digest, digestOf, fromHex } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { encodeKeySum } from '../../src/crypto/key-sum-encoding.ts'
import { addLinearHashes, formatLinearHash, type LinearHash } from '../../src/crypto/linear-hash.ts'
import { RING_MODULUS as Q } from '../../src/crypto/ring-constants.ts'
import { initialModel, roundOutput } from '../../src/learning/round-output.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { type CoordinatorRound, sealRound } from '../../src/protocol/coordinator-round.ts'
import { openingDigest } from '../../src/protocol/opening.ts'
import { hashChallenge, payloadHashStatement } from '../../src/protocol/payload-hash.ts'
import { type Publication, publicationStatement, type SignedHash } from '../../src/protocol/publication.ts'
import { dequantiseSums } from '../../src/protocol/quantiser.ts'
import { planParameters } from '../../src/protocol/round-plan.ts'
import { readStatement, signStatement } from '../../src/protocol/statement.ts'
import { attack, limit } from '../support/attack.ts'
import { HoldersUnderAttack, specification } from '../support/holders-under-attack.ts'
import { modulo, packChunk, unpackChunk } from '../support/packed-chunks.ts'
import {
  acceptedOf,
  checkRoundShares,
  codeOf,
  coordinatorKey,
  keySumWithoutGuards,
  type MadeContribution,
  NOW,
  type Party,
} from '../support/round-fixtures.ts'
import { TestLog } from '../support/test-log.ts'

let venue: HoldersUnderAttack
let round: CoordinatorRound
let made: MadeContribution[]
let keySum: Int32Array
let job: Envelope
let log: TestLog

beforeAll(async () => {
  venue = await HoldersUnderAttack.open()
  await sealFirstRound()
})
afterAll(() => venue.close())

/** The first round of a job, which all four contributed to, sealed; by nodes that remember nothing else. */
async function sealFirstRound() {
  venue.reset()
  job = venue.createJob()
  log = await TestLog.create()
  const planned = venue.createPlan(job)
  await log.append([job, planned.planEnvelope])
  const collected = await venue.collect(log, planned, job)
  round = acceptedOf(sealRound(await checkRoundShares(collected, venue.parties), coordinatorKey, NOW))
  made = [...round.contributions.values()].map(({ envelope, contribution: { holder, payload } }) => {
    const chunks = venue.uploads.get(`${round.planDigest}/${holder}`)!
    return { holder, envelope, payload, chunks, oneTimeKey: new Int32Array(), shares: [], lanes: new Uint32Array() }
  })
  keySum = await keySumWithoutGuards(round, made, venue.parties)
}

const parametersOf = () => planParameters(round.plan)
const partyOf = (holder: string): Party => venue.parties.find(({ keys }) => keys.holder === holder)!

const unpack = (chunk: Uint8Array) => unpackChunk(parametersOf(), chunk)
const pack = packChunk
const sumOf = (chunks: readonly Uint8Array[]): Uint8Array =>
  pack(chunks.map(unpack).reduce((sum, more) => sum.map((c, i) => modulo(c + more[i]))))
const chunksOf = (contributions: readonly MadeContribution[]) => contributions.map(({ chunks }) => chunks[0])

/** The digest by which a sum is named. */
const nameOf = (chunk: Uint8Array): Digest => payloadDigest([digestOf(chunk)])

/** @param sum the digest of the sum under whose challenge it is hashed */
async function hashOf(chunk: Uint8Array, sum: Digest): Promise<LinearHash> {
  const challenge = hashChallenge(statementDigest(round.manifest!), sum)
  const hashing = venue.workers.beginHashing({ parameters: parametersOf(), challenge })
  await hashing.add(0, chunk)
  return hashing.end()
}

async function open(chunk: Uint8Array, contributors: number, key = keySum): Promise<Float64Array> {
  const planDigest = fromHex(round.planDigest)
  const aggregation = venue.workers.beginAggregation({ parameters: parametersOf(), planDigest })
  await aggregation.setKeySum(key)
  await aggregation.addSum(0, chunk, contributors)
  const sums = await aggregation.openChunk(0)
  await aggregation.end()
  return sums
}

async function signedHash(
  { holder, chunks }: MadeContribution,
  sum: Digest,
  text?: string,
  key = partyOf(holder),
): Promise<SignedHash> {
  const hash = text ?? formatLinearHash(await hashOf(chunks[0], sum))
  const body = { plan: round.planDigest, manifest: statementDigest(round.manifest!), sum, holder, hash }
  const [{ sig }] = signStatement(payloadHashStatement, body, key.keys.statementKey).signatures
  return { holder, hash, signature: Buffer.from(sig).toString('base64') }
}

/** What honest contributors sign when they are asked for their hashes with this sum. */
const hashesOf = (sum: Digest) => Promise.all(made.map((each) => signedHash(each, sum)))

/** What a coordinator publishes and serves when it says that this is the sum. */
interface Said {
  readonly publication: Envelope
  readonly opening: readonly Uint8Array[]
  readonly laneSums: Float64Array
  readonly output: { readonly name: string; readonly bytes: Uint8Array }
}

async function say(chunk: Uint8Array, changes: Partial<Publication> = {}, lie?: Float64Array): Promise<Said> {
  const contributors = made.length
  const { sum = nameOf(chunk) } = changes
  const laneSums = lie ?? (await open(chunk, contributors))
  const key = encodeKeySum(keySum)
  const sums = dequantiseSums(round.plan.vector, laneSums.slice(), contributors)
  const output = roundOutput(round.plan.job, specification, 'statistics', undefined, sums, contributors)
  const body = {
    job: round.plan.job,
    plan: round.planDigest,
    manifest: statementDigest(round.manifest!),
    contributors,
    aggregate: digestOf(new Uint8Array(laneSums.buffer)),
    sum,
    opening: openingDigest(key, sum),
    hashes: changes.hashes ?? (await hashesOf(sum)),
    output: { name: output.name, digest: digestOf(output.bytes) },
    ...changes,
  }
  const publication = signStatement(publicationStatement, body, coordinatorKey)
  return { publication, opening: [key, chunk], laneSums, output }
}

/** What the first holder finds: `verified`, `unverified`, or the code of its refusal. */
async function verify({ publication, opening }: Pick<Said, 'publication' | 'opening'>) {
  const [{ holder, chunks, payload, envelope }] = made
  const sent: SentContribution = {
    plan: round.plan,
    planDigest: round.planDigest,
    specification,
    step: 'statistics',
    entry: { holder, contribution: statementDigest(envelope), payload: payload.digest },
    chunks,
    shares: [],
    manifest: round.manifest!,
  }
  const parts: SumVerificationParts = {
    workers: venue.workers,
    coordinatorKey: coordinatorKey.publicKey,
    fetchOpening: async function* () {
      yield* opening
    },
    fetchArtifact: async (digest: Digest) => venue.artifacts.get(digest)!,
  }
  const verdict = await verifySum(sent, publication, parts)
  return verdict.ok ? { found: verdict.value.kind, why: '' } : { found: verdict.code, why: verdict.reason }
}

/** What a holder takes for the sum when it looks at signatures alone. */
const believed = ({ publication }: Said): Publication =>
  acceptedOf(readStatement(publicationStatement, publication, coordinatorKey.publicKey))

const honest = () => say(sumOf(chunksOf(made)))

attack({
  name: 'an aggregate that is not what the ciphertexts open to',
  by: 'coordinator',
  wins: 'any numbers it likes, for holders that believe what is signed',
  guard: 'each holder opens the sum of the ciphertexts itself',
  off: async () => {
    const { laneSums } = await honest()
    const lie = laneSums.map((sum, i) => (i === 0 ? sum + 1000 : sum))
    const { aggregate } = believed(await say(sumOf(chunksOf(made)), {}, lie))
    expect(aggregate).toBe(digestOf(new Uint8Array(lie.buffer)))
    expect(aggregate).not.toBe(believed(await honest()).aggregate)
  },
  on: async () => {
    expect(await verify(await honest())).toEqual({ found: 'verified', why: '' })
    const { laneSums } = await honest()
    const lie = laneSums.map((sum, i) => (i === 0 ? sum + 1000 : sum))
    expect((await verify(await say(sumOf(chunksOf(made)), {}, lie))).found).toBe('wrong-sum')
  },
})

attack({
  name: 'a sum from which one contribution was dropped, or into which one was put twice',
  by: 'coordinator',
  wins: 'a sum over other holders than it says, with another key sum that opens it',
  guard: 'the hashes of the contributions add up to the hash of their sum alone',
  off: async () => {
    for (const set of [made.slice(1), [...made, made[0]]]) {
      const key = await keySumWithoutGuards(round, set, venue.parties)
      const chunk = sumOf(chunksOf(set))
      const wrong = await open(chunk, made.length, key)
      expect(wrong).not.toEqual((await honest()).laneSums)
    }
  },
  on: async () => {
    for (const set of [made.slice(1), [...made, made[0]]]) {
      const key = await keySumWithoutGuards(round, set, venue.parties)
      const chunk = sumOf(chunksOf(set))
      const laneSums = await open(chunk, 4, key)
      const said = await say(sumOf(chunksOf(made)), {
        aggregate: digestOf(new Uint8Array(laneSums.buffer)),
        sum: nameOf(chunk),
        opening: openingDigest(encodeKeySum(key), nameOf(chunk)),
      })
      const { found, why } = await verify({ publication: said.publication, opening: [encodeKeySum(key), chunk] })
      expect([found, why]).toEqual(['wrong-sum', expect.stringContaining('not the sum of the contributions')])
    }
    // A count that says so does not help.
    expect((await verify(await say(sumOf(chunksOf(made)), { contributors: 3 }))).found).toBe('wrong-sum')
  },
})

attack({
  name: 'another opening than the one that was published',
  by: 'coordinator',
  wins: 'a holder that verifies one sum while the log has another',
  guard: 'the publication names its opening by digest',
  off: async () => {
    const said = await say(sumOf(chunksOf(made)), { opening: 'e'.repeat(64) })
    // What it is served opens, with every hash right, and is not what the log names.
    expect(await open(said.opening[1], made.length)).toEqual(said.laneSums)
    expect(believed(said).opening).not.toBe(openingDigest(said.opening[0], nameOf(said.opening[1])))
  },
  on: async () => {
    const said = await say(sumOf(chunksOf(made)), { opening: 'e'.repeat(64) })
    expect((await verify(said)).found).toBe('wrong-sum')
    const { publication, opening } = await honest()
    const [key, chunk] = opening
    const noise = chunk.slice()
    noise[0] ^= 1
    const other = key.slice()
    other[0] ^= 1
    for (const served of [[other, chunk], [key, noise], [key], [key, chunk.slice(1)]]) {
      expect((await verify({ publication, opening: served })).found).toBe('wrong-sum')
    }
  },
})

attack({
  name: 'an output that is not made of the sum',
  by: 'coordinator',
  wins: 'statistics, or a model, of its own making in every later round',
  guard: 'each holder recomputes the output with the strategy’s own code',
  off: async () => {
    const said = await say(sumOf(chunksOf(made)), { output: { name: 'statistics', digest: 'f'.repeat(64) } })
    expect(believed(said).output.digest).toBe('f'.repeat(64))
  },
  on: async () => {
    for (const output of [
      { name: 'statistics', digest: 'f'.repeat(64) },
      { name: 'model', digest: JSON.parse(Buffer.from((await honest()).publication.payload).toString()).output.digest },
    ]) {
      const { found, why } = await verify(await say(sumOf(chunksOf(made)), { output }))
      expect([found, why]).toEqual(['wrong-sum', expect.stringContaining('is not made of this sum')])
    }
  },
})

attack({
  name: 'a hash in another’s name',
  by: 'coordinator',
  wins: 'a wrong sum whose hash it makes right with a hash that nobody gave',
  guard: 'each hash carries its contributor’s signature over plan, manifest and value',
  off: async () => {
    const { chunk, sum, hash } = await wrongSumWithHashOf(0)
    const others = await Promise.all(made.slice(1).map(({ chunks }) => hashOf(chunks[0], sum)))
    expect(addLinearHashes([hash, ...others])).toEqual(await hashOf(chunk, sum))
  },
  on: async () => {
    const { chunk, sum, hash } = await wrongSumWithHashOf(1)
    const hashes = await hashesOf(sum)
    const forged = await signedHash(made[1], sum, formatLinearHash(hash), partyOf(made[0].holder))
    const { found, why } = await verify(
      await say(chunk, { hashes: hashes.map((each, i) => (i === 1 ? forged : each)) }),
    )
    expect([found, why]).toEqual(['wrong-sum', expect.stringContaining(made[1].holder)])
    const mixed = hashes.map((each, i) => (i === 1 ? { ...each, hash: formatLinearHash(hash) } : each))
    expect((await verify(await say(chunk, { hashes: mixed }))).found).toBe('wrong-sum')
  },
})

attack({
  name: 'a missing hash',
  by: 'coordinator or contributor',
  wins: 'a sum that nobody can check, called a sum',
  guard: 'the holder says that it is unverified, and who has not hashed',
  off: async () => {
    const { chunk } = await wrongSumWithHashOf(0)
    expect(believed(await say(chunk, { hashes: [] })).aggregate).not.toBe(believed(await honest()).aggregate)
  },
  on: async () => {
    const sum = sumOf(chunksOf(made))
    const hashes = (await hashesOf(nameOf(sum))).slice(0, 3)
    expect((await verify(await say(sum, { hashes }))).found).toBe('unverified')
  },
})

attack({
  name: 'a publication of another round, or of another coordinator',
  by: 'coordinator or stranger',
  wins: 'a holder that takes an old sum for the new one',
  guard: 'a publication is read for its own plan, job and manifest',
  lines: [8],
  off: async () => {
    expect(believed(await say(sumOf(chunksOf(made)), { plan: 'a'.repeat(64) })).plan).not.toBe(round.planDigest)
  },
  on: async () => {
    const said = await honest()
    expect((await verify(await say(sumOf(chunksOf(made)), { plan: 'a'.repeat(64) }))).found).toBe('wrong-round')
    expect((await verify(await say(sumOf(chunksOf(made)), { job: 'a'.repeat(64) }))).found).toBe('wrong-round')
    expect((await verify(await say(sumOf(chunksOf(made)), { manifest: 'a'.repeat(64) }))).found).toBe('wrong-sum')
    const strange = { ...said.publication, signatures: [] }
    expect((await verify({ ...said, publication: strange })).found).toBe('bad-signature')
  },
})

/** A wrong sum that opens, and the hash that contributor `liar` would have to give for it. */
async function wrongSumWithHashOf(liar: number): Promise<{ chunk: Uint8Array; sum: Digest; hash: LinearHash }> {
  const truth = unpack(sumOf(chunksOf(made)))
  // A thousand examples more: Δ is 2^9.
  const chunk = pack(truth.map((c, i) => (i === 0 ? modulo(c + (1000n << 9n)) : c)))
  const sum = nameOf(chunk)
  const others = await Promise.all(made.filter((_, i) => i !== liar).map(({ chunks }) => hashOf(chunks[0], sum)))
  const [first, second] = addLinearHashes(others)
  const [whole, other] = await hashOf(chunk, sum)
  return { chunk, sum, hash: [modulo(whole - first), modulo(other - second)] }
}

limit({
  name: 'a wrong sum that one contributor’s hash is made to fit',
  by: 'coordinator and contributor',
  wins: 'any sum, chosen after the true one was seen, and verified by all the others',
  because:
    'a hash is its author’s own word: equal in power to contributing another ciphertext, but late, and bounds aside',
  shown: async () => {
    const { chunk, sum, hash } = await wrongSumWithHashOf(1)
    const hashes = await Promise.all(
      made.map((each, i) => signedHash(each, sum, i === 1 ? formatLinearHash(hash) : undefined)),
    )
    expect(await verify(await say(chunk, { hashes }))).toEqual({ found: 'verified', why: '' })
  },
})

/** The inverse modulo q, by Fermat. */
function inverse(value: bigint): bigint {
  let [result, base] = [1n, modulo(value)]
  for (let exponent = Q - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % Q
    base = (base * base) % Q
  }
  return result
}

const centred = (value: bigint) => (modulo(value) > Q / 2n ? modulo(value) - Q : modulo(value))

/** A short basis of the pairs (k, k·x mod q), with k counted 2^9-fold, as x carries Δ (Gauss). */
function shortBasis(x: bigint): [bigint, bigint][] {
  const dot = ([a, b]: [bigint, bigint], [c, d]: [bigint, bigint]) => ((a * c) << 18n) + b * d
  let [u, v]: [bigint, bigint][] = [
    [0n, Q],
    [1n, centred(x)],
  ]
  for (;;) {
    if (dot(u, u) < dot(v, v)) [u, v] = [v, u]
    const numerator = 2n * dot(u, v) + dot(v, v)
    const denominator = 2n * dot(v, v)
    const times = numerator / denominator - (numerator < 0n && numerator % denominator !== 0n ? 1n : 0n)
    if (times === 0n) return [u, v]
    u = [u[0] - times * v[0], u[1] - times * v[1]]
  }
}

/** Three coefficients of a difference that is not zero, opens, and has the hash zero under the challenge of this sum. */
async function differenceWithoutHash([a, b, c]: readonly number[], name: Digest): Promise<Map<number, bigint>> {
  const length = parametersOf().coefficientCount
  const unit = (at: number) => hashOf(pack(Array.from({ length }, (_, i) => (i === at ? 1n : 0n))), name)
  const [ha, hb, hc] = await Promise.all([a, b, c].map(unit))
  // x·hb + y·hc = −Δ·ha, in both repetitions.
  const determinant = inverse(hb[0] * hc[1] - hb[1] * hc[0])
  const [r0, r1] = ha.map((h) => modulo(-(h << 9n)))
  const x = modulo((r0 * hc[1] - r1 * hc[0]) * determinant)
  const y = modulo((hb[0] * r1 - hb[1] * r0) * determinant)
  const [u, v] = shortBasis(x)
  const fits = (value: bigint) => {
    const noise = ((value + 256n) & 511n) - 256n
    return value >= 0n && value < 1n << 42n && noise > -80n && noise < 80n
  }
  for (let i = 0n; i < 8192n; i++) {
    for (let j = -i; j <= i; j++) {
      for (const [s, t] of [
        [i, j],
        [-i, j],
        [j, i],
        [j, -i],
      ]) {
        const k = s * u[0] + t * v[0]
        const first = s * u[1] + t * v[1]
        if (k <= 0n || k >= 1n << 33n || !fits(first)) continue
        const second = modulo(k * y)
        if (fits(second))
          return new Map([
            [a, k << 9n],
            [b, first],
            [c, second],
          ])
      }
    }
  }
  throw new Error('found no difference')
}

/** A sum that was made when the contributors' hashes had their challenge, that of the true sum. */
async function lateSum() {
  const truth = sumOf(chunksOf(made))
  // The sums of squares of three features: what the standardisation of every later round is made of.
  const difference = await differenceWithoutHash([52, 53, 54], nameOf(truth))
  return { truth, chunk: pack(unpack(truth).map((c, i) => modulo(c + (difference.get(i) ?? 0n)))) }
}

attack({
  name: 'a wrong sum that is chosen after the challenge is known',
  by: 'coordinator alone',
  wins: 'a sum of its own making, which opens, and to which the honest hashes of all of them add up',
  guard: 'the challenge follows from the sum: the hashes of one sum are signed for it, and say nothing of another',
  off: async () => {
    const { truth, chunk } = await lateSum()
    expect(await open(chunk, made.length)).not.toEqual(await open(truth, made.length))
    // Under a challenge that came first, as that of the manifest alone:
    const hashes = await Promise.all(made.map(({ chunks }) => hashOf(chunks[0], nameOf(truth))))
    expect(addLinearHashes(hashes)).toEqual(await hashOf(chunk, nameOf(truth)))
  },
  on: async () => {
    const { truth, chunk } = await lateSum()
    const saying = async (changes: Partial<Publication>) => verify(await say(chunk, changes))
    // The hashes that were given for the true sum, under either name; and those that are given for the wrong one.
    const hashes = await hashesOf(nameOf(truth))
    expect((await saying({ hashes })).why).toContain('is not signed by it')
    expect((await saying({ sum: nameOf(truth) })).why).toContain('not the one that was published')
    expect((await saying({})).why).toContain('not the sum of the contributions')
    for (const changes of [{ hashes }, { sum: nameOf(truth) }, {}])
      expect((await saying(changes)).found).toBe('wrong-sum')
  },
})

/** False statistics, that are made of a false aggregate and published by a coordinator that does not care who opens it. */
async function falseStatistics(): Promise<Said> {
  const sum = sumOf(chunksOf(made))
  const { laneSums } = await say(sum)
  return say(
    sum,
    {},
    laneSums.map((value, i) => (i === 0 ? value + 100 : value)),
  )
}

/** Asks a holder for its update at statistics that a publication in the log has as its output. */
async function askToTrainOn({ publication, output }: Said, party: Party, roundNumber: number) {
  const model = initialModel(round.plan.job, specification)
  const inputs = [
    { name: 'statistics', digest: venue.serve(output.bytes) },
    { name: 'model', digest: venue.serve(model) },
  ]
  const planned = venue.createPlan(job, { round: roundNumber, inputs }, venue.parties, 'training')
  await log.append([publication, planned.planEnvelope])
  const publications = [await log.logged(publication)]
  return codeOf(await venue.contribute(party, log, planned, job, { publications }))
}

async function tellOf({ publication, opening }: Said, party: Party) {
  const { planDigest } = round
  venue.opening = opening
  return codeOf(await venue.handle(party, { kind: 'published', planDigest, publication }))
}

async function haveHashed(party: Party) {
  const { planDigest, manifest } = round
  const sum = nameOf(sumOf(chunksOf(made)))
  const reply = await venue.handle(party, { kind: 'hash-payload', planDigest, manifest: manifest!, sum })
  expect(codeOf(reply)).toBe('accepted')
}

attack({
  name: 'one publication for the holders, and another for the log',
  by: 'coordinator',
  wins: 'updates at statistics, or at a model, of its own making, from holders that verified the true ones',
  guard: 'a holder remembers what it verified, and verifies what it was not told of; else it takes no further part',
  lines: [7],
  off: async () => {
    const [, forgetful] = venue.parties
    // In memory is what it sent, on disk what it verified: one that was restarted in between has neither.
    venue.restart(forgetful)
    expect(await tellOf(await honest(), forgetful)).toBe('accepted')
    expect(await askToTrainOn(await falseStatistics(), forgetful, 10)).toBe('accepted')
  },
  on: async () => {
    const [, , told, untold] = venue.parties
    for (const party of [told, untold]) await haveHashed(party)
    const truth = await honest()
    const lie = await falseStatistics()
    expect(await tellOf(truth, told)).toBe('accepted')
    venue.restart(told)
    expect(await askToTrainOn(lie, told, 11)).toBe('wrong-sum')
    venue.opening = lie.opening
    expect(await askToTrainOn(lie, untold, 12)).toBe('wrong-sum')
    // For good: the truth comes too late.
    for (const party of [told, untold]) expect(await askToTrainOn(truth, party, 13)).toBe('wrong-sum')
  },
})

limit({
  name: 'a wrong sum, with one hash left out',
  by: 'coordinator',
  wins: 'updates at statistics, or at a model, of its own making, from all holders',
  because: 'who vanishes after the seal hashes nothing: holders warn of the unverified sum and go on; the log names it',
  shown: async () => {
    await sealFirstRound()
    const { laneSums } = await honest()
    const hashes = (await hashesOf(nameOf(sumOf(chunksOf(made))))).slice(1)
    const lie = await say(
      sumOf(chunksOf(made)),
      { hashes },
      laneSums.map((value, i) => (i === 0 ? value + 100 : value)),
    )
    for (const [i, party] of venue.parties.entries()) {
      await haveHashed(party)
      expect(await tellOf(lie, party)).toBe('accepted')
      expect(await askToTrainOn(lie, party, 20 + i)).toBe('accepted')
    }
  },
})

attack({
  name: 'a wrong sum, to a holder that goes on with the job',
  by: 'coordinator',
  wins: 'a holder’s next update for a job that lies',
  guard: 'the holder notes it durably, and takes no further part in the job',
  off: async () => {
    await sealFirstRound()
    // The journal's claim alone would grant the next one.
    const [, other] = venue.parties
    const next = venue.createPlan(job, { round: 2 })
    const journal = venue.journalOf(other)
    journal.accept(next.planDigest, next.planEnvelope, { job: round.plan.job, question: 'another', dataset: 'heart' })
    journal.accept(round.planDigest, round.planEnvelope, { job: round.plan.job, question: 'one', dataset: 'heart' })
    journal.markWrongSum(round.planDigest)
    expect(journal.claimContribution(next.planDigest)).toBe('claimed')
  },
  on: async () => {
    const [self] = venue.parties
    const manifest = round.manifest!
    const { planDigest } = round
    const sum = nameOf(sumOf(chunksOf(made)))
    expect(codeOf(await venue.handle(self, { kind: 'hash-payload', planDigest, manifest, sum }))).toBe('accepted')
    const lie = await say(sumOf(chunksOf(made)), { aggregate: 'f'.repeat(64) })
    venue.opening = lie.opening
    const { publication } = lie
    expect(codeOf(await venue.handle(self, { kind: 'published', planDigest, publication }))).toBe('wrong-sum')
    venue.restart(self)
    const next = venue.createPlan(job, { round: 2 })
    await log.append([next.planEnvelope])
    expect(codeOf(await venue.contribute(self, log, next, job))).toBe('wrong-sum')
  },
})
