/** What an audit demands of a plan because of its job. */
import { describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { jobReader } from '../../src/cli/job-reader.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { type JobSpecification, jobStatement, parseJobSpecification } from '../../src/learning/job-specification.ts'
import { stepLayout } from '../../src/learning/job-steps.ts'
import { parseModel } from '../../src/learning/model.ts'
import { logistic } from '../../src/learning/model-presets.ts'
import { initialModel } from '../../src/learning/round-output.ts'
import type { RoundPlan } from '../../src/protocol/round-plan.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { digestNamed } from '../support/logged-rounds.ts'
import { acceptedOf, codeOf, coordinatorKey, createParties, makePlan, NOW, seedOf } from '../support/round-fixtures.ts'

const specification = parseJobSpecification(heartJob('logistic', Buffer.from(seedOf('job')).toString('hex'), 1))
const submit = (changes: Partial<JobSpecification> = {}) => {
  const about = { submittedBy: 'ada', submittedAt: NOW.toISOString(), nonce: digestNamed('job nonce') }
  return signStatement(jobStatement, { specification: { ...specification, ...changes }, ...about }, coordinatorKey)
}
const read = (envelope = submit()) => jobReader.read(envelope, coordinatorKey.publicKey)

const inputs = ['statistics', 'model'].map((name) => ({ name, digest: digestNamed(name) }))
const parties = await createParties()
const planOf = (changes: Partial<RoundPlan> = {}) =>
  makePlan(parties, { inputs, vector: stepLayout(specification, 'training'), ...changes })

describe('the reader of jobs', () => {
  it('finds nothing against a plan that is its job’s', () => {
    expect(acceptedOf(read()).objectionTo(planOf())).toBeUndefined()
  })

  it.each<[string, Partial<RoundPlan>, string]>([
    ['a step that no job has', { step: 'gossip' }, 'of a step that no job has'],
    ['another vector', { vector: stepLayout(specification, 'evaluation') }, 'vector is not the one'],
    ['other inputs', { inputs: inputs.slice(1) }, 'works from statistics and model'],
    ['fewer organisations than the job demands', { minContributors: 2 }, 'the job demands 3'],
  ])('objects to %s', (_, changes, says) => {
    expect(acceptedOf(read()).objectionTo(planOf(changes))).toContain(says)
  })

  it('objects to a holder that the job does not ask', () => {
    const job = acceptedOf(read(submit({ holders: ['cleveland', 'hungary', 'long-beach'] })))
    expect(job.objectionTo(planOf())).toContain('asks switzerland')
  })

  it('knows the model that a job starts from', () => {
    const envelope = submit()
    const job = acceptedOf(read(envelope))
    const digest = digestOf(...initialModel(statementDigest(envelope), specification))
    expect(job.startsFrom('model', digest)).toBe(true)
    expect(job.startsFrom('statistics', digest)).toBe(false)
    expect(job.startsFrom('model', digestNamed('another'))).toBe(false)
  })

  it('refuses what is no job: a stranger’s, one without a model that fits its features', () => {
    expect(codeOf(jobReader.read(submit(), '1'.repeat(64)))).toBe('bad-signature')
    const unfit = submit({ model: parseModel(logistic(99, 0)) })
    expect(codeOf(read(unfit))).toBe('malformed-statement')
  })
})
