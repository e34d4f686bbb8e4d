import type { SentContribution } from '../../nodes/holder/sent-contributions.ts'
import { verifyOwnSum } from '../../nodes/holder/sum-verification.ts'
import { type Digest, digestOf, fromHex } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { encodeKeySum } from '../../src/crypto/key-sum-encoding.ts'
import { formatLinearHash, type LinearHash } from '../../src/crypto/linear-hash.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { type CoordinatorRound, sealRound } from '../../src/protocol/coordinator-round.ts'
import { openingDigest } from '../../src/protocol/opening.ts'
import { hashChallenge, payloadHashStatement } from '../../src/protocol/payload-hash.ts'
import { type Publication, publicationStatement, type SignedHash } from '../../src/protocol/publication.ts'
import { dequantiseSums } from '../../src/protocol/quantiser.ts'
import { planParameters } from '../../src/protocol/round-plan.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { type HoldersUnderAttack, specification } from './holders-under-attack.ts'
import { modulo, packChunk, unpackChunk } from './packed-chunks.ts'
import {
  acceptedOf,
  coordinatorKey,
  keySumWithoutGuards,
  type MadeContribution,
  NOW,
  type Party,
} from './round-fixtures.ts'
import { smallOutput } from './small-output.ts'
import { TestLog } from './test-log.ts'

/** What a coordinator publishes and serves when it says that something is the sum. */
export interface Said {
  readonly publication: Envelope
  readonly opening: readonly Uint8Array[]
  readonly laneSums: Float64Array
  readonly output: { readonly name: string; readonly bytes: Uint8Array }
}

/**
 * The first round of a job, which four holders contributed to, sealed; and all that a coordinator can say of its sum, with the
 * keys of everybody. Vectors are of one chunk.
 */
export class SealedSum {
  readonly venue: HoldersUnderAttack
  readonly job: Envelope
  readonly log: TestLog
  readonly round: CoordinatorRound
  readonly made: readonly MadeContribution[]
  readonly keySum: Int32Array

  constructor(parts: Pick<SealedSum, 'venue' | 'job' | 'log' | 'round' | 'made' | 'keySum'>) {
    this.venue = parts.venue
    this.job = parts.job
    this.log = parts.log
    this.round = parts.round
    this.made = parts.made
    this.keySum = parts.keySum
  }

  /** By nodes that remember nothing else. */
  static async seal(venue: HoldersUnderAttack): Promise<SealedSum> {
    venue.reset()
    const job = venue.createJob()
    const log = await TestLog.create()
    const planned = venue.createPlan(job)
    await log.append([job, planned.planEnvelope])
    const collected = await venue.collect(log, planned, job)
    const round = acceptedOf(sealRound(await venue.checkShares(log, collected), coordinatorKey, NOW))
    const made = [...round.contributions.values()].map(({ envelope, contribution: { holder, payload } }) => {
      const chunks = venue.uploads.get(`${round.planDigest}/${holder}`)!
      return { holder, envelope, payload, chunks, oneTimeKey: new Int32Array(), shares: [], lanes: new Uint32Array() }
    })
    const keySum = await keySumWithoutGuards(round, made, venue.parties)
    return new SealedSum({ venue, job, log, round, made, keySum })
  }

  get parameters() {
    return planParameters(this.round.plan)
  }

  get manifest(): Digest {
    return statementDigest(this.round.manifest!)
  }

  /** The sum of all ciphertexts. */
  get truth(): Uint8Array {
    return this.sumOf(this.made)
  }

  unpack(chunk: Uint8Array): bigint[] {
    return unpackChunk(this.parameters, chunk)
  }

  sumOf(contributions: readonly MadeContribution[]): Uint8Array {
    const numbers = contributions.map(({ chunks }) => this.unpack(chunks[0]))
    return packChunk(numbers.reduce((sum, more) => sum.map((c, i) => modulo(c + more[i]))))
  }

  /** @param sum the digest of the sum under whose challenge it is hashed */
  async hashOf(chunk: Uint8Array, sum: Digest): Promise<LinearHash> {
    const hashing = this.venue.workers.beginHashing({
      parameters: this.parameters,
      challenge: hashChallenge(this.manifest, sum),
    })
    await hashing.add(0, chunk)
    return hashing.end()
  }

  /** The hashes of these contributions, of what they sent. */
  hashesOf(contributions: readonly MadeContribution[], sum: Digest): Promise<LinearHash[]> {
    return Promise.all(contributions.map(({ chunks }) => this.hashOf(chunks[0], sum)))
  }

  async open(chunk: Uint8Array, contributors = this.made.length, key = this.keySum): Promise<Float64Array> {
    const planDigest = fromHex(this.round.planDigest)
    const aggregation = this.venue.workers.beginAggregation({ parameters: this.parameters, planDigest })
    await aggregation.setKeySum(key)
    await aggregation.addSum(0, chunk, contributors)
    const sums = await aggregation.openChunk(0)
    await aggregation.end()
    return sums
  }

  /** @param text instead of the hash of what was sent. @param signer instead of who sent it */
  async signHash(
    { holder, chunks }: MadeContribution,
    sum: Digest,
    text?: string,
    signer = holder,
  ): Promise<SignedHash> {
    const hash = text ?? formatLinearHash(await this.hashOf(chunks[0], sum))
    const body = { plan: this.round.planDigest, manifest: this.manifest, sum, holder, hash }
    const { keys } = this.venue.parties.find((party) => party.keys.holder === signer)!
    const [{ sig }] = signStatement(payloadHashStatement, body, keys.statementKey).signatures
    return { holder, hash, signature: Buffer.from(sig).toString('base64') }
  }

  /** What honest contributors sign when they are asked for their hashes with this sum. */
  signHashes(sum: Digest): Promise<SignedHash[]> {
    return Promise.all(this.made.map((each) => this.signHash(each, sum)))
  }

  /**
   * Says that a chunk is the sum, with the hashes that honest contributors give for it.
   * @param changes what else the publication says. @param lie lane sums other than the chunk opens to
   */
  async say(chunk: Uint8Array, changes: Partial<Publication> = {}, lie?: Float64Array): Promise<Said> {
    const contributors = this.made.length
    const { plan, planDigest } = this.round
    const { sum = nameOf(chunk) } = changes
    const laneSums = lie ?? (await this.open(chunk))
    const key = encodeKeySum(this.keySum)
    const sums = dequantiseSums(plan.vector, laneSums.slice(), contributors)
    const subject = { job: plan.job, specification, step: 'statistics' } as const
    const output = await smallOutput(subject, sums, contributors)
    const body = {
      job: plan.job,
      plan: planDigest,
      manifest: this.manifest,
      contributors,
      aggregate: digestOf(new Uint8Array(laneSums.buffer)),
      sum,
      opening: openingDigest(key, sum),
      hashes: changes.hashes ?? (await this.signHashes(sum)),
      output: { name: output.name, digest: digestOf(output.bytes) },
      ...changes,
    }
    const publication = signStatement(publicationStatement, body, coordinatorKey)
    return { publication, opening: [key, chunk], laneSums, output }
  }

  sayTruth(): Promise<Said> {
    return this.say(this.truth)
  }

  /** Says that the true sum opens to more in its first lane than it does. */
  async sayFalseAggregate(changes: Partial<Publication> = {}): Promise<Said> {
    const { laneSums } = await this.sayTruth()
    return this.say(
      this.truth,
      changes,
      laneSums.map((sum, i) => (i === 0 ? sum + 100 : sum)),
    )
  }

  /** What the first holder finds: `verified`, `unverified`, or the code of its refusal. */
  async verify({ publication, opening }: Pick<Said, 'publication' | 'opening'>) {
    const [{ holder, chunks, payload, envelope }] = this.made
    const { plan, planDigest, manifest } = this.round
    const sent: SentContribution = {
      plan,
      planDigest,
      specification,
      step: 'statistics',
      entry: { holder, contribution: statementDigest(envelope), payload: payload.digest },
      readChunk: async (index) => chunks[index],
      manifest: manifest!,
    }
    const verdict = await verifyOwnSum(sent, publication, {
      workers: this.venue.workers,
      coordinatorKey: coordinatorKey.publicKey,
      fetchOpening: async function* () {
        yield* opening
      },
      fetchArtifact: async (digest) => this.venue.artifacts.get(digest)!,
    })
    return verdict.ok ? { found: verdict.value.kind, why: '' } : { found: verdict.code, why: verdict.reason }
  }

  /** Asks a holder's node for its hash, with the true sum. */
  askForHash(party: Party) {
    const { planDigest, manifest } = this.round
    return this.venue.handle(party, {
      kind: 'hash-payload',
      planDigest,
      manifest: manifest!,
      sum: nameOf(this.truth),
    })
  }

  /** Tells a holder's node of a publication, and serves it the opening. */
  tell({ publication, opening }: Said, party: Party) {
    const { planDigest } = this.round
    this.venue.opening = opening
    return this.venue.handle(party, { kind: 'published', planDigest, publication })
  }
}

/** The digest by which a sum is named. */
export const nameOf = (chunk: Uint8Array): Digest => payloadDigest([digestOf(chunk)])
