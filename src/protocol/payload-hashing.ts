import type { Digest } from '../crypto/digest.ts'
import { type Envelope, statementDigest } from '../crypto/envelope.ts'
import { formatLinearHash } from '../crypto/linear-hash.ts'
import type { PayloadParameters } from '../crypto/payload-parameters.ts'
import type { PayloadWorkers } from '../crypto/payload-workers.ts'
import type { StatementKey, StatementPublicKey } from '../crypto/statement-key.ts'
import { accepted, refused, type Verdict } from '../sluice-error.ts'
import type { Candidate } from './candidates.ts'
import { manifestStatement } from './manifest.ts'
import { hashChallenge, payloadHashStatement } from './payload-hash.ts'
import { readStatement, signStatement } from './statement.ts'

/** Chunks in work for each thread. */
const CHUNKS_AHEAD = 2

/** A ciphertext as its contributor sent it. */
export interface OwnPayload {
  readonly planDigest: Digest
  readonly parameters: PayloadParameters
  /** Holder, statement and ciphertext, by digest, as a manifest must name them. */
  readonly entry: Candidate
}

/**
 * A contributor's hash of its own ciphertext, signed (protocol §4.7). The manifest must be the coordinator's, of this plan, and
 * name this holder's contribution as it left.
 *
 * @param chunks of the ciphertext, packed, in order; some for each thread are held at a time
 */
export async function signPayloadHash(
  own: OwnPayload,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  about: { readonly manifest: Envelope; readonly sum: Digest },
  coordinatorKey: StatementPublicKey,
  workers: PayloadWorkers,
  key: StatementKey,
): Promise<Verdict<Envelope, string>> {
  const named = checkNamed(own, about.manifest, coordinatorKey)
  if (!named.ok) return named
  const { planDigest: plan, parameters, entry } = own
  const { sum } = about
  const manifest = statementDigest(about.manifest)
  const hashing = workers.beginHashing({ parameters, challenge: hashChallenge(manifest, sum) })
  try {
    const taken: Promise<void>[] = []
    for await (const chunk of chunks) {
      if (taken.length >= CHUNKS_AHEAD * workers.threads) await taken[taken.length - CHUNKS_AHEAD * workers.threads]
      const adding = hashing.add(taken.length, chunk)
      adding.catch(() => undefined)
      taken.push(adding)
    }
    await Promise.all(taken)
  } catch (error) {
    await hashing.end().catch(() => undefined)
    throw error
  }
  const body = { plan, manifest, sum, holder: entry.holder, hash: formatLinearHash(await hashing.end()) }
  return accepted(signStatement(payloadHashStatement, body, key))
}

function checkNamed(
  { planDigest, entry }: OwnPayload,
  envelope: Envelope,
  coordinatorKey: StatementPublicKey,
): Verdict<true, string> {
  const manifest = readStatement(manifestStatement, envelope, coordinatorKey)
  if (!manifest.ok) return manifest
  if (manifest.value.plan !== planDigest) return refused('wrong-round', 'The manifest is of another plan.')
  const named = manifest.value.contributions.find(({ holder }) => holder === entry.holder)
  if (named?.contribution !== entry.contribution || named.payload !== entry.payload) {
    return refused('contributions-mismatch', 'The manifest does not name what this holder contributed.')
  }
  return accepted(true)
}
