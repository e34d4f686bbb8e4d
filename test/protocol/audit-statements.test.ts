/** What an auditor demands of members, jobs and plans, and what it accepts and remarks on: each broken rule is one finding. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Envelope, signEnvelope } from '../../src/crypto/envelope.ts'
import type { StatementKey } from '../../src/crypto/statement-key.ts'
import { candidatesStatement } from '../../src/protocol/candidates.ts'
import { registryHead } from '../../src/protocol/registry.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import {
  type AuditedEntry,
  abandonmentOf,
  audit,
  beforeManifest,
  type Case,
  changePublication,
  expectFault,
  headOf,
  honest,
  job,
  jobStatement,
  lost,
  mallory,
  parties,
  registry,
  rounds,
  STATISTICS,
  short,
  toEntry,
  venue,
  withLastRound,
  withPlan,
} from '../support/audited-history.ts'
import { digestNamed } from '../support/logged-rounds.ts'
import { applicationOf, apply, departureOf, keysOf, statementFor } from '../support/registry-fixtures.ts'
import { acceptedOf, coordinatorKey, createParty, HOSPITALS, seedOf } from '../support/round-fixtures.ts'

const general: Case[] = [
  ['a kind that the log does not take', 'unknown-kind', () => [...honest(), dealtShares()]],
  ['a form that is its kind’s', 'malformed-statement', () => [...honest(), malformedCandidates()]],
  ['the coordinator’s signature', 'bad-signature', () => [...honest(), abandonmentOf(rounds[0].plan, mallory)]],
  ['a job that the coordinator signed', 'bad-signature', () => [...honest(), jobBy(mallory)]],
  ['a payload that can be read', 'payload-missing', () => [...honest(), lost(jobBy(coordinatorKey))]],
]

const dealtShares = () => signEnvelope('application/vnd.sluice.v1.contribution+json', Buffer.from('{}'), coordinatorKey)
const malformedCandidates = () =>
  signEnvelope(candidatesStatement.payloadType, Buffer.from('{"plan":"all"}'), coordinatorKey)
const jobBy = (key: StatementKey) => signStatement(jobStatement, { name: 'another' }, key)

const members: Case[] = [
  ['a quorum that wants a newcomer', 'quorum-not-met', async () => [...honest(), await newcomerStatement()]],
  ['the order of the registry', 'registry-out-of-order', () => [...honest(), venue.statements[3]]],
]

/** The membership of a fifth hospital that nobody but the coordinator has signed. */
async function newcomerStatement(): Promise<Envelope> {
  return statementFor(registry, applicationOf(await createParty('zurich'), keysOf(parties)))
}

const revocation = () => statementFor(registry, departureOf(parties[0], keysOf(parties)), keysOf(parties))
const swapped = () => parties.map(({ member }, i) => (i === 2 ? { ...member, boxKey: seedHex('other box') } : member))
const seedHex = (name: string) => Buffer.from(seedOf(name)).toString('hex')

const plans: Case[] = [
  ['a plan that is possible', 'inconsistent-plan', () => withPlan({ committee: otherDraw() })],
  ['a job before its plans', 'job-not-logged', () => withPlan({ job: digestNamed('elsewhere'), inputs: [] })],
  ['a plan that is the job’s', 'job-mismatch', () => withPlan({ step: 'gossip' })],
  ['a registry that the log has', 'registry-not-logged', () => withPlan({ registry: digestNamed('theirs') })],
  ['a tree that the log was', 'head-not-logged', () => withPlan({ after: { size: 4, root: STATISTICS } })],
  ['a tree that the log was before', 'head-not-logged', async () => withPlan({ after: await laterHead() })],
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

/** Of the log with the plan's successor in it, which it cannot know. */
const laterHead = () => headOf([...honest(), jobBy(coordinatorKey)])

const otherDraw = () => {
  const { committee } = rounds[1].body
  return { ...committee, members: [...committee.members].reverse() }
}

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

  it.each<Case>([...general, ...members, ...plans])('demands %s: %s', expectFault)

  it('accepts a newcomer that the members want, and a member’s departure', async () => {
    const joined = statementFor(registry, applicationOf(await createParty('zurich'), keysOf(parties)), keysOf(parties))
    const { findings, summary } = audit([...honest(), joined])
    expect(findings).toEqual([])
    expect(summary.members).toHaveLength(5)
    expect(audit([...honest(), revocation()]).summary.organisations).toBe(3)
  })
})

describe('an audit of anything', () => {
  it('does not throw, and finds a statement at fault whose signature is not on what it says', () => {
    const statements = honest()
    const change = fc.record({
      index: fc.nat(statements.length - 1),
      at: fc.nat(),
      to: fc.integer({ min: 32, max: 126 }),
    })
    fc.assert(
      fc.property(change, fc.boolean(), ({ index, at, to }, isSignedAnew) => {
        const { payloadType, payload, signatures } = statements[index]
        const changed = payload.with(at % payload.length, to)
        fc.pre(Buffer.compare(changed, payload) !== 0)
        const forged = isSignedAnew
          ? signEnvelope(payloadType, changed, coordinatorKey)
          : { payloadType, payload: changed, signatures }
        const { findings } = audit(statements.with(index, forged))
        if (!isSignedAnew) expect(findings.filter(({ severity }) => severity === 'fault')).not.toEqual([])
      }),
      { numRuns: 60 },
    )
  })
})

describe('an audit remarks on', () => {
  const remarks = (statements: readonly (Envelope | AuditedEntry)[]) => audit(statements).findings.map(short)

  it('a sum that nobody could verify, and who has not hashed its ciphertext', () => {
    const publication = changePublication((body) => ({ ...body, hashes: body.hashes.toSpliced(1, 1) }))
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
