import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartDirectory } from '../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { parseDatasetConfig } from '../../nodes/holder/dataset-config.ts'
import { type Dataset, openDataset } from '../../nodes/holder/datasets.ts'
import { HolderAgent, type HolderParts } from '../../nodes/holder/holder-agent.ts'
import { type HolderPolicy, holderPolicySchema } from '../../nodes/holder/holder-policy.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { openTrainerThread } from '../../nodes/trainers/tfjs/trainer-thread.ts'
import { planStep } from '../../src/coordinator/plan-next-round.ts'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { type PayloadWorkers, startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { systemRandomness } from '../../src/crypto/randomness.ts'
import { initialWeights } from '../../src/learning/initial-weights.ts'
import { type JobSpecification, jobStatement, parseJobSpecification } from '../../src/learning/job-specification.ts'
import type { JobStep } from '../../src/learning/job-steps.ts'
import { encodeModelFile } from '../../src/learning/model-file.ts'
import { logistic } from '../../src/learning/model-presets.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { planRound } from '../../src/protocol/coordinator-round.ts'
import { publicationStatement } from '../../src/protocol/publication.ts'
import { type RoundPlan, roundPlanStatement } from '../../src/protocol/round-plan.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import { WireError } from '../../src/wire/wire-error.ts'
import { acceptedOf, codeOf, coordinatorKey, createParties, floorsOf, type Party } from '../support/round-fixtures.ts'

const CANARY = 'Quetzalcoatl'
const specification = parseJobSpecification({ ...heartJob('logistic', 'ab'.repeat(32), 1), holders: undefined })

describe('a holder node', () => {
  let directory: string
  let parties: Party[]
  let dataset: Dataset
  let workers: PayloadWorkers
  const trainer = openTrainerThread({ backend: 'cpu' })
  const artifacts = new Map<Digest, Uint8Array>()
  const uploads: Digest[] = []
  const logged: string[] = []
  const journals: HolderJournal[] = []

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-holder-'))
    parties = await createParties()
    dataset = await openDataset(parseDatasetConfig({ name: 'heart', path: 'cleveland.csv' }), {
      baseDirectory: heartDirectory,
    })
    workers = await startPayloadWorkers({ threads: 1 })
  })
  afterAll(async () => {
    dataset.close()
    for (const journal of journals) journal.close()
    await Promise.all([workers.close(), trainer.close()])
    rmSync(directory, { recursive: true })
  })

  function openAgent(changes: Partial<HolderParts> = {}, policy: Partial<HolderPolicy> = {}): HolderAgent {
    const [self] = parties
    const journal = new HolderJournal(join(directory, String(journals.length)))
    journals.push(journal)
    return new HolderAgent({
      ...self,
      floors: floorsOf(self, parties),
      policy: holderPolicySchema.parse({ datasets: { heart: {} }, ...policy }),
      datasets: new Map([['heart', dataset]]),
      trainer,
      workers,
      journal,
      coordinator: {
        upload: async (plan, chunks) => {
          const digests: Digest[] = []
          let bytes = 0
          for await (const chunk of chunks) {
            digests.push(digestOf(chunk))
            bytes += chunk.length
          }
          uploads.push(plan)
          return { digest: payloadDigest(digests), bytes }
        },
        fetchArtifact: async (digest) => artifacts.get(digest)!,
        fetchContributions: async () => [],
      },
      randomness: systemRandomness,
      log: pino({}, { write: (line: string) => void logged.push(line) }),
      ...changes,
    })
  }

  function requestFor(
    step: JobStep,
    job: JobSpecification = specification,
    changes: Partial<RoundPlan> = {},
    inputs = {},
  ) {
    const body = {
      specification: job,
      submittedBy: 'ada',
      submittedAt: new Date().toISOString(),
      nonce: '1'.repeat(64),
    }
    const envelope = signStatement(jobStatement, body, coordinatorKey)
    const plan = planStep(
      statementDigest(envelope),
      job,
      1,
      step,
      inputs,
      parties.map(({ member }) => member),
      new Date(),
    )
    return {
      kind: 'contribute',
      plan: planRound({ ...plan, ...changes }, coordinatorKey).planEnvelope,
      job: envelope,
    } as const
  }

  function put(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes)
    artifacts.set(digest, bytes)
    return digest
  }

  it('contributes to a plan once: the same request again gets the same reply, a restarted node none', async () => {
    const agent = openAgent()
    const request = requestFor('statistics')
    const before = uploads.length
    const [one, two] = await Promise.all([agent.handle(request), agent.handle(request)])
    expect(codeOf(one)).toBe('accepted')
    expect(two).toEqual(one)
    expect(uploads.length).toBe(before + 1)
    const restarted = openAgent({ journal: journals.at(-1)! })
    expect(codeOf(await restarted.handle(request))).toBe('already-contributed')
    expect(uploads.length).toBe(before + 1)
  })

  it('refuses what its policy does not offer, by name, and uploads nothing', async () => {
    const before = uploads.length
    const cases: [Partial<HolderPolicy>, string][] = [
      [{ datasets: {} }, 'dataset-not-offered'],
      [{ datasets: { heart: { steps: ['training'], maxRounds: 5 } } }, 'step-not-allowed'],
    ]
    for (const [policy, code] of cases)
      expect(codeOf(await openAgent({}, policy).handle(requestFor('statistics')))).toBe(code)
    const unknown = requestFor('statistics', parseJobSpecification({ ...specification, dataset: 'lungs' }))
    expect(codeOf(await openAgent().handle(unknown))).toBe('dataset-not-offered')
    const [self] = parties
    const strict = openAgent({ floors: floorsOf(self, parties, { minContributors: 4 }) })
    expect(codeOf(await strict.handle(requestFor('statistics')))).toBe('below-policy-floor')
    expect(uploads.length).toBe(before)
  })

  it('counts the rounds on a dataset, and stops at the policy’s number', async () => {
    const agent = openAgent({}, { datasets: { heart: { steps: ['statistics'], maxRounds: 2 } } })
    const nonces = ['2', '3', '4'].map((digit) => digit.repeat(64))
    const codes = []
    for (const nonce of nonces)
      codes.push(codeOf(await agent.handle(requestFor('statistics', specification, { nonce }))))
    expect(codes).toEqual(['accepted', 'accepted', 'dataset-uses-exhausted'])
  })

  it('refuses a plan that is not what the job says: another job, layout, bounds, step or inputs', async () => {
    const agent = openAgent()
    const good = requestFor('statistics')
    const other = requestFor('statistics', parseJobSpecification({ ...specification, name: 'other' }))
    expect(codeOf(await agent.handle({ ...good, job: other.job }))).toBe('job-mismatch')
    const { segments, precisionBits } = planStep(
      '0'.repeat(64),
      specification,
      1,
      'statistics',
      {},
      parties.map(({ member }) => member),
      new Date(),
    ).vector
    for (const changed of [
      segments.map((segment, i) => (i === 0 ? { ...segment, length: segment.length + 1 } : segment)),
      segments.map((segment, i) => (i === 0 ? { ...segment, high: segment.high / 2 } : segment)),
      segments.slice(1),
    ]) {
      const request = requestFor('statistics', specification, { vector: { precisionBits, segments: changed } })
      expect(codeOf(await agent.handle(request))).toBe('layout-mismatch')
    }
    expect(codeOf(await agent.handle(requestFor('statistics', specification, { step: 'exfiltration' })))).toBe(
      'step-not-allowed',
    )
    expect(codeOf(await agent.handle(requestFor('statistics', specification, {}, { model: 'a'.repeat(64) })))).toBe(
      'input-mismatch',
    )
    expect(codeOf(await agent.handle(requestFor('training')))).toBe('input-mismatch')
  })

  it('refuses a model of another shape than the job’s, and statistics of another schema', async () => {
    const agent = openAgent()
    const wrong = logistic(7)
    const model = put(encodeModelFile(wrong, initialWeights(wrong, new Uint8Array(32))))
    const right = logistic(33, 0.003)
    const fitting = put(encodeModelFile(right, initialWeights(right, new Uint8Array(32))))
    const statistics = put(
      Buffer.from(JSON.stringify({ exampleCount: 1, positiveCount: 1, trainingExampleCount: 1, features: [] })),
    )
    const first = await agent.handle(requestFor('evaluation', specification, {}, { statistics, model }))
    expect(['model-mismatch', 'statistics-mismatch']).toContain(codeOf(first))
    const second = await agent.handle(requestFor('evaluation', specification, {}, { statistics, model: fitting }))
    expect(codeOf(second)).toBe('statistics-mismatch')
  })

  it('does no committee duty for a plan that it has not accepted', async () => {
    const agent = openAgent()
    const { plan } = requestFor('statistics')
    expect(
      codeOf(await agent.handle({ kind: 'endorse', planDigest: statementDigest(plan), manifest: plan as Envelope })),
    ).toBe('plan-unknown')
  })

  it('tells the coordinator a code, and nobody a value of its records', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => (i === 7 ? `${CANARY},1` : `${40 + i},${i % 2}`))
    writeFileSync(join(directory, 'broken.csv'), `age,num\n${rows.join('\n')}\n`)
    const broken = await openDataset(parseDatasetConfig({ name: 'heart', path: 'broken.csv' }), {
      baseDirectory: directory,
    })
    const agent = openAgent({ datasets: new Map([['heart', broken]]) })
    const answer = await agent.handle(requestFor('statistics'))
    expect(answer).toMatchObject({
      ok: false,
      code: 'column-missing',
      reason: expect.stringContaining('its own log says why'),
    })
    const ageOnly = parseJobSpecification({
      ...specification,
      features: {
        features: [{ kind: 'numeric', name: 'age', column: 'age', low: 18, high: 100 }],
        label: { name: 'disease', column: 'num', positiveWhen: { greaterThan: 0 } },
      },
    })
    const typed = await agent.handle(requestFor('statistics', ageOnly))
    expect(codeOf(typed)).toBe('column-type-mismatch')
    expect(JSON.stringify([answer, typed])).not.toContain(CANARY)
    expect(logged.join('')).toContain('column-type-mismatch')
    expect(logged.join('')).not.toContain(CANARY)
    broken.close()
  })

  it('lets no more rounds than the policy’s number through when many plans come at once', async () => {
    const agent = openAgent({}, { datasets: { heart: { steps: ['statistics'], maxRounds: 2 } } })
    const before = uploads.length
    const nonces = ['5', '6', '7', '8', '9'].map((digit) => digit.repeat(64))
    const answers = await Promise.all(
      nonces.map((nonce) => agent.handle(requestFor('statistics', specification, { nonce }))),
    )
    expect(answers.map(codeOf).sort()).toEqual([
      'accepted',
      'accepted',
      'dataset-uses-exhausted',
      'dataset-uses-exhausted',
      'dataset-uses-exhausted',
    ])
    expect(uploads.length).toBe(before + 2)
  })

  it('takes part again after the coordinator was away while it fetched an input', async () => {
    const statistics = put(Buffer.from('{}'))
    const model = put(encodeModelFile(logistic(33, 0.003), initialWeights(logistic(33, 0.003), new Uint8Array(32))))
    let isAway = true
    const agent = openAgent({
      coordinator: {
        upload: async () => ({ digest: '', bytes: 0 }),
        fetchArtifact: async (digest) => {
          if (isAway) throw new WireError('coordinator-unreachable', 'away')
          return artifacts.get(digest)!
        },
        fetchContributions: async () => [],
      },
    })
    // Each request is a round of its own of one job.
    const first = requestFor('evaluation', specification, {}, { statistics, model })
    const plan = acceptedOf(parseStatement(roundPlanStatement, first.plan))
    expect(codeOf(await agent.handle(first))).toBe('coordinator-unreachable')
    isAway = false
    const next = planRound({ ...plan, round: 2, nonce: '2'.repeat(64) }, coordinatorKey).planEnvelope
    // It came as far as reading the statistics, which are none.
    expect(codeOf(await agent.handle({ ...first, plan: next }))).toBe('statistics-mismatch')
  })

  it('refuses the publication of another plan', async () => {
    const agent = openAgent()
    const publication = signStatement(
      publicationStatement,
      {
        plan: 'a'.repeat(64),
        manifest: 'b'.repeat(64),
        contributors: 4,
        aggregate: 'c'.repeat(64),
        output: { name: 'model', digest: 'd'.repeat(64) },
      },
      coordinatorKey,
    )
    const noted = { kind: 'published', planDigest: 'a'.repeat(64), publication } as const
    expect(codeOf(await agent.handle(noted))).toBe('accepted')
    expect(codeOf(await agent.handle({ ...noted, planDigest: 'e'.repeat(64) }))).toBe('wrong-round')
  })
})
