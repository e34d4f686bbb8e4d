/**
 * A coordinator that dies at each of its durable writes, and the one that follows it over the same store. Which writes there are is
 * found out by a round that nothing disturbs: one that is added to the code is in the matrix. Of each kind of write (method, and
 * statement, phase or event) the first has each fate here; with SLUICE_CRASH_MATRIX=whole every one has (`npm run test:crash`).
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { Coordinator } from '../../src/coordinator/coordinator.ts'
import { SCHEDULING_DEFAULTS } from '../../src/coordinator/job-scheduler.ts'
import type { JobEvent } from '../../src/coordinator/ports.ts'
import { openTransparencyLog } from '../../src/coordinator/transparency-log.ts'
import type { Digest } from '../../src/crypto/digest.ts'
import type { Envelope } from '../../src/crypto/envelope.ts'
import { refused } from '../../src/sluice-error.ts'
import { CrashingLife, type Death, FATES } from '../support/crashing-life.ts'
import type { InProcessVenue } from '../support/in-process-venue.ts'
import { logSigner } from '../support/test-log.ts'
import { WatchedVenue } from '../support/watched-venue.ts'

const watched = await WatchedVenue.open()
const { venue } = watched
const { spool } = venue
afterAll(() => venue.close())

type Parts = InProcessVenue['parts']

/** What a claim that was reported as failed costs. */
const LEASE_MS = 3000

const kindOf = ({ payloadType }: Envelope) => /v1\.([a-z-]+)\+json/.exec(payloadType)![1]

/** What a write of the store is of. */
function subjectOf(method: string, args: readonly unknown[]): string {
  if (method === 'setRoundPhase') return ` ${args[1]}`
  if (method === 'setJobState') return ` ${args[1]}`
  if (method === 'appendJobEvent') return ` ${(args[2] as JobEvent).kind}`
  if (method === 'appendStatements') return ` ${kindOf((args[0] as Envelope[])[0])}`
  return ''
}

/** Another process over the venue's store: its own rounds in memory, its own log, its own ports. */
async function start(life = new CrashingLife()) {
  venue.replaceCoordinator(life.through('spool', spool, ['plans', 'read', 'stat']))
  const { store, openings, artifacts, holders }: Parts = venue.parts
  const log = life.through('log', store.log, ['readCommit', 'readCheckpoint', 'readTile', 'findPositions'])
  const storeReads: (keyof typeof store)[] = [
    'findJob',
    'findPayload',
    'findProposedStatement',
    'findRegistryRequest',
    'findStatement',
    'listJobEvents',
    'listJobOutputs',
    'listJobs',
    'listPendingRequests',
    'listRegistryStatements',
    'listRounds',
    'listStatements',
    'listUnfinishedJobs',
    'loadRound',
    'listFoldParts',
    'onFoldChange',
    'onJobChange',
    'readQueue',
    'readSealedSet',
  ]
  const ownStore = life.through('store', { ...store, log }, storeReads, subjectOf)
  const parts: Parts = {
    ...venue.parts,
    store: ownStore,
    log: await openTransparencyLog(ownStore, logSigner),
    openings: life.through('openings', openings, ['plans', 'read', 'readKeySum', 'stat']),
    artifacts: life.through('artifacts', artifacts, ['get', 'read']),
    scheduling: { ...SCHEDULING_DEFAULTS, leaseMs: LEASE_MS, retryFirstMs: 100 },
    holders: life.through('holders', holders, ['ask', 'connected']),
  }
  const faults: unknown[] = []
  const coordinator = new Coordinator(parts, { onJobState: () => {}, onFault: (_, error) => faults.push(error) })
  const stopped = coordinator.run()
  // A fault of the queue ends the process.
  const ended = stopped.then(
    () => undefined,
    () => undefined,
  )
  const stop = async () => {
    coordinator.stop()
    if (!life.isDead) await ended
  }
  return { coordinator, faults, stop, writes: life.writes, ended }
}

const submit = (coordinator: Coordinator) => coordinator.submit(heartJob('logistic', 'ef'.repeat(32), 1), 'ada')

/** Watches a job until the step of statistics is published, or the job has ended. */
async function awaitStatistics(coordinator: Coordinator, job: Digest): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const { event } of coordinator.watch(job, 0, new AbortController().signal)) {
    events.push(event)
    if (event.kind === 'round-published') break
    if (event.kind === 'job-state' && event.state === 'failed') break
  }
  return events
}

async function ended(coordinator: Coordinator, job: Digest): Promise<void> {
  for await (const _ of coordinator.watch(job, 0, new AbortController().signal));
}

/** Cancels a job, and waits for its end: one that another life had is ended when it is taken up. */
async function end(coordinator: Coordinator, job: Digest): Promise<void> {
  await coordinator.cancel(job)
  await ended(coordinator, job)
}

/** Lives until its death, or as far as it comes with a fault. @returns the job, if it was submitted */
async function live(death: Death, known: Digest | undefined): Promise<Digest | undefined> {
  const life = new CrashingLife(death)
  let job = known
  const work = async () => {
    const { coordinator, stop, ended: fault } = await start(life)
    const watch = async () => {
      job ??= await submit(coordinator)
      await awaitStatistics(coordinator, job)
      // What the round does not wait for comes after it, or not at all: a lease of a short job is not renewed.
      if (death.fate === 'lost' || death.fate === 'kept') await Promise.race([life.dead, ended(coordinator, job)])
    }
    await Promise.race([watch(), fault]).finally(stop)
  }
  // A fault that reaches so far ends the process.
  await Promise.race([work().catch(() => undefined), life.dead])
  for (const writer of life.writers) await writer.close()
  return job
}

/** Runs the first step of a job through these deaths, one after the other, and then to its end. */
async function liveThrough(deaths: readonly Death[]) {
  let job: Digest | undefined
  for (const death of deaths) job = await live(death, job)
  const last = await start()
  job ??= await submit(last.coordinator)
  const events = await awaitStatistics(last.coordinator, job)
  const writes = [...last.writes]
  // Also those whose submitter was not told that they are stored.
  for (const unfinished of await venue.store.listUnfinishedJobs()) await end(last.coordinator, unfinished.job)
  await last.stop()
  return { job, events, writes, faults: last.faults }
}

const spooled = () => readdirSync(join(venue.directory, 'spool'))

/** Until the ciphertexts of the first round are forgotten. */
async function undisturbedWrites(): Promise<string[]> {
  const { job, writes } = await liveThrough([])
  await watched.expectWellEnded(job, 'undisturbed')
  return writes.slice(0, writes.indexOf('spool.discard') + 1)
}

const WRITES = await undisturbedWrites()
const isFirstOfItsKind = (write: string) => !/ #\d+$/.test(write)
const DYING_AT = process.env.SLUICE_CRASH_MATRIX === 'whole' ? WRITES : WRITES.filter(isFirstOfItsKind)

/** What a round is made of; each is among the writes of the matrix. */
const ESSENTIAL = [
  'store.addJob',
  'store.addRound',
  'store.appendStatements round-plan',
  'spool.open',
  'spool.open writer.append',
  'spool.open writer.commit',
  'store.addContribution',
  'store.addContribution #4',
  'store.setRoundPhase checking',
  'store.appendStatements candidates',
  'store.appendStatements share-check',
  'store.setRoundPhase sealed',
  'store.appendStatements manifest',
  'store.setRoundPhase certified',
  'store.setRoundPhase opened',
  'openings.putKeySum',
  'store.publishRound',
  'spool.discard',
]

describe('a coordinator', () => {
  it('writes what a round is made of, in this order, and publishes its log', () => {
    expect(WRITES.filter((write) => ESSENTIAL.includes(write))).toEqual(ESSENTIAL)
    for (const write of ['log.compareAndSwap', 'log.writeCommitted', 'log.publish', 'artifacts.put', 'openings.open']) {
      expect(WRITES).toContain(write)
    }
  })

  it.each(DYING_AT.flatMap((write) => FATES.map((fate): Death => ({ write, fate }))))(
    'whose write $write is $fate is followed by one that ends every round, of one set',
    async (death) => {
      const what = `${death.write} ${death.fate}`
      const { job, faults } = await liveThrough([death])
      const isPublished = await watched.expectWellEnded(job, what)
      // Only a process that lives on with a fault has somebody to give the job up.
      if (death.fate === 'lost' || death.fate === 'kept') expect(isPublished, what).toBe(true)
      else if (!isPublished) expect((await venue.store.findJob(job))?.reason, what).toMatch(/\w/)
      expect(faults, what).toEqual([])
      // What the job's last round is still being sent when it ends is forgotten a little later.
      await expect.poll(spooled, { timeout: 10_000, message: what }).toEqual([])
    },
  )
})

describe('a round left by coordinators that die', () => {
  const at = (write: string, fate: Death['fate']): Death => ({ write, fate })

  it('again and again is one round all the way, to which everybody contributes once', async () => {
    const { job } = await liveThrough([
      at('store.addRound', 'kept'),
      at('store.appendStatements round-plan', 'lost'),
      at('store.addContribution #2', 'kept'),
      at('store.addContribution #2', 'lost'),
      at('store.setRoundPhase checking', 'lost'),
      at('store.setRoundPhase checking', 'kept'),
      at('store.appendStatements candidates', 'lost'),
      at('store.appendStatements share-check', 'kept'),
      at('store.setRoundPhase sealed', 'lost'),
      at('store.setRoundPhase sealed', 'kept'),
      at('store.setRoundPhase certified', 'lost'),
      at('store.setRoundPhase certified', 'kept'),
      at('openings.open', 'kept'),
      at('store.setRoundPhase opened', 'kept'),
      at('store.publishRound', 'lost'),
    ])
    expect(await watched.expectWellEnded(job, 'fifteen deaths')).toBe(true)
    const rounds = await venue.store.listRounds(job)
    expect(rounds[0]).toMatchObject({ round: 1, phase: 'published', step: 'statistics' })
    const [published] = (await venue.store.listJobEvents(job, 0, 100)).filter(
      ({ event }) => event.kind === 'round-published',
    )
    expect(published.event).toMatchObject({ contributors: venue.parties.map(({ keys }) => keys.holder) })
  })

  it('leaves the proof that it is dead as far as it came', async () => {
    let first: Digest | undefined
    for (const { keys } of venue.parties) {
      watched.watch(keys.holder, async (request, answer) => {
        if (request.kind !== 'check-shares') return answer()
        first ??= request.planDigest
        return request.planDigest === first ? refused('holder-failed', 'Not this one.') : answer()
      })
    }
    const { job } = await liveThrough([
      at('store.setRoundPhase abandoned', 'lost'),
      at('store.setRoundPhase abandoned', 'kept'),
      at('store.setAbandonment', 'lost'),
      at('store.setAbandonment', 'kept'),
      at('store.appendStatements abandonment', 'lost'),
      at('store.appendStatements abandonment', 'kept'),
      at('store.setAbandonment', 'kept'),
      at('store.setAbandonment #2', 'lost'),
      at('store.setAbandonment #2', 'kept'),
    ])
    for (const { keys } of venue.parties) watched.watch(keys.holder)
    expect(await watched.expectWellEnded(job, 'nine deaths')).toBe(true)
    const [abandoned, published] = await venue.store.listRounds(job)
    expect([abandoned.phase, published.phase]).toEqual(['abandoned', 'published'])
    // The coordinator, and a quorum of the committee.
    expect(abandoned.abandonment!.signatures.length).toBeGreaterThanOrEqual(4)
  })

  it('needs no holder to remember: all of them have restarted, too', async () => {
    const job = (await live(at('store.setRoundPhase certified', 'kept'), undefined))!
    for (const { keys } of venue.parties) venue.restartHolder(keys.holder)
    const next = await start()
    const events = await awaitStatistics(next.coordinator, job)
    await end(next.coordinator, job)
    await next.stop()
    expect(await watched.expectWellEnded(job, 'all restarted')).toBe(true)
    // Their outboxes have what they sent: every one of them hashes it.
    expect(events.filter(({ kind }) => kind === 'holder-refused')).toEqual([])
  })
})
