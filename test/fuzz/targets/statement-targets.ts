import fc from 'fast-check'
import { signEnvelope } from '../../../src/crypto/envelope.ts'
import { statementKeyFromSeed } from '../../../src/crypto/statement-key.ts'
import { jobStatement } from '../../../src/learning/job-specification.ts'
import { abandonmentStatement } from '../../../src/protocol/abandonment.ts'
import { candidatesStatement } from '../../../src/protocol/candidates.ts'
import { certificateStatement } from '../../../src/protocol/certificate.ts'
import { contributionStatement, SEALED_SHARE_CHARACTERS } from '../../../src/protocol/contribution.ts'
import { dealingStatement } from '../../../src/protocol/dealing.ts'
import { manifestStatement } from '../../../src/protocol/manifest.ts'
import { payloadHashStatement } from '../../../src/protocol/payload-hash.ts'
import { publicationStatement } from '../../../src/protocol/publication.ts'
import {
  applicationStatement,
  departureStatement,
  embedStatement,
  membershipStatement,
  revocationStatement,
} from '../../../src/protocol/registry-statements.ts'
import { checkPlanConsistency, planParameters, roundPlanStatement } from '../../../src/protocol/round-plan.ts'
import { shareCheckStatement } from '../../../src/protocol/share-check.ts'
import { shareSumStatement } from '../../../src/protocol/share-sum.ts'
import { parseStatement, readStatement, type StatementKind, signStatement } from '../../../src/protocol/statement.ts'
import { simulationStatement } from '../../../src/simulate/simulation.ts'
import { accepted, type Verdict } from '../../../src/sluice-error.ts'
import { type FuzzTarget, target } from '../fuzz-target.ts'
import { FUZZ_JOB } from './fuzz-job.ts'
import { FUZZ_PLAN } from './fuzz-plan.ts'

const key = statementKeyFromSeed(new Uint8Array(32).fill(3))
const digest = (digit: string): string => digit.repeat(64)
const AT = '2026-03-01T12:00:00.000Z'
const CANDIDATES = ['cleveland', 'hungary'].map((holder) => ({
  holder,
  contribution: digest('1'),
  payload: digest('2'),
}))

/** Every kind of statement: the input is the payload, signed by whom the reader expects, for the form is looked at last. */
export function statementTargets(): FuzzTarget[] {
  return [
    planTarget(),
    statementTarget('contribution', contributionStatement, {
      plan: digest('a'),
      holder: 'cleveland',
      payload: { digest: digest('b'), bytes: 1234 },
      shares: ['cleveland', 'hungary'].map((member) => ({ member, sealed: 'A'.repeat(SEALED_SHARE_CHARACTERS) })),
    }),
    statementTarget('candidates', candidatesStatement, {
      plan: digest('a'),
      contributions: CANDIDATES,
      nonce: digest('c'),
      closedAt: AT,
    }),
    statementTarget('share-check', shareCheckStatement, {
      plan: digest('a'),
      candidates: digest('b'),
      member: 'hungary',
      combinations: [{ holder: 'cleveland', values: [0, 1, 67_108_858] }],
      unopenable: ['long-beach'],
    }),
    statementTarget('manifest', manifestStatement, {
      plan: digest('a'),
      candidates: digest('b'),
      contributions: CANDIDATES,
      checks: [digest('c')],
      dealings: [digest('d')],
      excluded: [{ holder: 'long-beach', members: ['hungary'] }],
      setAside: ['switzerland'],
      sealedAt: AT,
    }),
    statementTarget('certificate', certificateStatement, {
      plan: digest('a'),
      manifest: digest('b'),
      endorsements: ['cleveland', 'hungary'].map((member) => ({
        member,
        signature: Buffer.alloc(64).toString('base64'),
      })),
    }),
    statementTarget('dealing', dealingStatement, {
      plan: digest('a'),
      candidates: digest('b'),
      holder: 'cleveland',
      combinations: ['cleveland', 'hungary'].map((member) => ({ member, values: [0, 1, 67_108_858] })),
    }),
    statementTarget('abandonment', abandonmentStatement, { plan: digest('a'), reason: 'too few', abandonedAt: AT }),
    statementTarget('payload-hash', payloadHashStatement, {
      plan: digest('a'),
      manifest: digest('b'),
      sum: digest('c'),
      holder: 'cleveland',
      hash: '0'.repeat(32),
    }),
    statementTarget('share-sum', shareSumStatement, {
      plan: digest('a'),
      manifest: digest('b'),
      member: 'hungary',
      shareSum: Buffer.alloc(6656, 1).toString('base64'),
    }),
    statementTarget('publication', publicationStatement, {
      plan: digest('a'),
      manifest: digest('b'),
      contributors: 4,
      aggregate: digest('c'),
      job: digest('9'),
      sum: digest('8'),
      opening: digest('d'),
      hashes: [{ holder: 'cleveland', hash: '0'.repeat(32), signature: Buffer.alloc(64).toString('base64') }],
      output: { name: 'model', digest: digest('e') },
    }),
    statementTarget('simulation', simulationStatement, { weights: 1000, precisionBits: 16, seed: digest('a') }),
    ...registryStatementTargets(),
    statementTarget('job', jobStatement, {
      specification: FUZZ_JOB,
      submittedBy: 'ada',
      submittedAt: AT,
      nonce: digest('f'),
    }),
  ]
}

function registryStatementTargets(): FuzzTarget[] {
  const venue = 'hearts.example'
  const application = { venue, member: FUZZ_PLAN.cohort[0] }
  const departure = { venue, holder: 'cleveland', statementKey: digest('a'), reason: 'moves' }
  const place = { venue, sequence: 2, previous: digest('b') }
  return [
    statementTarget('application', applicationStatement, application),
    statementTarget('departure', departureStatement, departure),
    statementTarget('membership', membershipStatement, {
      ...place,
      application: embedStatement(signStatement(applicationStatement, application, key)),
      admittedAt: AT,
    }),
    statementTarget('revocation', revocationStatement, {
      ...place,
      departure: embedStatement(signStatement(departureStatement, departure, key)),
      revokedAt: AT,
    }),
  ]
}

function planTarget(): FuzzTarget {
  const plan = statementTarget('round-plan', roundPlanStatement, FUZZ_PLAN)
  return target({
    ...plan,
    decode: (bytes) => {
      const read = plan.decode(bytes) as Verdict<typeof FUZZ_PLAN, string>
      // What is read is used: a plan that is consistent has a geometry.
      const consistent = read.ok ? checkPlanConsistency(read.value) : read
      if (consistent.ok) planParameters(consistent.value)
      return consistent
    },
  })
}

/** Read twice, with and without its signature. */
const STATEMENT_ALLOCATION = { fixedBytes: 4 * 1024 * 1024, perInputByte: 128 }

function statementTarget<T>(name: string, kind: StatementKind<T>, body: T): FuzzTarget {
  const read = (payload: Uint8Array) => readStatement(kind, signEnvelope(kind.payloadType, payload, key), key.publicKey)
  return target({
    name: `statement: ${name}`,
    corpus: [signStatement(kind, body, key).payload],
    decode: (payload) => {
      const unsigned = parseStatement(kind, { payloadType: kind.payloadType, payload, signatures: [] })
      const signed = read(payload)
      if (unsigned.ok !== signed.ok) throw new Error('with and without its signature a statement reads differently')
      return signed.ok ? accepted(signed.value) : signed
    },
    encode: (value) => signStatement(kind, value as T, key).payload,
    roundTrip: 'value',
    allocation: STATEMENT_ALLOCATION,
    structured: structuredBodies(body),
  })
}

/** Bodies of the right names whose values are any JSON, a few at a time. */
function structuredBodies(body: unknown): fc.Arbitrary<Uint8Array> {
  const members = Object.entries(body as Record<string, unknown>)
  const changed = members.map(([name, value]) =>
    fc.tuple(
      fc.constant(name),
      fc.oneof(
        { weight: 4, arbitrary: fc.constant(value) },
        { weight: 1, arbitrary: fc.jsonValue() },
        { weight: 1, arbitrary: fc.array(fc.constant(value), { maxLength: 20 }) },
      ),
    ),
  )
  return fc.tuple(...changed).map((entries) => new Uint8Array(Buffer.from(JSON.stringify(Object.fromEntries(entries)))))
}
