/** What a coordinator can find out about a holder by asking for what it will not get. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import type { Dataset } from '../../nodes/holder/datasets.ts'
import { HolderAgent } from '../../nodes/holder/holder-agent.ts'
import { findPolicyObjection, type HolderPolicy, holderPolicySchema } from '../../nodes/holder/holder-policy.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { planStep } from '../../src/coordinator/plan-next-round.ts'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { systemRandomness } from '../../src/crypto/randomness.ts'
import { jobStatement, parseJobSpecification } from '../../src/learning/job-specification.ts'
import { unobservedHolder } from '../../src/observe/holder-observer.ts'
import { planRound } from '../../src/protocol/coordinator-round.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { accepted } from '../../src/sluice-error.ts'
import { planHead } from '../support/plan-head.ts'
import { coordinatorKey, createParties, floorsOf, type Party } from '../support/round-fixtures.ts'
import { logKey, TestLog } from '../support/test-log.ts'

let directory: string
let journal: HolderJournal
let parties: Party[]
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-probing-'))
  journal = new HolderJournal(directory)
  parties = await createParties()
})
afterAll(() => {
  journal.close()
  rmSync(directory, { recursive: true })
})

/** A node that refuses before it would compute anything. */
function refusingNode(datasets: readonly string[], policy: Partial<HolderPolicy>): HolderAgent {
  const [self] = parties
  const none = undefined as never
  return new HolderAgent({
    observer: unobservedHolder,
    ...self,
    floors: floorsOf(self, parties),
    logKey,
    members: {
      membersAt: async () => accepted(new Map(parties.map(({ member }) => [member.holder, member]))),
      endorse: none,
    },
    policy: holderPolicySchema.parse({ datasets: {}, ...policy }),
    datasets: new Map(datasets.map((name) => [name, { name } as Dataset])),
    trainer: none,
    workers: none,
    journal,
    coordinator: none,
    randomness: systemRandomness,
    log: pino({ level: 'silent' }),
  })
}

async function statisticsRequest() {
  const specification = parseJobSpecification({ ...heartJob('logistic', 'ab'.repeat(32), 1), holders: undefined })
  const submittedAt = new Date().toISOString()
  const body = { specification, submittedBy: 'ada', submittedAt, nonce: '1'.repeat(64) }
  const job = signStatement(jobStatement, body, coordinatorKey)
  const cohort = { members: parties.map(({ member }) => member), registry: '0'.repeat(64) }
  const now = new Date()
  const log = await TestLog.create()
  await log.append([job])
  const after = await planHead(log)
  const plan = planStep(statementDigest(job), specification, 1, 'statistics', {}, cohort, after, now, systemRandomness)
  const { planEnvelope } = planRound(plan, coordinatorKey)
  await log.append([planEnvelope])
  return async (oldSize: number) =>
    ({
      kind: 'contribute',
      plan: planEnvelope,
      checkpoint: await log.checkpoint(parties.slice(1), plan, oldSize),
      range: await log.range(1),
      job: await log.logged(job),
      publications: [],
      abandonments: [],
    }) as const
}

describe('a holder that is asked for a dataset', () => {
  it('says the same whether it has it and keeps it back, or has none of that name', async () => {
    const request = await statisticsRequest()
    const keptBack = await refusingNode(['heart'], {}).handle(await request(0))
    const absent = await refusingNode([], {}).handle(await request(2))
    expect(keptBack).toMatchObject({ ok: false, code: 'dataset-not-offered' })
    expect(absent).toEqual(keptBack)
  })

  it('that is named like a property of every object is not offered', () => {
    const policy = holderPolicySchema.parse({ datasets: {} })
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(findPolicyObjection(policy, name, 'statistics', 0)?.code).toBe('dataset-not-offered')
    }
  })
})

describe('the policy of a holder', () => {
  const policy = holderPolicySchema.parse({
    datasets: { heart: { steps: ['statistics', 'evaluation'], maxRounds: 3 } },
  })
  const objection = (step: 'statistics' | 'training', uses: number) =>
    findPolicyObjection(policy, 'heart', step, uses)?.code

  it('allows the named steps up to the named number of rounds, and nothing else', () => {
    expect([0, 2, 3, 4].map((uses) => objection('statistics', uses))).toEqual([
      undefined,
      undefined,
      'dataset-uses-exhausted',
      'dataset-uses-exhausted',
    ])
    expect(objection('training', 0)).toBe('step-not-allowed')
  })

  it('offers nothing, and demands three organisations and a committee of three, when it says nothing', () => {
    expect(holderPolicySchema.parse({ datasets: {} })).toEqual({
      minContributors: 3,
      committeeThreshold: 3,
      toleratedMembers: 1,
      maxPrecisionBits: 32,
      coMembers: 'all',
      admissions: 'ask',
      maxUnverifiedSums: 3,
      datasets: {},
    })
  })

  it('is refused as a whole when a word in it is misspelt: no floor is silently the default', () => {
    for (const wrong of [
      { minContributers: 5, datasets: {} },
      { datasets: { heart: { maxRound: 5 } } },
      { datasets: { heart: { steps: ['export'] } } },
      { minContributors: 1, datasets: {} },
      { committeeThreshold: 1, datasets: {} },
    ]) {
      expect(holderPolicySchema.safeParse(wrong).success).toBe(false)
    }
  })
})
