import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartDirectory } from '../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { parseDatasetConfig } from '../../nodes/holder/dataset-config.ts'
import { type Dataset, openDataset } from '../../nodes/holder/datasets.ts'
import { type CoordinatorAccess, HolderAgent, type HolderParts } from '../../nodes/holder/holder-agent.ts'
import { type HolderPolicy, holderPolicySchema } from '../../nodes/holder/holder-policy.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { openTrainerThread } from '../../nodes/trainers/tfjs/trainer-thread.ts'
import { planStep } from '../../src/coordinator/plan-next-round.ts'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { formatLinearHash } from '../../src/crypto/linear-hash.ts'
import { type PayloadWorkers, startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { systemRandomness } from '../../src/crypto/randomness.ts'
import { initialWeights } from '../../src/learning/initial-weights.ts'
import { type JobSpecification, jobStatement, parseJobSpecification } from '../../src/learning/job-specification.ts'
import { encodeModelFile } from '../../src/learning/model-file.ts'
import { logistic } from '../../src/learning/model-presets.ts'
import { initialModel } from '../../src/learning/round-output.ts'
import { unobservedHolder } from '../../src/observe/holder-observer.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { type CoordinatorRound, planRound } from '../../src/protocol/coordinator-round.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import { manifestStatement } from '../../src/protocol/manifest.ts'
import { hashChallenge, payloadHashStatement } from '../../src/protocol/payload-hash.ts'
import { publicationStatement } from '../../src/protocol/publication.ts'
import type { RangeEvidence } from '../../src/protocol/round-log.ts'
import { planParameters, type RoundPlan } from '../../src/protocol/round-plan.ts'
import { readStatement, signStatement } from '../../src/protocol/statement.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import type { PayloadSource } from '../../src/wire/upload-client.ts'
import { WireError } from '../../src/wire/wire-error.ts'
import { abandonmentOf } from '../support/ask-member.ts'
import { planHead } from '../support/plan-head.ts'
import { readAll } from '../support/read-all.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  endorseWith,
  floorsOf,
  type Party,
} from '../support/round-fixtures.ts'
import { logKey, TestLog } from '../support/test-log.ts'

const CANARY = 'Quetzalcoatl'
const specification = parseJobSpecification({ ...heartJob('logistic', 'ab'.repeat(32), 1), holders: undefined })

describe('a holder node', () => {
  let directory: string
  let parties: Party[]
  let dataset: Dataset
  let workers: PayloadWorkers
  const trainer = openTrainerThread({ backend: 'cpu' })
  const artifacts = new Map<Digest, Uint8Array>()
  /** Chunks by plan, in the order of the uploads. */
  const uploads = new Map<Digest, Uint8Array[]>()
  const logged: string[] = []
  const journals: HolderJournal[] = []
  /** The venue's log. */
  let log: TestLog
  const coordinator: CoordinatorAccess = {
    upload: async (plan, source) => {
      uploads.set(plan, await readAll(source.chunksFrom(0)))
      return source.whole()
    },
    fetchArtifact: async (digest) => artifacts.get(digest)!,
    fetchContributions: async () => [],
    async *fetchOpening() {},
  }

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-holder-'))
    parties = await createParties()
    dataset = await openDataset(parseDatasetConfig({ name: 'heart', path: 'cleveland.csv' }), {
      baseDirectory: heartDirectory,
    })
    workers = await startPayloadWorkers({ threads: 1 })
    log = await TestLog.create()
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
      observer: unobservedHolder,
      ...self,
      floors: floorsOf(self, parties),
      logKey,
      members: {
        membersAt: async () => accepted(new Map(parties.map(({ member }) => [member.holder, member]))),
        endorse: async () => refused('approval-needed', 'Nobody is admitted here.'),
      },
      policy: holderPolicySchema.parse({ datasets: { heart: {} }, ...policy }),
      datasets: new Map([['heart', dataset]]),
      trainer,
      workers,
      journal,
      coordinator,
      randomness: systemRandomness,
      log: pino({}, { write: (line: string) => void logged.push(line) }),
      ...changes,
    })
  }

  /** A job as the coordinator has it, in the log; each call another one. */
  async function submit(job: JobSpecification = specification): Promise<Envelope> {
    const nonce = digestOf(Buffer.from(`job ${log.size}`))
    const body = { specification: job, submittedBy: 'ada', submittedAt: new Date().toISOString(), nonce }
    const envelope = signStatement(jobStatement, body, coordinatorKey)
    await log.append([envelope])
    return envelope
  }

  interface Asked {
    readonly round: CoordinatorRound
    readonly job: Envelope
    readonly start: number
    readonly publications: readonly Envelope[]
    readonly abandonments: readonly Envelope[]
  }

  interface Asking {
    job?: Envelope
    specification?: JobSpecification
    changes?: Partial<RoundPlan>
    inputs?: Record<string, Digest>
    publications?: readonly Envelope[]
    abandonments?: readonly Envelope[]
  }

  /** A plan in the log, of a job of its own unless told. */
  async function plan(step: string, asking: Asking = {}): Promise<Asked> {
    const { specification: wanted = specification, inputs = {}, changes = {} } = asking
    const job = asking.job ?? (await submit(wanted))
    const planned = planStep(
      statementDigest(job),
      wanted,
      changes.round ?? 1,
      step as 'statistics',
      inputs,
      { members: parties.map(({ member }) => member), registry: '0'.repeat(64) },
      await planHead(log),
      new Date(),
      systemRandomness,
    )
    const round = planRound({ ...planned, ...changes }, coordinatorKey)
    const { publications = [], abandonments = [] } = asking
    return { round, job, start: await log.append([round.planEnvelope]), publications, abandonments }
  }

  interface Evidence {
    readonly of?: TestLog
    readonly cosigners?: readonly Party[]
    readonly range?: RangeEvidence
    readonly loggedAt?: number
  }

  /** The request to a holder that knows the tree of `oldSize`. */
  async function requestOf(
    { round, job, start, publications, abandonments }: Asked,
    oldSize = 0,
    // Others than this holder: its own cosignature would say that it has seen the tree.
    { of = log, cosigners = parties.slice(1), range, loggedAt }: Evidence = {},
  ) {
    const logged = await of.logged(job)
    return {
      kind: 'contribute',
      plan: round.planEnvelope,
      checkpoint: await of.checkpoint(cosigners, round.plan, oldSize),
      range: range ?? (await of.range(start)),
      job: loggedAt === undefined ? logged : { ...logged, position: loggedAt },
      publications: await Promise.all(publications.map((each) => of.logged(each))),
      abandonments,
    } satisfies HolderRequest
  }

  /** Asks as a coordinator does: once more when the holder knows another tree. */
  async function ask(agent: HolderAgent, asked: Asked, evidence: Evidence = {}): Promise<Verdict<HolderReply, string>> {
    const first = await agent.handle(await requestOf(asked, 0, evidence))
    if (!first.ok || first.value.kind !== 'known-size') return first
    return agent.handle(await requestOf(asked, first.value.size, evidence))
  }

  /** The publication of a job's output, in the log; nothing in it but job and output is looked at when it is an input. */
  async function publish(job: Envelope, name: string, digest: Digest): Promise<Envelope> {
    const publication = publicationOf({ job: statementDigest(job), output: { name, digest } })
    await log.append([publication])
    return publication
  }

  function publicationOf(changes: object, key = coordinatorKey): Envelope {
    const body = {
      job: '9'.repeat(64),
      plan: 'a'.repeat(64),
      manifest: 'b'.repeat(64),
      contributors: 4,
      aggregate: 'c'.repeat(64),
      sum: 'f'.repeat(64),
      opening: 'd'.repeat(64),
      hashes: [],
      output: { name: 'model', digest: 'e'.repeat(64) },
      ...changes,
    }
    return signStatement(publicationStatement, body, key)
  }

  function put(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes)
    artifacts.set(digest, bytes)
    return digest
  }

  it('contributes to a plan once: the same request again gets the same reply, a restart later too, or none', async () => {
    const agent = openAgent({}, { datasets: { heart: { steps: ['statistics'], maxRounds: 1 } } })
    const journal = journals.at(-1)!
    const asked = await plan('statistics')
    const [request, before] = [await requestOf(asked), uploads.size]
    const [one, two] = await Promise.all([agent.handle(request), agent.handle(request)])
    expect(codeOf(one)).toBe('accepted')
    expect(two).toEqual(one)
    expect(uploads.size).toBe(before + 1)
    const bytes = uploads.get(asked.round.planDigest)!
    const restart = () => openAgent({ journal }, { datasets: { heart: { steps: ['statistics'], maxRounds: 1 } } })
    // No further use of the dataset.
    for (const again of [agent, restart()]) {
      uploads.delete(asked.round.planDigest)
      expect(await ask(again, asked)).toEqual(one)
      expect(uploads.get(asked.round.planDigest)).toEqual(bytes)
    }
    rmSync(join(journal.directory, 'outbox'), { recursive: true })
    uploads.delete(asked.round.planDigest)
    expect(codeOf(await ask(restart(), asked))).toBe('already-contributed')
    expect(uploads.size).toBe(before)
  })

  it('goes on with a contribution whose upload failed, in the same life of the process and in the next', async () => {
    const fails = { ...coordinator, upload: fail }
    async function fail(_: Digest, source: PayloadSource): Promise<never> {
      await source.whole()
      throw new WireError('connection-lost', 'The time of the round is over.')
    }
    const agent = openAgent({ coordinator: fails })
    const asked = await plan('statistics')
    for (let times = 0; times < 2; times++) expect(codeOf(await ask(agent, asked))).toBe('connection-lost')
    expect(codeOf(await ask(openAgent({ journal: journals.at(-1)! }), asked))).toBe('accepted')
    expect(uploads.has(asked.round.planDigest)).toBe(true)
  })

  it('makes no claim for a contribution that its disk has no place for', async () => {
    const agent = openAgent()
    const journal = journals.at(-1)!
    const asked = await plan('statistics')
    rmSync(join(journal.directory, 'outbox'), { recursive: true })
    expect(codeOf(await ask(agent, asked))).toBe('outbox-unwritable')
    expect(codeOf(await ask(openAgent({ journal }), asked))).toBe('accepted')
  })

  it('keeps nothing of a contribution that it could not make whole, and makes no second one', async () => {
    const dying = new Proxy(workers, {
      get: (target, key) => {
        if (key !== 'beginProtection') return Reflect.get(target, key, target)
        return () => ({
          preparePad: async () => undefined,
          protectChunk: async () => Promise.reject(new Error('a thread died')),
          end: async () => undefined,
        })
      },
    })
    const agent = openAgent({ workers: dying })
    const journal = journals.at(-1)!
    const asked = await plan('statistics')
    expect(codeOf(await ask(agent, asked))).toBe('holder-failed')
    expect(readdirSync(join(journal.directory, 'outbox'))).toEqual([])
    expect(codeOf(await ask(agent, asked))).toBe('already-contributed')
    expect(codeOf(await ask(openAgent({ journal }), asked))).toBe('already-contributed')
  })

  it('tells a coordinator that thinks it knows another tree which one it knows, and then contributes', async () => {
    const agent = openAgent()
    const checkpoint = await log.checkpoint([], (await plan('statistics')).round.plan)
    const { size } = log
    acceptedOf(await agent.handle({ kind: 'cosign', checkpoint }))
    const asked = await plan('statistics')
    const answers = []
    for (const oldSize of [0, size - 1, size]) answers.push(await agent.handle(await requestOf(asked, oldSize)))
    const correction = accepted({ kind: 'known-size', size })
    expect(answers.slice(0, 2)).toEqual([correction, correction])
    expect(acceptedOf(answers[2])).toMatchObject({ kind: 'contribution' })
  })

  it('cosigns what continues the log it knows, and nothing of a log that forked, after a restart too', async () => {
    const agent = openAgent()
    const { round } = await plan('statistics')
    const cosigned = await agent.handle({ kind: 'cosign', checkpoint: await log.checkpoint([], round.plan) })
    expect(acceptedOf(cosigned)).toMatchObject({ kind: 'cosignature', line: expect.stringMatching(/^— .*cleveland /) })
    const fork = await TestLog.create()
    for (let entry = 0; fork.size < log.size; entry++) await fork.append([publicationOf({ contributors: 10 + entry })])
    const forked = { kind: 'cosign', checkpoint: await fork.checkpoint([], round.plan) } as const
    expect(codeOf(await agent.handle(forked))).toBe('log-forked')
    const restarted = openAgent({ journal: journals.at(-1)! })
    expect(codeOf(await restarted.handle({ kind: 'cosign', checkpoint: await log.checkpoint([], round.plan) }))).toBe(
      'log-forked',
    )
    expect(codeOf(await ask(restarted, await plan('statistics')))).toBe('log-forked')
  })

  it('refuses a plan whose log fewer than t of its committee cosigned, and uploads nothing', async () => {
    const before = uploads.size
    const asked = await plan('statistics')
    const { threshold } = asked.round.plan.committee
    const others = parties.slice(1)
    for (const cosigners of [[], others.slice(0, threshold - 1), [others[0], others[0], others[0]]]) {
      expect(codeOf(await ask(openAgent(), asked, { cosigners }))).toBe('checkpoint-not-accepted')
    }
    expect(uploads.size).toBe(before)
    expect(codeOf(await ask(openAgent(), asked, { cosigners: others.slice(0, threshold) }))).toBe('accepted')
  })

  it('refuses a plan that is not in the log, or comes with a forged part of it, and uploads nothing', async () => {
    const before = uploads.size
    const asked = await plan('statistics')
    await log.append([publicationOf({ contributors: 99 })])
    const whole = await log.range(asked.start)
    const unlogged = planRound({ ...asked.round.plan, nonce: '7'.repeat(64) }, coordinatorKey)
    expect(codeOf(await ask(openAgent(), { ...asked, round: unlogged }))).toBe('not-in-log')
    const forged: Record<string, RangeEvidence> = {
      'without its end': { ...whole, entries: whole.entries.slice(0, -1) },
      'from elsewhere': await log.range(asked.start - 1),
      'with another entry': { ...whole, entries: [...whole.entries.slice(0, -1), whole.entries[0]] },
      'at another place': { ...whole, start: whole.start + 1 },
      'with another past': { ...whole, before: whole.before.map((hash) => hash.map((byte) => byte ^ 1)) },
      empty: { ...whole, entries: [] },
    }
    for (const [what, range] of Object.entries(forged)) {
      expect(codeOf(await ask(openAgent(), asked, { range })), what).toBe('not-in-log')
    }
    expect(codeOf(await ask(openAgent(), asked, { loggedAt: 0 }))).toBe('not-in-log')
    expect(uploads.size).toBe(before)
    expect(codeOf(await ask(openAgent(), asked))).toBe('accepted')
  })

  it('refuses a plan that the log calls abandoned, and one that it has given up itself', async () => {
    const asked = await plan('statistics')
    const abandon = {
      kind: 'abandon',
      plan: asked.round.planEnvelope,
      abandonment: abandonmentOf(asked.round),
    } as const
    const agent = openAgent()
    acceptedOf(await agent.handle(abandon))
    expect(codeOf(await ask(agent, asked))).toBe('round-abandoned')
    expect(codeOf(await ask(openAgent({ journal: journals.at(-1)! }), asked))).toBe('round-abandoned')
    await log.append([abandon.abandonment])
    expect(codeOf(await ask(openAgent(), asked))).toBe('round-abandoned')
  })

  it('contributes once to a question, and again only when the earlier plan is proven dead, after a restart too', async () => {
    const job = await submit()
    const first = await plan('statistics', { job })
    const again = (round: number, abandonments: readonly Envelope[] = []) =>
      plan('statistics', { job, changes: { round }, abandonments })
    const agent = openAgent()
    acceptedOf(await ask(agent, first))
    const { threshold } = first.round.plan.committee
    const others = parties.slice(1)
    const signed = (by: readonly Party[], abandonment = abandonmentOf(first.round)) => endorseWith(abandonment, by)
    const elsewhere = planRound({ ...first.round.plan, nonce: '8'.repeat(64) }, coordinatorKey)
    const unproven: readonly Envelope[][] = [
      [],
      [signed([])],
      [signed(others.slice(0, threshold - 1))],
      [signed([others[0], others[0], others[0]])],
      [signed(others, abandonmentOf(elsewhere))],
    ]
    let number = 2
    for (const abandonments of unproven) {
      expect(codeOf(await ask(agent, await again(number++, abandonments)))).toBe('question-answered')
    }
    const restarted = openAgent({ journal: journals.at(-1)! })
    expect(codeOf(await ask(restarted, await again(number++)))).toBe('question-answered')
    // Another question of the job is not concerned.
    const model = put(Buffer.concat(initialModel(statementDigest(job), specification)))
    const statistics = put(Buffer.from('{}'))
    const publications = [await publish(job, 'statistics', statistics)]
    const other = await plan('training', { job, inputs: { statistics, model }, publications, changes: { round: 90 } })
    expect(codeOf(await ask(restarted, other))).toBe('statistics-mismatch')
    const proof = signed(others.slice(0, threshold))
    expect(codeOf(await ask(restarted, await again(number++, [proof])))).toBe('accepted')
    // The proof was of the first plan: the second one lives.
    expect(codeOf(await ask(restarted, await again(number++, [proof])))).toBe('question-answered')
  })

  it.each(['by itself', 'by others'])(
    'contributes to a plan no more that is given up %s while it computes, and to the next one',
    async (by) => {
      const [reading, mayRead] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const slow: Dataset = {
        ...dataset,
        columns: dataset.columns,
        readRecords: async (schema) => {
          reading.resolve()
          await mayRead.promise
          return dataset.readRecords(schema)
        },
      }
      const agent = openAgent({ datasets: new Map([['heart', slow]]) })
      const job = await submit()
      const first = await plan('statistics', { job })
      const proof = endorseWith(abandonmentOf(first.round), parties.slice(1))
      const again = await plan('statistics', { job, changes: { round: 2 }, abandonments: [proof] })
      const { size } = log
      const computing = agent.handle(await requestOf(first))
      await reading.promise
      if (by === 'by itself') {
        const abandonment = abandonmentOf(first.round)
        acceptedOf(await agent.handle({ kind: 'abandon', plan: first.round.planEnvelope, abandonment }))
      }
      const next = agent.handle(await requestOf(again, size))
      // Both wait for the records now.
      setImmediate(mayRead.resolve)
      expect(codeOf(await computing)).toBe('round-abandoned')
      expect(codeOf(await next)).toBe('accepted')
      expect([first, again].map(({ round }) => uploads.has(round.planDigest))).toEqual([false, true])
    },
  )

  it('does not forget a use of a dataset because the coordinator asked it first to give the plan up', async () => {
    const agent = openAgent({}, { datasets: { heart: { steps: ['statistics'], maxRounds: 1 } } })
    const asked = await plan('statistics')
    const byAnother = abandonmentOf(asked.round, {}, parties[1].keys.statementKey)
    const abandon = { kind: 'abandon', plan: asked.round.planEnvelope, abandonment: byAnother } as const
    expect(codeOf(await agent.handle(abandon))).toBe('bad-signature')
    expect(codeOf(await ask(agent, asked))).toBe('accepted')
    expect(codeOf(await ask(agent, await plan('statistics')))).toBe('dataset-uses-exhausted')
  })

  it('hashes the ciphertext that it sent, for a manifest that names it and no other, after a restart too', async () => {
    const agent = openAgent()
    const asked = await plan('statistics')
    const reply = acceptedOf(await ask(agent, asked))
    if (reply.kind !== 'contribution') throw new Error('expected a contribution')
    const { planDigest, plan: body } = asked.round
    const chunks = uploads.get(planDigest)!
    const payload = payloadDigest(chunks.map((chunk) => digestOf(chunk)))
    const entry = { holder: 'cleveland', contribution: statementDigest(reply.envelope), payload }
    const others = ['hungary', 'switzerland'].map((holder) => ({
      holder,
      contribution: digestOf(Buffer.from(holder)),
      payload,
    }))
    const manifestOver = (changes: object, key = coordinatorKey) => {
      const base = {
        plan: planDigest,
        candidates: '1'.repeat(64),
        contributions: [entry, others[0]],
        checks: [],
        dealings: [],
        excluded: [],
        setAside: [],
        sealedAt: new Date().toISOString(),
      }
      return signStatement(manifestStatement, { ...base, ...changes }, key)
    }
    const sum = '5'.repeat(64)
    const hash = (manifest: Envelope, by = agent) => by.handle({ kind: 'hash-payload', planDigest, manifest, sum })
    for (const [changes, code] of [
      [{ plan: '2'.repeat(64) }, 'wrong-round'],
      [{ contributions: others }, 'contributions-mismatch'],
      [{ contributions: [{ ...entry, payload: '3'.repeat(64) }, ...others] }, 'contributions-mismatch'],
      [{ contributions: [{ ...entry, contribution: '3'.repeat(64) }, ...others] }, 'contributions-mismatch'],
    ] as const) {
      expect(codeOf(await hash(manifestOver(changes)))).toBe(code)
    }
    expect(codeOf(await hash(manifestOver({}, parties[1].keys.statementKey)))).toBe('bad-signature')
    const manifest = manifestOver({})
    const hashed = acceptedOf(await hash(manifest))
    if (hashed.kind !== 'payload-hash') throw new Error('expected a hash')
    const { statementKey } = parties[0].keys
    const said = acceptedOf(readStatement(payloadHashStatement, hashed.envelope, statementKey.publicKey))
    const challenge = hashChallenge(statementDigest(manifest), sum)
    const hashing = workers.beginHashing({ parameters: planParameters(body), challenge })
    for (const [index, chunk] of chunks.entries()) await hashing.add(index, chunk)
    const expected = formatLinearHash(await hashing.end())
    expect(said).toEqual({
      plan: planDigest,
      manifest: statementDigest(manifest),
      sum,
      holder: 'cleveland',
      hash: expected,
    })
    expect(acceptedOf(await hash(manifest))).toEqual(hashed)
    const journal = journals.at(-1)!
    expect(acceptedOf(await hash(manifest, openAgent({ journal })))).toEqual(hashed)
    const damaged = join(journal.directory, 'outbox', `${planDigest}.ciphertext`)
    const bytes = readFileSync(damaged)
    bytes[0] ^= 1
    writeFileSync(damaged, bytes)
    expect(codeOf(await hash(manifest, agent))).toBe('ciphertext-not-kept')
    expect(codeOf(await hash(manifest, openAgent({ journal })))).toBe('ciphertext-not-kept')
  })

  it('works from inputs that the job’s own rounds have published in the log, or that the job gives, and from no others', async () => {
    const job = await submit()
    const other = await submit()
    const statistics = put(Buffer.from('{}'))
    const model = put(Buffer.concat(initialModel(statementDigest(job), specification)))
    const trained = put(Buffer.from('a model'))
    const real = await publish(job, 'statistics', statistics)
    const elsewhere = await publish(other, 'statistics', statistics)
    const renamed = await publish(job, 'model', statistics)
    const byAnother = publicationOf(
      { job: statementDigest(job), output: { name: 'statistics', digest: statistics } },
      parties[1].keys.statementKey,
    )
    await log.append([byAnother])
    let round = 1
    const train = async (publications: readonly Envelope[], inputs = { statistics, model }) =>
      codeOf(await ask(openAgent(), await plan('training', { job, inputs, publications, changes: { round: round++ } })))
    for (const publications of [[], [elsewhere], [renamed], [byAnother]]) {
      expect(await train(publications)).toBe('input-not-published')
    }
    const modelOfAnother = digestOf(...initialModel(statementDigest(other), specification))
    expect(await train([real], { statistics, model: trained })).toBe('input-not-published')
    expect(await train([real], { statistics, model: modelOfAnother })).toBe('input-not-published')
    // These are as published: it comes as far as reading them.
    expect(await train([real])).toBe('statistics-mismatch')
    const published = await publish(job, 'model', trained)
    expect(await train([real, published], { statistics, model: trained })).not.toBe('input-not-published')
  })

  it('does not take a publication for logged that comes with the place of another', async () => {
    const job = await submit()
    const [statistics, model] = [
      put(Buffer.from('{}')),
      put(Buffer.concat(initialModel(statementDigest(job), specification))),
    ]
    const unlogged = publicationOf({ job: statementDigest(job), output: { name: 'statistics', digest: statistics } })
    const logged = await publish(job, 'model', '4'.repeat(64))
    const asked = await plan('training', { job, inputs: { statistics, model }, publications: [logged] })
    const request = await requestOf(asked)
    const publications = [{ ...request.publications[0], envelope: unlogged }]
    expect(codeOf(await openAgent().handle({ ...request, publications }))).toBe('input-not-published')
  })

  it('refuses what its policy does not offer, by name, and uploads nothing', async () => {
    const before = uploads.size
    const cases: [Partial<HolderPolicy>, string][] = [
      [{ datasets: {} }, 'dataset-not-offered'],
      [{ datasets: { heart: { steps: ['training'], maxRounds: 5 } } }, 'step-not-allowed'],
    ]
    for (const [policy, code] of cases)
      expect(codeOf(await ask(openAgent({}, policy), await plan('statistics')))).toBe(code)
    const lungs = parseJobSpecification({ ...specification, dataset: 'lungs' })
    expect(codeOf(await ask(openAgent(), await plan('statistics', { specification: lungs })))).toBe(
      'dataset-not-offered',
    )
    const [self] = parties
    const strict = openAgent({ floors: floorsOf(self, parties, { minContributors: 4 }) })
    expect(codeOf(await ask(strict, await plan('statistics')))).toBe('below-policy-floor')
    expect(uploads.size).toBe(before)
  })

  it('keeps no company that its policy or the registry does not accept', async () => {
    const strict = openAgent({}, { coMembers: ['hungary', 'switzerland'] })
    expect(codeOf(await ask(strict, await plan('statistics')))).toBe('unaccepted-member')
    const members = {
      membersAt: async () => refused('registry-incomplete', 'The registry could not be read.'),
      endorse: async () => refused('approval-needed', 'Nobody is admitted here.'),
    }
    expect(codeOf(await ask(openAgent({ members }), await plan('statistics')))).toBe('registry-incomplete')
  })

  it('counts the rounds on a dataset, and stops at the policy’s number', async () => {
    const agent = openAgent({}, { datasets: { heart: { steps: ['statistics'], maxRounds: 2 } } })
    const codes = []
    for (let jobs = 0; jobs < 3; jobs++) codes.push(codeOf(await ask(agent, await plan('statistics'))))
    expect(codes).toEqual(['accepted', 'accepted', 'dataset-uses-exhausted'])
  })

  it('refuses a plan that is not what the job says: another job, layout, bounds, step or inputs', async () => {
    const agent = openAgent()
    const good = await plan('statistics')
    const other = parseJobSpecification({ ...specification, name: 'other' })
    expect(codeOf(await ask(agent, { ...good, job: await submit(other) }))).toBe('job-mismatch')
    const { segments, precisionBits } = good.round.plan.vector
    for (const changed of [
      segments.map((segment, i) => (i === 0 ? { ...segment, length: segment.length + 1 } : segment)),
      segments.map((segment, i) => (i === 0 ? { ...segment, high: segment.high / 2 } : segment)),
      segments.slice(1),
    ]) {
      const asked = await plan('statistics', { changes: { vector: { precisionBits, segments: changed } } })
      expect(codeOf(await ask(agent, asked))).toBe('layout-mismatch')
    }
    const unknown = await plan('statistics', { changes: { step: 'exfiltration' } })
    expect(codeOf(await ask(agent, unknown))).toBe('step-not-allowed')
    const surplus = await plan('statistics', { inputs: { model: 'a'.repeat(64) } })
    expect(codeOf(await ask(agent, surplus))).toBe('input-mismatch')
    expect(codeOf(await ask(agent, await plan('training')))).toBe('input-mismatch')
  })

  it('refuses a model of another shape than the job’s, and statistics of another schema', async () => {
    const agent = openAgent()
    const job = await submit()
    const wrong = logistic(7)
    const model = put(encodeModelFile(wrong, initialWeights(wrong, new Uint8Array(32))))
    const right = logistic(33, 0.003)
    const fitting = put(encodeModelFile(right, initialWeights(right, new Uint8Array(32))))
    const statistics = put(
      Buffer.from(JSON.stringify({ exampleCount: 1, positiveCount: 1, trainingExampleCount: 1, features: [] })),
    )
    const publications = [
      await publish(job, 'statistics', statistics),
      await publish(job, 'model', model),
      await publish(job, 'model', fitting),
    ]
    const evaluate = async (round: number, inputs: { statistics: Digest; model: Digest }) =>
      codeOf(await ask(agent, await plan('evaluation', { job, inputs, publications, changes: { round } })))
    expect(['model-mismatch', 'statistics-mismatch']).toContain(await evaluate(1, { statistics, model }))
    expect(await evaluate(2, { statistics, model: fitting })).toBe('statistics-mismatch')
  })

  it('does no committee duty for a plan that it has not accepted', async () => {
    const agent = openAgent()
    const { round, start } = await plan('statistics')
    const { planDigest, planEnvelope } = round
    const evidence = { checkpoint: await log.checkpoint(parties, round.plan), range: await log.range(start) }
    for (const request of [
      { kind: 'check-shares', planDigest, candidates: planEnvelope, ...evidence },
      { kind: 'endorse', planDigest, manifest: planEnvelope, ...evidence },
      { kind: 'answer', planDigest, certificate: planEnvelope },
    ] as const) {
      expect(codeOf(await agent.handle(request)), request.kind).toBe('plan-unknown')
    }
  })

  it('tells the coordinator a code, and nobody a value of its records', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => (i === 7 ? `${CANARY},1` : `${40 + i},${i % 2}`))
    writeFileSync(join(directory, 'broken.csv'), `age,num\n${rows.join('\n')}\n`)
    const broken = await openDataset(parseDatasetConfig({ name: 'heart', path: 'broken.csv' }), {
      baseDirectory: directory,
    })
    const agent = openAgent({ datasets: new Map([['heart', broken]]) })
    const answer = await ask(agent, await plan('statistics'))
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
    const typed = await ask(agent, await plan('statistics', { specification: ageOnly }))
    expect(codeOf(typed)).toBe('column-type-mismatch')
    expect(JSON.stringify([answer, typed])).not.toContain(CANARY)
    expect(logged.join('')).toContain('column-type-mismatch')
    expect(logged.join('')).not.toContain(CANARY)
    broken.close()
  })

  it('lets no more rounds than the policy’s number through when many plans come at once', async () => {
    const agent = openAgent({}, { datasets: { heart: { steps: ['statistics'], maxRounds: 2 } } })
    const before = uploads.size
    const plans: Asked[] = []
    for (let jobs = 0; jobs < 5; jobs++) plans.push(await plan('statistics'))
    // From one checkpoint, so that no request is held up by the log.
    const requests = await Promise.all(plans.map((asked) => requestOf(asked)))
    acceptedOf(await agent.handle({ kind: 'cosign', checkpoint: requests[0].checkpoint }))
    const current = await Promise.all(plans.map((asked) => requestOf(asked, log.size)))
    const answers = await Promise.all(current.map((request) => agent.handle(request)))
    expect(answers.map(codeOf).sort()).toEqual([
      'accepted',
      'accepted',
      'dataset-uses-exhausted',
      'dataset-uses-exhausted',
      'dataset-uses-exhausted',
    ])
    expect(uploads.size).toBe(before + 2)
  })

  it('takes part again after the coordinator was away while it fetched an input', async () => {
    const job = await submit()
    const statistics = put(Buffer.from('{}'))
    const model = put(Buffer.concat(initialModel(statementDigest(job), specification)))
    const publications = [await publish(job, 'statistics', statistics)]
    let isAway = true
    const agent = openAgent({
      coordinator: {
        upload: async () => ({ digest: '', bytes: 0 }),
        fetchArtifact: async (digest) => {
          if (isAway) throw new WireError('coordinator-unreachable', 'away')
          return artifacts.get(digest)!
        },
        fetchContributions: async () => [],
        async *fetchOpening() {},
      },
    })
    const evaluate = (round: number) =>
      plan('evaluation', { job, inputs: { statistics, model }, publications, changes: { round } })
    expect(codeOf(await ask(agent, await evaluate(1)))).toBe('coordinator-unreachable')
    isAway = false
    // It came as far as reading the statistics, which are none.
    expect(codeOf(await ask(agent, await evaluate(2)))).toBe('statistics-mismatch')
  })

  it('refuses the publication of another plan', async () => {
    const agent = openAgent()
    const noted = { kind: 'published', planDigest: 'a'.repeat(64), publication: publicationOf({}) } as const
    expect(codeOf(await agent.handle(noted))).toBe('accepted')
    expect(codeOf(await agent.handle({ ...noted, planDigest: 'e'.repeat(64) }))).toBe('wrong-round')
    const byAnother = publicationOf({}, parties[1].keys.statementKey)
    expect(codeOf(await agent.handle({ ...noted, publication: byAnother }))).toBe('bad-signature')
  })
})
