import type { Digest } from '../../src/crypto/digest.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { certificateStatement, endorsementsOf } from '../../src/protocol/certificate.ts'
import { orderedChecks } from '../../src/protocol/coordinator-round.ts'
import { manifestStatement } from '../../src/protocol/manifest.ts'
import { payloadHashStatement } from '../../src/protocol/payload-hash.ts'
import { type Publication, publicationStatement } from '../../src/protocol/publication.ts'
import type { RoundPlan } from '../../src/protocol/round-plan.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import { acceptedOf, coordinatorKey, endorseWith, type Party, sealRoundOf } from './round-fixtures.ts'

/** Rounds of the tests as they stand in a log. */

/** What one round leaves in a log. */
export interface LoggedRound {
  readonly body: RoundPlan
  readonly plan: Envelope
  readonly candidates: Envelope
  readonly checks: readonly Envelope[]
  readonly manifest: Envelope
  readonly certificate: Envelope
  readonly publication: Envelope
}

/** A round that honest parties carry to its end, with the contributions of `from`. */
export async function logRound(
  scheme: PayloadScheme,
  parties: readonly Party[],
  body: RoundPlan,
  output: Publication['output'],
  from = parties,
): Promise<LoggedRound> {
  const { round } = await sealRoundOf(scheme, parties, { plan: body, from })
  const { planEnvelope: plan, manifest } = round
  const sealed = { body, plan, candidates: round.candidates!, checks: orderedChecks(round), manifest: manifest! }
  return {
    ...sealed,
    certificate: certify(sealed, parties.slice(1)),
    publication: publish(sealed, parties, output),
  }
}

type SealedStatements = Pick<LoggedRound, 'body' | 'plan' | 'manifest'>

/** The certificate of a manifest that these parties endorse. */
export function certify({ body, plan, manifest }: SealedStatements, by: readonly Party[]): Envelope {
  const endorsements = endorsementsOf(body, endorseWith(manifest, by))
  const certificate = { plan: statementDigest(plan), manifest: statementDigest(manifest), endorsements }
  return signStatement(certificateStatement, certificate, coordinatorKey)
}

/** The publication of a manifest, with a hash that each contributor has signed. No ciphertext has it: a log does not show that. */
export function publish(
  { body, plan, manifest }: SealedStatements,
  parties: readonly Party[],
  output: Publication['output'],
): Envelope {
  const { contributions } = acceptedOf(parseStatement(manifestStatement, manifest))
  const about = { plan: statementDigest(plan), manifest: statementDigest(manifest), sum: digestNamed('ciphertexts') }
  const hash = '0'.repeat(32)
  const hashes = contributions.map(({ holder }) => {
    const { statementKey } = parties.find(({ keys }) => keys.holder === holder)!.keys
    const signed = signStatement(payloadHashStatement, { ...about, holder, hash }, statementKey)
    return { holder, hash, signature: Buffer.from(signed.signatures[0].sig).toString('base64') }
  })
  const sums = { contributors: contributions.length, aggregate: digestNamed('sum'), opening: digestNamed('opening') }
  return signStatement(publicationStatement, { job: body.job, ...about, ...sums, hashes, output }, coordinatorKey)
}

/** In the order of the log. */
export function statementsOf(round: LoggedRound): Envelope[] {
  const { plan, candidates, checks, manifest, certificate, publication } = round
  return [plan, candidates, ...checks, manifest, certificate, publication]
}

export function digestNamed(name: string): Digest {
  return digestOf(Buffer.from(name))
}
