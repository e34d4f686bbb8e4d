/** For every rule that an auditor relies on: a log in which it is broken, and the one finding that says so. */
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, signEnvelope, statementDigest } from '../../src/crypto/envelope.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { type StatementKey, statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import type { LogEntry } from '../../src/log/log-entry.ts'
import { abandonmentStatement } from '../../src/protocol/abandonment.ts'
import type { Finding, FindingCode } from '../../src/protocol/audit-findings.ts'
import type { JobReader } from '../../src/protocol/audit-plan.ts'
import { StatementAudit } from '../../src/protocol/audit-statements.ts'
import { type Candidates, candidatesStatement } from '../../src/protocol/candidates.ts'
import { type Certificate, certificateStatement, endorsementsOf } from '../../src/protocol/certificate.ts'
import { orderedChecks } from '../../src/protocol/coordinator-round.ts'
import { type Dealing, dealingStatement } from '../../src/protocol/dealing.ts'
import { type Manifest, manifestStatement } from '../../src/protocol/manifest.ts'
import { payloadHashStatement } from '../../src/protocol/payload-hash.ts'
import { type Publication, publicationStatement } from '../../src/protocol/publication.ts'
import { type Registry, registryHead } from '../../src/protocol/registry.ts'
import { membershipStatement } from '../../src/protocol/registry-statements.ts'
import { type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { type ShareCheck, shareCheckStatement } from '../../src/protocol/share-check.ts'
import {
  defineStatement,
  parseStatement,
  readStatement,
  type StatementKind,
  signStatement,
} from '../../src/protocol/statement.ts'
import { accepted } from '../../src/sluice-error.ts'
import {
  applicationOf,
  apply,
  departureOf,
  type FoundedVenue,
  foundVenue,
  keysOf,
  statementFor,
  VENUE,
} from '../support/registry-fixtures.ts'
import {
  acceptedOf,
  coordinatorKey,
  createParty,
  endorseWith,
  HOSPITALS,
  makePlan,
  NOW,
  type Party,
  sealRoundOf,
  seedOf,
} from '../support/round-fixtures.ts'

const mallory = statementKeyFromSeed(seedOf('mallory'))
const digestNamed = (name: string): Digest => digestOf(Buffer.from(name))
const INITIAL_MODEL = digestNamed('initial model')
const STATISTICS = digestNamed('statistics')

const jobStatement = defineStatement('job', z.strictObject({ name: z.string() }))
const jobs: JobReader = {
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

/** What one round leaves in a log. */
interface LoggedRound {
  readonly body: RoundPlan
  readonly plan: Envelope
  readonly candidates: Envelope
  readonly checks: readonly Envelope[]
  readonly manifest: Envelope
  readonly certificate: Envelope
  readonly publication: Envelope
}

let venue: FoundedVenue
let registry: Registry
let parties: readonly Party[]
let job: Envelope
/** Statistics, then training from them and the initial model. */
let rounds: [LoggedRound, LoggedRound]
/** What `sealRoundOf` needs; made once. */
let runRound: (
  changes: Partial<RoundPlan>,
  from?: readonly Party[],
  output?: Publication['output'],
) => Promise<LoggedRound>

beforeAll(async () => {
  const scheme = await createPayloadScheme()
  venue = await foundVenue(...HOSPITALS)
  ;({ registry, parties } = venue)
  job = signStatement(jobStatement, { name: 'heart' }, coordinatorKey)
  runRound = async (changes, from = parties, output = { name: 'model', digest: digestNamed('model 1') }) => {
    const body = makePlan(parties, { job: statementDigest(job), registry: registryHead(registry), ...changes })
    const { round } = await sealRoundOf(scheme, parties, { plan: body, from })
    return outcomeOf(body, round.planEnvelope, round.candidates!, orderedChecks(round), round.manifest!, output)
  }
  rounds = [
    await runRound({ round: 1, step: 'statistics' }, parties, { name: 'statistics', digest: STATISTICS }),
    await runRound({ round: 2, inputs: trainingInputs() }),
  ]
  scheme.dispose()
  // Rounds of single tests are made with a scheme of their own.
  runRound = async (changes, from = parties, output = { name: 'model', digest: digestNamed('model 2') }) => {
    const own = await createPayloadScheme()
    const body = makePlan(parties, { job: statementDigest(job), registry: registryHead(registry), ...changes })
    const { round } = await sealRoundOf(own, parties, { plan: body, from })
    own.dispose()
    return outcomeOf(body, round.planEnvelope, round.candidates!, orderedChecks(round), round.manifest!, output)
  }
})

const trainingInputs = () => [
  { name: 'statistics', digest: STATISTICS },
  { name: 'model', digest: INITIAL_MODEL },
]

/** A round from its manifest on, as honest parties carry it. */
function outcomeOf(
  body: RoundPlan,
  plan: Envelope,
  candidates: Envelope,
  checks: readonly Envelope[],
  manifest: Envelope,
  output: Publication['output'],
): LoggedRound {
  const certificate = certify(body, plan, manifest)
  const publication = publish(body, plan, manifest, output)
  return { body, plan, candidates, checks, manifest, certificate, publication }
}

function certify(body: RoundPlan, plan: Envelope, manifest: Envelope, by = parties.slice(1)): Envelope {
  const endorsements = endorsementsOf(body, endorseWith(manifest, by))
  const certificate = { plan: statementDigest(plan), manifest: statementDigest(manifest), endorsements }
  return signStatement(certificateStatement, certificate, coordinatorKey)
}

function publish(body: RoundPlan, plan: Envelope, manifest: Envelope, output: Publication['output']): Envelope {
  const { contributions } = acceptedOf(parseStatement(manifestStatement, manifest))
  const about = { plan: statementDigest(plan), manifest: statementDigest(manifest) }
  const hash = '0'.repeat(32)
  const hashes = contributions.map(({ holder }) => {
    const signed = signStatement(payloadHashStatement, { ...about, holder, hash }, keyOf(holder))
    return { holder, hash, signature: Buffer.from(signed.signatures[0].sig).toString('base64') }
  })
  const sums = { contributors: contributions.length, aggregate: digestNamed('sum'), opening: digestNamed('opening') }
  const publication = { job: body.job, ...about, ...sums, hashes, output }
  return signStatement(publicationStatement, publication, coordinatorKey)
}

const keyOf = (holder: string) => parties.find(({ keys }) => keys.holder === holder)!.keys.statementKey

const statementsOf = ({ plan, candidates, checks, manifest, certificate, publication }: LoggedRound) => [
  ...[plan, candidates, ...checks, manifest, certificate, publication],
]

const honest = () => [...venue.statements, job, ...rounds.flatMap(statementsOf)]

/** The last round as these changes leave it; `undefined` takes a statement out. */
function withLastRound(changes: Partial<Record<keyof LoggedRound, Envelope | Envelope[] | undefined>>): Envelope[] {
  const parts = { ...rounds[1], ...changes } as Record<string, Envelope | Envelope[] | undefined>
  const names = ['plan', 'candidates', 'checks', 'manifest', 'certificate', 'publication']
  return [...venue.statements, job, ...statementsOf(rounds[0]), ...names.flatMap((name) => parts[name] ?? [])]
}

/** A statement that says something else, signed again. */
function rewrite<T>(
  kind: StatementKind<T>,
  envelope: Envelope,
  change: (body: T) => T,
  key = coordinatorKey,
): Envelope {
  return signStatement(kind, change(acceptedOf(parseStatement(kind, envelope))), key)
}

const without = <T>(list: readonly T[], ...indices: number[]) => list.filter((_, i) => !indices.includes(i))

function toEntry(statement: Envelope | LogEntry): LogEntry {
  return 'kind' in statement ? statement : { kind: 'whole', ...statement }
}

function audit(statements: readonly (Envelope | LogEntry)[]) {
  const open = new StatementAudit({ venue: VENUE, coordinatorKey: coordinatorKey.publicKey, jobs })
  const findings = statements.flatMap((statement, position) => open.add(position, toEntry(statement)))
  const { findings: last, summary } = open.end()
  return { findings: [...findings, ...last], summary }
}

const short = ({ severity, code, holder }: Finding) => [severity, code, ...(holder ? [holder] : [])].join(' ')
const faultsOf = (statements: readonly (Envelope | LogEntry)[]) =>
  audit(statements).findings.filter(({ severity }) => severity === 'fault')

/** A plan of a third round at the end of the honest log: what is wrong with it is wrong with nothing else. */
function withPlan(changes: Partial<RoundPlan>, before: readonly Envelope[] = []): Envelope[] {
  const base = { job: statementDigest(job), registry: registryHead(registry), round: 3, step: 'evaluation' }
  const plan = makePlan(parties, { ...base, inputs: trainingInputs(), ...changes })
  return [...honest(), ...before, signStatement(roundPlanStatement, plan, coordinatorKey)]
}

const abandonmentOf = (plan: Envelope, key: StatementKey = coordinatorKey) => {
  const body = { plan: statementDigest(plan), reason: 'a test', abandonedAt: NOW.toISOString() }
  return signStatement(abandonmentStatement, body, key)
}

/** Detached, its payload lost. */
const lost = ({ payloadType, payload, signatures }: Envelope): LogEntry => ({
  ...{ kind: 'detached', payloadType, signatures },
  payloadSha256: digestOf(payload),
})

type Case = readonly [
  rule: string,
  code: FindingCode,
  log: () => Envelope[] | LogEntry[] | Promise<Envelope[]>,
  holder?: string,
]

const rewriteCheck = (index: number, change: (check: ShareCheck) => ShareCheck, key?: StatementKey) => {
  const { checks } = rounds[1]
  const { member } = acceptedOf(parseStatement(shareCheckStatement, checks[index]))
  const rewritten = rewrite(shareCheckStatement, checks[index], change, key ?? keyOf(member))
  return withLastRound({ checks: checks.with(index, rewritten) as Envelope[] })
}

/** The last round with something between its checks and its manifest, and all that is after it left out. */
const beforeManifest = (...statements: Envelope[]) => {
  const { plan, candidates, checks } = rounds[1]
  return [...venue.statements, job, ...statementsOf(rounds[0]), plan, candidates, ...checks, ...statements]
}

/** What a candidate dealt, as the members' checks say. */
function dealingOf(holder: string, change: (dealing: Dealing) => Dealing = (body) => body, key = keyOf(holder)) {
  const { checks, candidates, plan } = rounds[1]
  const combinations = checks.map((envelope) => {
    const { member, combinations: all } = acceptedOf(parseStatement(shareCheckStatement, envelope))
    return { member, values: all.find((each) => each.holder === holder)!.values }
  })
  const about = { plan: statementDigest(plan), candidates: statementDigest(candidates) }
  return signStatement(dealingStatement, change({ ...about, holder, combinations }), key)
}

const changeManifest = (change: (body: Manifest) => Manifest) => rewrite(manifestStatement, rounds[1].manifest, change)
const changeCandidates = (change: (body: Candidates) => Candidates) =>
  rewrite(candidatesStatement, rounds[1].candidates, change)
const changeCertificate = (change: (body: Certificate) => Certificate) =>
  rewrite(certificateStatement, rounds[1].certificate, change)
const changePublication = (change: (body: Publication) => Publication) =>
  rewrite(publicationStatement, rounds[1].publication, change)
const memberOf = (index: number) => rounds[1].body.committee.members[index]

/** The manifest and what follows it, over another body. */
function withManifest(manifest: Envelope, checks = rounds[1].checks): Envelope[] {
  const { body, plan } = rounds[1]
  const output = { name: 'model', digest: digestNamed('model 1') }
  return withLastRound({
    checks: [...checks],
    manifest,
    certificate: certify(body, plan, manifest),
    publication: publish(body, plan, manifest, output),
  })
}

const general: Case[] = [
  ['a kind that the log does not take', 'unknown-kind', () => [...honest(), dealtShares()]],
  ['a form that is its kind’s', 'malformed-statement', () => [...honest(), malformedCandidates()]],
  ['the coordinator’s signature', 'bad-signature', () => [...honest(), abandonmentOf(rounds[0].plan, mallory)]],
  ['a job that the coordinator signed', 'bad-signature', () => [...honest(), jobBy(mallory)]],
  ['a payload that can be read', 'payload-missing', () => [...honest(), lost(jobBy(coordinatorKey))] as LogEntry[]],
]

const dealtShares = () => signEnvelope('application/vnd.sluice.v1.contribution+json', Buffer.from('{}'), coordinatorKey)
const malformedCandidates = () =>
  signEnvelope(candidatesStatement.payloadType, Buffer.from('{"plan":"all"}'), coordinatorKey)
const jobBy = (key: StatementKey) => signStatement(jobStatement, { name: 'another' }, key)

const members: Case[] = [
  ['a quorum that wants a newcomer', 'quorum-not-met', async () => [...honest(), await newcomerStatement([])]],
  ['the order of the registry', 'registry-out-of-order', () => [...honest(), venue.statements[3]]],
]

/** The membership of a fifth hospital, signed by these. */
async function newcomerStatement(by: readonly StatementKey[]): Promise<Envelope> {
  const zurich = await createParty('zurich')
  const body = acceptedOf(
    parseStatement(membershipStatement, statementFor(registry, applicationOf(zurich, keysOf(parties)), by)),
  )
  return signStatement(membershipStatement, body, coordinatorKey)
}

const revocation = () => statementFor(registry, departureOf(parties[0], keysOf(parties)), keysOf(parties))
const swapped = () => parties.map(({ member }, i) => (i === 2 ? { ...member, boxKey: seedHex('other box') } : member))
const seedHex = (name: string) => Buffer.from(seedOf(name)).toString('hex')

const plans: Case[] = [
  ['a plan that is possible', 'inconsistent-plan', () => withPlan({ committee: otherDraw() })],
  ['a job before its plans', 'job-not-logged', () => withPlan({ job: digestNamed('elsewhere'), inputs: [] })],
  ['a plan that is the job’s', 'job-mismatch', () => withPlan({ step: 'gossip' })],
  ['a registry that the log has', 'registry-not-logged', () => withPlan({ registry: digestNamed('theirs') })],
  ['keys of a member that are its own', 'not-a-member', () => withPlan({ cohort: swapped() }), 'long-beach'],
  [
    'a cohort of members as of the plan’s registry',
    'not-a-member',
    () => withPlan({ registry: registryHead(acceptedOf(apply(registry, revocation()))) }, [revocation()]),
    'cleveland',
  ],
  [
    'inputs that the log knows',
    'input-not-published',
    () => withPlan({ inputs: [{ name: 'model', digest: STATISTICS }] }),
  ],
  ['one plan a round', 'repeated-round', () => withPlan({ round: 2, nonce: digestNamed('again') })],
  ['one plan a round, even the same', 'repeated-round', () => [...honest(), rounds[1].plan]],
]

const otherDraw = () => {
  const { committee } = rounds[1].body
  return { ...committee, members: [...committee.members].reverse() }
}

const collections: Case[] = [
  ['a plan before all that is of it', 'plan-not-logged', () => withLastRound(only('candidates'))],
  [
    'one candidate set',
    'second-candidates',
    () => beforeManifest(changeCandidates((body) => ({ ...body, nonce: STATISTICS }))),
  ],
  [
    'candidates of the cohort',
    'not-in-cohort',
    () => candidatesOnly((list) => list.with(0, { ...list[0], holder: 'nobody' })),
  ],
  ['each candidate once', 'duplicate-contribution', () => candidatesOnly((list) => [...list, list[0]])],
  ['candidates of enough organisations', 'too-few-contributors', () => candidatesOnly((list) => list.slice(0, 2))],
]

/** The last round with one statement alone, and no plan. */
const only = (kept: keyof LoggedRound) => ({
  ...{ plan: undefined, checks: [], manifest: undefined, certificate: undefined, publication: undefined },
  [kept]: rounds[1][kept] as Envelope,
})

/** Everything that follows is there, and speaks of other candidates: it is not looked at. */
const candidatesOnly = (change: (list: Candidates['contributions']) => Candidates['contributions']) =>
  withLastRound({ candidates: changeCandidates((body) => ({ ...body, contributions: change(body.contributions) })) })

const checks: Case[] = [
  ['checks of the committee', 'not-on-committee', () => beforeManifest(strangersCheck()), 'mallory'],
  ['checks that their members signed', 'bad-signature', () => beforeManifest(checkBy(0, mallory)), 'first'],
  ['candidates before checks', 'wrong-order', () => checksFirst()],
  ['no check after the manifest', 'wrong-order', () => [...beforeManifest(rounds[1].manifest), lateCheck()], 'first'],
  ['checks of the logged candidates', 'candidates-mismatch', () => checkOf({ candidates: STATISTICS }), 'first'],
  ['one check a member', 'second-share-check', () => beforeManifest(checkBy(0)), 'first'],
  ['checks that speak of every candidate', 'malformed-check', () => checkOf({ combinations: [] }), 'first'],
]

const checkBy = (index: number, key = keyOf(memberOf(index))) =>
  rewrite(shareCheckStatement, rounds[1].checks[index], (body) => body, key)
const lateCheck = () => checkBy(0)
const strangersCheck = () =>
  rewrite(shareCheckStatement, rounds[1].checks[0], (body) => ({ ...body, member: 'mallory' }), mallory)

const checksFirst = () => {
  const { plan, checks: all } = rounds[1]
  return [...venue.statements, job, ...statementsOf(rounds[0]), plan, all[0]]
}

/** One check is another; the round stops there, with three good ones. */
const checkOf = (change: Partial<ShareCheck>) => {
  const stop = beforeManifest().length
  return rewriteCheck(0, (body) => ({ ...body, ...change })).slice(0, stop)
}

const dealings: Case[] = [
  ['dealings of the cohort', 'not-in-cohort', () => beforeManifest(dealingOf('hungary', rename, mallory)), 'mallory'],
  [
    'dealings that their holders signed',
    'bad-signature',
    () => beforeManifest(dealingOf('hungary', same, mallory)),
    'hungary',
  ],
  [
    'dealings of the logged candidates',
    'candidates-mismatch',
    () => beforeManifest(dealingOf('hungary', elsewhere)),
    'hungary',
  ],
  [
    'one dealing a candidate',
    'second-dealing',
    () => beforeManifest(dealingOf('hungary'), dealingOf('hungary')),
    'hungary',
  ],
  [
    'dealings that speak of every member',
    'malformed-check',
    () => beforeManifest(dealingOf('hungary', shorter)),
    'hungary',
  ],
  [
    'no dealing after the manifest',
    'wrong-order',
    () => [...beforeManifest(rounds[1].manifest), dealingOf('hungary')],
    'hungary',
  ],
  ['dealings of candidates', 'candidates-mismatch', () => dealingOfOutsider(), 'cleveland'],
]

const same = (body: Dealing) => body
const rename = (body: Dealing) => ({ ...body, holder: 'mallory' })
const elsewhere = (body: Dealing) => ({ ...body, candidates: STATISTICS })
const shorter = (body: Dealing) => ({ ...body, combinations: body.combinations.slice(1) })

/** In a round to which only three contributed, the fourth says what it dealt. */
async function dealingOfOutsider() {
  const { plan, candidates } = await runRound({ round: 3, step: 'evaluation' }, parties.slice(1))
  const about = { plan: statementDigest(plan), candidates: statementDigest(candidates) }
  return [...honest(), plan, candidates, dealingOf('cleveland', (body) => ({ ...body, ...about }))]
}

const manifests: Case[] = [
  ['one manifest', 'second-manifest', () => [...beforeManifest(rounds[1].manifest), changeManifest(later)]],
  ['candidates before the manifest', 'wrong-order', () => manifestFirst()],
  ['a manifest over the logged candidates', 'candidates-mismatch', () => withManifest(changeManifest(otherCandidates))],
  ['a set of enough organisations', 'too-few-contributors', () => withManifest(changeManifest(two))],
  ['nobody left out whom the checks do not', 'verdict-mismatch', () => withManifest(changeManifest(three))],
  ['the checks that are there', 'verdict-mismatch', () => withManifest(changeManifest(fewerChecks))],
  ['t checks', 'verdict-mismatch', () => withManifest(changeManifest(twoChecks), rounds[1].checks.slice(0, 2))],
  ['nobody let in whom the checks exclude', 'verdict-mismatch', () => beforeComplaint(rounds[1].manifest)],
]

const later = (body: Manifest) => ({ ...body, sealedAt: new Date(NOW.getTime() + 1).toISOString() })
const otherCandidates = (body: Manifest) => ({ ...body, candidates: STATISTICS })
const two = (body: Manifest) => ({ ...body, contributions: body.contributions.slice(0, 2) })
const three = (body: Manifest) => ({
  ...body,
  contributions: body.contributions.slice(0, 3),
  excluded: [{ holder: body.contributions[3].holder, members: [] }],
})
const fewerChecks = (body: Manifest) => ({ ...body, checks: body.checks.slice(1) })
const twoChecks = (body: Manifest) => ({ ...body, checks: body.checks.slice(0, 2) })

const manifestFirst = () => {
  const { plan, manifest } = rounds[1]
  return [...venue.statements, job, ...statementsOf(rounds[0]), plan, manifest]
}

/** One member complains about one candidate. */
function complaint(holder: string): Envelope[] {
  const { checks: all } = rounds[1]
  const change = (body: ShareCheck) => ({
    ...body,
    combinations: body.combinations.filter((each) => each.holder !== holder),
    unopenable: [holder],
  })
  return [rewrite(shareCheckStatement, all[0], change, keyOf(memberOf(0))), ...all.slice(1)]
}

function beforeComplaint(manifest: Envelope): Envelope[] {
  const all = complaint('hungary')
  const named = rewrite(manifestStatement, manifest, (body) => ({ ...body, checks: all.map(statementDigest) }))
  return withManifest(named, all)
}

const outcomes: Case[] = [
  ['t endorsements', 'no-certificate', () => withLastRound({ certificate: certifiedBy(2) })],
  ['endorsements of members', 'bad-endorsement', () => withLastRound({ certificate: extraEndorsement() }), 'mallory'],
  [
    'endorsements that their members gave',
    'no-certificate',
    () => withLastRound({ certificate: forgedEndorsements() }),
  ],
  [
    'a certificate of the logged manifest',
    'manifest-mismatch',
    () => upTo(changeCertificate((body) => ({ ...body, manifest: STATISTICS }))),
  ],
  [
    'one certified manifest',
    'second-certificate',
    () => [...upTo(rounds[1].certificate), changeCertificate((body) => ({ ...body, manifest: STATISTICS }))],
  ],
  ['a manifest before its certificate', 'wrong-order', () => beforeManifest(rounds[1].certificate)],
  [
    'checks in the log before they are endorsed',
    'checks-not-logged',
    () => withLastRound({ checks: rounds[1].checks.slice(1) as Envelope[] }),
  ],
  ['a certificate before its publication', 'wrong-order', () => withLastRound({ certificate: undefined })],
  ['a publication of the logged manifest', 'manifest-mismatch', () => published({ manifest: STATISTICS })],
  ['a publication of its plan’s job', 'job-mismatch', () => published({ job: STATISTICS })],
  ['the number of contributors', 'contributions-mismatch', () => published({ contributors: 3 })],
  [
    'hashes that their contributors signed',
    'bad-payload-hash',
    () => withLastRound({ publication: changePublication(otherHash) }),
    'cleveland',
  ],
  [
    'each hash once',
    'bad-payload-hash',
    () => withLastRound({ publication: changePublication(hashTwice) }),
    'cleveland',
  ],
  [
    'hashes of contributors',
    'bad-payload-hash',
    () => withLastRound({ publication: changePublication(strangersHash) }),
    'mallory',
  ],
  [
    'one publication',
    'second-publication',
    () => [...honest(), changePublication((body) => ({ ...body, aggregate: STATISTICS }))],
  ],
  ['nothing after the publication', 'wrong-order', () => [...honest(), changeManifest(later)]],
]

const upTo = (certificate: Envelope) => beforeManifest(rounds[1].manifest, certificate)
const published = (change: Partial<Publication>) =>
  withLastRound({ publication: changePublication((body) => ({ ...body, ...change })) })
const certifiedBy = (n: number) => certify(rounds[1].body, rounds[1].plan, rounds[1].manifest, parties.slice(0, n))
const extraEndorsement = () =>
  changeCertificate((body) => ({
    ...body,
    endorsements: [...body.endorsements, { ...body.endorsements[0], member: 'mallory' }],
  }))
const forgedEndorsements = () => {
  const [{ signature }] = acceptedOf(parseStatement(certificateStatement, rounds[1].certificate)).endorsements
  const { members: seats } = rounds[1].body.committee
  return changeCertificate((body) => ({ ...body, endorsements: seats.map((member) => ({ member, signature })) }))
}
const otherHash = (body: Publication) => ({
  ...body,
  hashes: body.hashes.with(0, { ...body.hashes[0], hash: '1'.padStart(32, '0') }),
})
const hashTwice = (body: Publication) => ({ ...body, hashes: [...body.hashes, body.hashes[0]] })
const strangersHash = (body: Publication) => ({
  ...body,
  hashes: [...body.hashes, { ...body.hashes[0], holder: 'mallory' }],
})

const questions: Case[] = [
  [
    'nothing after an abandonment',
    'after-abandonment',
    () => [...beforeManifest(abandonmentOf(rounds[1].plan)), rounds[1].manifest],
  ],
  [
    'no certificate after an abandonment',
    'after-abandonment',
    () => [...beforeManifest(rounds[1].manifest, abandonmentOf(rounds[1].plan)), rounds[1].certificate],
  ],
  [
    'no publication after an abandonment',
    'published-and-abandoned',
    () => [
      ...beforeManifest(rounds[1].manifest, rounds[1].certificate, abandonmentOf(rounds[1].plan)),
      rounds[1].publication,
    ],
  ],
  ['no abandonment after a publication', 'published-and-abandoned', () => [...honest(), abandonmentOf(rounds[1].plan)]],
  ['one set a question', 'question-answered-twice', async () => [...honest(), ...statementsOf(await smallerRound())]],
  [
    'one contribution a question, unless it was abandoned',
    'question-asked-again',
    async () => [...beforeManifest(), ...statementsOf(await smallerRound())],
    'hungary',
  ],
]

/** The question of the last round, to all but one. */
const smallerRound = () => runRound({ round: 3, inputs: trainingInputs() }, parties.slice(1))

describe('an audit of statements', () => {
  it('finds nothing in the log of an honest venue, and says what it comes to', () => {
    const { findings, summary } = audit(honest())
    expect(findings).toEqual([])
    expect(summary).toEqual({
      members: HOSPITALS.map((holder) => ({ holder, organisation: `${holder} hospital` })),
      organisations: 4,
      jobs: 1,
      rounds: { published: 2, abandoned: 0, open: 0 },
      sumsWithAllHashes: 2,
      exclusions: [],
      setAside: [],
    })
  })

  it.each([
    ...general,
    ...members,
    ...plans,
    ...collections,
    ...checks,
    ...dealings,
    ...manifests,
    ...outcomes,
    ...questions,
  ])('demands %s: %s', async (_, code, log, holder) => {
    const faults = faultsOf(await log())
    expect(faults.map(({ code: found }) => found)).toEqual([code])
    if (holder) expect(faults[0].holder).toBe(holder === 'first' ? memberOf(0) : holder)
    expect(faults[0].reason).toMatch(/^[A-Z0-9a-z].{15,}/)
  })

  it('says where: the position, and the plan', () => {
    const statements = published({ job: STATISTICS })
    const plan = statementDigest(rounds[1].plan)
    expect(faultsOf(statements)).toEqual([
      { severity: 'fault', position: statements.length - 1, code: 'job-mismatch', plan, reason: expect.any(String) },
    ])
  })
})

describe('an audit accepts', () => {
  it('a question that is asked again after its round was abandoned', async () => {
    const again = statementsOf(await smallerRound())
    const { findings, summary } = audit([...beforeManifest(abandonmentOf(rounds[1].plan)), ...again])
    expect(findings).toEqual([])
    expect(summary.rounds).toEqual({ published: 2, abandoned: 1, open: 0 })
  })

  it('a certificate that a restarted coordinator logs again with other endorsements, and an abandonment twice', () => {
    const { body, plan, manifest, certificate, publication } = rounds[1]
    const again = certify(body, plan, manifest, parties)
    expect(statementDigest(again)).not.toBe(statementDigest(certificate))
    expect(audit([...beforeManifest(manifest, certificate, again), publication]).findings).toEqual([])
    const given = abandonmentOf(plan)
    const twice = rewrite(abandonmentStatement, given, (statement) => ({ ...statement, reason: 'again' }))
    expect(audit(beforeManifest(given, twice)).findings).toEqual([])
  })

  it('an exclusion that the checks call for, and names everybody in it', () => {
    const all = complaint('hungary')
    const objector = memberOf(0)
    const manifest = changeManifest((body) => ({
      ...body,
      checks: all.map(statementDigest),
      contributions: body.contributions.filter(({ holder }) => holder !== 'hungary'),
      excluded: [{ holder: 'hungary', members: [objector] }],
    }))
    const { findings, summary } = audit(withManifest(manifest, all))
    expect(findings).toEqual([])
    const plan = statementDigest(rounds[1].plan)
    expect(summary.exclusions).toEqual([{ plan, holder: 'hungary', members: [objector] }])
  })

  it('a member that the manifest sets aside because it complains about most', () => {
    const { checks: all } = rounds[1]
    const wild = (body: ShareCheck) => ({
      ...body,
      combinations: body.combinations.slice(0, 1),
      unopenable: body.combinations.slice(1).map(({ holder }) => holder),
    })
    const changed = [rewrite(shareCheckStatement, all[0], wild, keyOf(memberOf(0))), ...all.slice(1)]
    const manifest = changeManifest((body) => ({
      ...body,
      checks: changed.map(statementDigest),
      setAside: [memberOf(0)],
    }))
    const { findings, summary } = audit(withManifest(manifest, changed))
    expect(findings).toEqual([])
    expect(summary.setAside).toEqual([{ plan: statementDigest(rounds[1].plan), member: memberOf(0) }])
  })

  it('dealings that the manifest names', () => {
    const dealing = dealingOf('hungary')
    const manifest = changeManifest((body) => ({ ...body, dealings: [statementDigest(dealing)] }))
    const { body, plan, checks: all } = rounds[1]
    const end = [certify(body, plan, manifest), publish(body, plan, manifest, { name: 'model', digest: STATISTICS })]
    expect(audit(beforeManifest(dealing, manifest, ...end)).findings).toEqual([])
    expect(all).toHaveLength(4)
  })

  it('a newcomer, its part in a round, and a member’s departure', async () => {
    const joined = statementFor(registry, applicationOf(await createParty('zurich'), keysOf(parties)), keysOf(parties))
    const { findings, summary } = audit([...honest(), joined])
    expect(findings).toEqual([])
    expect(summary.members).toHaveLength(5)
    expect(audit([...honest(), revocation()]).summary.organisations).toBe(3)
  })
})

describe('an audit remarks on', () => {
  const remarks = (statements: readonly (Envelope | LogEntry)[]) => audit(statements).findings.map(short)

  it('a sum that nobody could verify, and who has not hashed its ciphertext', () => {
    const publication = changePublication((body) => ({ ...body, hashes: without(body.hashes, 1) }))
    const { findings, summary } = audit(withLastRound({ publication }))
    expect(findings.map(short)).toEqual(['remark sum-unverified hungary'])
    expect(summary.sumsWithAllHashes).toBe(1)
  })

  it('a round that is left open, at its plan', () => {
    const { findings, summary } = audit(beforeManifest())
    expect(findings.map(short)).toEqual(['remark round-open'])
    expect(findings[0].position).toBe(honest().indexOf(rounds[1].plan))
    expect(summary.rounds).toEqual({ published: 1, abandoned: 0, open: 1 })
  })

  it('a manifest that a crash left without its checks, as long as nobody endorses it', () => {
    const { plan, candidates, manifest } = rounds[1]
    const crashed = [...venue.statements, job, ...statementsOf(rounds[0]), plan, candidates, manifest]
    expect(remarks(crashed)).toEqual(['remark round-open', 'remark checks-not-logged'])
  })

  it('a member that left while its round was planned', () => {
    const statements = withPlan({}, [revocation()])
    expect(remarks(statements)).toEqual(['remark member-has-left cleveland', 'remark round-open'])
  })

  it('what may stand in a statement that nobody can read: one fault, and no accusation built on it', () => {
    const { checks: all, plan, candidates } = rounds[1]
    const hide = (hidden: Envelope) => honest().map((each) => (each === hidden ? lost(each) : toEntry(each)))
    for (const hidden of [
      venue.statements[2],
      job,
      plan,
      candidates,
      all[0],
      rounds[1].manifest,
      rounds[1].certificate,
    ]) {
      const found = audit(hide(hidden)).findings
      const faults = found.filter(({ severity }) => severity === 'fault')
      expect(faults.map(({ code }) => code)).toEqual(['payload-missing'])
      expect(found.length).toBeGreaterThan(1)
    }
  })
})
