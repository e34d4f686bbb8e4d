/** When a round stops waiting: for those who are slow, for those who vanish, and for those who come back. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import type { JobEvent } from '../../src/coordinator/ports.ts'
import { type CollectionRule, parseJobSpecification } from '../../src/learning/job-specification.ts'
import type { HolderRequest } from '../../src/protocol/holder-messages.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'

let venue: InProcessVenue
let coordinator: ReturnType<InProcessVenue['startCoordinator']>
beforeAll(async () => {
  venue = await InProcessVenue.open()
  coordinator = venue.startCoordinator()
})
afterEach(() => venue.interferences.clear())
afterAll(async () => {
  coordinator.coordinator.stop()
  await coordinator.stopped
  await venue.close()
})

const NAMES = ['cleveland', 'hungary', 'long-beach', 'switzerland']
const without = (name: string) => NAMES.filter((each) => each !== name)

/** Runs a job of three rounds. @param onEvent sees each event as it comes */
async function run(collection: CollectionRule | undefined, onEvent: (event: JobEvent) => void = () => {}) {
  const specification = { ...heartJob('logistic', 'ef'.repeat(32), 1), roundTimeoutMs: 60_000 }
  const job = await coordinator.coordinator.submit({ ...specification, ...(collection ? { collection } : {}) }, 'ada')
  const events: JobEvent[] = []
  for await (const { event } of coordinator.coordinator.watch(job, 0, new AbortController().signal)) {
    events.push(event)
    onEvent(event)
  }
  const contributors = events.flatMap((event) => (event.kind === 'round-published' ? [event.contributors] : []))
  const named = events.flatMap((event) => (event.kind === 'holder-refused' ? [`${event.holder} ${event.code}`] : []))
  return { job, contributors, named, end: events.at(-1), rounds: await venue.store.listRounds(job) }
}

const completed = { kind: 'job-state', state: 'completed' }

/** Has a holder keep its contributions to the first round back until `until`. */
function holdBack(holder: string, until: Promise<unknown>): { readonly answers: Promise<unknown>[] } {
  const answers: Promise<unknown>[] = []
  let first: string | undefined
  venue.interferences.set(holder, async (request, answer) => {
    if (request.kind !== 'contribute') return answer()
    first ??= JSON.stringify(request.plan)
    if (JSON.stringify(request.plan) !== first) return answer()
    await until
    const late = answer()
    answers.push(late)
    return late
  })
  return { answers }
}

describe('a round whose job has a quorum', () => {
  it('closes after the grace without those who are late; what they send then is refused before a byte of it is taken', async () => {
    const published = Promise.withResolvers<void>()
    const { answers } = holdBack('hungary', published.promise)
    const before = venue.uploadedChunks
    let afterFirst = 0
    const { contributors, named, end } = await run({ quorum: 3, graceMs: 100 }, (event) => {
      if (event.kind !== 'round-published' || event.step !== 'statistics') return
      afterFirst = venue.uploadedChunks - before
      published.resolve()
    })
    expect(end).toEqual(completed)
    expect(contributors[0]).toEqual(without('hungary'))
    expect(named).toContain('hungary collection-closed')
    // It was asked again, and came in time.
    expect(contributors.at(-1)).toEqual(NAMES)
    // Refused by the server, which had taken in three ciphertexts of one chunk.
    expect(await answers[0]).toMatchObject({ ok: false, code: 'upload-refused' })
    expect(afterFirst).toBe(3)
  })

  it('has those who come within the grace', async () => {
    const soon = new Promise((resolve) => setTimeout(resolve, 300))
    holdBack('hungary', soon)
    const { contributors, named, end } = await run({ quorum: 3, graceMs: 30_000 })
    expect(end).toEqual(completed)
    expect(contributors).toEqual([NAMES, NAMES, NAMES])
    expect(named).toEqual([])
  })

  it('waits for everybody when there is no rule', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    holdBack('hungary', promise)
    setTimeout(resolve, 1500)
    const { contributors, named } = await run(undefined)
    expect(contributors).toEqual([NAMES, NAMES, NAMES])
    expect(named).toEqual([])
  })

  it('is refused with a quorum that cannot be opened, or cannot come', () => {
    const job = heartJob('logistic', 'ef'.repeat(32), 1)
    const withQuorum = (quorum: number) => () => parseJobSpecification({ ...job, collection: { quorum, graceMs: 0 } })
    expect(withQuorum(2)).toThrow(/minContributors, 3: raise it/)
    expect(withQuorum(5)).toThrow(/has 4 holders: lower it/)
    expect(withQuorum(3)().collection).toEqual({ quorum: 3, graceMs: 0 })
    // A job without the rule is the statement that it was before there were rules.
    expect(parseJobSpecification(job)).not.toHaveProperty('collection')
  })
})

describe('a member that vanishes', () => {
  it.each(['endorse', 'answer', 'hash-payload'] as const)(
    'when it is asked to %s costs nobody the round, and is in the next one when it is back',
    async (duty) => {
      let isAway = false
      venue.interferences.set('hungary', async (request: HolderRequest, answer) => {
        if (request.kind !== duty || isAway) return answer()
        isAway = true
        venue.connected.delete('hungary')
        // Until the coordinator gives it up.
        return new Promise(() => {})
      })
      const { contributors, end } = await run(undefined, (event) => {
        if (event.kind === 'round-published') venue.connected.add('hungary')
      })
      expect(end).toEqual(completed)
      expect(contributors[0]).toEqual(NAMES)
      expect(contributors.at(-1)).toEqual(NAMES)
    },
  )
})
