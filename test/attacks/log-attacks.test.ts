/** A coordinator whose log says one thing here and another there, and members whose disks were set back. Real holder agents. */
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { fromHex } from '../../src/crypto/digest.ts'
import { type Envelope, statementDigest } from '../../src/crypto/envelope.ts'
import { evaluateThrough, SHARE_MODULUS } from '../../src/crypto/key-shares.ts'
import { expandShareChallenge } from '../../src/crypto/share-check.ts'
import { parseNote } from '../../src/log/note.ts'
import { addCheckpoint, NEW_WITNESS } from '../../src/log/witness.ts'
import { type CoordinatorRound, orderedChecks, sealRound } from '../../src/protocol/coordinator-round.ts'
import { examinePlan } from '../../src/protocol/plan-policy.ts'
import { openRoundCheckpoint, witnessKey } from '../../src/protocol/round-log.ts'
import { shareCheckStatement } from '../../src/protocol/share-check.ts'
import { parseStatement } from '../../src/protocol/statement.ts'
import { askToCheck, askToEndorse, forgeCandidates, logOfStatements } from '../support/ask-member.ts'
import { attack } from '../support/attack.ts'
import { HoldersUnderAttack } from '../support/holders-under-attack.ts'
import {
  acceptedOf,
  codeOf,
  coordinatorKey,
  createParty,
  endorseWith,
  floorsOf,
  forgeManifest,
  keySumWithoutGuards,
  type MadeContribution,
  NOW,
  type Party,
} from '../support/round-fixtures.ts'
import { logKey, TestLog } from '../support/test-log.ts'

let venue: HoldersUnderAttack
let job: Envelope
beforeAll(async () => {
  venue = await HoldersUnderAttack.open()
  job = venue.createJob()
})
beforeEach(() => venue.reset())
afterAll(() => venue.close())

/** A planned round in a log, that all four have contributed to. */
async function collectedRound() {
  const log = await TestLog.create()
  const planned = venue.createPlan(job)
  await log.append([job, planned.planEnvelope])
  const collected = await venue.collect(log, planned, job)
  const contributions = [...collected.contributions].map(
    ([holder, { envelope, contribution }]) => ({ holder, envelope, payload: contribution.payload }) as MadeContribution,
  )
  return { log, collected, contributions }
}

async function checkedRound() {
  const { log, collected, contributions } = await collectedRound()
  const checked = await venue.checkShares(log, collected)
  return { log, checked, contributions }
}

const sealed = (checked: CoordinatorRound) => acceptedOf(sealRound(checked, coordinatorKey, NOW))

attack({
  name: 'two histories of the log for two halves of the committee',
  by: 'coordinator',
  wins: 'two manifests of one round with as many honest signatures as it has halves',
  guard: 'a checkpoint counts with t cosignatures of the committee, and each half cosigns its own history',
  lines: [5],
  off: async () => {
    const { log, checked, contributions } = await checkedRound()
    const first = sealed(checked).manifest!
    const second = forgeManifest(checked, contributions, { sealedAt: '2026-03-01T12:00:00.001Z' })
    const committee = venue.seated(checked)
    // Members that read whatever they are sent, under no checkpoint but the log's own.
    for (const [i, party] of committee.entries()) {
      const manifest = i < 2 ? first : second
      const view = await log.fork()
      await view.append([...orderedChecks(checked), manifest])
      expect(codeOf(await askToEndorse(checked, manifest, contributions, party))).toBe('accepted')
    }
  },
  on: async () => {
    const { log, checked } = await checkedRound()
    const views = [await log.fork(), await log.fork()]
    await views[0].append([sealed(checked).manifest!])
    await views[1].append([checked.planEnvelope])
    const committee = venue.seated(checked)
    const lines = ['', '']
    for (const [i, party] of committee.entries()) {
      const reply = acceptedOf(await venue.cosign(party, views[i % 2], checked))
      lines[i % 2] += reply.kind === 'cosignature' ? reply.line : ''
    }
    for (const [i, view] of views.entries()) {
      const { note } = await view.checkpoint([], checked.plan)
      const { note: cosigned } = await view.withCosignatures(note, lines[i], checked.plan)
      expect(parseNote(cosigned).signatures.length).toBeGreaterThan(2)
      expect(codeOf(openRoundCheckpoint(cosigned, checked.plan, logKey))).toBe('checkpoint-not-accepted')
    }
    // Who has cosigned one history cosigns the other no more, so that no third half can be had.
    const again = await venue.cosign(committee[0], views[1], checked)
    expect(codeOf(again)).toBe('log-forked')
  },
})

attack({
  name: 'one history today and another tomorrow, for one holder',
  by: 'coordinator',
  wins: 'a cosignature on both, of a holder that forgets',
  guard: 'the holder keeps the last checkpoint on disk; after a fork it follows nothing any more, after a restart too',
  off: async () => {
    const planned = venue.createPlan(job)
    const log = await TestLog.create()
    await log.append([job, planned.planEnvelope])
    const other = await TestLog.create()
    await other.append([planned.planEnvelope, job])
    const [party] = venue.seated(planned)
    const config = {
      logs: [logKey],
      signer: { name: witnessKey(logKey.name, party.member).name, key: party.keys.statementKey },
    }
    for (const history of [log, other]) {
      const { answer } = addCheckpoint(NEW_WITNESS, await history.checkpoint([], planned.plan), config, 1_700_000_000)
      expect(answer.kind).toBe('cosigned')
    }
  },
  on: async () => {
    const planned = venue.createPlan(job)
    const log = await TestLog.create()
    await log.append([job, planned.planEnvelope])
    const other = await TestLog.create()
    await other.append([planned.planEnvelope, job])
    const [party] = venue.seated(planned)
    expect(codeOf(await venue.cosign(party, log, planned))).toBe('accepted')
    expect(codeOf(await venue.cosign(party, other, planned))).toBe('log-forked')
    await log.append([venue.createPlan(job, { round: 2 }).planEnvelope])
    // The honest history, continued: too late.
    expect(codeOf(await venue.cosign(party, log, planned))).toBe('log-forked')
    venue.restart(party)
    expect(codeOf(await venue.cosign(party, log, planned))).toBe('log-forked')
    expect(codeOf(await venue.contribute(party, log, planned, job))).toBe('log-forked')
  },
})

attack({
  name: 'a history that is set back',
  by: 'coordinator',
  wins: 'a plan, a candidate set or an abandonment that never was',
  guard: 'a holder follows only what continues the tree that it knows',
  off: async () => {
    const planned = venue.createPlan(job)
    const log = await TestLog.create()
    await log.append([job, planned.planEnvelope])
    const opened = openRoundCheckpoint(
      (await log.checkpoint(venue.seated(planned), planned.plan)).note,
      planned.plan,
      logKey,
    )
    // By its signatures alone an old checkpoint is as good as a new one.
    expect(codeOf(opened)).toBe('accepted')
  },
  on: async () => {
    const planned = venue.createPlan(job)
    const log = await TestLog.create()
    await log.append([job, planned.planEnvelope])
    const old = await log.fork()
    await log.append([venue.createPlan(job, { round: 2 }).planEnvelope])
    const [party] = venue.seated(planned)
    expect(codeOf(await venue.cosign(party, log, planned))).toBe('accepted')
    expect(codeOf(await venue.cosign(party, old, planned))).toBe('log-refused')
  },
})

attack({
  name: 'a plan that is not in the log, or not under a quorum’s eyes',
  by: 'coordinator',
  wins: 'a holder’s contribution to a round that nobody else ever hears of',
  guard: 'the plan’s own entry, to the end of a tree that t of its committee cosigned, or no contribution',
  off: () => {
    const [self] = venue.parties
    const planned = venue.createPlan(job)
    // Everything but the log: signed, possible, above the floors.
    const examined = examinePlan(planned.planEnvelope, self.member, floorsOf(self, venue.parties), new Date())
    expect(codeOf(examined)).toBe('accepted')
  },
  on: async () => {
    const [self] = venue.parties
    const planned = venue.createPlan(job)
    const log = await TestLog.create()
    const elsewhere = venue.createPlan(job, { round: 2 })
    const start = await log.append([elsewhere.planEnvelope])
    await log.append([job])
    expect(codeOf(await venue.contribute(self, log, planned, job, { start }))).toBe('not-in-log')
    const other = await TestLog.create()
    await other.append([job, planned.planEnvelope])
    venue.reset()
    const seated = venue.seated(planned)
    const strangers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => createParty(name)))
    const impostors = await Promise.all(seated.map(({ keys }) => createParty(`${keys.holder}-2`)))
    const inTheirNames = impostors.map(({ keys }, i) => ({ member: seated[i].member, keys }))
    const quorums: [Party[], string][] = [
      [[], 'checkpoint-not-accepted'],
      [seated.slice(0, 2), 'checkpoint-not-accepted'],
      [[...seated.slice(0, 2), ...strangers], 'checkpoint-not-accepted'],
      [[seated[0], seated[0], seated[0]], 'checkpoint-not-accepted'],
      [inTheirNames, 'checkpoint-not-accepted'],
      [seated.slice(0, 3), 'accepted'],
    ]
    for (const [cosigners, expected] of quorums) {
      // A checkpoint that cannot be put together is one that is not accepted.
      const asked = venue.contribute(self, other, planned, job, { cosigners }).then(codeOf)
      expect(await asked.catch(() => 'checkpoint-not-accepted'), String(cosigners.length)).toBe(expected)
    }
  },
})

/** Two checks of one share under two challenges. */
async function twoChecks() {
  const { log, collected, contributions } = await collectedRound()
  const [party] = venue.seated(collected)
  const candidates = [
    forgeCandidates(collected, contributions),
    forgeCandidates(collected, contributions, { nonce: 'e'.repeat(64) }),
  ]
  return { log, collected, contributions, party, candidates }
}

attack({
  name: 'two candidate sets, and so two challenges under one blinding',
  by: 'coordinator',
  wins: 'three linear equations between the coefficients of each one-time key, a set',
  guard: 'a member checks one set, the first in the log, by journal and by log',
  lines: [12],
  off: async () => {
    const { collected, contributions, candidates } = await twoChecks()
    const [victim] = contributions
    // What the members publish, each set in a log of its own: points of a polynomial, whose value at zero is at the key.
    const atZero = []
    for (const set of candidates) {
      const view = await logOfStatements(collected, set)
      const points = []
      for (const [i, party] of venue.seated(collected).slice(0, 3).entries()) {
        const { check } = acceptedOf(await askToCheck(collected, set, view, contributions, party))
        const { combinations } = acceptedOf(parseStatement(shareCheckStatement, check))
        const { values } = combinations.find(({ holder }) => holder === victim.holder)!
        points.push({ point: i + 1, share: Uint32Array.from(values) })
      }
      atZero.push(evaluateThrough(points, 0))
    }
    const key = await keySumWithoutGuards(collected, [victim], venue.parties)
    const [one, two] = candidates.map((set) => expandShareChallenge(fromHex(statementDigest(set))))
    for (let r = 0; r < 3; r++) {
      const difference = (atZero[0][r] - atZero[1][r] + SHARE_MODULUS) % SHARE_MODULUS
      let expected = 0n
      for (const [k, coefficient] of key.entries()) expected += BigInt(coefficient) * BigInt(one[r][k] - two[r][k])
      const p = BigInt(SHARE_MODULUS)
      // The blinding is gone: this speaks of the key alone.
      expect(BigInt(difference)).toBe(((expected % p) + p) % p)
    }
  },
  on: async () => {
    const { log, collected, party, candidates } = await twoChecks()
    await log.append([candidates[0]])
    expect(codeOf(await venue.check(party, log, collected, candidates[0]))).toBe('accepted')
    await log.append([candidates[1]])
    // In the log both stand, and the first counts.
    expect(codeOf(await venue.check(party, log, collected, candidates[1]))).toBe('not-in-log')
    venue.restart(party)
    expect(codeOf(await venue.check(party, log, collected, candidates[1]))).toBe('not-in-log')
    // Asked again for the first it says the same.
    expect(codeOf(await venue.check(party, log, collected, candidates[0]))).toBe('accepted')
  },
})

attack({
  name: 'a member’s disk set back to before its share check',
  by: 'coordinator, with a backup of the member',
  wins: 'a second check, when the member trusts its memory alone',
  guard: 'the member finds the first candidates in the log',
  lines: [4],
  off: async () => {
    const { collected, contributions, party, candidates } = await twoChecks()
    for (const set of candidates) {
      const alone = await logOfStatements(collected, set)
      expect(codeOf(await askToCheck(collected, set, alone, contributions, party))).toBe('accepted')
    }
  },
  on: async () => {
    const { log, collected, party, candidates } = await twoChecks()
    const setBack = venue.backUp(party)
    await log.append([candidates[0]])
    expect(codeOf(await venue.check(party, log, collected, candidates[0]))).toBe('accepted')
    setBack()
    await log.append([candidates[1]])
    expect(codeOf(await venue.check(party, log, collected, candidates[1]))).toBe('not-in-log')
  },
})

/** A member that has endorsed the sealed manifest, and a second manifest in the log behind it. */
async function twoManifests() {
  const { log, checked, contributions } = await checkedRound()
  await log.append(orderedChecks(checked))
  const round = sealed(checked)
  const later = forgeManifest(round, contributions, { sealedAt: '2026-03-01T12:00:00.001Z' })
  const [party] = venue.seated(round)
  return { log, round, later, party, contributions }
}

attack({
  name: 'a member’s disk set back to before its endorsement',
  by: 'coordinator, with a backup of the member',
  wins: 'a second endorsement, when the member trusts its memory alone',
  guard: 'the member finds the first manifest in the log',
  lines: [4],
  off: async () => {
    const { round, later, party, contributions } = await twoManifests()
    for (const manifest of [round.manifest!, later])
      expect(codeOf(await askToEndorse(round, manifest, contributions, party))).toBe('accepted')
  },
  on: async () => {
    const { log, round, later, party } = await twoManifests()
    const setBack = venue.backUp(party)
    await log.append([round.manifest!])
    expect(codeOf(await venue.endorse(party, log, round, round.manifest!))).toBe('accepted')
    setBack()
    await log.append([later])
    expect(codeOf(await venue.endorse(party, log, round, later))).toBe('not-in-log')
    expect(codeOf(await venue.endorse(party, log, round, round.manifest!))).toBe('accepted')
  },
})

attack({
  name: 'a member’s disk set back to before its answer',
  by: 'coordinator, with a backup of the member',
  wins: 'an answer to another set, with t signatures of members that trust their memory alone',
  guard: 'no second certificate comes about, and to the first its answer is the same bytes',
  lines: [4],
  off: async () => {
    const { round, later, party } = await twoManifests()
    const [first, second] = [round.manifest!, later].map((manifest) => endorseWith(manifest, venue.parties))
    const setBack = venue.backUp(party)
    expect(codeOf(await venue.answer(party, round, first))).toBe('accepted')
    expect(codeOf(await venue.answer(party, round, second))).toBe('other-manifest-endorsed')
    setBack()
    // With a forged second certificate, which takes t members: it would answer again.
    expect(codeOf(await venue.answer(party, round, second))).toBe('accepted')
  },
  on: async () => {
    const { log, round, later, party } = await twoManifests()
    await log.append([round.manifest!, later])
    const committee = venue.seated(round)
    let certificate = round.manifest!
    let other = later
    for (const member of committee) {
      const reply = acceptedOf(await venue.endorse(member, log, round, round.manifest!))
      if (reply.kind === 'endorsement')
        certificate = { ...certificate, signatures: [...certificate.signatures, reply.signature] }
    }
    const setBack = committee.map((member) => venue.backUp(member))
    const before = acceptedOf(await venue.answer(party, round, certificate))
    for (const undo of setBack) undo()
    // Every disk was set back at once: none signs the later manifest.
    for (const member of committee) {
      const reply = await venue.endorse(member, log, round, later)
      if (reply.ok && reply.value.kind === 'endorsement')
        other = { ...other, signatures: [...other.signatures, reply.value.signature] }
    }
    expect(codeOf(await venue.answer(party, round, other))).not.toBe('accepted')
    expect(acceptedOf(await venue.answer(party, round, certificate))).toEqual(before)
  },
})

attack({
  name: 'a plan that stands in the log twice',
  by: 'coordinator, with backups of members',
  wins: 'a second share check of a member that was set back: it begins to read at the second entry',
  guard: 'the plan names a tree head from before it: the log is read from there, and from the first entry of the plan',
  lines: [4],
  off: async () => {
    const { collected, contributions, party, candidates } = await twoChecks()
    for (const set of candidates) {
      // What stands behind the one entry, and behind the other.
      const view = await logOfStatements(collected, set)
      expect(codeOf(await askToCheck(collected, set, view, contributions, party))).toBe('accepted')
    }
  },
  on: async () => {
    const { log, collected, party, candidates } = await twoChecks()
    const setBack = venue.backUp(party)
    await log.append([candidates[0]])
    expect(codeOf(await venue.check(party, log, collected, candidates[0]))).toBe('accepted')
    setBack()
    const second = await log.append([collected.planEnvelope])
    await log.append([candidates[1]])
    for (const start of [second, 1, undefined])
      expect(codeOf(await venue.check(party, log, collected, candidates[1], start))).toBe('not-in-log')
    expect(codeOf(await venue.check(party, log, collected, candidates[0]))).toBe('accepted')
  },
})

attack({
  name: 'a plan that stands in the log twice, with other signatures',
  by: 'coordinator, with backups of members',
  wins: 'a second share check of a member that was set back to before the plan, and begins to read at the second entry',
  guard: 'all that was logged since the tree head in the plan counts, whatever entry the plan has',
  lines: [4],
  off: async () => {
    const { collected, contributions, party, candidates } = await twoChecks()
    // What stands behind the second entry has the second candidates first.
    const view = await logOfStatements(collected, candidates[1])
    expect(codeOf(await askToCheck(collected, candidates[1], view, contributions, party))).toBe('accepted')
  },
  on: async () => {
    const log = await TestLog.create()
    const planned = venue.createPlan(job)
    const [party] = venue.seated(planned)
    const setBack = venue.backUp(party)
    await log.append([job, planned.planEnvelope])
    const collected = await venue.collect(log, planned, job)
    const contributions = [...collected.contributions.values()].map(
      ({ envelope, contribution: { holder, payload } }) => ({ holder, envelope, payload }) as MadeContribution,
    )
    const candidates = ['d', 'e'].map((digit) => forgeCandidates(collected, contributions, { nonce: digit.repeat(64) }))
    await log.append([candidates[0]])
    expect(codeOf(await venue.check(party, log, collected, candidates[0]))).toBe('accepted')
    setBack()
    // The digest of a statement says nothing of its signatures; its entry in the log does.
    const again = { ...planned, planEnvelope: endorseWith(planned.planEnvelope, [venue.parties[0]]) }
    expect(statementDigest(again.planEnvelope)).toBe(planned.planDigest)
    await log.append([again.planEnvelope, candidates[1]])
    expect(codeOf(await venue.contribute(party, log, again, job))).toBe('accepted')
    expect(codeOf(await venue.check(party, log, again, candidates[1]))).toBe('not-in-log')
    expect(codeOf(await venue.check(party, log, again, candidates[0]))).toBe('accepted')
  },
})
