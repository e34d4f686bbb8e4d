import { type Digest, digestOf, fromHex } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import { decodeKeySum } from '../crypto/key-sum-encoding.ts'
import { addLinearHashes, formatLinearHash, type LinearHash, parseLinearHash } from '../crypto/linear-hash.ts'
import { chunkGeometry } from '../crypto/payload-parameters.ts'
import type { PayloadWorkers } from '../crypto/payload-workers.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import { payloadDigest } from '../protocol/contribution.ts'
import { type Manifest, manifestStatement } from '../protocol/manifest.ts'
import { openingDigest } from '../protocol/opening.ts'
import { hashChallenge, isSignedHash } from '../protocol/payload-hash.ts'
import { type Publication, publicationStatement } from '../protocol/publication.ts'
import { planParameters, type RoundPlan, roundPlanStatement } from '../protocol/round-plan.ts'
import { checkHolds } from '../protocol/segments.ts'
import { parseStatement, readStatement } from '../protocol/statement.ts'
import { accepted, refused, SluiceError, type Verdict } from '../sluice-error.ts'

/** What a contributor holds a publication against. */
export interface OwnRound {
  readonly planDigest: Digest
  readonly planEnvelope: Envelope
  /** The manifest for which this holder hashed its ciphertext. */
  readonly manifest: Envelope
}

/**
 * Whether a published sum is the sum of what the contributors hashed (docs/adr/0011): every signed hash; their sum against
 * the hash of the opening; the opening against the aggregate. The output of a simulated round is the aggregate itself.
 *
 * @param opening the key sum, then the chunks of the ciphertexts' sum, in order
 * Refusals: `wrong-sum`, `sum-unverified` when a contributor has not hashed its ciphertext; those of a publication that is
 * none of this round.
 */
export async function verifySum(
  own: OwnRound,
  publicationEnvelope: Envelope,
  coordinatorKey: StatementPublicKey,
  workers: PayloadWorkers,
  opening: AsyncIterable<Uint8Array>,
): Promise<Verdict<true, string>> {
  const publication = readStatement(publicationStatement, publicationEnvelope, coordinatorKey)
  if (!publication.ok) return publication
  if (publication.value.plan !== own.planDigest) return refused('wrong-round', 'The publication is of another plan.')
  if (publication.value.manifest !== statementDigest(own.manifest)) {
    return refused('wrong-sum', 'The sum was published for another manifest than this holder hashed for.')
  }
  const plan = parseStatement(roundPlanStatement, own.planEnvelope)
  if (!plan.ok) return plan
  const manifest = parseStatement(manifestStatement, own.manifest)
  if (!manifest.ok) return manifest
  const hashes = addUpHashes(plan.value, manifest.value, publication.value)
  if (!hashes.ok) return hashes
  try {
    return await compareOpening(plan.value, manifest.value, publication.value, hashes.value, workers, opening)
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    return refused('wrong-sum', `What was published does not open (${error.code}).`)
  }
}

function addUpHashes(plan: RoundPlan, manifest: Manifest, publication: Publication): Verdict<LinearHash, string> {
  if (publication.contributors !== manifest.contributions.length) {
    return refused(
      'wrong-sum',
      `The sum is called one of ${publication.contributors}; the manifest has another number.`,
    )
  }
  const signed = new Map(publication.hashes.map((each) => [each.holder, each]))
  const members = new Map(plan.cohort.map((member) => [member.holder, member]))
  const found: LinearHash[] = []
  for (const { holder } of manifest.contributions) {
    const own = signed.get(holder)
    const author = members.get(holder)
    if (!own || !author) return refused('sum-unverified', `${holder} has not hashed its ciphertext.`)
    if (!isSignedHash(author.statementKey, publication, own)) {
      return refused('wrong-sum', `The hash in the name of ${holder} is not signed by it.`)
    }
    found.push(parseLinearHash(own.hash))
  }
  return accepted(addLinearHashes(found))
}

async function compareOpening(
  plan: RoundPlan,
  { contributions }: Manifest,
  publication: Publication,
  expected: LinearHash,
  workers: PayloadWorkers,
  opening: AsyncIterable<Uint8Array>,
): Promise<Verdict<true, string>> {
  const opened = await openPublished(plan, publication, contributions.length, workers, opening)
  if (opened.sum !== publication.sum || opened.digest !== publication.opening) {
    return refused('wrong-sum', 'The opening is not the one that was published.')
  }
  if (formatLinearHash(opened.hash) !== formatLinearHash(expected)) {
    return refused('wrong-sum', 'The ciphertext that was opened is not the sum of the contributions.')
  }
  const aggregate = digestOf(new Uint8Array(opened.laneSums.buffer))
  if (aggregate !== publication.aggregate || !checkHolds(opened.laneSums)) {
    return refused('wrong-sum', 'The sum that was published is not what the ciphertexts open to.')
  }
  return publication.output.digest === aggregate
    ? accepted(true)
    : refused('wrong-sum', 'The output of the round is not its sum.')
}

/** Reads, hashes and opens the published opening, chunk by chunk. */
async function openPublished(
  plan: RoundPlan,
  publication: Publication,
  contributors: number,
  workers: PayloadWorkers,
  opening: AsyncIterable<Uint8Array>,
) {
  const parameters = planParameters(plan)
  const aggregation = workers.beginAggregation({ parameters, planDigest: fromHex(publication.plan) })
  const hashing = workers.beginHashing({ parameters, challenge: hashChallenge(publication.manifest, publication.sum) })
  const laneSums = new Float64Array(parameters.length)
  const digests: Digest[] = []
  let keySum: Uint8Array | undefined
  try {
    for await (const piece of opening) {
      if (!keySum) {
        keySum = piece
        await aggregation.setKeySum(decodeKeySum(keySum))
        continue
      }
      const index = digests.length
      digests.push(digestOf(piece))
      await Promise.all([hashing.add(index, piece), aggregation.addSum(index, piece, contributors)])
      laneSums.set(await aggregation.openChunk(index), chunkGeometry(parameters, index).firstValue)
    }
    const sum = payloadDigest(digests)
    return { laneSums, hash: await hashing.end(), sum, digest: openingDigest(keySum ?? new Uint8Array(0), sum) }
  } catch (error) {
    await hashing.end().catch(() => undefined)
    throw error
  } finally {
    await aggregation.end()
  }
}
