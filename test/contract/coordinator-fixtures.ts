import { randomBytes } from 'node:crypto'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, signatureOver, signEnvelope, statementDigest } from '../../src/crypto/envelope.ts'
import { type StatementKey, statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { abandonmentStatement } from '../../src/protocol/abandonment.ts'
import { candidatesStatement } from '../../src/protocol/candidates.ts'
import { type Contribution, contributionStatement } from '../../src/protocol/contribution.ts'
import { type CoordinatorRound, planRound, type ReceivedContribution } from '../../src/protocol/coordinator-round.ts'
import { manifestStatement } from '../../src/protocol/manifest.ts'
import { drawPlanCommittee } from '../../src/protocol/round-plan.ts'
import { checkSegment } from '../../src/protocol/segments.ts'
import { signStatement } from '../../src/protocol/statement.ts'

/** Signed statements of a small federation, each call another one. */

const key: StatementKey = statementKeyFromSeed(randomBytes(32))
const memberKeys = new Map(['cleveland', 'hungary', 'zurich'].map((name) => [name, newKey()]))

function newKey(): StatementKey {
  return statementKeyFromSeed(randomBytes(32))
}

export function someDigest(): Digest {
  return digestOf(randomBytes(32))
}

export function someStatement(payload: string = randomBytes(16).toString('hex')): Envelope {
  const body = new TextEncoder().encode(JSON.stringify({ payload }))
  return signEnvelope('application/vnd.sluice.v1.test+json', body, key)
}

export function someJob(): { job: Digest; envelope: Envelope } {
  const envelope = someStatement()
  return { job: statementDigest(envelope), envelope }
}

/** A planned round of `job`. */
export function someRound(job: Digest, round = 1): CoordinatorRound {
  const cohort = [...memberKeys].map(([holder, { publicKey }]) => ({
    holder,
    organisation: holder,
    statementKey: publicKey,
    boxKey: someDigest(),
  }))
  return planRound(
    {
      job,
      round,
      nonce: someDigest(),
      step: 'train',
      inputs: [],
      cohort,
      committee: { ...drawPlanCommittee({ job, round, cohort }), tolerates: 0 },
      minContributors: 2,
      vector: { precisionBits: 16, segments: [{ name: 'update', length: 8, low: -1, high: 1 }, checkSegment(16)] },
      payload: { scheme: 'kahe-rlwe-2048-54' },
      collectUntil: '2030-01-01T00:00:00.000Z',
      registry: someDigest(),
      after: { size: 0, root: someDigest() },
    },
    key,
  )
}

export function someContribution(round: CoordinatorRound, holder: string, sealedBytes = 64): ReceivedContribution {
  const contribution: Contribution = {
    plan: round.planDigest,
    holder,
    payload: { digest: someDigest(), bytes: 54 },
    shares: [...memberKeys.keys()].map((member) => ({
      member,
      sealed: randomBytes(sealedBytes).toString('base64'),
    })),
  }
  const envelope = signStatement(contributionStatement, contribution, memberKeys.get(holder)!)
  return { envelope, digest: statementDigest(envelope), contribution }
}

const someEntries = () =>
  ['cleveland', 'hungary'].map((holder) => ({ holder, contribution: someDigest(), payload: someDigest() }))

/** Candidates of the round; two calls give two sets. */
export function someCandidates(round: CoordinatorRound): Envelope {
  const closedAt = '2029-12-30T00:00:00.000Z'
  const body = { plan: round.planDigest, contributions: someEntries(), nonce: someDigest(), closedAt }
  return signStatement(candidatesStatement, body, key)
}

/** A manifest of the round; two calls give two manifests, over other contributions. */
export function someManifest(round: CoordinatorRound): Envelope {
  const body = {
    plan: round.planDigest,
    candidates: someDigest(),
    contributions: someEntries(),
    checks: [someDigest(), someDigest(), someDigest()],
    dealings: [],
    excluded: [],
    setAside: [],
    sealedAt: '2029-12-31T00:00:00.000Z',
  }
  return signStatement(manifestStatement, body, key)
}

/** The coordinator's abandonment of the round; two calls give two. */
export function someAbandonment(round: CoordinatorRound): Envelope {
  const body = { plan: round.planDigest, reason: someDigest(), abandonedAt: '2030-01-01T00:00:00.000Z' }
  return signStatement(abandonmentStatement, body, key)
}

/** The same manifest, or abandonment, with the signatures of the first members of the cohort. */
export function certify(statement: Envelope, members = memberKeys.size): Envelope {
  const signatures = [...memberKeys.values()]
    .slice(0, members)
    .map((member) => signatureOver(statement.payloadType, statement.payload, member))
  return { ...statement, signatures: [...statement.signatures, ...signatures] }
}
