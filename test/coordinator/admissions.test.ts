import { describe, expect, it } from 'vitest'
import { AdmissionDesk, type AdmissionParts, type RegistryStore } from '../../src/coordinator/admissions.ts'
import type { HolderDirectory } from '../../src/coordinator/ports.ts'
import { type Envelope, type EnvelopeSignature, signatureOver, statementDigest } from '../../src/crypto/envelope.ts'
import { emptyRegistry, type Registry, registryHead } from '../../src/protocol/registry.ts'
import { applicationStatement, departureStatement } from '../../src/protocol/registry-statements.ts'
import { parseStatement } from '../../src/protocol/statement.ts'
import { accepted, refused, type Verdict } from '../../src/sluice-error.ts'
import { MemoryRegistryStore } from '../support/memory-registry-store.ts'
import { applicationOf, apply, keysOf, statementFor, VENUE } from '../support/registry-fixtures.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  NOW,
  type Party,
} from '../support/round-fixtures.ts'

const parties = await createParties()
const [cleveland, hungary, longBeach, switzerland] = parties
const zurich = await createParty('zurich')

/** A member that keeps to the rules: it approves what it is told to, and signs one statement for a number. */
class Member {
  readonly party: Party
  readonly approves = new Set<string>()
  readonly asked: Envelope[] = []
  readonly #signed = new Map<number, string>()

  constructor(party: Party) {
    this.party = party
  }

  sign(statement: Envelope): Verdict<EnvelopeSignature, string> {
    this.asked.push(statement)
    const { payloadType, payload } = statement
    const subject = requestedHolder(statement)
    if (subject !== undefined && !this.approves.has(subject) && !this.approves.has('all')) {
      return refused('approval-needed', `on ${subject}`)
    }
    if (subject === undefined) {
      const { sequence } = JSON.parse(new TextDecoder().decode(payload))
      const digest = statementDigest(statement)
      if ((this.#signed.get(sequence) ?? digest) !== digest) return refused('registry-out-of-order', 'signed another')
      this.#signed.set(sequence, digest)
    }
    return accepted(signatureOver(payloadType, payload, this.party.keys.statementKey))
  }
}

function requestedHolder(statement: Envelope): string | undefined {
  if (statement.payloadType === departureStatement.payloadType) {
    return acceptedOf(parseStatement(departureStatement, statement)).holder
  }
  if (statement.payloadType !== applicationStatement.payloadType) return undefined
  return acceptedOf(parseStatement(applicationStatement, statement)).member.holder
}

/** One that does not keep what is proposed from number 3 on. */
class ForgetfulStore extends MemoryRegistryStore {
  override async proposeRegistryStatement(sequence: number, request: string, statement: Envelope) {
    return sequence < 3
      ? super.proposeRegistryStatement(sequence, request, statement)
      : { sequence, request, statement }
  }
}

/** A venue of desks over one store and log, and of members that are there or not. */
class Venue {
  readonly members = new Map([...parties, zurich].map((party) => [party.member.holder, new Member(party)]))
  readonly connected = new Set<string>()
  readonly logged: Envelope[] = []
  readonly store: RegistryStore
  readonly unsigned: string[] = []
  readonly refusals: string[] = []
  readonly faults: unknown[] = []
  #again: (() => void)[] = []

  constructor(store: RegistryStore = new MemoryRegistryStore()) {
    this.store = store
  }

  readonly holders: HolderDirectory = {
    connected: () => [...this.connected].sort(),
    ask: async (holder, request) => {
      if (request.kind !== 'admit') throw new Error(`asked for ${request.kind}`)
      const signature = this.members.get(holder)!.sign(request.statement)
      return signature.ok ? accepted({ kind: 'endorsement', signature: signature.value }) : signature
    },
  }

  readonly log: AdmissionParts['log'] = {
    append: async (statements) => {
      for (const statement of statements) {
        const digest = statementDigest(statement)
        if (!this.logged.some((other) => statementDigest(other) === digest)) this.logged.push(statement)
      }
      return undefined as never
    },
  }

  connect(...names: string[]): void {
    for (const name of names) this.connected.add(name)
  }

  open(changes: Partial<AdmissionParts> = {}): Promise<AdmissionDesk> {
    return AdmissionDesk.open({
      venue: VENUE,
      key: coordinatorKey,
      clock: {
        now: () => NOW,
        sleep: (_, signal) =>
          new Promise((resolve, reject) => {
            signal?.addEventListener('abort', reject, { once: true })
            this.#again.push(resolve)
          }),
      },
      store: this.store,
      log: this.log,
      holders: this.holders,
      listener: {
        onEntered: () => {},
        onUnsigned: (member, holder, code) => this.unsigned.push(`${member} on ${holder}: ${code}`),
        onRefused: (_, code) => this.refusals.push(code),
        onFault: (error) => this.faults.push(error),
      },
      askMs: 5000,
      askAgainMs: 1000,
      ...changes,
    })
  }

  /** Lets the time go by until the desk would ask again. */
  passTime(): void {
    for (const resolve of this.#again.splice(0)) resolve()
  }

  /** What everybody reads in the log. */
  get registry(): Registry {
    return this.logged.reduce<Registry>(
      (registry, statement) => acceptedOf(apply(registry, statement)),
      emptyRegistry(VENUE),
    )
  }
}

/** Resolves when the desk's registry has so many statements. */
function reached(desk: AdmissionDesk, sequence: number): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (desk.registry.sequence >= sequence) resolve()
    }
    desk.onChange(check)
    check()
  })
}

/** Until the desk has done what it can do now: nothing here waits for anything but promises. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function admitAll(venue: Venue, desk: AdmissionDesk): Promise<void> {
  for (const [i, party] of parties.entries()) {
    for (const member of venue.members.values()) member.approves.add('all')
    acceptedOf(await desk.apply(applicationOf(party)))
    await reached(desk, i + 1)
    venue.connect(party.member.holder)
  }
  for (const member of venue.members.values()) member.approves.delete('all')
}

describe('the admission desk', () => {
  it('admits the first members as they come, in the log and in the registry', async () => {
    const venue = new Venue()
    const desk = await venue.open()
    await admitAll(venue, desk)
    expect([...desk.registry.members.values()]).toEqual(parties.map(({ member }) => member))
    expect(venue.registry).toEqual(desk.registry)
    expect(desk.current()).toEqual({ members: desk.registry.members, head: registryHead(desk.registry) })
    expect(await desk.statementsAfter(2)).toEqual(venue.logged.slice(2))
    await desk.close()
  })

  it('waits for members that are away or undecided, and asks again when they connect or after a while', async () => {
    const venue = new Venue()
    const desk = await venue.open()
    await admitAll(venue, desk)
    venue.connected.clear()
    venue.connect('cleveland', 'hungary')
    for (const name of ['cleveland', 'hungary', 'long-beach']) venue.members.get(name)!.approves.add('zurich')
    const application = applicationOf(zurich)
    expect(acceptedOf(await desk.apply(application))).toBe('pending')
    await settled()
    expect(desk.registry.sequence).toBe(4)
    expect((await desk.pending()).map(({ request }) => request.signatures.length)).toEqual([3])
    venue.connect('switzerland')
    desk.wake()
    await settled()
    expect(venue.unsigned).toEqual(['switzerland on zurich: approval-needed'])
    venue.members.get('switzerland')!.approves.add('zurich')
    venue.passTime()
    await reached(desk, 5)
    expect(acceptedOf(await desk.apply(application))).toBe('entered')
    expect(await desk.find(statementDigest(application))).toMatchObject({ state: 'entered' })
    // Who had signed was not asked a second time.
    expect(venue.members.get('cleveland')!.asked.filter((each) => requestedHolder(each) === 'zurich')).toHaveLength(1)
    // Nor is anybody sent what the others have signed: it would grow with the venue.
    const sizes = venue.members.get('switzerland')!.asked.map(({ signatures }) => signatures.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2)
    await desk.close()
  })

  it('does not let one that nobody wants hold up another', async () => {
    const venue = new Venue()
    const desk = await venue.open()
    await admitAll(venue, desk)
    const unwanted = await createParty('unwanted')
    await desk.apply(applicationOf(unwanted))
    for (const member of venue.members.values()) member.approves.add('zurich')
    await desk.apply(applicationOf(zurich))
    await reached(desk, 5)
    expect(desk.registry.members.has('zurich')).toBe(true)
    expect((await desk.pending()).map(({ request }) => requestedHolder(request))).toEqual(['unwanted'])
    await desk.close()
  })

  it('puts a member out when the others want it, and not by the operator’s word', async () => {
    const venue = new Venue()
    const desk = await venue.open()
    await admitAll(venue, desk)
    expect(acceptedOf(await desk.revoke('hungary', 'its project has ended'))).toBe('pending')
    expect(acceptedOf(await desk.revoke('hungary', 'its project has ended'))).toBe('pending')
    expect(codeOf(await desk.revoke('nobody', ''))).toBe('not-a-member')
    await settled()
    expect(desk.registry.members.has('hungary')).toBe(true)
    for (const party of [cleveland, longBeach, switzerland]) {
      venue.members.get(party.member.holder)!.approves.add('hungary')
    }
    desk.wake()
    await reached(desk, 5)
    expect(desk.registry.members.has('hungary')).toBe(false)
    expect(venue.registry).toEqual(desk.registry)
    await desk.close()
  })

  it('refuses at once what could never be entered', async () => {
    const venue = new Venue()
    const desk = await venue.open()
    await admitAll(venue, desk)
    const codes = [
      applicationOf(zurich, [], { boxKey: cleveland.member.boxKey }),
      { ...applicationOf(zurich), signatures: [] },
      applicationOf({ ...zurich, member: { ...zurich.member, holder: 'cleveland' } }),
      statementFor(desk.registry, applicationOf(zurich)),
    ].map(async (application) => codeOf(await desk.apply(application)))
    expect(await Promise.all(codes)).toEqual([
      'already-admitted',
      'bad-signature',
      'already-admitted',
      'wrong-statement-type',
    ])
    await desk.apply(applicationOf(zurich))
    const other = await createParty('other')
    const sameName = { ...other, member: { ...other.member, holder: 'zurich' } }
    expect(codeOf(await desk.apply(applicationOf(sameName)))).toBe('already-admitted')
    await desk.close()
  })

  it('keeps only signatures that are the member’s own, and no more of an application than its applicant’s', async () => {
    const venue = new Venue()
    const desk = await venue.open()
    await admitAll(venue, desk)
    for (const member of venue.members.values()) member.approves.add('zurich')
    const honest = venue.holders.ask
    const liar: HolderDirectory['ask'] = async (holder, request, signal) => {
      if (holder !== 'hungary' || request.kind !== 'admit') return honest(holder, request, signal)
      const { payloadType, payload } = request.statement
      const signature = signatureOver(payloadType, payload, zurich.keys.statementKey)
      return accepted({ kind: 'endorsement', signature })
    }
    await desk.close()
    const again = await venue.open({ holders: { ...venue.holders, ask: liar } })
    const stuffed = applicationOf(zurich, keysOf(parties))
    await again.apply({ ...stuffed, signatures: [...stuffed.signatures].reverse() })
    await reached(again, 5)
    expect(venue.unsigned).toContain('hungary on zurich: bad-signature')
    const asked = venue.members.get('cleveland')!.asked.find((each) => requestedHolder(each) === 'zurich')!
    expect(asked.signatures).toHaveLength(1)
    await again.close()
  })

  it('refuses to start on a registry that is none', async () => {
    const venue = new Venue()
    const desk = await venue.open()
    await admitAll(venue, desk)
    await desk.close()
    const store = Object.create(venue.store, {
      listRegistryStatements: { value: async () => venue.logged.slice(1) },
    })
    await expect(venue.open({ store })).rejects.toMatchObject({ code: 'registry-broken' })
  })
})

describe('a coordinator that dies', () => {
  const died = new Error('the coordinator died')
  const WRITES = [
    'addRegistryRequest',
    'addRegistrySignature',
    'proposeRegistryStatement',
    'enterRegistryStatement',
    'append',
  ] as const

  /** The venue's store and log, of which the n-th write dies: before it is done, or after. */
  function dieAt(venue: Venue, n: number, when: 'before' | 'after') {
    let writes = 0
    const state = { dead: false }
    const wrap = (target: object) =>
      new Proxy(target, {
        get: (_, name) => {
          const method = Reflect.get(target, name).bind(target)
          return async (...args: unknown[]) => {
            if (state.dead) throw died
            const isLast = WRITES.includes(name as never) && ++writes === n
            if (isLast) state.dead = true
            if (isLast && when === 'before') throw died
            const result = await method(...args)
            if (isLast) throw died
            return result
          }
        },
      })
    return { parts: { store: wrap(venue.store) as RegistryStore, log: wrap(venue.log) as Venue['log'] }, state }
  }

  it.each(['before', 'after'] as const)(
    '%s any of its writes goes on after its restart, with one statement for each number',
    async (when) => {
      let isOver = false
      let deaths = 0
      for (let n = 1; !isOver; n++) {
        const venue = new Venue()
        for (const member of venue.members.values()) member.approves.add('all')
        venue.connect('cleveland', 'hungary')
        const { parts, state } = dieAt(venue, n, when)
        const first = await venue.open(parts)
        for (const party of [cleveland, hungary]) await first.apply(applicationOf(party)).catch(() => undefined)
        await settled()
        isOver = !state.dead
        deaths += Number(state.dead)
        await first.close()
        const second = await venue.open()
        // Whoever got no answer asks again; the rest goes on by itself.
        for (const party of [cleveland, hungary]) acceptedOf(await second.apply(applicationOf(party)))
        second.wake()
        await reached(second, 2)
        expect([...second.registry.members.keys()].sort()).toEqual(['cleveland', 'hungary'])
        expect(venue.logged).toHaveLength(2)
        expect(venue.registry.head).toBe(second.registry.head)
        expect(await second.pending()).toEqual([])
        await second.close()
      }
      expect(deaths).toBeGreaterThanOrEqual(9)
    },
  )

  describe('while a statement is being signed', () => {
    /** Two members of two must sign; one of them has, when the coordinator dies. It starts again a second later. */
    async function restartInBetween(store: RegistryStore): Promise<{ venue: Venue; desk: AdmissionDesk }> {
      const venue = new Venue(store)
      for (const member of venue.members.values()) member.approves.add('all')
      venue.connect('cleveland', 'hungary')
      const first = await venue.open()
      for (const party of [cleveland, hungary]) await first.apply(applicationOf(party))
      await reached(first, 2)
      const { ask } = venue.holders
      const lose: HolderDirectory['ask'] = async (holder, request, signal) => {
        const isOrder = request.kind === 'admit' && requestedHolder(request.statement) === undefined
        return isOrder && holder === 'hungary' ? refused('holder-unreachable', 'gone') : ask(holder, request, signal)
      }
      await first.close()
      const second = await venue.open({ holders: { ...venue.holders, ask: lose } })
      await second.apply(applicationOf(zurich))
      await settled()
      await second.close()
      const later = { now: () => new Date(NOW.getTime() + 1000), sleep: () => new Promise<void>(() => {}) }
      const desk = await venue.open({ clock: later })
      desk.wake()
      await settled()
      return { venue, desk }
    }

    it('asks for the same statement again: guard on', async () => {
      const { venue, desk } = await restartInBetween(new MemoryRegistryStore())
      expect(desk.registry.members.has('zurich')).toBe(true)
      expect(venue.unsigned).toEqual(['hungary on zurich: holder-unreachable'])
      await desk.close()
    })

    it('would be refused for ever by who has signed, had it not kept what it proposed: guard off', async () => {
      const { venue, desk } = await restartInBetween(new ForgetfulStore())
      expect(desk.registry.members.has('zurich')).toBe(false)
      expect(venue.unsigned).toContain('cleveland on zurich: registry-out-of-order')
      await desk.close()
    })
  })
})
