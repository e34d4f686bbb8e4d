/** A coordinator that asks one question twice over overlapping sets. Real holder agents with journals. */
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { orderedChecks, planRound, sealRound } from '../../src/protocol/coordinator-round.ts'
import { examinePlan } from '../../src/protocol/plan-policy.ts'
import { publicationStatement } from '../../src/protocol/publication.ts'
import { questionOf } from '../../src/protocol/question.ts'
import { checkSegment, type Segment } from '../../src/protocol/segments.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { abandonmentOf, askToAnswer, askToGiveUp } from '../support/ask-member.ts'
import { attack, limit } from '../support/attack.ts'
import { HoldersUnderAttack } from '../support/holders-under-attack.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  endorseWith,
  floorsOf,
  HOSPITALS,
  keySumWithoutGuards,
  lanesOf,
  type MadeContribution,
  makeContribution,
  makePlan,
  membersOf,
  NOW,
  openSum,
  type Party,
  sealRoundOf,
} from '../support/round-fixtures.ts'
import { TestLog } from '../support/test-log.ts'

let venue: HoldersUnderAttack
let scheme: PayloadScheme
let parties: Party[]
let job: Envelope
beforeAll(async () => {
  venue = await HoldersUnderAttack.open()
  scheme = await createPayloadScheme()
  parties = await createParties([...HOSPITALS, 'zurich'])
  job = venue.createJob()
})
beforeEach(() => venue.reset())
afterAll(async () => {
  scheme.dispose()
  await venue.close()
})

const difference = (a: Float64Array, b: Float64Array) => a.map((sum, i) => sum - b[i])

/** The sums of two honest rounds over the same vectors, the second without one holder. */
async function twoSums() {
  const plans = [makePlan(parties), makePlan(parties, { round: 2, nonce: 'e'.repeat(64) })]
  const sums = []
  for (const [i, from] of [parties, parties.slice(1)].entries()) {
    const planned = planRound(plans[i], coordinatorKey)
    const made: MadeContribution[] = []
    for (const party of from) made.push(await makeContribution(scheme, planned, party, lanesOf(party.keys.holder)))
    sums.push(openSum(scheme, planned, made, await keySumWithoutGuards(planned, made, parties)))
  }
  return { plans, sums }
}

attack({
  name: 'one question, asked twice over two overlapping sets',
  by: 'coordinator',
  wins: 'one hospital’s vector, exactly: each round is honest, and their sums differ by it',
  guard: 'a holder answers each question once, durably, until t members have signed that its round is dead',
  off: async () => {
    const { plans, sums } = await twoSums()
    expect(questionOf(plans[1])).toBe(questionOf(plans[0]))
    expect(difference(sums[0], sums[1])).toEqual(Float64Array.from(lanesOf(HOSPITALS[0])))
  },
  on: async () => {
    const log = await TestLog.create()
    const first = venue.createPlan(job)
    const second = venue.createPlan(job, { round: 2 }, venue.parties.slice(1))
    await log.append([job, first.planEnvelope, second.planEnvelope])
    await venue.collect(log, first, job)
    const [, self] = venue.parties
    expect(codeOf(await venue.contribute(self, log, second, job))).toBe('question-answered')
    venue.restart(self)
    expect(codeOf(await venue.contribute(self, log, second, job))).toBe('question-answered')

    // The members give the first round up, each on its own disk. Then, and not before, the question is open again.
    let proof = abandonmentOf(first)
    for (const [given, member] of venue.seated(first).entries()) {
      const abandonments = [proof]
      const asked = await venue.contribute(self, log, second, job, { abandonments })
      expect(codeOf(asked)).toBe(given < 3 ? 'question-answered' : 'accepted')
      if (given === 3) break
      const { planDigest, planEnvelope } = first
      const request = { kind: 'abandon', planDigest, plan: planEnvelope, abandonment: abandonmentOf(first) } as const
      const reply = acceptedOf(await venue.handle(member, request))
      if (reply.kind === 'endorsement') proof = { ...proof, signatures: [...proof.signatures, reply.signature] }
    }
  },
})

attack({
  name: 'an abandonment that is none',
  by: 'coordinator',
  wins: 'the same difference, from a holder that takes its word for it',
  guard: 't signatures of that plan’s own committee, over that plan',
  lines: [8],
  off: async () => {
    const { sums } = await twoSums()
    expect(difference(sums[0], sums[1])).toEqual(Float64Array.from(lanesOf(HOSPITALS[0])))
  },
  on: async () => {
    const log = await TestLog.create()
    const first = venue.createPlan(job)
    const second = venue.createPlan(job, { round: 2 })
    await log.append([job, first.planEnvelope, second.planEnvelope])
    await venue.collect(log, first, job)
    const [self] = venue.parties
    const seated = venue.seated(first)
    const strangers = await createParties(['a', 'b', 'c', 'd'])
    const proofs = [
      abandonmentOf(first),
      endorseWith(abandonmentOf(first), seated.slice(0, 2)),
      endorseWith(abandonmentOf(first), [seated[0], seated[0], seated[0], seated[0]]),
      endorseWith(abandonmentOf(first), strangers),
      endorseWith(first.planEnvelope, seated),
    ]
    const ask = async (proof: Envelope) =>
      codeOf(await venue.contribute(self, log, second, job, { abandonments: [proof] }))
    for (const proof of proofs) expect(await ask(proof)).toBe('question-answered')
    // Of the second plan it says that the second is dead, and nothing of the first.
    expect(await ask(endorseWith(abandonmentOf(second), venue.seated(second)))).toBe('round-abandoned')
  },
})

attack({
  name: 'a round that is given up and opened',
  by: 'coordinator',
  wins: 'the sum of a round that counts as dead, and with it the same difference',
  guard: 'a member does one of the two, durably: after either it refuses the other',
  lines: [4, 11],
  off: async () => {
    const { round, contributions } = await sealRoundOf(scheme, parties)
    const [member] = membersOf(round, parties)
    // By its rules without a memory a member does both.
    expect(codeOf(askToGiveUp(round, abandonmentOf(round), member))).toBe('accepted')
    const certificate = endorseWith(round.manifest!, parties)
    expect(codeOf(await askToAnswer(round, certificate, contributions, member))).toBe('accepted')
  },
  on: async () => {
    const log = await TestLog.create()
    const planned = venue.createPlan(job)
    await log.append([job, planned.planEnvelope])
    const collected = await venue.collect(log, planned, job)
    const checked = await venue.checkShares(log, collected)
    const round = acceptedOf(sealRound(checked, coordinatorKey, NOW))
    await log.append([...orderedChecks(round), round.manifest!])
    const certificate = endorseWith(round.manifest!, venue.parties)
    const [first, second] = venue.seated(round)
    const { planDigest, planEnvelope } = round
    const request = { kind: 'abandon', planDigest, plan: planEnvelope, abandonment: abandonmentOf(round) } as const
    expect(codeOf(await venue.answer(first, round, certificate))).toBe('accepted')
    venue.restart(first)
    expect(codeOf(await venue.handle(first, request))).toBe('already-answered')
    expect(codeOf(await venue.handle(second, request))).toBe('accepted')
    venue.restart(second)
    expect(codeOf(await venue.answer(second, round, certificate))).toBe('round-abandoned')
    expect(codeOf(await venue.endorse(second, log, round, round.manifest!))).toBe('round-abandoned')
    expect(codeOf(await venue.check(second, log, round, round.candidates!))).toBe('round-abandoned')
    // The two at once: one of them.
    const [, , third] = venue.seated(round)
    const both = await Promise.all([venue.answer(third, round, certificate), venue.handle(third, request)])
    expect(both.filter(({ ok }) => ok)).toHaveLength(1)
  },
})

/** A training plan of the job from a model with this digest. */
const trainingPlan = (inputs: readonly { name: string; digest: Digest }[], round = 2) =>
  venue.createPlan(job, { round, inputs: [...inputs] }, venue.parties, 'training')

/** What a coordinator signs as the outcome of a round that never was. */
const publicationOf = (output: { name: string; digest: Digest }, ofJob = statementDigest(job)) =>
  signStatement(
    publicationStatement,
    {
      job: ofJob,
      plan: digestOf(Buffer.from('no plan of anybody')),
      manifest: 'd'.repeat(64),
      contributors: 4,
      aggregate: 'e'.repeat(64),
      sum: '9'.repeat(64),
      opening: 'f'.repeat(64),
      hashes: [],
      output,
    },
    coordinatorKey,
  )

attack({
  name: 'a model that no logged round came to',
  by: 'coordinator',
  wins: 'each holder’s update at weights that it made up, and another for each if it likes',
  guard: 'an input is the seed’s model or the output of a publication in the log',
  lines: [7],
  off: () => {
    const [self] = venue.parties
    const planned = trainingPlan([
      { name: 'statistics', digest: 'a'.repeat(64) },
      { name: 'model', digest: 'b'.repeat(64) },
    ])
    const examined = examinePlan(planned.planEnvelope, self.member, floorsOf(self, venue.parties), new Date())
    expect(codeOf(examined)).toBe('accepted')
  },
  on: async () => {
    const [self] = venue.parties
    const log = await TestLog.create()
    const planned = trainingPlan([
      { name: 'statistics', digest: 'a'.repeat(64) },
      { name: 'model', digest: 'b'.repeat(64) },
    ])
    const statistics = publicationOf({ name: 'statistics', digest: 'a'.repeat(64) })
    const model = publicationOf({ name: 'model', digest: 'b'.repeat(64) })
    const asStatistics = publicationOf({ name: 'statistics', digest: 'b'.repeat(64) })
    const ofAnotherJob = publicationOf({ name: 'model', digest: 'b'.repeat(64) }, 'a'.repeat(64))
    await log.append([job, planned.planEnvelope, statistics, asStatistics, ofAnotherJob])
    const unlogged = { envelope: model, position: 2, path: (await log.logged(statistics)).path }
    for (const more of [[], [unlogged], [await log.logged(asStatistics)], [await log.logged(ofAnotherJob)]]) {
      const publications = [await log.logged(statistics), ...more]
      expect(codeOf(await venue.contribute(self, log, planned, job, { publications }))).toBe('input-not-published')
    }
  },
})

attack({
  name: 'another model for one holder',
  by: 'coordinator',
  wins: 'that holder’s vector at other weights, in the sum of the others',
  guard:
    'the model is in the plan, and all that follows is bound to it: the contribution is to another plan, and the sum does not open',
  lines: [7],
  off: async () => {
    // Protected under its own plan, opened under its own key: without the binding nothing would tell the two apart.
    const marked = planRound(makePlan(parties, { inputs: [{ name: 'model', digest: 'b'.repeat(64) }] }), coordinatorKey)
    const made = await makeContribution(scheme, marked, parties[0], lanesOf('marked'))
    expect(openSum(scheme, marked, [made], made.oneTimeKey)).toEqual(Float64Array.from(made.lanes))
  },
  on: async () => {
    const [common, marked] = ['a', 'b'].map((digit) =>
      planRound(makePlan(parties, { inputs: [{ name: 'model', digest: digit.repeat(64) }] }), coordinatorKey),
    )
    const made: MadeContribution[] = []
    for (const [i, party] of parties.entries())
      made.push(await makeContribution(scheme, i === 0 ? marked : common, party, lanesOf(party.keys.holder)))
    const keySum = Int32Array.from({ length: 2048 }, (_, k) => made.reduce((sum, each) => sum + each.oneTimeKey[k], 0))
    expect(() => openSum(scheme, common, made, keySum)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(noise|sum)-out-of-bounds$/) }),
    )
  },
})

limit({
  name: 'the same question as another job',
  by: 'coordinator',
  wins: 'one hospital’s vector from two honest rounds of two jobs with one specification',
  because:
    'near copies across jobs cannot be told by equality: the log shows both, and the policy’s maxRounds counts the uses',
  shown: async () => {
    const again = venue.createJob('2'.repeat(64))
    const log = await TestLog.create()
    const first = venue.createPlan(job)
    const second = venue.createPlan(again, {}, venue.parties.slice(1))
    await log.append([job, again, first.planEnvelope, second.planEnvelope])
    await venue.collect(log, first, job)
    expect(codeOf(await venue.contribute(venue.parties[1], log, second, again))).toBe('accepted')
  },
})

/** The sums of a training round of all, and of an evaluation by all but one of the model that it starts from. */
async function trainedAndEvaluated() {
  const vectorOf = (...segments: Segment[]) => ({ precisionBits: 16, segments: [...segments, checkSegment(16)] })
  const update = { name: 'update', length: 2, low: -1, high: 1 }
  const holdout = { name: 'holdout', length: 3, low: -1, high: 1 }
  const inputs = [{ name: 'model', digest: 'b'.repeat(64) }]
  const training = makePlan(parties, { inputs, vector: vectorOf(update, holdout) })
  const evaluation = makePlan(parties, { round: 2, step: 'evaluation', inputs, vector: vectorOf(holdout) })
  const sums = []
  for (const [plan, from, first] of [
    [training, parties, 0],
    [evaluation, parties.slice(1), update.length],
  ] as const) {
    const planned = planRound(plan, coordinatorKey)
    const made: MadeContribution[] = []
    for (const party of from)
      made.push(await makeContribution(scheme, planned, party, lanesOf(party.keys.holder).slice(first)))
    const sum = openSum(scheme, planned, made, await keySumWithoutGuards(planned, made, parties))
    sums.push(sum.subarray(update.length - first))
  }
  return { training, evaluation, sums, first: update.length }
}

attack({
  name: 'a model’s evaluation, asked for as training and as evaluation',
  by: 'coordinator',
  wins: 'one hospital’s hold-out histograms: the same values of the same model, over two sets',
  guard: 'a question is a job and inputs, whatever the step: what they give is answered once',
  off: async () => {
    const { sums, first } = await trainedAndEvaluated()
    expect(difference(sums[0], sums[1])).toEqual(Float64Array.from(lanesOf(HOSPITALS[0]).slice(first)))
  },
  on: async () => {
    const { training, evaluation } = await trainedAndEvaluated()
    expect(questionOf(evaluation)).toBe(questionOf(training))
    const log = await TestLog.create()
    const inputs = await venue.createInputs(job)
    const statistics = publicationOf(inputs[0])
    const planned = (['training', 'evaluation'] as const).map((step, i) =>
      venue.createPlan(job, { round: 2 + i, inputs }, venue.parties.slice(i), step),
    )
    await log.append([job, statistics, ...planned.map(({ planEnvelope }) => planEnvelope)])
    const publications = [await log.logged(statistics)]
    const [, self, other] = venue.parties
    const ask = async (party: Party, round: (typeof planned)[number]) =>
      codeOf(await venue.contribute(party, log, round, job, { publications }))
    expect(await ask(self, planned[0])).toBe('accepted')
    expect(await ask(self, planned[1])).toBe('question-answered')
    expect(await ask(other, planned[1])).toBe('accepted')
    expect(await ask(other, planned[0])).toBe('question-answered')
  },
})

limit({
  name: 'a publication of a round that a holder was not in, or that never was',
  by: 'coordinator',
  wins: 'updates at any statistics or model that it logs as an output, from all to whom the round is unknown',
  because: 'a holder verifies the rounds that it was in; an auditor of the log finds a publication without its plan',
  shown: async () => {
    const [self] = venue.parties
    const log = await TestLog.create()
    const inputs = await venue.createInputs(job)
    const planned = trainingPlan(inputs)
    const invented = publicationOf(inputs[0])
    await log.append([job, invented, planned.planEnvelope])
    const publications = [await log.logged(invented)]
    expect(codeOf(await venue.contribute(self, log, planned, job, { publications }))).toBe('accepted')
  },
})

limit({
  name: 'a member’s disk set back to between its answer and an abandonment',
  by: 'coordinator, f members, and backups of others',
  wins: 'a round that is opened and dead: members read no log before they answer or give up',
  because: 'assumption 4: a journal that is set back is a member that colludes; the log does not have its answers',
  shown: async () => {
    const log = await TestLog.create()
    const planned = venue.createPlan(job)
    await log.append([job, planned.planEnvelope])
    const checked = await venue.checkShares(log, await venue.collect(log, planned, job))
    const round = acceptedOf(sealRound(checked, coordinatorKey, NOW))
    const certificate = endorseWith(round.manifest!, venue.parties)
    const [member] = venue.seated(round)
    const setBack = venue.backUp(member)
    expect(codeOf(await venue.answer(member, round, certificate))).toBe('accepted')
    setBack()
    const { planDigest, planEnvelope } = round
    const request = { kind: 'abandon', planDigest, plan: planEnvelope, abandonment: abandonmentOf(round) } as const
    expect(codeOf(await venue.handle(member, request))).toBe('accepted')
  },
})

limit({
  name: 'a contributor’s disk set back to before its contribution',
  by: 'coordinator, with a backup of the holder',
  wins: 'a second answer to one question, over another set: the same difference',
  because: 'assumption 4: only the journal knows that it contributed; the log names it in the candidates, for auditors',
  shown: async () => {
    const log = await TestLog.create()
    const first = venue.createPlan(job)
    const second = venue.createPlan(job, { round: 2 }, venue.parties.slice(1))
    await log.append([job, first.planEnvelope, second.planEnvelope])
    const [, self] = venue.parties
    const setBack = venue.backUp(self)
    expect(codeOf(await venue.contribute(self, log, first, job))).toBe('accepted')
    expect(codeOf(await venue.contribute(self, log, second, job))).toBe('question-answered')
    setBack()
    expect(codeOf(await venue.contribute(self, log, second, job))).toBe('accepted')
  },
})
