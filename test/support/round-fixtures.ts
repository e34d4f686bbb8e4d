import { digestOf, fromHex, toHex } from '../../src/crypto/digest.ts'
import { type Envelope, signatureOver, statementDigest } from '../../src/crypto/envelope.ts'
import { addShare, recoverSecret, unpackShare } from '../../src/crypto/key-shares.ts'
import { drawOneTimeKey } from '../../src/crypto/one-time-key.ts'
import { chunkGeometry } from '../../src/crypto/payload-parameters.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { type Randomness, seededRandomness } from '../../src/crypto/randomness.ts'
import { RING_DEGREE } from '../../src/crypto/ring-constants.ts'
import { boxKeyFromSeed } from '../../src/crypto/sealed-box.ts'
import { SHARED_NUMBERS } from '../../src/crypto/share-check.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { EMPTY_ROOT } from '../../src/log/merkle-hash.ts'
import { checkShares, type MemberKeys, type MemberRound } from '../../src/protocol/committee-member.ts'
import {
  contributionStatement,
  type PayloadReference,
  payloadDigest,
  shareAssociatedData,
} from '../../src/protocol/contribution.ts'
import { signContribution } from '../../src/protocol/contributor.ts'
import {
  type CoordinatorRound,
  closeCollection,
  orderedChecks,
  orderedDealings,
  planRound,
  receiveContribution,
  receiveShareCheck,
  sealRound,
} from '../../src/protocol/coordinator-round.ts'
import { type Manifest, manifestStatement } from '../../src/protocol/manifest.ts'
import { openSharesOf } from '../../src/protocol/opened-shares.ts'
import type { PlanFloors } from '../../src/protocol/plan-policy.ts'
import { emptyRegistry, registryHead } from '../../src/protocol/registry.ts'
import type { RoundLog } from '../../src/protocol/round-log.ts'
import { drawPlanCommittee, type Member, planParameters, type RoundPlan } from '../../src/protocol/round-plan.ts'
import { checkSegment } from '../../src/protocol/segments.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import type { Verdict } from '../../src/sluice-error.ts'
import { roundLogOf } from './test-log.ts'

/** What the tests of the round share: parties with keys from fixed seeds, plans, and the work of a contributor. */

export const NOW = new Date('2026-03-01T12:00:00.000Z')
export const coordinatorKey = statementKeyFromSeed(seedOf('coordinator'))

/** 32 bytes that follow from a name: the tests are the same in every run. */
export function seedOf(name: string): Uint8Array {
  return fromHex(digestOf(Buffer.from(name)))
}

export function randomnessOf(name: string): Randomness {
  return seededRandomness(seedOf(name))
}

/** A data holder of the tests. */
export interface Party {
  readonly member: Member
  readonly keys: MemberKeys
}

export async function createParty(holder: string, organisation = `${holder} hospital`): Promise<Party> {
  const statementKey = statementKeyFromSeed(seedOf(`${holder}/statement`))
  const boxKey = await boxKeyFromSeed(seedOf(`${holder}/box`))
  return {
    member: { holder, organisation, statementKey: statementKey.publicKey, boxKey: boxKey.publicKey },
    keys: { holder, statementKey, boxKey },
  }
}

export const HOSPITALS = ['cleveland', 'hungary', 'long-beach', 'switzerland']

export function createParties(names: readonly string[] = HOSPITALS): Promise<Party[]> {
  return Promise.all(names.map((name) => createParty(name)))
}

/** A plan over these parties; everything in it may be overridden, and the committee is drawn from what comes out. */
export function makePlan(parties: readonly Party[], changes: Partial<RoundPlan> = {}): RoundPlan {
  const cohort = changes.cohort ?? parties.map(({ member }) => member)
  const minContributors = changes.minContributors ?? Math.min(3, cohort.length)
  const job = changes.job ?? digestOf(Buffer.from('job'))
  const round = changes.round ?? 1
  const committee = drawPlanCommittee({ job, round, cohort })
  return {
    job,
    round,
    nonce: digestOf(Buffer.from('nonce')),
    step: 'training',
    inputs: [],
    cohort,
    committee: { ...committee, tolerates: Math.min(committee.tolerates, minContributors - 2) },
    minContributors,
    vector: { precisionBits: 16, segments: [{ name: 'update', length: 5, low: -1, high: 1 }, checkSegment(16)] },
    payload: { scheme: 'kahe-rlwe-2048-54' },
    collectUntil: new Date(NOW.getTime() + 60_000).toISOString(),
    registry: registryHead(emptyRegistry('venue.test')),
    after: { size: 0, root: toHex(EMPTY_ROOT) },
    ...changes,
  }
}

/** The floors of a party that knows all the others. */
export function floorsOf(self: Party, parties: readonly Party[], changes: Partial<PlanFloors> = {}): PlanFloors {
  const others = parties.filter(({ member }) => member.holder !== self.member.holder)
  return {
    coordinatorKey: coordinatorKey.publicKey,
    minContributors: 3,
    threshold: 2,
    tolerates: 0,
    maxPrecisionBits: 32,
    acceptedMembers: new Map(others.map(({ member }) => [member.holder, member])),
    ...changes,
  }
}

/** What one contributor hands over: its ciphertext and its statement. The secrets are here for the tests to compare with. */
export interface MadeContribution {
  readonly holder: string
  readonly envelope: Envelope
  readonly chunks: readonly Uint8Array[]
  readonly payload: PayloadReference
  readonly oneTimeKey: Int32Array
  readonly shares: readonly Uint32Array[]
  readonly lanes: Uint32Array
}

/** Protects lanes under a fresh one-time key and signs the contribution, as a holder node does. */
export async function makeContribution(
  scheme: PayloadScheme,
  { plan, planDigest }: Pick<CoordinatorRound, 'plan' | 'planDigest'>,
  party: Party,
  lanes: Uint32Array,
  randomness: Randomness = randomnessOf(`${party.member.holder}/${planDigest}`),
): Promise<MadeContribution> {
  const parameters = planParameters(plan)
  const key = drawOneTimeKey(randomness)
  const protector = scheme.createProtector(parameters, fromHex(planDigest), key)
  const chunks = Array.from({ length: parameters.chunkCount }, (_, index) => {
    const { firstValue, valueCount } = chunkGeometry(parameters, index)
    return protector.preparePad(index).protect(lanes.subarray(firstValue, firstValue + valueCount))
  })
  const payload = {
    digest: payloadDigest(chunks.map((chunk) => digestOf(chunk))),
    bytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
  }
  const oneTimeKey = key.coefficients.slice()
  const { holder, statementKey } = party.keys
  const signed = await signContribution(plan, planDigest, holder, oneTimeKey, payload, statementKey, randomness)
  key.dispose()
  return { holder, ...signed, chunks, payload, oneTimeKey, lanes }
}

/** What a member durably remembers of a round that it has accepted. */
export function memberRound(
  { plan, planDigest }: Pick<CoordinatorRound, 'plan' | 'planDigest'>,
  remembered: Partial<Omit<MemberRound, 'plan' | 'planDigest'>> = {},
): MemberRound {
  return { plan, planDigest, answered: false, abandoned: false, ...remembered }
}

/** The means of a party to open its shares of a round. */
export function sharesOf({ planDigest }: Pick<CoordinatorRound, 'planDigest'>, { keys }: Party) {
  return openSharesOf(planDigest, keys.holder, keys.boxKey).openShares
}

export function membersOf({ plan }: Pick<CoordinatorRound, 'plan'>, parties: readonly Party[]): Party[] {
  return plan.committee.members.map((name) => parties.find(({ keys }) => keys.holder === name)!)
}

/** A round that has collected these contributions. */
export function receiveAll(round: CoordinatorRound, contributions: readonly MadeContribution[]): CoordinatorRound {
  return contributions.reduce(
    (collected, { holder, envelope, payload }) =>
      acceptedOf(receiveContribution(collected, holder, envelope, payload, NOW)),
    round,
  )
}

/** Closes the collection and lets these members check their shares. */
export async function checkRoundShares(
  collected: CoordinatorRound,
  parties: readonly Party[],
  members = membersOf(collected, parties),
): Promise<CoordinatorRound> {
  let round = acceptedOf(closeCollection(collected, digestOf(Buffer.from('candidates nonce')), coordinatorKey, NOW))
  const log = await logOfRound(round)
  const envelopes = [...round.contributions.values()].map(({ envelope }) => envelope)
  for (const party of members) {
    const { publicKey } = coordinatorKey
    const shares = sharesOf(round, party)
    const checked = await checkShares(
      memberRound(round),
      round.candidates!,
      log,
      envelopes,
      publicKey,
      party.keys,
      shares,
    )
    round = acceptedOf(receiveShareCheck(round, party.keys.holder, acceptedOf(checked).check))
  }
  return round
}

/** What a log says of a round that has logged what it has so far. */
export function logOfRound(round: CoordinatorRound): Promise<RoundLog> {
  const { plan, planEnvelope, candidates, manifest } = round
  // Signatures that a manifest gains later are not in the log.
  const sealed = manifest && { ...manifest, signatures: manifest.signatures.slice(0, 1) }
  const statements = [candidates, ...orderedChecks(round), ...orderedDealings(round), sealed].filter(
    (each) => each !== undefined,
  )
  return roundLogOf(plan, planEnvelope, statements, coordinatorKey.publicKey)
}

/** Adds up ciphertexts and opens them under a key sum: what whoever has both can do. */
export function openSum(
  scheme: PayloadScheme,
  { plan, planDigest }: Pick<CoordinatorRound, 'plan' | 'planDigest'>,
  contributions: readonly MadeContribution[],
  keySum: Int32Array,
): Float64Array {
  const parameters = planParameters(plan)
  const sums = new Float64Array(parameters.length)
  const prepared = scheme.prepareKeySum(keySum)
  for (let index = 0; index < parameters.chunkCount; index++) {
    const accumulator = scheme.createAccumulator(parameters, fromHex(planDigest), index)
    for (const { chunks } of contributions) accumulator.add(chunks[index])
    sums.set(accumulator.open(prepared), chunkGeometry(parameters, index).firstValue)
  }
  prepared.dispose()
  return sums
}

export function plainSum(contributions: readonly MadeContribution[]): Float64Array {
  const sum = new Float64Array(contributions[0].lanes.length)
  for (const { lanes } of contributions) for (let i = 0; i < sum.length; i++) sum[i] += lanes[i]
  return sum
}

const CHECK_LENGTH = checkSegment(16).length

/** Some 16-bit lanes of a party for the fixtures' plan, the check at their end; the same in every run. */
export function lanesOf(name: string, length = 5 + CHECK_LENGTH): Uint32Array {
  const lanes = new Uint32Array(length)
  randomnessOf(`${name}/lanes`).fill(new Uint8Array(lanes.buffer))
  return lanes.map((lane, i) => (i < length - CHECK_LENGTH ? lane & 0xffff : 0))
}

/** The value of a verdict; a refusal fails the test with its code. */
export function acceptedOf<T>(verdict: Verdict<T, string>): T {
  if (!verdict.ok) throw new Error(`refused: ${verdict.code}: ${verdict.reason}`)
  return verdict.value
}

/** The code of a refusal; an acceptance is 'accepted'. */
export function codeOf(verdict: Verdict<unknown, string>): string {
  return verdict.ok ? 'accepted' : verdict.code
}

/** A round up to its seal, with what went into it, and what the log says of it. */
export interface SealedRound {
  readonly round: CoordinatorRound
  readonly contributions: readonly MadeContribution[]
  readonly log: RoundLog
}

/** Plans a round over the parties, collects the contributions of `from`, has the shares checked, and seals it. */
export async function sealRoundOf(
  scheme: PayloadScheme,
  parties: readonly Party[],
  { plan = makePlan(parties), from = parties }: { plan?: RoundPlan; from?: readonly Party[] } = {},
): Promise<SealedRound> {
  let round = planRound(plan, coordinatorKey)
  const contributions: MadeContribution[] = []
  for (const party of from) {
    const made = await makeContribution(scheme, round, party, lanesOf(party.member.holder, planLength(plan)))
    contributions.push(made)
    round = acceptedOf(receiveContribution(round, made.holder, made.envelope, made.payload, NOW))
  }
  round = acceptedOf(sealRound(await checkRoundShares(round, parties), coordinatorKey, NOW))
  return { round, contributions, log: await logOfRound(round) }
}

function planLength(plan: RoundPlan): number {
  return planParameters(plan).length
}

/**
 * A manifest that a malicious coordinator signs over any set of contributions it likes.
 * @param changes what else it says otherwise than the sealed round's own
 */
export function forgeManifest(
  round: CoordinatorRound,
  contributions: readonly MadeContribution[],
  changes: Partial<Manifest> = {},
): Envelope {
  const sorted = [...contributions].sort((a, b) => (a.holder < b.holder ? -1 : 1))
  return signStatement(
    manifestStatement,
    {
      plan: round.planDigest,
      candidates: round.candidates ? statementDigest(round.candidates) : digestOf(Buffer.from('no candidates')),
      contributions: sorted.map(({ holder, envelope, payload }) => ({
        holder,
        contribution: statementDigest(envelope),
        payload: payload.digest,
      })),
      checks: orderedChecks(round).map(statementDigest),
      dealings: orderedDealings(round).map(statementDigest),
      excluded: [],
      setAside: [],
      sealedAt: NOW.toISOString(),
      ...changes,
    },
    coordinatorKey,
  )
}

/** Adds member signatures to a manifest, as its committee would (or a forger who has the keys). */
export function endorseWith(manifest: Envelope, parties: readonly Party[]): Envelope {
  const signatures = parties.map(({ keys }) => signatureOver(manifest.payloadType, manifest.payload, keys.statementKey))
  return { ...manifest, signatures: [...manifest.signatures, ...signatures] }
}

/** The share sum of a member over a set of contributions, computed without asking any guard. */
export async function shareSumWithoutGuards(
  { planDigest }: Pick<CoordinatorRound, 'planDigest'>,
  contributions: readonly MadeContribution[],
  party: Party,
): Promise<Uint32Array> {
  const sum = new Uint32Array(RING_DEGREE)
  for (const { envelope, holder, payload } of contributions) {
    const statement = acceptedOf(parseStatement(contributionStatement, envelope))
    const { sealed } = statement.shares.find(({ member }) => member === party.keys.holder)!
    const associatedData = shareAssociatedData(planDigest, holder, party.keys.holder, payload.digest)
    const packed = await party.keys.boxKey.open(Buffer.from(sealed, 'base64'), associatedData)
    addShare(sum, unpackShare(packed, SHARED_NUMBERS).subarray(0, RING_DEGREE))
  }
  return sum
}

/** The key sum that t members' unguarded share sums give away. */
export async function keySumWithoutGuards(
  round: CoordinatorRound,
  contributions: readonly MadeContribution[],
  parties: readonly Party[],
): Promise<Int32Array> {
  const { members, threshold } = round.plan.committee
  const points = []
  for (const [i, member] of members.slice(0, threshold).entries()) {
    const party = parties.find(({ keys }) => keys.holder === member)!
    points.push({ point: i + 1, share: await shareSumWithoutGuards(round, contributions, party) })
  }
  return recoverSecret(points)
}
