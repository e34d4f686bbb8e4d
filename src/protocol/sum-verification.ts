import { type Digest, digestOf } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import { decodeKeySum } from '../crypto/key-sum-encoding.ts'
import { addLinearHashes, formatLinearHash, type LinearHash, parseLinearHash } from '../crypto/linear-hash.ts'
import { chunkGeometry, type PayloadParameters } from '../crypto/payload-parameters.ts'
import type { PayloadWorkers } from '../crypto/payload-workers.ts'
import type { StatementPublicKey } from '../crypto/statement-key.ts'
import { accepted, refused, SluiceError, type Verdict } from '../sluice-error.ts'
import { payloadDigest } from './contribution.ts'
import { type Manifest, manifestStatement } from './manifest.ts'
import { restChunk, streamedSegment } from './opened-sum.ts'
import { OPENING_KEY_BYTES, openingDigest } from './opening.ts'
import { isSignedHash } from './payload-hash.ts'
import { type Publication, publicationStatement } from './publication.ts'
import { readExactly } from './read-exactly.ts'
import { planParameters, type RoundPlan } from './round-plan.ts'
import { parseStatement, readStatement } from './statement.ts'
import { openCiphertexts } from './sum-opening.ts'
import type { SumReading } from './sum-reading.ts'

/** The opening of a round from an offset on, in pieces of any size. */
export type FetchOpening = (planDigest: Digest, offset: number) => AsyncIterable<Uint8Array>

export interface VerificationParts {
  readonly workers: PayloadWorkers
  readonly coordinatorKey: StatementPublicKey
  readonly fetchOpening: FetchOpening
}

/** What a contributor holds a publication against. */
export interface OwnRound {
  readonly plan: RoundPlan
  readonly planDigest: Digest
  /** The manifest for which this holder hashed its ciphertext. */
  readonly manifest?: Envelope
}

/** What a round's sum comes to, as a publication names it. */
export interface OutputName {
  readonly name: string
  readonly digest: Digest
}

/** What a contributor says of a published sum. */
export type SumVerdict =
  | { readonly kind: 'verified'; readonly contributors: number }
  /** Nothing speaks against it, and something that would speak for it is missing. */
  | { readonly kind: 'unverified'; readonly reason: string }

/**
 * Checks what the coordinator published for a round that this holder contributed to (docs/adr/0011): every contributor's
 * signed hash; that they add up to the hash of the ciphertexts' sum; that this sum opens to the aggregate; and that the
 * output is what is made of it.
 *
 * @param reading makes the output of the sum, undefined when nothing can be made of it
 * Refusals: `wrong-sum` with what is wrong; those of a publication that is none of this round.
 * @throws what `fetchOpening` and the reading throw: then nothing is known
 */
export async function verifySum(
  own: OwnRound,
  publicationEnvelope: Envelope,
  parts: VerificationParts,
  reading: SumReading<OutputName | undefined>,
): Promise<Verdict<SumVerdict, string>> {
  const publication = readStatement(publicationStatement, publicationEnvelope, parts.coordinatorKey)
  if (!publication.ok) return publication
  const { plan: planDigest, manifest: manifestDigest, job } = publication.value
  if (planDigest !== own.planDigest || job !== own.plan.job) {
    return refused('wrong-round', 'The publication is of another plan.')
  }
  if (!own.manifest) return accepted({ kind: 'unverified', reason: 'This holder was not shown the manifest.' })
  if (statementDigest(own.manifest) !== manifestDigest) {
    return refused('wrong-sum', 'The sum was published for another manifest than this holder hashed for.')
  }
  const manifest = parseStatement(manifestStatement, own.manifest)
  if (!manifest.ok) return manifest
  const hashes = addUpHashes(own.plan, manifest.value, publication.value)
  if (!hashes.ok) return hashes
  if (typeof hashes.value === 'string') return accepted({ kind: 'unverified', reason: hashes.value })
  return verifyOpening(own.plan, publication.value, hashes.value, parts, reading)
}

/** The sum of the contributors' hashes, or why there is none. */
function addUpHashes(
  plan: RoundPlan,
  manifest: Manifest,
  publication: Publication,
): Verdict<LinearHash | string, string> {
  if (publication.contributors !== manifest.contributions.length) {
    return refused(
      'wrong-sum',
      `The sum is called one of ${publication.contributors}; the manifest has another number.`,
    )
  }
  const signed = new Map(publication.hashes.map((each) => [each.holder, each]))
  const authors = new Map(plan.cohort.map((member) => [member.holder, member.statementKey]))
  const found: LinearHash[] = []
  for (const { holder } of manifest.contributions) {
    const own = signed.get(holder)
    if (!own) return accepted(`${holder} has not hashed its ciphertext.`)
    const author = authors.get(holder)
    if (!author || !isSignedHash(author, publication, own)) {
      return refused('wrong-sum', `The hash in the name of ${holder} is not signed by it.`)
    }
    found.push(parseLinearHash(own.hash))
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
  plan: RoundPlan,
  publication: Publication,
  expected: LinearHash,
  parts: VerificationParts,
  reading: SumReading<OutputName | undefined>,
): Promise<Verdict<SumVerdict, string>> {
  try {
    const opened = await openPublished(plan, publication, parts, reading)
    if (opened.sum !== publication.sum || opened.opening !== publication.opening) {
      return refused('wrong-sum', 'The opening is not the one that was published.')
    }
    if (formatLinearHash(opened.hash) !== formatLinearHash(expected)) {
      return refused('wrong-sum', 'The ciphertext that was opened is not the sum of the contributions.')
    }
    if (opened.aggregate !== publication.aggregate) {
      return refused('wrong-sum', 'The sum that was published is not what the ciphertexts open to.')
    }
    const { output } = publication
    if (!opened.made) return refused('wrong-sum', 'An output was published, and nothing can be made of this sum.')
    if (opened.made.name !== output.name || opened.made.digest !== output.digest) {
      return refused('wrong-sum', `The ${output.name} that was published is not made of this sum.`)
    }
    return accepted({ kind: 'verified', contributors: publication.contributors })
  } catch (error) {
    if (!(error instanceof SluiceError) || !NOT_THE_SUM.has(error.code)) throw error
    return refused('wrong-sum', `What was published does not open (${error.code}).`)
  }
}

/** Fetches, hashes and opens the published opening, chunk by chunk. */
async function openPublished<Made>(
  plan: RoundPlan,
  publication: Publication,
  { workers, fetchOpening }: VerificationParts,
  reading: SumReading<Made>,
) {
  const parameters = planParameters(plan)
  const rest = restChunk(parameters, streamedSegment(plan.vector, reading.streamed)?.length ?? 0).index
  const { plan: planDigest, manifest, sum, contributors } = publication
  const pieces = piecesInOrder(parameters, rest, (offset) => fetchOpening(planDigest, offset))
  try {
    const keySum: Uint8Array = (await pieces.next()).value!
    const digests: Digest[] = []
    const readChunk = async (index: number) => {
      const chunk: Uint8Array = (await pieces.next()).value!
      digests[index] = digestOf(chunk)
      return chunk
    }
    const sealed = { plan, planDigest, manifest, sum, contributors }
    const opened = await openCiphertexts(sealed, decodeKeySum(keySum), readChunk, workers, reading)
    const found = payloadDigest(digests)
    return { ...opened, sum: found, opening: openingDigest(keySum, found) }
  } finally {
    await pieces.return(undefined)
  }
}

/**
 * The pieces of an opening as they are needed: the key sum, the chunks from `rest` on, those before it. A second stream fetches
 * what is behind the first; a short opening comes in one.
 */
async function* piecesInOrder(
  parameters: PayloadParameters,
  rest: number,
  fetch: (offset: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, undefined> {
  const sizes = Array.from({ length: parameters.chunkCount }, (_, index) => chunkGeometry(parameters, index).bytes)
  const firstCount = rest === 0 ? sizes.length : rest
  const first = readExactly(fetch(0), [OPENING_KEY_BYTES, ...sizes.slice(0, firstCount)])
  try {
    yield (await first.next()).value!
    if (firstCount < sizes.length) {
      yield* readExactly(fetch(OPENING_KEY_BYTES + rest * sizes[0]), sizes.slice(rest))
    }
    yield* first
  } finally {
    await first.return(undefined)
  }
}
