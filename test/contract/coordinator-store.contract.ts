import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CoordinatorStore, JobEvent } from '../../src/coordinator/ports.ts'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { CoordinatorRound, RoundPhase } from '../../src/protocol/coordinator-round.ts'
import {
  certify,
  someAbandonment,
  someCandidates,
  someContribution,
  someDigest,
  someJob,
  someManifest,
  someRound,
  someStatement,
} from './coordinator-fixtures.ts'

/** One empty place for a store; `open` opens it, again after a close. */
export interface CoordinatorStorePlace {
  open(): Promise<CoordinatorStore>
  remove(): Promise<void>
}

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second, 123))

/** What every {@link CoordinatorStore} keeps to, whatever is under it. */
export function describeCoordinatorStore(name: string, makePlace: () => Promise<CoordinatorStorePlace>): void {
  describe(`CoordinatorStore on ${name}`, () => {
    let place: CoordinatorStorePlace
    let store: CoordinatorStore

    beforeAll(async () => {
      place = await makePlace()
      store = await place.open()
    })
    afterAll(async () => {
      await store.close()
      await place.remove()
    })

    async function queueJob(second = 0): Promise<Digest> {
      const { job, envelope } = someJob()
      await store.addJob(job, envelope, at(second))
      return job
    }

    async function planOne(): Promise<CoordinatorRound> {
      const round = someRound(await queueJob())
      await store.addRound(round)
      return round
    }

    /** Candidates and a manifest, and the round moved to where they stand. */
    async function sealOne(round: CoordinatorRound) {
      const [candidates, manifest] = [someCandidates(round), someManifest(round)]
      await store.setRoundPhase(round.planDigest, 'checking', { candidates })
      await store.setRoundPhase(round.planDigest, 'sealed', { manifest })
      return { candidates, manifest }
    }

    async function append(statement: Envelope): Promise<number> {
      const [position] = await store.appendStatements([statement])
      return position
    }

    async function phaseOf({ plan, planDigest }: CoordinatorRound) {
      return (await store.listRounds(plan.job)).find((round) => round.planDigest === planDigest)?.phase
    }

    describe('the journal', () => {
      it('gives positions from 0 without gaps, also to appends that run at once', async () => {
        const first = await append(someStatement())
        const positions = await Promise.all(Array.from({ length: 24 }, () => append(someStatement())))
        expect(first).toBe(0)
        expect(positions.sort((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1))
      })

      it('gives a repeated statement its first position, also when it is repeated at once', async () => {
        const statement = someStatement()
        const position = await append(statement)
        const repeats = await Promise.all(Array.from({ length: 8 }, () => append(statement)))
        expect(new Set(repeats)).toEqual(new Set([position]))
        const other = someStatement()
        const raced = await Promise.all(Array.from({ length: 8 }, () => append(other)))
        expect(new Set(raced)).toEqual(new Set([position + 1]))
        expect(await append(someStatement())).toBe(position + 2)
      })

      it('appends several in the order given, with no other between them, and each known one keeps its place', async () => {
        const [known, a, b, c] = Array.from({ length: 4 }, () => someStatement())
        expect(await store.appendStatements([])).toEqual([])
        const start = await append(known)
        expect(await store.appendStatements([a, certify(known), b, a, c])).toEqual(
          [1, 0, 2, 1, 3].map((i) => start + i),
        )
        expect(await store.appendStatements([c, b, a, known])).toEqual([3, 2, 1, 0].map((i) => start + i))
        expect(await store.listStatements(start, 10)).toEqual([known, a, b, c])
        const batches = Array.from({ length: 8 }, () => Array.from({ length: 5 }, () => someStatement()))
        const positions = await Promise.all(batches.map((batch) => store.appendStatements(batch)))
        for (const batch of positions) expect(batch).toEqual(batch.map((_, i) => batch[0] + i))
        const all = positions.flat().sort((x, y) => x - y)
        expect(all).toEqual(all.map((_, i) => start + 4 + i))
      })

      it('appends each of several once, also when others append some of them at once', async () => {
        const start = await append(someStatement())
        const raced = Array.from({ length: 6 }, () => someStatement())
        const turned = raced.map((_, i) => [...raced.slice(i), ...raced.slice(0, i)])
        const given = await Promise.all(
          [...raced.map((one) => [one]), ...turned].map((batch) => store.appendStatements(batch)),
        )
        const positions = await store.appendStatements(raced)
        expect(positions.toSorted((x, y) => x - y)).toEqual(raced.map((_, i) => start + 1 + i))
        for (const [i, position] of positions.entries()) {
          expect(given[i]).toEqual([position])
          expect(given[raced.length + i]).toEqual([...positions.slice(i), ...positions.slice(0, i)])
        }
        expect(await append(someStatement())).toBe(start + 7)
      })
    })

    describe('the journal, read', () => {
      it('gives statements back from a position on, as they were appended first, and their positions by digest', async () => {
        const statements = Array.from({ length: 5 }, () => someStatement())
        const [first] = await store.appendStatements(statements)
        await append(certify(statements[1]))
        expect(await store.listStatements(first, 100)).toEqual(statements)
        expect(await store.listStatements(first + 1, 3)).toEqual(statements.slice(1, 4))
        expect(await store.listStatements(first + 5, 3)).toEqual([])
        expect(await store.findStatement(statementDigest(statements[3]))).toBe(first + 3)
        expect(await store.findStatement(someDigest())).toBeUndefined()
      })

      it('finds a payload by the hash of its bytes, also a large one', async () => {
        const [small, large] = [someStatement(), someStatement('x'.repeat(300_000))]
        await store.appendStatements([small, large])
        for (const { payload } of [small, large]) {
          expect(Buffer.compare((await store.findPayload(digestOf(payload)))!, payload)).toBe(0)
        }
        expect(await store.findPayload(statementDigest(small))).toBeUndefined()
        expect(await store.findPayload("' OR true --")).toBeUndefined()
      })
    })

    describe('jobs', () => {
      it('gives a job back as it was submitted, and changes nothing when it is submitted again', async () => {
        const { job, envelope } = someJob()
        await store.addJob(job, envelope, at(1))
        await store.addJob(job, envelope, at(2))
        expect(await store.findJob(job)).toEqual({ job, envelope, state: 'queued', submittedAt: at(1) })
        expect(await store.findJob(someDigest())).toBeUndefined()
      })

      it('remembers when a job first ran and when it ended, and leaves an ended job as it is', async () => {
        const job = await queueJob(1)
        expect(await store.setJobState(job, 'running', at(2))).toBe(true)
        expect(await store.setJobState(job, 'running', at(3))).toBe(true)
        expect(await store.setJobState(job, 'queued', at(4))).toBe(false)
        expect(await store.setJobState(job, 'failed', at(5), 'no holder has the dataset')).toBe(true)
        expect(await store.setJobState(job, 'failed', at(6), 'another reason')).toBe(true)
        expect(await store.setJobState(job, 'completed', at(7))).toBe(false)
        expect(await store.findJob(job)).toMatchObject({
          state: 'failed',
          reason: 'no holder has the dataset',
          startedAt: at(2),
          endedAt: at(5),
        })
      })

      it('lets exactly one of two ends win that are recorded at once', async () => {
        const job = await queueJob()
        const won = await Promise.all([
          store.setJobState(job, 'completed', at(1)),
          store.setJobState(job, 'cancelled', at(1), 'by its researcher'),
        ])
        expect(won.filter(Boolean)).toHaveLength(1)
        expect((await store.findJob(job))?.state).toBe(won[0] ? 'completed' : 'cancelled')
      })

      it('ends a job that never ran without a start', async () => {
        const job = await queueJob()
        await store.setJobState(job, 'cancelled', at(1), 'by its researcher')
        expect(await store.findJob(job)).not.toHaveProperty('startedAt')
      })

      it('refuses to move a job that it does not know', async () => {
        await expect(store.setJobState(someDigest(), 'running', at(1))).rejects.toMatchObject({ code: 'not-found' })
      })

      it('keeps a reason that holds a NUL readable', async () => {
        const job = await queueJob()
        await store.setJobState(job, 'failed', at(1), 'the holder said: \0 rows')
        expect((await store.findJob(job))?.reason).toBe('the holder said: \uFFFD rows')
      })

      it('lists the newest jobs first, and of one instant the later arrival first', async () => {
        const jobs = [await queueJob(1000), await queueJob(1002), await queueJob(1001), await queueJob(1002)]
        const listed = await store.listJobs(4)
        expect(listed.map(({ job }) => job)).toEqual([jobs[3], jobs[1], jobs[2], jobs[0]])
      })

      it('lists running jobs before queued ones, each oldest first, and no ended ones', async () => {
        const [ended, queuedLate, queuedEarly, runningLate, runningEarly] = [
          await queueJob(2000),
          await queueJob(2004),
          await queueJob(2001),
          await queueJob(2003),
          await queueJob(2002),
        ]
        await store.setJobState(ended, 'cancelled', at(2100))
        await store.setJobState(runningLate, 'running', at(2100))
        await store.setJobState(runningEarly, 'running', at(2100))
        const ours = [ended, queuedLate, queuedEarly, runningLate, runningEarly]
        const listed = (await store.listUnfinishedJobs()).map(({ job }) => job).filter((job) => ours.includes(job))
        expect(listed).toEqual([runningEarly, runningLate, queuedEarly, queuedLate])
      })

      it('keeps outputs by name and version, repeats without effect, and refuses another digest', async () => {
        const job = await queueJob()
        const outputs = [
          { name: 'evaluation', version: 0, digest: someDigest() },
          { name: 'model', version: 0, digest: someDigest() },
          { name: 'model', version: 10, digest: someDigest() },
          { name: 'statistics', version: 0, digest: someDigest() },
        ]
        for (const output of [...outputs].reverse()) await store.addJobOutput(job, output)
        await store.addJobOutput(job, outputs[1])
        expect(await store.listJobOutputs(job)).toEqual(outputs)
        const other = { ...outputs[1], digest: someDigest() }
        await expect(store.addJobOutput(job, other)).rejects.toMatchObject({ code: 'conflict' })
        await expect(store.addJobOutput(someDigest(), other)).rejects.toMatchObject({ code: 'not-found' })
      })
    })

    describe('job events', () => {
      const refusal = (round: number): JobEvent => ({
        kind: 'holder-refused',
        round,
        holder: 'zurich',
        code: 'policy-budget-spent',
        reason: 'no budget left \0 "ε" 🏥',
      })

      it('numbers events from 1 without gaps, also when they come at once, and gives them back in order', async () => {
        const job = await queueJob()
        const events = Array.from({ length: 20 }, (_, i) => refusal(i))
        const sequences = await Promise.all(events.map((event, i) => store.appendJobEvent(job, at(i), event)))
        expect([...sequences].sort((a, b) => a - b)).toEqual(events.map((_, i) => i + 1))
        const stored = await store.listJobEvents(job, 0, 100)
        expect(stored.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1))
        for (const [i, event] of events.entries()) {
          expect(stored[sequences[i] - 1]).toEqual({ sequence: sequences[i], at: at(i), event })
        }
        expect((await store.listJobEvents(job, 5, 3)).map(({ sequence }) => sequence)).toEqual([6, 7, 8])
        expect(await store.listJobEvents(job, 20, 100)).toEqual([])
      })

      it('gives a repeated event its first number, also when it is repeated at once', async () => {
        const job = await queueJob()
        await store.appendJobEvent(job, at(0), refusal(0))
        const raced = await Promise.all(Array.from({ length: 6 }, () => store.appendJobEvent(job, at(1), refusal(1))))
        expect(raced).toEqual([2, 2, 2, 2, 2, 2])
        expect(await store.appendJobEvent(job, at(2), refusal(1))).toBe(3)
        await expect(store.appendJobEvent(someDigest(), at(0), refusal(0))).rejects.toMatchObject({ code: 'not-found' })
      })
    })

    describe('rounds', () => {
      it('plans a round once, and refuses another plan under its number', async () => {
        const round = await planOne()
        await store.addRound(round)
        const { job } = round.plan
        const { planDigest, planEnvelope: plan } = round
        expect(await store.listRounds(job)).toEqual([
          { planDigest, job, round: 1, step: 'train', phase: 'collecting', plan },
        ])
        await expect(store.addRound(someRound(job, 1))).rejects.toMatchObject({ code: 'conflict' })
        await expect(store.addRound(someRound(someDigest(), 1))).rejects.toMatchObject({ code: 'not-found' })
      })

      it('keeps one contribution of a holder, and refuses another, also raced', async () => {
        const round = await planOne()
        const contribution = someContribution(round, 'zurich')
        await store.addContribution(round.planDigest, 'zurich', contribution)
        await store.addContribution(round.planDigest, 'zurich', contribution)
        const other = someContribution(round, 'zurich')
        await expect(store.addContribution(round.planDigest, 'zurich', other)).rejects.toMatchObject({
          code: 'conflict',
        })
        const raced = await Promise.allSettled(
          [0, 1, 2].map(() => store.addContribution(round.planDigest, 'hungary', someContribution(round, 'hungary'))),
        )
        expect(raced.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        await expect(store.addContribution(someDigest(), 'zurich', contribution)).rejects.toMatchObject({
          code: 'not-found',
        })
      })

      it('takes a contribution with the sealed shares of a large committee', async () => {
        const round = await planOne()
        await store.addContribution(round.planDigest, 'zurich', someContribution(round, 'zurich', 100_000))
      })

      it('goes through all phases, and repeats each without effect', async () => {
        const round = await planOne()
        const [candidates, manifest] = [someCandidates(round), someManifest(round)]
        const steps: [RoundPhase, { candidates?: Envelope; manifest?: Envelope }?][] = [
          ['checking', { candidates }],
          ['sealed', { manifest }],
          ['certified', { manifest: certify(manifest) }],
          ['opened'],
          ['published'],
        ]
        for (const [phase, options] of steps) {
          await store.setRoundPhase(round.planDigest, phase, options)
          await store.setRoundPhase(round.planDigest, phase, options)
          expect(await phaseOf(round)).toBe(phase)
        }
      })

      it('never skips a phase and never goes back', async () => {
        const phases = ['collecting', 'checking', 'sealed', 'certified', 'opened', 'published', 'abandoned'] as const
        const allowed = new Set([
          'collecting>checking',
          'checking>sealed',
          'sealed>certified',
          'certified>opened',
          'opened>published',
          ...phases.slice(0, 5).map((phase) => `${phase}>abandoned`),
          ...phases.map((phase) => `${phase}>${phase}`),
        ])
        for (const from of phases) {
          for (const to of phases) {
            const round = await planOne()
            const options = { candidates: someCandidates(round), manifest: someManifest(round) }
            const path = from === 'abandoned' ? ['abandoned' as const] : phases.slice(1, phases.indexOf(from) + 1)
            for (const phase of path) await store.setRoundPhase(round.planDigest, phase, options)
            const moved = await store.setRoundPhase(round.planDigest, to, options).then(
              () => 'moved',
              (error) => error.code,
            )
            expect(`${from}>${to} ${moved}`).toBe(
              `${from}>${to} ${allowed.has(`${from}>${to}`) ? 'moved' : 'conflict'}`,
            )
            expect(await phaseOf(round)).toBe(moved === 'moved' ? to : from)
          }
        }
      })

      it('refuses other candidates once there are some, at the close and at every phase after it', async () => {
        const round = await planOne()
        const candidates = someCandidates(round)
        await store.setRoundPhase(round.planDigest, 'checking', { candidates })
        const refusedWith = async (phase: RoundPhase) => {
          const options = { candidates: someCandidates(round), manifest: someManifest(round) }
          await expect(store.setRoundPhase(round.planDigest, phase, options)).rejects.toMatchObject({
            code: 'conflict',
            message: expect.stringContaining('other candidates'),
          })
          expect((await store.loadRound(round.planDigest)).candidates).toEqual(candidates)
        }
        await refusedWith('checking')
        await refusedWith('sealed')
        await refusedWith('abandoned')
      })

      it('lets exactly one of several closes win that come at once', async () => {
        const round = await planOne()
        const sets = [0, 1, 2, 3].map(() => someCandidates(round))
        const closes = await Promise.allSettled(
          sets.map((candidates) => store.setRoundPhase(round.planDigest, 'checking', { candidates })),
        )
        const winners = sets.filter((_, i) => closes[i].status === 'fulfilled')
        expect(winners).toHaveLength(1)
        for (const close of closes) {
          if (close.status === 'rejected') expect(close.reason).toMatchObject({ code: 'conflict' })
        }
        expect((await store.loadRound(round.planDigest)).candidates).toEqual(winners[0])
      })

      it('refuses a second manifest, at the seal and at every phase after it', async () => {
        const round = await planOne()
        const { manifest } = await sealOne(round)
        const refusedWith = async (phase: RoundPhase) => {
          const other = someManifest(round)
          await expect(store.setRoundPhase(round.planDigest, phase, { manifest: other })).rejects.toMatchObject({
            code: 'conflict',
            message: expect.stringContaining('another manifest'),
          })
        }
        await refusedWith('sealed')
        await refusedWith('certified')
        await store.setRoundPhase(round.planDigest, 'certified', { manifest: certify(manifest) })
        await refusedWith('certified')
        await refusedWith('opened')
      })

      it('lets exactly one of several seals win that come at once', async () => {
        for (let repetition = 0; repetition < 5; repetition++) {
          const round = await planOne()
          await store.setRoundPhase(round.planDigest, 'checking', { candidates: someCandidates(round) })
          const manifests = [0, 1, 2, 3].map(() => someManifest(round))
          const seals = await Promise.allSettled(
            manifests.map((manifest) => store.setRoundPhase(round.planDigest, 'sealed', { manifest })),
          )
          const winners = manifests.filter((_, i) => seals[i].status === 'fulfilled')
          expect(winners).toHaveLength(1)
          for (const seal of seals) {
            if (seal.status === 'rejected') expect(seal.reason).toMatchObject({ code: 'conflict' })
          }
          await store.setRoundPhase(round.planDigest, 'certified', { manifest: certify(winners[0]) })
        }
      })

      it('loads a round as it was last stored: plan, contributions, candidates, and the manifest with its signatures', async () => {
        const round = await planOne()
        const { planDigest } = round
        expect(await store.loadRound(planDigest)).toEqual(round)
        const received = ['hungary', 'cleveland'].map((holder) => someContribution(round, holder))
        for (const each of received) await store.addContribution(planDigest, each.contribution.holder, each)
        const { candidates, manifest } = await sealOne(round)
        const contributions = new Map(received.map((each) => [each.contribution.holder, each]))
        const sealed = { ...round, phase: 'sealed', contributions, candidates, manifest }
        expect(await store.loadRound(planDigest)).toEqual(sealed)
        await store.setRoundPhase(planDigest, 'certified', { manifest: certify(manifest) })
        const certified = { ...sealed, phase: 'certified', manifest: certify(manifest) }
        expect(await store.loadRound(planDigest)).toEqual(certified)
        await expect(store.loadRound(someDigest())).rejects.toMatchObject({ code: 'not-found' })
      })

      async function openOne(): Promise<CoordinatorRound> {
        const round = await planOne()
        const { manifest } = await sealOne(round)
        await store.setRoundPhase(round.planDigest, 'certified', { manifest: certify(manifest) })
        await store.setRoundPhase(round.planDigest, 'opened')
        return round
      }

      const published: JobEvent = { kind: 'round-abandoned', round: 1, step: 'train', reason: 'any event will do' }

      it('publishes a round, its output, its statement and its event together, and a second time without effect', async () => {
        const round = await openOne()
        const publication = someStatement()
        const output = { name: 'model', version: 1, digest: someDigest() }
        await store.publishRound(round.planDigest, publication, output, at(9), published)
        const position = await append(publication)
        await store.publishRound(round.planDigest, publication, output, at(9), published)
        expect(await store.listRounds(round.plan.job)).toMatchObject([{ phase: 'published', publication }])
        expect(await store.listJobOutputs(round.plan.job)).toEqual([output])
        expect(await store.listJobEvents(round.plan.job, 0, 10)).toEqual([{ sequence: 1, at: at(9), event: published }])
        expect(await append(publication)).toBe(position)
        expect(await append(someStatement())).toBe(position + 1)
      })

      it('publishes nothing of a round whose output conflicts, and nothing of one that is not opened', async () => {
        const round = await openOne()
        const taken = { name: 'model', version: 1, digest: someDigest() }
        await store.addJobOutput(round.plan.job, taken)
        const before = await append(someStatement())
        const publish = (planDigest: Digest) =>
          store.publishRound(planDigest, someStatement(), { ...taken, digest: someDigest() }, at(9), published)
        await expect(publish(round.planDigest)).rejects.toMatchObject({ code: 'conflict' })
        expect(await phaseOf(round)).toBe('opened')
        expect((await store.listRounds(round.plan.job))[0]).not.toHaveProperty('publication')
        expect(await store.listJobEvents(round.plan.job, 0, 10)).toEqual([])
        const early = await planOne()
        await expect(publish(early.planDigest)).rejects.toMatchObject({ code: 'conflict' })
        expect(await store.listJobOutputs(early.plan.job)).toEqual([])
        expect(await append(someStatement())).toBe(before + 1)
      })

      it('keeps the first publication of a round, with the round', async () => {
        const round = await openOne()
        const publication = someStatement()
        const output = { name: 'model', version: 1, digest: someDigest() }
        await store.publishRound(round.planDigest, publication, output, at(9), published)
        const position = await store.findStatement(statementDigest(publication))
        await store.publishRound(round.planDigest, someStatement(), output, at(9), published).catch(() => undefined)
        expect(await store.listRounds(round.plan.job)).toMatchObject([{ publication }])
        expect(await store.findStatement(statementDigest(publication))).toBe(position)
      })

      it('refuses a close without candidates, a seal without a manifest, and a round that it does not know', async () => {
        const round = await planOne()
        await expect(store.setRoundPhase(round.planDigest, 'checking')).rejects.toMatchObject({ code: 'invalid-value' })
        expect(await phaseOf(round)).toBe('collecting')
        await store.setRoundPhase(round.planDigest, 'checking', { candidates: someCandidates(round) })
        await expect(store.setRoundPhase(round.planDigest, 'sealed')).rejects.toMatchObject({ code: 'invalid-value' })
        expect(await phaseOf(round)).toBe('checking')
        await expect(store.setRoundPhase(someDigest(), 'abandoned')).rejects.toMatchObject({ code: 'not-found' })
      })

      it('keeps the first reason of an abandoned round', async () => {
        const round = await planOne()
        await store.setRoundPhase(round.planDigest, 'abandoned', { reason: 'two of three holders left' })
        await store.setRoundPhase(round.planDigest, 'abandoned', { reason: 'again' })
        expect(await store.listRounds(round.plan.job)).toMatchObject([{ reason: 'two of three holders left' }])
      })

      it('keeps the abandonment of an abandoned round, whose signatures may grow, and refuses another', async () => {
        const round = await planOne()
        await store.setRoundPhase(round.planDigest, 'abandoned', { reason: 'two of three holders left' })
        const abandonment = someAbandonment(round)
        for (const members of [0, 0, 1, 2, 2, 3]) {
          const signed = certify(abandonment, members)
          await store.setAbandonment(round.planDigest, signed)
          expect(await store.listRounds(round.plan.job)).toMatchObject([{ phase: 'abandoned', abandonment: signed }])
        }
        const another = store.setAbandonment(round.planDigest, someAbandonment(round))
        await expect(another).rejects.toMatchObject({
          code: 'conflict',
          message: expect.stringContaining('another abandonment'),
        })
        expect(await store.listRounds(round.plan.job)).toMatchObject([{ abandonment: certify(abandonment) }])
      })

      it('lets exactly one of several abandonments win that come at once', async () => {
        const round = await planOne()
        await store.setRoundPhase(round.planDigest, 'abandoned')
        const abandonments = [0, 1, 2, 3].map(() => someAbandonment(round))
        const stored = await Promise.allSettled(
          abandonments.map((abandonment) => store.setAbandonment(round.planDigest, abandonment)),
        )
        const winners = abandonments.filter((_, i) => stored[i].status === 'fulfilled')
        expect(winners).toHaveLength(1)
        expect(await store.listRounds(round.plan.job)).toMatchObject([{ abandonment: winners[0] }])
      })

      it('has no abandonment of a round that goes on, was published, or is unknown', async () => {
        const [collecting, opened] = [await planOne(), await openOne()]
        for (const round of [collecting, opened]) {
          await expect(store.setAbandonment(round.planDigest, someAbandonment(round))).rejects.toMatchObject({
            code: 'conflict',
            message: expect.stringContaining('only an abandoned one'),
          })
          expect((await store.listRounds(round.plan.job))[0]).not.toHaveProperty('abandonment')
        }
        const unknown = store.setAbandonment(someDigest(), someAbandonment(collecting))
        await expect(unknown).rejects.toMatchObject({ code: 'not-found' })
      })
    })

    // Last: it closes the store of the others.
    it('gives everything back after it was closed and opened again, and nothing while it is closed', async () => {
      const round = await planOne()
      const statement = someStatement()
      const position = await append(statement)
      const { candidates, manifest } = await sealOne(round)
      await store.log.publish(1, 'a checkpoint')
      const before = await store.findJob(round.plan.job)
      await store.close()
      await store.close()
      await expect(store.findJob(round.plan.job)).rejects.toMatchObject({ code: 'store-closed' })
      store = await place.open()
      expect(await store.findJob(round.plan.job)).toEqual(before)
      expect(await append(statement)).toBe(position)
      expect(await store.log.readCheckpoint()).toBe('a checkpoint')
      expect(await store.loadRound(round.planDigest)).toEqual({ ...round, phase: 'sealed', candidates, manifest })
      await expect(
        store.setRoundPhase(round.planDigest, 'sealed', { manifest: someManifest(round) }),
      ).rejects.toMatchObject({ code: 'conflict' })
    })
  })
}
