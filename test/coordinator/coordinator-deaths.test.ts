/**
 * A coordinator that dies at each of its durable steps, and the one that follows it over the same store. The dead one does not
 * fail: from its last step on nothing that it awaits ever comes.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { Coordinator } from '../../src/coordinator/coordinator.ts'
import { OpenRounds } from '../../src/coordinator/open-rounds.ts'
import type { SpoolWriter, StoredJobEvent } from '../../src/coordinator/ports.ts'
import { openTransparencyLog } from '../../src/coordinator/transparency-log.ts'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import type { Envelope } from '../../src/crypto/envelope.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'
import { logSigner } from '../support/test-log.ts'

let venue: InProcessVenue
beforeAll(async () => {
  venue = await InProcessVenue.open()
})
afterAll(() => venue.close())

type Parts = InProcessVenue['parts']
type When = 'before' | 'after'
interface Death {
  readonly step: string
  readonly when: When
}

/** Files that a dead process had open; here they would stay so. */
const unfinished: SpoolWriter[] = []
afterAll(async () => {
  for (const writer of unfinished) await writer.close()
})

const never = () => new Promise<never>(() => {})

/** The life of one coordinator process: its steps in order, and where it ends. */
class Life {
  readonly steps: string[] = []
  readonly dead = Promise.withResolvers<void>()
  readonly #death: Death | undefined
  #isDead = false

  constructor(death?: Death) {
    this.#death = death
  }

  /** The same port, as this process uses it. @param name of a call that is a durable step; undefined for one that is none */
  through<T extends object>(port: T, name: (method: string, args: readonly unknown[]) => string | undefined): T {
    return new Proxy(port, {
      get: (target, property) => {
        const member = Reflect.get(target, property, target)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => {
          const call = () => Reflect.apply(member, target, args)
          const step = name(String(property), args)
          return step === undefined ? this.#unlessDead(call) : this.#take(step, call)
        }
      },
    })
  }

  #unlessDead(call: () => unknown): unknown {
    if (!this.#isDead) return call()
    // A port's few synchronous calls are lists of what is there.
    const result = call()
    return result instanceof Promise ? never() : result
  }

  async #take(kind: string, call: () => unknown): Promise<unknown> {
    if (this.#isDead) return never()
    const count = this.steps.filter((step) => step.replace(/ #\d+$/, '') === kind).length
    const step = count === 0 ? kind : `${kind} #${count + 1}`
    this.steps.push(step)
    const isLast = step === this.#death?.step
    if (isLast && this.#death?.when === 'before') {
      this.#die()
      return never()
    }
    const result = await call()
    if (isLast) this.#die()
    if (!this.#isDead) return result
    if (kind === 'open') unfinished.push(result as SpoolWriter)
    return never()
  }

  #die(): void {
    this.#isDead = true
    this.dead.resolve()
  }
}

const kindOf = ({ payloadType }: Envelope) => /v1\.([a-z-]+)\+json/.exec(payloadType)![1]

/** Another process over the venue's store: its own rounds in memory, its own log. */
async function start(death?: Death) {
  const life = new Life(death)
  venue.openRounds = new OpenRounds()
  const { store, spool, openings, artifacts, holders }: Parts = venue.parts
  const named =
    (...methods: string[]) =>
    (method: string) =>
      methods.includes(method) ? method : undefined
  const parts: Parts = {
    ...venue.parts,
    store: life.through(store, (method, args) => {
      if (method === 'setRoundPhase') return `becomes ${args[1]}`
      return named('addRound', 'addContribution', 'setAbandonment', 'publishRound', 'abandonUnsealedRounds')(method)
    }),
    log: life.through(await openTransparencyLog(store, logSigner), (method, args) =>
      method === 'append' ? `logs ${kindOf((args[0] as Envelope[])[0])}` : named('publishCosigned')(method),
    ),
    spool: life.through(spool, named('discard')),
    openings: life.through(openings, named('open')),
    artifacts: life.through(artifacts, named('put')),
    holders: life.through(holders, () => undefined),
  }
  const faults: unknown[] = []
  const coordinator = new Coordinator(parts, { onJobState: () => {}, onFault: (_, error) => faults.push(error) })
  const stopped = coordinator.run()
  const stop = async () => {
    coordinator.stop()
    await stopped
  }
  return { life, coordinator, faults, stop }
}

/** Share sums that members have given, by plan and member: what a coordinator could open. */
const answers = new Map<Digest, Set<string>>()
beforeAll(() => {
  for (const { keys } of venue.parties) {
    venue.interferences.set(keys.holder, async (request, answer) => {
      const reply = await answer()
      if (reply.ok && reply.value.kind === 'share-sum' && request.kind === 'answer') {
        const members = answers.get(request.planDigest) ?? new Set()
        answers.set(request.planDigest, members.add(keys.holder))
      }
      return reply
    })
  }
})

/** Watches a job until the step of statistics is published. */
async function awaitStatistics(coordinator: Coordinator, job: Digest): Promise<StoredJobEvent[]> {
  const events: StoredJobEvent[] = []
  for await (const stored of coordinator.watch(job, 0, new AbortController().signal)) {
    events.push(stored)
    if (stored.event.kind === 'round-published') break
    if (stored.event.kind === 'job-state' && stored.event.state === 'failed') break
  }
  return events
}

/** Runs the first step of a job through these deaths, one after the other, and then to its end. */
async function liveThrough(deaths: readonly Death[]) {
  const lives: Life[] = []
  let job: Digest | undefined
  for (const death of deaths) {
    const { life, coordinator } = await start(death)
    job ??= await coordinator.submit(heartJob('logistic', 'ef'.repeat(32), 1), 'ada')
    lives.push(life)
    await life.dead.promise
  }
  const last = await start()
  job ??= await last.coordinator.submit(heartJob('logistic', 'ef'.repeat(32), 1), 'ada')
  const events = await awaitStatistics(last.coordinator, job)
  const steps = [...last.life.steps]
  await last.coordinator.cancel(job)
  await last.stop()
  return { job, events, lives, steps, faults: last.faults }
}

/** One set was opened, exactly, and every other round of the question was given up with a reason. */
async function expectOneExactSum(job: Digest, what: string): Promise<void> {
  const rounds = (await venue.store.listRounds(job)).filter(({ step }) => step === 'statistics')
  const published = rounds.filter(({ phase }) => phase === 'published')
  expect(published, what).toHaveLength(1)
  for (const { phase, reason, planDigest } of rounds) {
    if (phase === 'published') continue
    expect(phase, what).toBe('abandoned')
    expect(reason, what).toMatch(/\w/)
    // Three of four are a quorum: with fewer nobody opens anything.
    expect(answers.get(planDigest)?.size ?? 0, what).toBeLessThan(3)
  }
  const outputs = await venue.store.listJobOutputs(job)
  const { digest } = outputs.find(({ name }) => name === 'statistics')!
  const statistics = JSON.parse(new TextDecoder().decode(await venue.artifacts.get(digest)))
  expect(statistics, what).toMatchObject({ exampleCount: 920, positiveCount: 509 })
}

const spooled = () => readdirSync(join(venue.directory, 'spool'))

/** The durable steps of a round in which nothing goes wrong, in order. */
const STEPS = [
  'addRound',
  'logs round-plan',
  'addContribution',
  'addContribution #4',
  'becomes checking',
  'logs candidates',
  'logs share-check',
  'becomes sealed',
  'logs manifest',
  'becomes certified',
  'becomes opened',
  'put #2',
  'publishRound',
  'discard',
]
/** Those that the round does not wait for. */
const ASIDE = ['publishCosigned', 'logs certificate', 'open']

describe('a coordinator that dies', () => {
  it('would have taken these steps', async () => {
    const { job, steps } = await liveThrough([])
    const ours = steps.slice(0, steps.indexOf('discard') + 1)
    expect(ours.filter((step) => STEPS.includes(step))).toEqual(STEPS)
    expect(ours).toEqual(expect.arrayContaining(ASIDE))
    await expectOneExactSum(job, 'without a death')
  })

  it.each(
    [...STEPS, ...ASIDE].flatMap((step): Death[] => [
      { step, when: 'before' },
      { step, when: 'after' },
    ]),
  )('$when the step $step is followed by one that comes to the exact sum, of one set', async (death) => {
    const { job, faults } = await liveThrough([death])
    await expectOneExactSum(job, `${death.when} ${death.step}`)
    expect(faults).toEqual([])
    expect(spooled()).toEqual([])
  })

  it('again and again on its way through a sealed round publishes that round', async () => {
    const { job } = await liveThrough([
      { step: 'becomes sealed', when: 'after' },
      { step: 'logs round-plan', when: 'before' },
      { step: 'logs round-plan', when: 'after' },
      { step: 'publishCosigned', when: 'after' },
      { step: 'becomes certified', when: 'after' },
      { step: 'open', when: 'after' },
      { step: 'becomes opened', when: 'after' },
      { step: 'becomes opened', when: 'after' },
      { step: 'publishRound', when: 'before' },
    ])
    await expectOneExactSum(job, 'nine deaths')
    const [round] = await venue.store.listRounds(job)
    expect(round).toMatchObject({ round: 1, phase: 'published' })
  })

  it('while it gives up the round of a dead one leaves the proof as far as it came', async () => {
    const { job } = await liveThrough([
      { step: 'addContribution #4', when: 'after' },
      { step: 'abandonUnsealedRounds', when: 'after' },
      { step: 'setAbandonment', when: 'before' },
      { step: 'setAbandonment', when: 'after' },
      { step: 'logs abandonment', when: 'before' },
      { step: 'logs abandonment', when: 'after' },
      { step: 'setAbandonment', when: 'after' },
      { step: 'setAbandonment #2', when: 'before' },
      { step: 'setAbandonment #2', when: 'after' },
    ])
    await expectOneExactSum(job, 'nine deaths')
    const [first, second] = await venue.store.listRounds(job)
    expect([first.phase, second.phase]).toEqual(['abandoned', 'published'])
    // The coordinator, and a quorum of the committee.
    expect(first.abandonment!.signatures.length).toBeGreaterThanOrEqual(4)
  })

  it('is followed by one that needs nothing of a holder’s memory: all of them have restarted, too', async () => {
    const { life, coordinator } = await start({ step: 'becomes certified', when: 'after' })
    const job = await coordinator.submit(heartJob('logistic', digestOf(Buffer.from('restart')), 1), 'ada')
    await life.dead.promise
    for (const { keys } of venue.parties) venue.restartHolder(keys.holder)
    const next = await start()
    const events = await awaitStatistics(next.coordinator, job)
    await next.coordinator.cancel(job)
    await next.stop()
    await expectOneExactSum(job, 'all restarted')
    // Each hashes its ciphertext, and verifies the sum, from its outbox.
    const refusals = events.flatMap(({ event }) => (event.kind === 'holder-refused' ? [event.code] : []))
    expect(refusals).toEqual([])
  })
})
