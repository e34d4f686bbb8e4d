/** When a round stops waiting: for those who are slow, for those who vanish, and for those who come back. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import type { JobEvent } from '../../src/coordinator/ports.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { type CollectionRule, parseJobSpecification } from '../../src/learning/job-specification.ts'
import type { HolderReply, HolderRequest } from '../../src/protocol/holder-messages.ts'
import type { Verdict } from '../../src/sluice-error.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'

let venue: InProcessVenue
/** Per holder: what it waits for before the first byte of its ciphertext leaves. */
const beforeUpload = new Map<string, (plan: Digest) => Promise<unknown> | undefined>()
let coordinator: ReturnType<InProcessVenue['startCoordinator']>
beforeAll(async () => {
  venue = await InProcessVenue.open(({ coordinator, member }) => {
    const upload: typeof coordinator.upload = async (plan, source, until) => {
      await beforeUpload.get(member.holder)?.(plan)
      return coordinator.upload(plan, source, until)
    }
    return { coordinator: { ...coordinator, upload } }
  })
  coordinator = venue.startCoordinator()
})
afterEach(() => {
  venue.interferences.clear()
  beforeUpload.clear()
})
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

/** Has a holder keep the ciphertext of the first round that it is asked for back until `until`. @returns what it answers to that plan */
function holdBack(holder: string, until: Promise<unknown>): Promise<Verdict<HolderReply, string>>[] {
  const answers: Promise<Verdict<HolderReply, string>>[] = []
  let first: Digest | undefined
  beforeUpload.set(holder, (plan) => (plan === first ? until : undefined))
  venue.interferences.set(holder, (request, answer) => {
    const reply = answer()
    if (request.kind !== 'contribute') return reply
    first ??= statementDigest(request.plan)
    if (statementDigest(request.plan) === first) answers.push(reply)
    return reply
  })
  return answers
}

describe('a round whose job has a quorum', () => {
  it('closes after the grace without those who are late; what they send then is refused before a byte of it is taken', async () => {
    const published = Promise.withResolvers<void>()
    const answers = holdBack('hungary', published.promise)
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
    expect((await Promise.all(answers)).at(-1)).toMatchObject({ ok: false, code: 'upload-refused' })
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
