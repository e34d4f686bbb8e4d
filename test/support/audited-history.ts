import { expect } from 'vitest'
import { z } from 'zod'
import { digestOf, toHex } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { type StatementKey, statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { encodeLogEntry, type LogEntry } from '../../src/log/log-entry.ts'
import { createLog } from '../../src/log/log-writer.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { EMPTY_ROOT, leafHash } from '../../src/log/merkle-hash.ts'
import { abandonmentStatement } from '../../src/protocol/abandonment.ts'
import type { Finding, FindingCode } from '../../src/protocol/audit-findings.ts'
import type { JobReader } from '../../src/protocol/audit-plan.ts'
import { StatementAudit } from '../../src/protocol/audit-statements.ts'
import { type Candidates, candidatesStatement } from '../../src/protocol/candidates.ts'
import { type Certificate, certificateStatement } from '../../src/protocol/certificate.ts'
import { type Dealing, dealingStatement } from '../../src/protocol/dealing.ts'
import { type Manifest, manifestStatement } from '../../src/protocol/manifest.ts'
import { type Publication, publicationStatement } from '../../src/protocol/publication.ts'
import { registryHead } from '../../src/protocol/registry.ts'
import { type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { shareCheckStatement } from '../../src/protocol/share-check.ts'
import {
  defineStatement,
  parseStatement,
  readStatement,
  type StatementKind,
  signStatement,
} from '../../src/protocol/statement.ts'
import { accepted } from '../../src/sluice-error.ts'
import { certify, digestNamed, type LoggedRound, logRound, publish, statementsOf } from './logged-rounds.ts'
import { foundVenue, VENUE } from './registry-fixtures.ts'
import { acceptedOf, coordinatorKey, HOSPITALS, makePlan, NOW, seedOf } from './round-fixtures.ts'
import { logSigner } from './test-log.ts'

/*
 * The log of an honest venue, and what its statements would be if somebody broke a rule: what the tests of the audit share.
 */

export const mallory = statementKeyFromSeed(seedOf('mallory'))
export const INITIAL_MODEL = digestNamed('initial model')
export const STATISTICS = digestNamed('statistics')
export const jobStatement = defineStatement('job', z.strictObject({ name: z.string() }))
export const jobs: JobReader = {
  payloadType: jobStatement.payloadType,
  read: (envelope, key) => {
    const read = readStatement(jobStatement, envelope, key)
    if (!read.ok) return read
    return accepted({
      objectionTo: ({ step }) => (step === 'gossip' ? 'No job has this step.' : undefined),
      startsFrom: (name, digest) => name === 'model' && digest === INITIAL_MODEL,
    })
  },
}

export const venue = await foundVenue(...HOSPITALS)
export const { registry, parties } = venue
export const job = signStatement(jobStatement, { name: 'heart' }, coordinatorKey)

/** The head of a log of these statements. */
export async function headOf(statements: readonly Envelope[]): Promise<RoundPlan['after']> {
  const writer = await createLog(new MemoryLogStorage(), logSigner)
  await writer.append(statements.map(encodeLogEntry))
  const { size, root } = writer.checkpoint
  return { size, root: toHex(root) }
}

/** Every log was it once. */
const EMPTY_TREE = { size: 0, root: toHex(EMPTY_ROOT) }
const foundingHead = await headOf(venue.statements)

/** A round of the job, as honest parties carry it. */
export async function runRound(
  changes: Partial<RoundPlan>,
  from = parties,
  output: Publication['output'] = { name: 'model', digest: digestNamed('model 2') },
): Promise<LoggedRound> {
  const scheme = await createPayloadScheme()
  const about = { job: statementDigest(job), registry: registryHead(registry), after: EMPTY_TREE }
  const body = makePlan(parties, { ...about, ...changes })
  const round = await logRound(scheme, parties, body, output, from)
  scheme.dispose()
  return round
}

export const trainingInputs = () => [
  { name: 'statistics', digest: STATISTICS },
  { name: 'model', digest: INITIAL_MODEL },
]

const MODEL = { name: 'model', digest: digestNamed('model 1') }

/** Statistics, then training from them and the initial model. */
export const rounds = [
  await runRound({ round: 1, step: 'statistics' }, parties, { name: 'statistics', digest: STATISTICS }),
  await runRound({ round: 2, inputs: trainingInputs() }, parties, MODEL),
] as const

export const keyOf = (holder: string) => parties.find(({ keys }) => keys.holder === holder)!.keys.statementKey
export const honest = () => [...venue.statements, job, ...rounds.flatMap(statementsOf)]

type RoundChanges = Partial<Record<keyof LoggedRound, Envelope | readonly Envelope[] | undefined>>

/** The last round as these changes leave it; `undefined` takes a statement out. */
export function withLastRound(changes: RoundChanges): Envelope[] {
  const parts = { ...rounds[1], ...changes } as Record<string, Envelope | readonly Envelope[] | undefined>
  const names = ['plan', 'candidates', 'checks', 'manifest', 'certificate', 'publication']
  return [...venue.statements, job, ...statementsOf(rounds[0]), ...names.flatMap((name) => parts[name] ?? [])]
}

/** A statement that says something else, signed again. */
export function rewrite<T>(
  kind: StatementKind<T>,
  envelope: Envelope,
  change: (body: T) => T,
  key = coordinatorKey,
): Envelope {
  return signStatement(kind, change(acceptedOf(parseStatement(kind, envelope))), key)
}
/** A statement as an audit takes it in. */
export interface AuditedEntry {
  readonly entry: LogEntry
  readonly leaf: Uint8Array
}

export function toEntry(statement: Envelope | AuditedEntry): AuditedEntry {
  if ('entry' in statement) return statement
  return { entry: { kind: 'whole', ...statement }, leaf: leafHash(encodeLogEntry(statement)) }
}

export function audit(statements: readonly (Envelope | AuditedEntry)[]) {
  const open = new StatementAudit({ venue: VENUE, coordinatorKey: coordinatorKey.publicKey, jobs })
  const findings = statements.flatMap((statement, position) => {
    const { entry, leaf } = toEntry(statement)
    return open.add(position, entry, leaf)
  })
  const { findings: last, summary } = open.end()
  return { findings: [...findings, ...last], summary }
}

export const short = ({ severity, code, holder }: Finding) => [severity, code, ...(holder ? [holder] : [])].join(' ')
export const faultsOf = (statements: readonly (Envelope | AuditedEntry)[]) =>
  audit(statements).findings.filter(({ severity }) => severity === 'fault')

/** A plan of a third round at the end of the honest log: what is wrong with it is wrong with nothing else. */
export function withPlan(changes: Partial<RoundPlan>, before: readonly Envelope[] = []): Envelope[] {
  const base = {
    job: statementDigest(job),
    registry: registryHead(registry),
    round: 3,
    step: 'evaluation',
    after: foundingHead,
  }
  const plan = makePlan(parties, { ...base, inputs: trainingInputs(), ...changes })
  return [...honest(), ...before, signStatement(roundPlanStatement, plan, coordinatorKey)]
}

export const abandonmentOf = (plan: Envelope, key: StatementKey = coordinatorKey) => {
  const body = { plan: statementDigest(plan), reason: 'a test', abandonedAt: NOW.toISOString() }
  return signStatement(abandonmentStatement, body, key)
}

/** Detached, its payload lost. */
export const lost = (statement: Envelope): AuditedEntry => {
  const { payloadType, payload, signatures } = statement
  return {
    entry: { kind: 'detached', payloadType, signatures, payloadSha256: digestOf(payload) },
    leaf: leafHash(encodeLogEntry(statement)),
  }
}

export type Case = [
  rule: string,
  code: FindingCode,
  log: () => (Envelope | AuditedEntry)[] | Promise<Envelope[]>,
  holder?: string,
]

export const beforeManifest = (...statements: Envelope[]) => {
  const { plan, candidates, checks } = rounds[1]
  return [...venue.statements, job, ...statementsOf(rounds[0]), plan, candidates, ...checks, ...statements]
}

/** What a candidate dealt, as the members' checks say. */
export function dealingOf(holder: string, change: (dealing: Dealing) => Dealing = (body) => body, key = keyOf(holder)) {
  const { checks, candidates, plan } = rounds[1]
  const combinations = checks.map((envelope) => {
    const { member, combinations: all } = acceptedOf(parseStatement(shareCheckStatement, envelope))
    return { member, values: all.find((each) => each.holder === holder)!.values }
  })
  const about = { plan: statementDigest(plan), candidates: statementDigest(candidates) }
  return signStatement(dealingStatement, change({ ...about, holder, combinations }), key)
}

export const changeManifest = (change: (body: Manifest) => Manifest) =>
  rewrite(manifestStatement, rounds[1].manifest, change)
export const changeCandidates = (change: (body: Candidates) => Candidates) =>
  rewrite(candidatesStatement, rounds[1].candidates, change)
export const changeCertificate = (change: (body: Certificate) => Certificate) =>
  rewrite(certificateStatement, rounds[1].certificate, change)
export const changePublication = (change: (body: Publication) => Publication) =>
  rewrite(publicationStatement, rounds[1].publication, change)
export const memberOf = (index: number) => rounds[1].body.committee.members[index]

/** The manifest and what follows it, over another body. */
export function withManifest(manifest: Envelope, checks = rounds[1].checks): Envelope[] {
  const { body, plan } = rounds[1]
  return withLastRound({
    checks: [...checks],
    manifest,
    certificate: certify({ body, plan, manifest }, parties.slice(1)),
    publication: publish({ body, plan, manifest }, parties, MODEL),
  })
}

/** One rule is broken, and one fault says so; `first`: of the first member of the committee. */
export async function expectFault(...[, code, log, holder]: Case): Promise<void> {
  const faults = faultsOf(await log())
  expect(faults.map(({ code: found }) => found)).toEqual([code])
  if (holder) expect(faults[0].holder).toBe(holder === 'first' ? memberOf(0) : holder)
}
