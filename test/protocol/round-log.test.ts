/** What a role reads out of a part of the log, and what it does not take for one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Envelope, signEnvelope, statementDigest } from '../../src/crypto/envelope.ts'
import type { PayloadScheme } from '../../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'
import { decodeLogEntry, encodeLogEntry } from '../../src/log/log-entry.ts'
import { candidatesStatement } from '../../src/protocol/candidates.ts'
import { type CoordinatorRound, orderedChecks, planRound } from '../../src/protocol/coordinator-round.ts'
import {
  checkLogged,
  openRoundCheckpoint,
  type RangeEvidence,
  type RoundLog,
  readRoundLog,
} from '../../src/protocol/round-log.ts'
import { signStatement } from '../../src/protocol/statement.ts'
import { abandonmentOf, checkWithoutGuards, complaintAbout, forgeCandidates } from '../support/ask-member.ts'
import { planHead } from '../support/plan-head.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParties,
  createParty,
  forgeManifest,
  HOSPITALS,
  makePlan,
  membersOf,
  type Party,
  type SealedRound,
  sealRoundOf,
  seedOf,
} from '../support/round-fixtures.ts'
import { logKey, TestLog } from '../support/test-log.ts'

let scheme: PayloadScheme
let parties: Party[]
let sealed: SealedRound
let round: CoordinatorRound
beforeAll(async () => {
  scheme = await createPayloadScheme()
  parties = await createParties()
  sealed = await sealRoundOf(scheme, parties)
  round = sealed.round
})
afterAll(() => scheme.dispose())

const { publicKey } = coordinatorKey

/** What a member reads when these statements are in the log, some before the plan and the rest after it. */
async function read(after: readonly Envelope[], before: readonly Envelope[] = []) {
  const log = await TestLog.create()
  await log.append([...before, round.planEnvelope, ...after])
  return named(
    acceptedOf(readRoundLog(round.plan, round.planEnvelope, await log.range(0), await log.head(), publicKey)),
  )
}

/** By digest: entries come back with how they were kept. */
const named = ({ candidates, checks, manifest, abandoned }: Omit<RoundLog, 'dealings'>) => ({
  candidates: candidates && statementDigest(candidates),
  checks: checks.map(statementDigest),
  manifest: manifest && statementDigest(manifest),
  abandoned,
})

/** A log with the whole round in it, which was planned before its first entry; some of another before it. */
async function wholeLog() {
  const log = await TestLog.create()
  const elsewhere = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
  await log.append([elsewhere.planEnvelope, round.planEnvelope])
  await log.append([round.candidates!, ...orderedChecks(round), round.manifest!])
  return { log, elsewhere }
}

/** A log that had five entries when a round was planned. */
async function grownLog() {
  const { log } = await wholeLog()
  const after = await planHead(await log.fork(5))
  const planned = planRound(makePlan(parties, { round: 3, after }), coordinatorKey)
  await log.append([planned.planEnvelope])
  const readFrom = async (start: number, changes: Partial<RangeEvidence> = {}, { plan } = planned) => {
    const range = { ...(await log.range(start)), ...changes }
    return readRoundLog(plan, planned.planEnvelope, range, await log.head(), publicKey)
  }
  return { log, after, planned, readFrom }
}

const readRange = async (range: RangeEvidence, log: TestLog) =>
  codeOf(readRoundLog(round.plan, round.planEnvelope, range, await log.head(), publicKey))

describe('what the log says of a plan', () => {
  it('is its candidates, their checks in the committee’s order, and its manifest', async () => {
    const checks = orderedChecks(round)
    const log = await read([round.candidates!, ...[...checks].reverse(), round.manifest!])
    expect(log).toEqual(named({ candidates: round.candidates, checks, manifest: round.manifest, abandoned: false }))
    expect(await read([])).toEqual({ candidates: undefined, checks: [], manifest: undefined, abandoned: false })
  })

  it('counts the first candidates and the first manifest', async () => {
    const others = forgeCandidates(round, sealed.contributions.slice(1))
    const later = forgeManifest(round, sealed.contributions.slice(1))
    const log = await read([round.candidates!, others, round.manifest!, later])
    expect(log).toMatchObject({
      candidates: statementDigest(round.candidates!),
      manifest: statementDigest(round.manifest!),
    })
    const turned = await read([others, round.candidates!, later, round.manifest!])
    expect(turned).toMatchObject({ candidates: statementDigest(others), manifest: statementDigest(later) })
  })

  it('counts the first check of each member, of these candidates, before the manifest, under its own key', async () => {
    const { candidates, manifest } = round
    const [first, second] = membersOf(round, parties)
    const [check, ...checks] = orderedChecks(round)
    const again = await checkWithoutGuards(round, candidates!, sealed.contributions, first, (body) =>
      complaintAbout(body, 'hungary'),
    )
    expect((await read([candidates!, check, again])).checks).toEqual([statementDigest(check)])
    expect((await read([candidates!, again, check])).checks).toEqual([statementDigest(again)])
    expect((await read([candidates!, manifest!, check])).checks).toEqual([])
    expect((await read([check, candidates!])).checks).toEqual([statementDigest(check)])
    const others = forgeCandidates(round, sealed.contributions)
    expect((await read([others, check])).checks).toEqual([])
    const inOtherName = await checkWithoutGuards(round, candidates!, sealed.contributions, second, (body) => ({
      ...body,
      member: first.keys.holder,
    }))
    expect((await read([candidates!, inOtherName, ...checks])).checks).toEqual(checks.map(statementDigest))
    const stranger = await createParty('nowhere')
    const strange = await checkWithoutGuards(round, candidates!, sealed.contributions, stranger)
    expect((await read([candidates!, strange, ...checks])).checks).toEqual(checks.map(statementDigest))
  })

  it('knows an abandonment of its coordinator, and of nobody else', async () => {
    const mallory = statementKeyFromSeed(seedOf('mallory'))
    expect((await read([abandonmentOf(round)])).abandoned).toBe(true)
    expect((await read([abandonmentOf(round, {}, mallory)])).abandoned).toBe(false)
  })

  it('passes over entries of other rounds, of other signers and of other kinds, and what is no statement', async () => {
    const { elsewhere } = await wholeLog()
    const mallory = statementKeyFromSeed(seedOf('mallory'))
    const body = { plan: round.planDigest, contributions: [], nonce: 'f'.repeat(64), closedAt: 'never' }
    const junk = [
      elsewhere.planEnvelope,
      forgeCandidates(elsewhere, sealed.contributions),
      abandonmentOf(elsewhere),
      { ...round.candidates!, signatures: [] },
      signStatement(candidatesStatement, JSON.parse(Buffer.from(round.candidates!.payload).toString()), mallory),
      signEnvelope(candidatesStatement.payloadType, Buffer.from(JSON.stringify(body)), coordinatorKey),
      signEnvelope(candidatesStatement.payloadType, Buffer.from('{'), coordinatorKey),
      signEnvelope('text/plain', Buffer.from('good morning'), coordinatorKey),
    ]
    const log = await read([...junk, round.candidates!, ...junk])
    expect(log).toEqual(named({ candidates: round.candidates, checks: [], abandoned: false }))
    expect(await read([round.candidates!], junk)).toEqual(log)
  })

  it('does not end with an entry that cannot be decoded', async () => {
    const log = await TestLog.create()
    await log.append([round.planEnvelope])
    await log.appendBytes([Buffer.from('no entry of any kind')])
    await log.append([round.candidates!])
    const said = acceptedOf(
      readRoundLog(round.plan, round.planEnvelope, await log.range(0), await log.head(), publicKey),
    )
    expect(named(said).candidates).toBe(statementDigest(round.candidates!))
  })
})

describe('a part of the log', () => {
  it('is all of it, from where it was planned to the end of the tree, or nothing', async () => {
    const { log } = await wholeLog()
    const range = await log.range(0)
    expect(await readRange(range, log)).toBe('accepted')
    const { entries } = range
    const broken: RangeEvidence[] = [
      { ...range, entries: entries.slice(0, -1) },
      { ...range, entries: [...entries, entries.at(-1)!] },
      { ...range, entries: entries.toSpliced(2, 1) },
      { ...range, entries: [entries[0], entries[2], entries[1], ...entries.slice(3)] },
      { ...range, start: 1 },
      { ...range, before: [new Uint8Array(32)] },
      { ...range, entries: [] },
      await log.range(1),
    ]
    for (const [i, part] of broken.entries()) expect(await readRange(part, log), String(i)).toBe('not-in-log')
  })

  it('begins at the tree that the plan names, neither before nor after', async () => {
    const { log, after, planned, readFrom } = await grownLog()
    expect(codeOf(await readFrom(after.size))).toBe('accepted')
    for (const start of [0, after.size - 1, after.size + 1, log.positionOf(planned.planEnvelope)])
      expect(codeOf(await readFrom(start)), String(start)).toBe('not-in-log')
    const { before } = await log.range(after.size - 1)
    for (const changes of [{ before: [] }, { before }, { start: after.size + 1 }])
      expect(codeOf(await readFrom(after.size, changes))).toBe('not-in-log')
    // The plan of another history of the same size.
    const elsewhere = { ...planned, plan: { ...planned.plan, after: { ...after, root: 'a'.repeat(64) } } }
    expect(codeOf(await readFrom(after.size, {}, elsewhere))).toBe('not-in-log')
  })

  it('has the plan in it, with its signatures', async () => {
    const { log } = await wholeLog()
    const strange = planRound(makePlan(parties, { round: 4 }), coordinatorKey)
    const unsigned = { ...round.planEnvelope, signatures: [] }
    const range = await log.range(0)
    for (const envelope of [strange.planEnvelope, unsigned])
      expect(codeOf(readRoundLog(round.plan, envelope, range, await log.head(), publicKey))).toBe('not-in-log')
  })

  it('speaks from the first entry of a plan that the log has twice', async () => {
    const others = forgeCandidates(round, sealed.contributions, { nonce: 'e'.repeat(64) })
    expect(await read([round.candidates!, round.planEnvelope, others])).toEqual(await read([round.candidates!]))
  })

  it('is refused without the payload of an entry that speaks of rounds and is detached', async () => {
    const [made] = sealed.contributions
    const many = Array.from({ length: 500 }, (_, i) => ({ ...made, holder: `holder-${i}` }))
    const candidates = forgeCandidates(round, many)
    expect(decodeLogEntry(encodeLogEntry(candidates)).kind).toBe('detached')
    const log = await TestLog.create()
    await log.append([round.planEnvelope, candidates])
    const range = await log.range(0)
    const give = async (payloads: readonly Uint8Array[]) =>
      readRoundLog(round.plan, round.planEnvelope, { ...range, payloads }, await log.head(), publicKey)
    expect(statementDigest(acceptedOf(await give(range.payloads)).candidates!)).toBe(statementDigest(candidates))
    expect(codeOf(await give([]))).toBe('not-in-log')
    const changed = candidates.payload.slice()
    changed[20] ^= 1
    expect(codeOf(await give([changed]))).toBe('not-in-log')
  })
})

describe('a checkpoint that a round relies on', () => {
  it('has the signature of the log and the cosignatures of t members of the plan’s committee', async () => {
    const log = await TestLog.create()
    await log.append([round.planEnvelope])
    const committee = membersOf(round, parties)
    const { threshold } = round.plan.committee
    for (let cosigners = 0; cosigners <= committee.length; cosigners++) {
      const { note } = await log.checkpoint(committee.slice(0, cosigners), round.plan)
      const expected = cosigners >= threshold ? 'accepted' : 'checkpoint-not-accepted'
      expect(codeOf(openRoundCheckpoint(note, round.plan, logKey))).toBe(expected)
    }
    const { note } = await log.checkpoint(committee, round.plan)
    const unsigned = note.replace(/\n— venue\.test\/log [^\n]*\n/, '\n')
    expect(unsigned).not.toBe(note)
    for (const odd of [unsigned, '', note.slice(0, 30), note.replace('\n1\n', '\n2\n')])
      expect(codeOf(openRoundCheckpoint(odd, round.plan, logKey))).toBe('checkpoint-not-accepted')
  })

  it('counts nobody off the committee, however many sign', async () => {
    const eight = await createParties([...HOSPITALS, 'a', 'b', 'c', 'd', 'e', 'f'])
    const planned = planRound(makePlan(eight), coordinatorKey)
    const log = await TestLog.create()
    await log.append([planned.planEnvelope])
    const seated = membersOf(planned, eight)
    const others = eight.filter((party) => !seated.includes(party))
    const { note } = await log.checkpoint([...seated.slice(0, 4), ...others], planned.plan)
    expect(codeOf(openRoundCheckpoint(note, planned.plan, logKey))).toBe('checkpoint-not-accepted')
  })
})

describe('a logged statement', () => {
  it('is in the tree at its position with exactly its signatures', async () => {
    const { log } = await wholeLog()
    const logged = await log.logged(round.manifest!)
    const checkpoint = await log.head()
    expect(codeOf(checkLogged(logged, checkpoint))).toBe('accepted')
    expect(codeOf(checkLogged({ ...logged, position: logged.position - 1 }, checkpoint))).toBe('not-in-log')
    expect(codeOf(checkLogged({ ...logged, envelope: round.candidates! }, checkpoint))).toBe('not-in-log')
    expect(codeOf(checkLogged({ ...logged, path: logged.path.slice(1) }, checkpoint))).toBe('not-in-log')
    const stripped = { ...round.manifest!, signatures: [] }
    expect(codeOf(checkLogged({ ...logged, envelope: stripped }, checkpoint))).toBe('not-in-log')
    expect(statementDigest(stripped)).toBe(statementDigest(round.manifest!))
  })
})
