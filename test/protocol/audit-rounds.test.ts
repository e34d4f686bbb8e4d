/** What an auditor demands of a round, statement by statement: each broken rule is one finding. */
import { describe, expect, it } from 'vitest'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { abandonmentStatement } from '../../src/protocol/abandonment.ts'
import type { Candidates } from '../../src/protocol/candidates.ts'
import { certificateStatement } from '../../src/protocol/certificate.ts'
import type { Dealing } from '../../src/protocol/dealing.ts'
import { type Manifest, manifestStatement } from '../../src/protocol/manifest.ts'
import type { Publication } from '../../src/protocol/publication.ts'
import { type ShareCheck, shareCheckStatement } from '../../src/protocol/share-check.ts'
import { parseStatement } from '../../src/protocol/statement.ts'
import {
  abandonmentOf,
  audit,
  beforeManifest,
  type Case,
  changeCandidates,
  changeCertificate,
  changeManifest,
  changePublication,
  dealingOf,
  expectFault,
  faultsOf,
  honest,
  job,
  keyOf,
  mallory,
  memberOf,
  parties,
  rewrite,
  rounds,
  runRound,
  STATISTICS,
  trainingInputs,
  venue,
  withLastRound,
  withManifest,
} from '../support/audited-history.ts'
import { certify, type LoggedRound, publish, statementsOf } from '../support/logged-rounds.ts'
import { acceptedOf, NOW } from '../support/round-fixtures.ts'

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
  const rewritten = rewrite(
    shareCheckStatement,
    rounds[1].checks[0],
    (body) => ({ ...body, ...change }),
    keyOf(memberOf(0)),
  )
  return withLastRound({
    checks: [rewritten, ...rounds[1].checks.slice(1)],
    ...{ manifest: undefined, certificate: undefined, publication: undefined },
  })
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
  ['all checks that are there', 'verdict-mismatch', () => withManifest(changeManifest(fewerChecks))],
  ['no checks that are not', 'verdict-mismatch', () => withLastRound({ checks: rounds[1].checks.slice(1) })],
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
const certifiedBy = (n: number) => certify(rounds[1], parties.slice(0, n))
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
  ['no plan after its abandonment', 'after-abandonment', () => planAfterAbandonment()],
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

const planAfterAbandonment = () => {
  const { plan } = rounds[1]
  return [...venue.statements, job, ...statementsOf(rounds[0]), abandonmentOf(plan), plan]
}

/** The question of the last round, to all but one. */
const smallerRound = () => runRound({ round: 3, inputs: trainingInputs() }, parties.slice(1))

describe('an audit of a round', () => {
  it.each([...collections, ...checks, ...dealings, ...manifests, ...outcomes, ...questions])(
    'demands %s: %s',
    expectFault,
  )

  it('demands hashes under the challenge of the sum that is published: all of them are void for another', () => {
    const publication = changePublication((body) => ({ ...body, sum: STATISTICS }))
    const { findings, summary } = audit(withLastRound({ publication }))
    expect(findings.map(({ code, holder }) => [code, holder])).toEqual(
      parties.map(({ keys }) => ['bad-payload-hash', keys.holder]),
    )
    expect(summary.sumsWithAllHashes).toBe(1)
  })

  it('says where: the position, and the plan', () => {
    const statements = published({ job: STATISTICS })
    const plan = statementDigest(rounds[1].plan)
    expect(faultsOf(statements)).toEqual([
      { severity: 'fault', position: statements.length - 1, code: 'job-mismatch', plan, reason: expect.any(String) },
    ])
  })
})

describe('an audit of a round accepts', () => {
  it('the abandonment of a plan that a coordinator died before it could log', () => {
    const { findings, summary } = audit([...venue.statements, job, abandonmentOf(rounds[0].plan)])
    expect(findings).toEqual([])
    expect(summary.rounds).toEqual({ published: 0, abandoned: 0, open: 0 })
  })

  it('a question that is asked again after its round was abandoned', async () => {
    const again = statementsOf(await smallerRound())
    const { findings, summary } = audit([...beforeManifest(abandonmentOf(rounds[1].plan)), ...again])
    expect(findings).toEqual([])
    expect(summary.rounds).toEqual({ published: 2, abandoned: 1, open: 0 })
  })

  it('a certificate that a restarted coordinator logs again with other endorsements, and an abandonment twice', () => {
    const { plan, manifest, certificate, publication } = rounds[1]
    const again = certify(rounds[1], parties)
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

  it('dealings that come because a certified sum did not open, and says who lied', () => {
    const { plan, manifest, certificate } = rounds[1]
    const holder = 'hungary'
    const lying = (body: Dealing) => ({
      ...body,
      combinations: body.combinations.map((each, i) =>
        i === 0 ? { ...each, values: each.values.map((v) => v ^ 1) } : each,
      ),
    })
    const failed = beforeManifest(manifest, certificate, dealingOf('cleveland'), dealingOf(holder, lying))
    const says = (statements: Envelope[]) =>
      audit(statements).findings.map(({ severity, code }) => `${severity} ${code}`)
    expect(says(failed)).toEqual(['remark round-open', 'remark shares-disputed'])
    const { findings } = audit([...failed, abandonmentOf(plan)])
    expect(findings).toMatchObject([{ severity: 'remark', code: 'shares-disputed', holder }])
    expect(says(beforeManifest(manifest, certificate, dealingOf('cleveland'), abandonmentOf(plan)))).toEqual([])
  })

  it('dealings that the manifest names', () => {
    const dealing = dealingOf('hungary')
    const manifest = changeManifest((body) => ({ ...body, dealings: [statementDigest(dealing)] }))
    const sealed = { ...rounds[1], manifest }
    const end = [certify(sealed, parties), publish(sealed, parties, { name: 'model', digest: STATISTICS })]
    expect(audit(beforeManifest(dealing, manifest, ...end)).findings).toEqual([])
  })
})
