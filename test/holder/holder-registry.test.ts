import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { approvePendingRequest, listPendingRequests, readRegistryFile } from '../../nodes/holder/admission-requests.ts'
import { HolderRegistry } from '../../nodes/holder/holder-registry.ts'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { type Envelope, encodeEnvelope, statementDigest } from '../../src/crypto/envelope.ts'
import { emptyRegistry, registryHead } from '../../src/protocol/registry.ts'
import {
  applicationOf,
  apply,
  departureOf,
  foundVenue,
  keysOf,
  statementFor,
  VENUE,
  withSignatures,
} from '../support/registry-fixtures.ts'
import { acceptedOf, codeOf, coordinatorKey, createParty, seedOf } from '../support/round-fixtures.ts'

const venue = await foundVenue('cleveland', 'hungary', 'long-beach', 'switzerland')
const { registry, parties, statements } = venue
const all = keysOf(parties)
const [cleveland] = parties
const zurich = await createParty('zurich')
const geneva = await createParty('geneva')
const headAt = (count: number) =>
  count === 0 ? registryHead(emptyRegistry(VENUE)) : statementDigest(statements[count - 1])

describe('a holder’s registry', () => {
  let directory: string
  let journal: HolderJournal
  /** What the coordinator serves; tests change it. */
  let served: Envelope[]
  let fetches: number[]
  let holder: HolderRegistry

  const open = (admissions: 'ask' | 'approve' = 'approve') => {
    journal = new HolderJournal(join(directory, 'journal'))
    holder = new HolderRegistry({
      venue: VENUE,
      coordinatorKey: coordinatorKey.publicKey,
      key: cleveland.keys.statementKey,
      policy: { admissions },
      journal,
      directory,
      coordinator: {
        fetchRegistry: async (after) => {
          fetches.push(after)
          return served.slice(after, after + 3)
        },
      },
    })
  }
  const restart = (admissions?: 'ask' | 'approve') => {
    journal.close()
    open(admissions)
  }
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-holder-registry-'))
    served = [...statements]
    fetches = []
    open()
  })
  afterEach(() => {
    journal.close()
    rmSync(directory, { recursive: true })
  })

  it('fetches what it does not know, verifies it from the first statement on, and knows it after a restart', async () => {
    expect(acceptedOf(await holder.membersAt(headAt(4)))).toEqual(registry.members)
    expect(fetches).toEqual([0, 3])
    restart()
    served = []
    expect(acceptedOf(await holder.membersAt(headAt(4)))).toEqual(registry.members)
    expect(fetches).toEqual([0, 3])
  })

  it('goes as far as it is asked, and no further', async () => {
    expect(acceptedOf(await holder.membersAt(headAt(0))).size).toBe(0)
    expect(acceptedOf(await holder.membersAt(headAt(2))).size).toBe(2)
    expect(acceptedOf(await holder.membersAt(headAt(4))).size).toBe(4)
  })

  it('refuses a registry older than the one that it knows, after a restart too', async () => {
    await holder.membersAt(headAt(4))
    fetches = []
    expect(await holder.membersAt(headAt(2))).toMatchObject({
      code: 'registry-out-of-order',
      reason: expect.stringContaining('knows a newer'),
    })
    restart()
    expect(codeOf(await holder.membersAt(headAt(2)))).toBe('registry-out-of-order')
    expect(codeOf(await holder.membersAt(headAt(0)))).toBe('registry-out-of-order')
    expect(fetches).toEqual([])
  })

  it('refuses another past, however well it is signed, and keeps its own', async () => {
    await holder.membersAt(headAt(4))
    const elsewhere = await foundVenue('cleveland', 'hungary', 'long-beach', 'zurich', 'geneva')
    served = [...elsewhere.statements]
    expect(codeOf(await holder.membersAt(registryHead(elsewhere.registry)))).toBe('registry-out-of-order')
    served = [...statements]
    expect(acceptedOf(await holder.membersAt(headAt(4)))).toEqual(registry.members)
  })

  it('keeps nothing of a way that breaks off or leads elsewhere', async () => {
    const unsigned = statementFor(registry, applicationOf(zurich, all))
    served = [...statements, unsigned]
    expect(codeOf(await holder.membersAt(statementDigest(unsigned)))).toBe('quorum-not-met')
    expect(codeOf(await holder.membersAt('f'.repeat(64)))).toBe('quorum-not-met')
    served = [...statements]
    expect(codeOf(await holder.membersAt('f'.repeat(64)))).toBe('registry-out-of-order')
    expect(holder.registry.sequence).toBe(0)
    served = [statements[1], statements[0]]
    expect(codeOf(await holder.membersAt(headAt(2)))).toBe('registry-out-of-order')
  })

  it('shows its operator the members as it has verified them', async () => {
    await holder.membersAt(headAt(4))
    expect(readRegistryFile(directory)).toEqual({
      venue: VENUE,
      sequence: 4,
      head: headAt(4),
      members: parties.map(({ member }) => member),
    })
  })

  it('signs an approved statement in its place, as often as it is asked', async () => {
    const statement = statementFor(registry, applicationOf(zurich, all))
    const first = acceptedOf(await holder.endorse(statement))
    expect(acceptedOf(await holder.endorse(statement))).toEqual(first)
    const signed = { ...statement, signatures: [...statement.signatures, first] }
    expect(codeOf(apply(registry, withSignatures(signed, all.slice(1, 3))))).toBe('accepted')
  })

  it('signs one statement for a number, after a restart too', async () => {
    const [left, right] = [zurich, geneva].map((party) => statementFor(registry, applicationOf(party, all)))
    expect(codeOf(await holder.endorse(left))).toBe('accepted')
    expect(codeOf(await holder.endorse(right))).toBe('registry-out-of-order')
    restart()
    expect(codeOf(await holder.endorse(right))).toBe('registry-out-of-order')
    expect(codeOf(await holder.endorse(left))).toBe('accepted')
    // Guard off: with the memory gone it signs the other one, and a quorum of such members makes a fork.
    journal.close()
    rmSync(join(directory, 'journal'), { recursive: true })
    open()
    expect(codeOf(await holder.endorse(right))).toBe('accepted')
  })

  it('signs one statement for a number when two arrive at once, or when it is killed in the moment after', async () => {
    const [left, right] = [zurich, geneva].map((party) => statementFor(registry, applicationOf(party, all)))
    const codes = (await Promise.all([holder.endorse(left), holder.endorse(right)])).map(codeOf)
    expect(codes).toEqual(['accepted', 'registry-out-of-order'])
    journal.close()
    rmSync(join(directory, 'journal'), { recursive: true })
    const path = (file: string) => JSON.stringify(resolve(import.meta.dirname, '../..', file))
    const program = `
      const { HolderJournal } = await import(${path('nodes/holder/journal.ts')})
      const { HolderRegistry } = await import(${path('nodes/holder/holder-registry.ts')})
      const { decodeEnvelope } = await import(${path('src/crypto/envelope.ts')})
      const { statementKeyFromSeed } = await import(${path('src/crypto/statement-key.ts')})
      const served = ${JSON.stringify(statements.map(encodeEnvelope))}.map(decodeEnvelope)
      const holder = new HolderRegistry({
        venue: '${VENUE}', coordinatorKey: '${coordinatorKey.publicKey}', policy: { admissions: 'approve' },
        key: statementKeyFromSeed(Buffer.from('${Buffer.from(seedOf('cleveland/statement')).toString('hex')}', 'hex')),
        journal: new HolderJournal(${JSON.stringify(join(directory, 'journal'))}),
        directory: ${JSON.stringify(directory)}, coordinator: { fetchRegistry: async (after) => served.slice(after) },
      })
      const { ok } = await holder.endorse(decodeEnvelope(${JSON.stringify(encodeEnvelope(left))}))
      if (ok) process.kill(process.pid, 'SIGKILL')`
    expect(spawnSync(process.execPath, ['--input-type=module', '-e', program]).signal).toBe('SIGKILL')
    open()
    expect(codeOf(await holder.endorse(right))).toBe('registry-out-of-order')
  })

  it('signs neither what has no quorum of approvals nor what is out of its place', async () => {
    expect(codeOf(await holder.endorse(statementFor(registry, applicationOf(zurich))))).toBe('quorum-not-met')
    const application = applicationOf(zurich, all)
    const later = apply(registry, statementFor(registry, application, all))
    const afterNext = statementFor(acceptedOf(later), applicationOf(geneva, [...all, zurich.keys.statementKey]))
    expect(codeOf(await holder.endorse(afterNext))).toBe('registry-out-of-order')
    const stranger = { ...statementFor(registry, application), signatures: [] }
    expect(codeOf(await holder.endorse(stranger))).toBe('bad-signature')
  })

  it('approves what its policy approves, and still nothing that a registry could not enter', async () => {
    expect(codeOf(await holder.endorse(applicationOf(zurich)))).toBe('accepted')
    expect(codeOf(await holder.endorse(departureOf(parties[1])))).toBe('accepted')
    expect(codeOf(await holder.endorse(departureOf(zurich)))).toBe('not-a-member')
    expect(codeOf(await holder.endorse(applicationOf(zurich, [], { boxKey: parties[1].member.boxKey })))).toBe(
      'already-admitted',
    )
  })

  it('leaves its own departure to its operator, whatever its policy: its signature alone would put it out', async () => {
    expect(codeOf(await holder.endorse(departureOf(cleveland)))).toBe('approval-needed')
    // Guard off: signed by policy, it needs nobody else's approval.
    const departure = departureOf(cleveland, [cleveland.keys.statementKey])
    expect(codeOf(apply(registry, statementFor(registry, departure, all.slice(1))))).toBe('accepted')
  })

  describe('that leaves admissions to its operator', () => {
    beforeEach(() => restart('ask'))
    const application = applicationOf(zurich)
    const fingerprint = statementDigest(application).slice(0, 20)

    it('signs after the operator has approved this very request, and puts it down until then', async () => {
      expect(codeOf(await holder.endorse(application))).toBe('approval-needed')
      const [pending] = listPendingRequests(directory)
      expect(pending).toMatchObject({ change: 'admission', holder: 'zurich', organisation: 'zurich hospital' })
      approvePendingRequest(directory, 'zurich', fingerprint)
      expect(listPendingRequests(directory)).toEqual([])
      restart('ask')
      expect(codeOf(await holder.endorse(application))).toBe('accepted')
    })

    it('does not take an approval for other keys under the same name', async () => {
      await holder.endorse(application)
      approvePendingRequest(directory, 'zurich', fingerprint)
      const swapped = applicationOf(zurich, [], { boxKey: geneva.member.boxKey })
      expect(codeOf(await holder.endorse(swapped))).toBe('approval-needed')
      // Nor does the operator approve what took the place of what was compared.
      expect(() => approvePendingRequest(directory, 'zurich', fingerprint)).toThrow(
        expect.objectContaining({ code: 'request-unknown' }),
      )
      expect(() => approvePendingRequest(directory, '../zurich', fingerprint)).toThrow(
        expect.objectContaining({ code: 'request-unknown' }),
      )
      expect(() => approvePendingRequest(directory, 'zurich', '')).toThrow()
    })

    it('gives an approved statement its place without asking again', async () => {
      expect(codeOf(await holder.endorse(statementFor(registry, applicationOf(zurich, all))))).toBe('accepted')
      expect(existsSync(join(directory, 'admissions'))).toBe(false)
    })

    it('clears what was pending when the registry has decided it', async () => {
      await holder.endorse(application)
      await holder.endorse(departureOf(parties[1]))
      expect(readdirSync(join(directory, 'admissions'))).toEqual(['hungary.json', 'zurich.json'])
      expect(JSON.parse(readFileSync(join(directory, 'admissions/hungary.json'), 'utf8'))).toMatchObject({
        change: 'revocation',
        reason: 'its project has ended',
      })
      const entered = statementFor(registry, applicationOf(zurich, all), all)
      served = [...statements, entered]
      await holder.membersAt(statementDigest(entered))
      expect(listPendingRequests(directory).map(({ holder: name }) => name)).toEqual(['hungary'])
    })
  })
})
