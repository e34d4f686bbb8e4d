/** What holders make of a published sum (docs/adr/0011), in a venue whose coordinator tells each of them something else. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import type { Coordinator } from '../../src/coordinator/coordinator.ts'
import { SUM } from '../../src/coordinator/ports.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import type { Envelope } from '../../src/crypto/envelope.ts'
import type { HolderReply } from '../../src/protocol/holder-messages.ts'
import { type Publication, publicationStatement } from '../../src/protocol/publication.ts'
import { planParameters } from '../../src/protocol/round-plan.ts'
import { parseStatement, signStatement } from '../../src/protocol/statement.ts'
import { refused, type Verdict } from '../../src/sluice-error.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'
import { readAll } from '../support/read-all.ts'
import { acceptedOf, codeOf, coordinatorKey } from '../support/round-fixtures.ts'

const OTHER = '7'.repeat(64)

let venue: InProcessVenue
let coordinator: Coordinator
let stopped: Promise<void>
let names: string[]

beforeAll(async () => {
  venue = await InProcessVenue.open()
  ;({ coordinator, stopped } = venue.startCoordinator())
  names = venue.parties.map(({ keys }) => keys.holder)
})
afterAll(async () => {
  coordinator.stop()
  await stopped
  await venue.close()
})
afterEach(() => venue.interferences.clear())

/** What becomes of the truth on its way to one holder. */
type Lie = (publication: Publication) => Partial<Publication>

function retell(envelope: Envelope, lie: Lie): Envelope {
  const truth = acceptedOf(parseStatement(publicationStatement, envelope))
  return signStatement(publicationStatement, { ...truth, ...lie(truth) }, coordinatorKey)
}

/** Runs a job in which each holder is told its own version of the first sum. @returns what each said of it, and the job's end */
async function tell(lies: ReadonlyMap<string, Lie>, before: (planDigest: Digest) => Promise<void> = async () => {}) {
  const said = new Map<string, Verdict<HolderReply, string>>()
  const noticed = Promise.withResolvers<void>()
  for (const name of names) {
    venue.interferences.set(name, async (request, answer) => {
      if (request.kind === 'published' && !said.has(name)) {
        await before(request.planDigest)
        const publication = retell(request.publication, lies.get(name) ?? (() => ({})))
        const verdict = await venue.agents.get(name)!.handle({ ...request, publication })
        said.set(name, verdict)
        if (said.size === names.length) noticed.resolve()
        return verdict
      }
      // A holder that was not told yet verifies what the next plan rests on.
      if (request.kind === 'contribute' && request.publications.length > 0) {
        await before(acceptedOf(parseStatement(publicationStatement, request.publications[0].envelope)).plan)
      }
      return answer()
    })
  }
  const job = await coordinator.submit(heartJob('logistic', 'cd'.repeat(32), 1), 'ada')
  const events = await readAll(coordinator.watch(job, 0, new AbortController().signal))
  await noticed.promise
  const { record } = await coordinator.result(job)
  const refusals = events.flatMap(({ event }) => (event.kind === 'holder-refused' ? [event] : []))
  return { codes: names.map((name) => codeOf(said.get(name)!)), state: record.state, refusals }
}

const hashed = (change: (hash: Publication['hashes'][number], i: number) => object) => (publication: Publication) => ({
  hashes: publication.hashes.map((hash, i) => ({ ...hash, ...change(hash, i) })),
})

describe('a published sum', () => {
  it('that is the sum is noted by everybody, and the job goes on', async () => {
    const { codes, state, refusals } = await tell(new Map())
    expect(codes).toEqual(names.map(() => 'accepted'))
    expect({ state, refusals }).toEqual({ state: 'completed', refusals: [] })
  })

  it('that lacks a contributor’s hash is noted, as unverified, and the job goes on', async () => {
    const without: Lie = ({ hashes }) => ({ hashes: hashes.slice(1) })
    const { codes, state } = await tell(new Map(names.map((name) => [name, without])))
    expect(codes).toEqual(names.map(() => 'accepted'))
    expect(state).toBe('completed')
  })

  const lies: [string, Lie][] = [
    ['another aggregate', () => ({ aggregate: OTHER })],
    ['another opening', () => ({ opening: OTHER })],
    ['another sum of ciphertexts', () => ({ sum: OTHER })],
    ['another output', ({ output }) => ({ output: { ...output, digest: OTHER } })],
    ['another name of the output', ({ output }) => ({ output: { ...output, name: 'model' } })],
    ['another manifest', () => ({ manifest: OTHER })],
    ['more contributors than there were', ({ contributors }) => ({ contributors: contributors + 1 })],
    ['a hash that its contributor has not signed', hashed(({ hash }, i) => (i > 0 ? {} : { hash: flipped(hash) }))],
    [
      'a hash under another contributor’s name',
      ({ hashes: [first, second, ...rest] }) => ({
        hashes: [{ ...first, holder: second.holder }, { ...second, holder: first.holder }, ...rest],
      }),
    ],
  ]

  /** Another hash of the same form. */
  function flipped(hash: string): string {
    return `${hash.slice(0, -1)}${hash.endsWith('0') ? '1' : '0'}`
  }

  it.each([0, 3, 6])(
    'that is not the sum is found out, and takes the holders’ part in the job with it (from lie %i)',
    async (from) => {
      const told = lies.slice(from, from + 3)
      const liedTo = names.slice(0, told.length)
      const { codes, state, refusals } = await tell(new Map(told.map(([, lie], i) => [names[i], lie])))
      expect(told.map(([what], i) => `${what}: ${codes[i]}`)).toEqual(told.map(([what]) => `${what}: wrong-sum`))
      expect(codes.slice(told.length)).toEqual(['accepted'])
      // In the next step, which none of the three contributes to.
      expect(state).toBe('failed')
      expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['wrong-sum']))
      expect(new Set(refusals.map(({ holder }) => holder))).toEqual(new Set(liedTo))
    },
  )

  it('whose opening has another sum of keys, by a bit, is not the sum', async () => {
    let isDamaged = false
    const { codes, state } = await tell(new Map(), async (planDigest) => {
      if (!isDamaged) venue.openRounds.openingFor(planDigest, names[0])!.keySum[0] ^= 1
      isDamaged = true
    })
    expect(codes).toEqual(names.map(() => 'wrong-sum'))
    expect(state).toBe('failed')
  })

  it('whose opening has another sum of ciphertexts, by a bit, is not the sum', async () => {
    const damage = async (planDigest: Digest) => {
      const { sumBytes } = venue.openRounds.openingFor(planDigest, names[0])!
      const sum = await venue.openings.read(planDigest, SUM, 0, sumBytes)
      sum[3] ^= 1
      const { plan } = await venue.store.loadRound(planDigest)
      await venue.openings.discard(planDigest)
      const writer = await venue.openings.open(planDigest, SUM, planParameters(plan))
      await writer.append(sum)
      await writer.commit()
    }
    let damaged: Promise<void> | undefined
    const { codes, state } = await tell(new Map(), (planDigest) => (damaged ??= damage(planDigest)))
    expect(codes).toEqual(names.map(() => 'wrong-sum'))
    expect(state).toBe('failed')
  })

  it('that was found wrong is remembered: a restarted holder takes no further part in the job', async () => {
    const [liedTo] = names
    const wrong = Promise.withResolvers<void>()
    let restarted = 0
    const interfere = () =>
      venue.interferences.set(liedTo, async (request, answer) => {
        if (request.kind === 'published') {
          const publication = retell(request.publication, () => ({ aggregate: OTHER }))
          const verdict = await venue.agents.get(liedTo)!.handle({ ...request, publication })
          wrong.resolve()
          return verdict
        }
        if (request.kind === 'contribute' && request.publications.length > 0) {
          await wrong.promise
          restarted++
          return venue.restartHolder(liedTo).handle(request)
        }
        return answer()
      })
    interfere()
    const job = await coordinator.submit(heartJob('logistic', 'cd'.repeat(32), 1), 'ada')
    const events = await readAll(coordinator.watch(job, 0, new AbortController().signal))
    expect(restarted).toBeGreaterThan(0)
    const refusals = events.flatMap(({ event }) => (event.kind === 'holder-refused' ? [event] : []))
    expect(refusals.some(({ holder, code }) => holder === liedTo && code === 'wrong-sum')).toBe(true)
    const published = events.flatMap(({ event }) => (event.kind === 'round-published' ? [event] : []))
    expect(published.map(({ contributors }) => contributors.includes(liedTo))).toEqual([true, false, false])
  })

  it('that nobody can verify is borne as often in a job as the policy says, after a restart too', async () => {
    const [silent, restarted] = names
    venue.interferences.set(silent, async (request, answer) =>
      request.kind === 'hash-payload' ? refused('ciphertext-not-kept', 'It gives no hash.') : answer(),
    )
    venue.interferences.set(restarted, async (request, answer) =>
      request.kind === 'contribute' ? venue.restartHolder(restarted).handle(request) : answer(),
    )
    const job = await coordinator.submit(heartJob('logistic', 'cd'.repeat(32), 6), 'ada')
    const events = await readAll(coordinator.watch(job, 0, new AbortController().signal))
    // The statistics and three models; the fourth unverified sum is one too many.
    const published = events.flatMap(({ event }) => (event.kind === 'round-published' ? [event.step] : []))
    expect(published).toEqual(['statistics', 'training', 'training', 'training'])
    const refusals = events.flatMap(({ event }) => (event.kind === 'holder-refused' ? [event] : []))
    const unwilling = refusals.filter(({ code }) => code === 'sums-unverified').map(({ holder }) => holder)
    expect(new Set(unwilling)).toEqual(new Set(names))
  })

  it('of a round that a holder was not part of is noted without a word on it', async () => {
    const refusing = async () => refused('step-not-allowed', 'not today')
    const [absent] = names
    let verdict: Verdict<HolderReply, string> | undefined
    venue.interferences.set(absent, async (request, answer) => {
      if (request.kind === 'contribute') return refusing()
      if (request.kind !== 'published') return answer()
      const publication = retell(request.publication, () => ({ aggregate: OTHER }))
      verdict = await venue.agents.get(absent)!.handle({ ...request, publication })
      return verdict
    })
    const job = await coordinator.submit(heartJob('logistic', 'cd'.repeat(32), 1), 'ada')
    await readAll(coordinator.watch(job, 0, new AbortController().signal))
    expect(codeOf(verdict!)).toBe('accepted')
  })
})
