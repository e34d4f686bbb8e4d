/** A holder whose disk is put back to an earlier state, or copied: it notices by its own word, and takes no part any more. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { LogFollower } from '../../nodes/holder/log-follower.ts'
import type { Coordinator } from '../../src/coordinator/coordinator.ts'
import type { JobEvent } from '../../src/coordinator/ports.ts'
import { addCosignatures } from '../../src/log/cosignature.ts'
import { witnessKey } from '../../src/protocol/round-log.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'
import { acceptedOf, makePlan } from '../support/round-fixtures.ts'
import { logKey, TestLog } from '../support/test-log.ts'

const VICTIM = 'hungary'
let venue: InProcessVenue
let backups: string
beforeAll(async () => {
  venue = await InProcessVenue.open()
  backups = mkdtempSync(join(tmpdir(), 'sluice-backups-'))
})
afterAll(async () => {
  await venue.close()
  rmSync(backups, { recursive: true })
})

const state = () => join(venue.directory, VICTIM)

/** Copies the node's directory while it is down. */
function backUp(name: string): void {
  venue.restartHolder(VICTIM, () => cpSync(state(), join(backups, name), { recursive: true }))
}

function restore(name: string): void {
  venue.restartHolder(VICTIM, () => {
    rmSync(state(), { recursive: true })
    cpSync(join(backups, name), state(), { recursive: true })
  })
}

const submit = (coordinator: Coordinator) => coordinator.submit(heartJob('logistic', 'ef'.repeat(32), 1), 'ada')

async function watch(coordinator: Coordinator, job: string, until: JobEvent['kind'] | 'end' = 'end') {
  const events: JobEvent[] = []
  for await (const { event } of coordinator.watch(job, 0, new AbortController().signal)) {
    events.push(event)
    if (event.kind === until) break
  }
  return events
}

/** The rounds of a job that had the holder in their sum, and the codes by which it was named. */
function partOf(events: readonly JobEvent[]) {
  return {
    rounds: events.filter((event) => event.kind === 'round-published' && event.contributors.includes(VICTIM)).length,
    codes: new Set(
      events.flatMap((event) => (event.kind === 'holder-refused' && event.holder === VICTIM ? [event.code] : [])),
    ),
  }
}

describe('a disk that is put back to an earlier state', () => {
  it('is noticed by a coordinator that has its later word, and by the holder that is shown it; for good', async () => {
    const first = venue.startCoordinator()
    backUp('before')
    expect(partOf(await watch(first.coordinator, await submit(first.coordinator)))).toEqual({
      rounds: 3,
      codes: new Set(),
    })
    restore('before')
    const after = partOf(await watch(first.coordinator, await submit(first.coordinator)))
    expect(after).toEqual({ rounds: 0, codes: new Set(['memory-lost']) })
    first.coordinator.stop()
    await first.stopped
    // It remembers, and another coordinator process has only its word for it.
    venue.restartHolder(VICTIM)
    const next = venue.startCoordinator()
    const later = partOf(await watch(next.coordinator, await submit(next.coordinator)))
    expect(later).toEqual({ rounds: 0, codes: new Set(['memory-lost']) })
    next.coordinator.stop()
    await next.stopped
    restore('before')
  })

  it('is noticed by the holder alone, by the hash that it signed in a round which it does not know', async () => {
    const first = venue.startCoordinator()
    const job = await submit(first.coordinator)
    backUp('in between')
    await watch(first.coordinator, job, 'round-published')
    first.coordinator.stop()
    await first.stopped
    venue.replaceCoordinator()
    restore('before')
    // What this process knows of holders is what they say.
    const next = venue.startCoordinator()
    const { codes } = partOf((await watch(next.coordinator, job)).slice(1))
    expect(codes).toContain('memory-lost')
    next.coordinator.stop()
    await next.stopped
  })
})

describe('a coordinator whose database is put back to an earlier state', () => {
  it('is not taken for the holder’s own loss: it knows more of the log than it is shown, and sees the fork that comes of it', async () => {
    const party = venue.parties.find(({ keys }) => keys.holder === VICTIM)!
    const journal = new HolderJournal(join(backups, 'witness'))
    const follower = new LogFollower(logKey, party.member, party.keys.statementKey, journal)
    const plan = makePlan(venue.parties)
    const entry = (text: string) => [new TextEncoder().encode(text)]
    const log = await TestLog.create()
    await log.appendBytes(entry('before the backup'))
    acceptedOf(follower.follow(await log.checkpoint([], plan), new Date()))
    const restored = await log.fork()
    await log.appendBytes(entry('lost with the database'))
    acceptedOf(follower.follow(await log.checkpoint([], plan, 1), new Date()))
    // With its own cosignature, too, of what it cosigned then.
    const older = await restored.checkpoint([party], plan)
    expect(acceptedOf(follower.follow(older, new Date()))).toEqual({ kind: 'known-size', size: 2 })
    await restored.appendBytes(entry('instead'))
    expect(follower.follow(await restored.checkpoint([], plan, 2), new Date())).toMatchObject({ code: 'log-forked' })
    expect(journal.readLostMemory()).toBeUndefined()
    journal.close()
  })
})

describe('a copy of a disk that is in use', () => {
  it('is noticed by the first cosignature that the other one gave', async () => {
    const { member, keys } = venue.parties.find(({ keys }) => keys.holder === VICTIM)!
    const open = (name: string) => {
      const journal = new HolderJournal(join(backups, name))
      return { journal, follower: new LogFollower(logKey, member, keys.statementKey, journal) }
    }
    const [one, other] = [open('one'), open('other')]
    const { note } = venue.log.checkpoint
    const request = { note, oldSize: 0, proof: [] }
    const followed = acceptedOf(one.follower.follow(request, new Date()))
    if (followed.kind !== 'followed') throw new Error('expected a cosignature')
    const shown = { ...request, note: addCosignatures(note, followed.cosignature, [witnessKey(logKey.name, member)]) }
    // The one that gave it knows it.
    expect(one.follower.follow({ ...shown, oldSize: followed.checkpoint.size }, new Date()).ok).toBe(true)
    expect(one.journal.readLostMemory()).toBeUndefined()
    expect(other.follower.follow(shown, new Date())).toMatchObject({ ok: false, code: 'memory-lost' })
    other.journal.close()
    expect(open('other').journal.readLostMemory()).toContain('cosigned')
    one.journal.close()
  })
})
