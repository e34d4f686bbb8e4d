/**
 * A holder that dies at each of its durable writes, and the node that follows it over the same directory. Which writes there are is
 * found out by a job that nothing disturbs: of the journal every method that is not named as a read, of the outbox likewise.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { afterAll, describe, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import type { HolderParts } from '../../nodes/holder/holder-agent.ts'
import type { HolderJournal } from '../../nodes/holder/journal.ts'
import { Outbox } from '../../nodes/holder/outbox.ts'
import { OutgoingPayload } from '../../nodes/holder/outgoing-payload.ts'
import type { JobEvent } from '../../src/coordinator/ports.ts'
import { WatchedVenue } from '../support/watched-venue.ts'

/** The node that dies. It has a seat on every committee of this venue, and contributes to every round. */
const VICTIM = 'hungary'

/** `lost`: nothing was written; `kept`: it was written; the process dies. `denied`: it was written, is reported as failed, and the process lives. */
type Fate = 'lost' | 'kept' | 'denied'
const FATES: readonly Fate[] = ['lost', 'kept', 'denied']
interface Death {
  readonly write: string
  readonly fate: Fate
}

const never = () => new Promise<never>(() => {})

/** The life of one node's process. */
class NodeLife {
  readonly writes: string[] = []
  readonly dead = Promise.withResolvers<'dead'>()
  readonly #death: Death | undefined
  #isDead = false

  constructor(death?: Death) {
    this.#death = death
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** What is to be done about a write. Whoever is dead does nothing any more. */
  meet(kind: string): Fate | 'works' {
    if (this.#isDead) return 'lost'
    const count = this.writes.filter((write) => write.replace(/ #\d+$/, '') === kind).length
    const write = count === 0 ? kind : `${kind} #${count + 1}`
    this.writes.push(write)
    return write === this.#death?.write ? this.#death.fate : 'works'
  }

  die(): void {
    this.#isDead = true
    this.dead.resolve('dead')
  }
}

let life = new NodeLife()

const JOURNAL_READS: readonly string[] = [
  'close',
  'countContributions',
  'countUnverified',
  'database',
  'directory',
  'find',
  'findVerified',
  'hasWrongSum',
  'livePlansOf',
  'readLostMemory',
  'readWitnessState',
]

/** The journal as a process uses it: what is synchronous ends it by an error, whose way out nobody sees. */
function journalOf(own: NodeLife, journal: HolderJournal): HolderJournal {
  return new Proxy(journal, {
    get: (target, property) => {
      const member = Reflect.get(target, property, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        if (own.isDead && property !== 'close') throw new Error('This process is dead.')
        if (JOURNAL_READS.includes(String(property))) return Reflect.apply(member, target, args)
        const fate = own.meet(`journal.${String(property)}`)
        const result = fate === 'lost' ? undefined : Reflect.apply(member, target, args)
        if (fate === 'works') return result
        if (fate !== 'denied') own.die()
        throw new Error('The write was reported as failed.')
      }
    },
  })
}

/** Whose doing a call is: everything that a node does, it does for a request. */
const doing = new AsyncLocalStorage<NodeLife>()

/** Has every method of a class of the outbox that is not named as a read meet its fate, in the node that dies. */
function interceptWrites(prototype: object, name: string, reads: readonly string[]): void {
  for (const method of Object.getOwnPropertyNames(prototype)) {
    const { value } = Object.getOwnPropertyDescriptor(prototype, method)!
    if (typeof value !== 'function' || reads.includes(method)) continue
    const intercepted = async function (this: object, ...args: unknown[]) {
      const own = doing.getStore()
      if (!own) return value.apply(this, args)
      if (own.isDead) return never()
      const fate = own.meet(`${name}.${method}`)
      const result = fate === 'lost' ? undefined : await value.apply(this, args)
      if (fate === 'works') return own.isDead ? never() : result
      if (fate === 'denied') throw new Error('The write was reported as failed.')
      own.die()
      return never()
    }
    Object.defineProperty(prototype, method, { value: intercepted, configurable: true, writable: true })
  }
}
// What cannot be removed is no fault: `forget` never rejects.
interceptWrites(Outbox.prototype, 'outbox', ['constructor', 'find', 'forget', 'hold'])
const PAYLOAD_READS = ['constructor', 'chunksFrom', 'digestOfFirst', 'isSound', 'readChunk', 'whole']
interceptWrites(OutgoingPayload.prototype, 'payload', PAYLOAD_READS)

/** What a node runs on: the one that dies with a life of its own. */
function dyingParts({ member, journal, coordinator }: HolderParts): Partial<HolderParts> {
  if (member.holder !== VICTIM) return {}
  const own = life
  const upload: typeof coordinator.upload = async (...args) => {
    const payload = own.isDead ? await never() : await coordinator.upload(...args)
    return own.isDead ? never() : payload
  }
  return { journal: journalOf(own, journal), coordinator: { ...coordinator, upload } }
}

const watched = await WatchedVenue.open(dyingParts)
const { venue } = watched
const { coordinator, stopped } = venue.startCoordinator()
afterAll(async () => {
  coordinator.stop()
  await stopped
  await venue.close()
})

/** Another process over the directory of the node. */
function restart(death?: Death): NodeLife {
  life = new NodeLife(death)
  venue.restartHolder(VICTIM)
  return life
}

// A node that has died is followed by one that dials in its place and is asked again.
watched.watch(VICTIM, async (request, answer) => {
  const own = life
  const reply = await Promise.race([doing.run(own, answer), own.dead.promise])
  if (reply !== 'dead') return reply
  if (life === own) restart()
  return doing.run(life, () => venue.agents.get(VICTIM)!.handle(request))
})

/** Runs a job of three rounds, in which the node dies once. @returns the life that it began with, and the job's end */
async function runJob(death?: Death) {
  const first = restart(death)
  const job = await coordinator.submit(heartJob('logistic', 'ef'.repeat(32), 1), 'ada')
  const events: JobEvent[] = []
  for await (const { event } of coordinator.watch(job, 0, new AbortController().signal)) events.push(event)
  return { job, events, writes: first.writes }
}

/** Of each kind the first, in the whole matrix (`npm run test:crash`) the first two; of the witness then the five of the first round. */
function chosen(write: string): boolean {
  const count = Number(/ #(\d+)$/.exec(write)?.[1] ?? 1)
  if (process.env.SLUICE_CRASH_MATRIX !== 'whole') return count === 1
  return count <= (write.startsWith('journal.writeWitnessState') ? 5 : 2)
}

const WRITES = (await runJob()).writes.filter(chosen)

describe('a holder', () => {
  it('writes what its duties rest on', () => {
    const kinds = [...new Set(WRITES.map((write) => write.replace(/ #\d+$/, '')))].sort()
    expect(kinds).toEqual([
      'journal.accept',
      'journal.claimCandidates',
      'journal.claimContribution',
      'journal.claimManifest',
      'journal.noteVerified',
      'journal.writeWitnessState',
      'outbox.begin',
      'outbox.keep',
      'payload.fill',
    ])
  })

  it.each(WRITES.flatMap((write) => FATES.map((fate): Death => ({ write, fate }))))(
    'whose write $write is $fate is followed by one that neither contributes twice nor answers otherwise',
    async (death) => {
      const what = `${death.write} ${death.fate}`
      const { job, events, writes } = await runJob(death)
      expect(writes, what).toContain(death.write)
      expect(await watched.expectWellEnded(job, what)).toBe(true)
      expect(events.at(-1), what).toEqual({ kind: 'job-state', state: 'completed' })
      // It meets no word of its own that it does not have on its disk.
      expect(venue.journalOf(VICTIM).readLostMemory(), what).toBeUndefined()
      const others = venue.parties.map(({ keys }) => keys.holder).filter((holder) => holder !== VICTIM)
      for (const event of events) {
        if (event.kind !== 'round-published') continue
        expect(
          event.contributors.filter((holder) => holder !== VICTIM),
          what,
        ).toEqual(others)
      }
    },
  )
})
