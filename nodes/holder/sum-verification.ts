import { type Digest, digestOf, fromHex } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { decodeKeySum } from '../../src/crypto/key-sum-encoding.ts'
import { addLinearHashes, formatLinearHash, type LinearHash, parseLinearHash } from '../../src/crypto/linear-hash.ts'
import { chunkGeometry } from '../../src/crypto/payload-parameters.ts'
import type { PayloadWorkers } from '../../src/crypto/payload-workers.ts'
import type { StatementKey, StatementPublicKey } from '../../src/crypto/statement-key.ts'
import { LearningError } from '../../src/learning/learning-error.ts'
import { roundOutput } from '../../src/learning/round-output.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { type Manifest, manifestStatement } from '../../src/protocol/manifest.ts'
import { OPENING_KEY_BYTES, openingDigest } from '../../src/protocol/opening.ts'
import { hashChallenge, isSignedHash, payloadHashStatement } from '../../src/protocol/payload-hash.ts'
import { type Publication, publicationStatement } from '../../src/protocol/publication.ts'
import { dequantiseSums } from '../../src/protocol/quantiser.ts'
import { findMember, planParameters } from '../../src/protocol/round-plan.ts'
import { parseStatement, readStatement, signStatement } from '../../src/protocol/statement.ts'
import { accepted, refused, SluiceError, type Verdict } from '../../src/sluice-error.ts'
import { readExactly } from './read-exactly.ts'
import type { SentContribution } from './sent-contributions.ts'

export interface SumVerificationParts {
  readonly workers: PayloadWorkers
  readonly coordinatorKey: StatementPublicKey
  readonly fetchOpening: (planDigest: Digest) => AsyncIterable<Uint8Array>
  readonly fetchArtifact: (digest: Digest) => Promise<Uint8Array>
}

/** What a holder says of a published sum. */
export type SumVerdict =
  | { readonly kind: 'verified'; readonly contributors: number }
  /** Nothing speaks against it, and something that would speak for it is missing. */
  | { readonly kind: 'unverified'; readonly reason: string }

/**
 * This contributor's hash of its own ciphertext, signed (protocol §4.7). The manifest must be the coordinator's, of this plan,
 * and name this holder's contribution as it left.
 */
export async function hashOwnPayload(
  sent: SentContribution,
  manifestEnvelope: Envelope,
  sum: Digest,
  { workers, coordinatorKey }: SumVerificationParts,
  key: StatementKey,
): Promise<Verdict<Envelope, string>> {
  const manifest = readOwnManifest(sent, manifestEnvelope, coordinatorKey)
  if (!manifest.ok) return manifest
  const digest = statementDigest(manifestEnvelope)
  const hash = formatLinearHash(await hashChunks(sent, hashChallenge(digest, sum), workers))
  const body = { plan: sent.planDigest, manifest: digest, sum, holder: sent.entry.holder, hash }
  return accepted(signStatement(payloadHashStatement, body, key))
}

/** Chunks read ahead of each thread. */
const CHUNKS_AHEAD = 2

/** Hashes the ciphertext from where it is kept, few chunks of it in memory. */
async function hashChunks(
  { plan, readChunk }: SentContribution,
  challenge: Uint8Array,
  workers: PayloadWorkers,
): Promise<LinearHash> {
  const parameters = planParameters(plan)
  const hashing = workers.beginHashing({ parameters, challenge })
  let next = 0
  const hashInTurn = async () => {
    while (next < parameters.chunkCount) {
      const index = next++
      await hashing.add(index, await readChunk(index))
    }
  }
  try {
    await Promise.all(Array.from({ length: CHUNKS_AHEAD * workers.threads }, hashInTurn))
    return await hashing.end()
  } catch (error) {
    await hashing.end().catch(() => undefined)
    throw error
  }
}

function readOwnManifest(
  { planDigest, entry }: SentContribution,
  envelope: Envelope,
  coordinatorKey: StatementPublicKey,
): Verdict<Manifest, string> {
  const manifest = readStatement(manifestStatement, envelope, coordinatorKey)
  if (!manifest.ok) return manifest
  if (manifest.value.plan !== planDigest) return refused('wrong-round', 'The manifest is of another plan.')
  const named = manifest.value.contributions.find(({ holder }) => holder === entry.holder)
  if (named?.contribution !== entry.contribution || named.payload !== entry.payload) {
    return refused('contributions-mismatch', 'The manifest does not name what this holder contributed.')
  }
  return manifest
}

/**
 * Checks what the coordinator published for a round that this holder contributed to (docs/adr/0011): every contributor's
 * signed hash; that they add up to the hash of the ciphertexts' sum; that this sum opens to the aggregate; and that the
 * output is what the job makes of it.
 *
 * Refusals: `wrong-sum` with what is wrong; those of a publication that is none of this round.
 * @throws what the coordinator's connection throws: then nothing is known
 */
export async function verifySum(
  sent: SentContribution,
  publicationEnvelope: Envelope,
  parts: SumVerificationParts,
): Promise<Verdict<SumVerdict, string>> {
  const publication = readStatement(publicationStatement, publicationEnvelope, parts.coordinatorKey)
  if (!publication.ok) return publication
  const { plan: planDigest, manifest: manifestDigest, job } = publication.value
  if (planDigest !== sent.planDigest || job !== sent.plan.job) {
    return refused('wrong-round', 'The publication is of another plan.')
  }
  if (!sent.manifest) return accepted({ kind: 'unverified', reason: 'This holder was not shown the manifest.' })
  if (statementDigest(sent.manifest) !== manifestDigest) {
    return refused('wrong-sum', 'The sum was published for another manifest than this holder hashed for.')
  }
  const manifest = parseStatement(manifestStatement, sent.manifest)
  if (!manifest.ok) return manifest
  const hashes = addUpHashes(sent, manifest.value, publication.value)
  if (!hashes.ok) return hashes
  if (typeof hashes.value === 'string') return accepted({ kind: 'unverified', reason: hashes.value })
  return verifyOpening(sent, manifest.value, publication.value, hashes.value, parts)
}

/** The sum of the contributors' hashes, or why there is none. */
function addUpHashes(
  { plan, planDigest }: SentContribution,
  manifest: Manifest,
  { hashes, manifest: manifestDigest, sum, contributors }: Publication,
): Verdict<LinearHash | string, string> {
  if (contributors !== manifest.contributions.length) {
    return refused('wrong-sum', `The sum is called one of ${contributors}; the manifest has another number.`)
  }
  const about = { plan: planDigest, manifest: manifestDigest, sum }
  const found: LinearHash[] = []
  for (const { holder } of manifest.contributions) {
    const signed = hashes.find((each) => each.holder === holder)
    if (!signed) return accepted(`${holder} has not hashed its ciphertext.`)
    if (!isSignedHash(findMember(plan, holder)!.statementKey, about, signed)) {
      return refused('wrong-sum', `The hash in the name of ${holder} is not signed by it.`)
    }
    found.push(parseLinearHash(signed.hash))
  }
  return accepted(addLinearHashes(found))
}

/** What an opening that is not of the sum looks like. */
const NOT_THE_SUM = new Set([
  'noise-out-of-bounds',
  'sum-out-of-bounds',
  'key-sum-implausible',
  'check-not-zero',
  'residue-not-canonical',
  'padding-not-zero',
  'opening-too-short',
])

async function verifyOpening(
  sent: SentContribution,
  manifest: Manifest,
  publication: Publication,
  expected: LinearHash,
  parts: SumVerificationParts,
): Promise<Verdict<SumVerdict, string>> {
  const contributors = manifest.contributions.length
  try {
    const opened = await openPublished(sent, publication, contributors, parts)
    if (opened.sum !== publication.sum || opened.digest !== publication.opening)
      return refused('wrong-sum', 'The opening is not the one that was published.')
    if (formatLinearHash(opened.hash) !== formatLinearHash(expected)) {
      return refused('wrong-sum', 'The ciphertext that was opened is not the sum of the contributions.')
    }
    if (digestOf(new Uint8Array(opened.laneSums.buffer)) !== publication.aggregate) {
      return refused('wrong-sum', 'The sum that was published is not what the ciphertexts open to.')
    }
    const output = await recomputeOutput(sent, opened.laneSums, contributors, parts)
    if (!output) return refused('wrong-sum', 'An output was published, and nothing can be made of this sum.')
    if (output.name !== publication.output.name || digestOf(output.bytes) !== publication.output.digest) {
      return refused('wrong-sum', `The ${publication.output.name} that was published is not made of this sum.`)
    }
    return accepted({ kind: 'verified', contributors })
  } catch (error) {
    if (!(error instanceof SluiceError) || !NOT_THE_SUM.has(error.code)) throw error
    return refused('wrong-sum', `What was published does not open (${error.code}).`)
  }
}

/** Reads, hashes and opens the published opening, chunk by chunk. */
async function openPublished(
  { plan, planDigest }: SentContribution,
  { manifest, sum }: Publication,
  contributors: number,
  { workers, fetchOpening }: SumVerificationParts,
) {
  const parameters = planParameters(plan)
  const sizes = Array.from({ length: parameters.chunkCount }, (_, index) => chunkGeometry(parameters, index).bytes)
  const pieces = readExactly(fetchOpening(planDigest), [OPENING_KEY_BYTES, ...sizes])
  const aggregation = workers.beginAggregation({ parameters, planDigest: fromHex(planDigest) })
  const hashing = workers.beginHashing({ parameters, challenge: hashChallenge(manifest, sum) })
  try {
    const keySum: Uint8Array = (await pieces.next()).value!
    await aggregation.setKeySum(decodeKeySum(keySum))
    const laneSums = new Float64Array(parameters.length)
    const digests: Digest[] = []
    for await (const chunk of pieces) {
      const index = digests.length
      digests.push(digestOf(chunk))
      await Promise.all([hashing.add(index, chunk), aggregation.addSum(index, chunk, contributors)])
      laneSums.set(await aggregation.openChunk(index), chunkGeometry(parameters, index).firstValue)
    }
    const opened = payloadDigest(digests)
    return { laneSums, hash: await hashing.end(), sum: opened, digest: openingDigest(keySum, opened) }
  } catch (error) {
    await hashing.end().catch(() => undefined)
    throw error
  } finally {
    await pieces.return(undefined)
    await aggregation.end()
  }
}

async function recomputeOutput(
  { plan, specification, step }: SentContribution,
  laneSums: Float64Array,
  contributors: number,
  { fetchArtifact }: SumVerificationParts,
) {
  const input = plan.inputs.find(({ name }) => name === 'model')
  const model = input && (await fetchArtifact(input.digest))
  const sums = dequantiseSums(plan.vector, laneSums, contributors)
  try {
    return roundOutput(plan.job, specification, step, model, sums, contributors)
  } catch (error) {
    if (error instanceof LearningError) return undefined
    throw error
  }
}
