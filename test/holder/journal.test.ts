import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { planRound } from '../../src/protocol/coordinator-round.ts'
import { coordinatorKey, createParties, makePlan } from '../support/round-fixtures.ts'

const parties = await createParties()
const round = planRound(makePlan(parties), coordinatorKey)
/** The same question once more, as a coordinator plans it after a round that came to nothing. */
const again = planRound(makePlan(parties, { round: 2 }), coordinatorKey)
const [first, second] = ['a'.repeat(64), 'b'.repeat(64)]
const { job } = round.plan
const subject = { job, question: 'c'.repeat(64), dataset: 'heart' }

describe('the holder’s journal', () => {
  let directory: string
  let journal: HolderJournal
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-journal-'))
    journal = new HolderJournal(directory)
    journal.accept(round.planDigest, round.planEnvelope, subject)
  })
  afterEach(() => {
    journal.close()
    rmSync(directory, { recursive: true })
  })

  const restart = () => {
    journal.close()
    journal = new HolderJournal(directory)
  }

  it('gives a plan back, byte for byte, after a restart', () => {
    restart()
    const untouched = { contributed: false, answered: false, abandoned: false }
    expect(journal.find(round.planDigest)).toEqual({ plan: round.planEnvelope, ...untouched })
    expect(journal.find(first)).toBeUndefined()
  })

  it('lets one contribution to a plan leave, after a restart too', () => {
    expect(journal.claimContribution(round.planDigest)).toBe('claimed')
    expect(journal.claimContribution(round.planDigest)).toBe('already-contributed')
    restart()
    expect(journal.claimContribution(round.planDigest)).toBe('already-contributed')
    expect(journal.countContributions('heart')).toBe(1)
    expect(journal.countContributions('other')).toBe(0)
  })

  it('lets one contribution to a question leave, after a restart too, until the plan that took it is dead', () => {
    journal.accept(again.planDigest, again.planEnvelope, subject)
    expect(journal.claimContribution(round.planDigest)).toBe('claimed')
    expect(journal.claimContribution(again.planDigest)).toBe('question-answered')
    restart()
    expect(journal.claimContribution(again.planDigest)).toBe('question-answered')
    expect(journal.livePlansOf(subject.question)).toEqual([round.planDigest, again.planDigest])
    journal.markDead(round.planDigest)
    restart()
    expect(journal.livePlansOf(subject.question)).toEqual([again.planDigest])
    expect(journal.claimContribution(again.planDigest)).toBe('claimed')
    expect(journal.claimContribution(round.planDigest)).toBe('already-contributed')
    expect(journal.livePlansOf(subject.question)).toEqual([again.planDigest])
  })

  it('lets no contribution leave for a plan that was given up or proven dead before, and the next one is free', () => {
    journal.accept(again.planDigest, again.planEnvelope, subject)
    journal.claimAbandonment(round.planDigest)
    expect(journal.claimContribution(round.planDigest)).toBe('round-abandoned')
    journal.markDead(again.planDigest)
    restart()
    expect(journal.claimContribution(again.planDigest)).toBe('round-abandoned')
    const third = planRound(makePlan(parties, { round: 3 }), coordinatorKey)
    journal.accept(third.planDigest, third.planEnvelope, subject)
    expect(journal.claimContribution(third.planDigest)).toBe('claimed')
  })

  it('keeps two questions apart', () => {
    journal.accept(again.planDigest, again.planEnvelope, { ...subject, question: 'd'.repeat(64) })
    expect(journal.claimContribution(round.planDigest)).toBe('claimed')
    expect(journal.claimContribution(again.planDigest)).toBe('claimed')
  })

  it('stands by one candidate set, after a restart too', () => {
    expect(journal.claimCandidates(round.planDigest, first)).toBe(true)
    expect(journal.claimCandidates(round.planDigest, second)).toBe(false)
    restart()
    expect(journal.claimCandidates(round.planDigest, second)).toBe(false)
    expect(journal.claimCandidates(round.planDigest, first)).toBe(true)
    expect(journal.find(round.planDigest)?.checkedCandidates).toBe(first)
  })

  it('stands by one manifest, after a restart too', () => {
    expect(journal.claimManifest(round.planDigest, first, false)).toBe(true)
    expect(journal.claimManifest(round.planDigest, second, false)).toBe(false)
    restart()
    expect(journal.claimManifest(round.planDigest, second, true)).toBe(false)
    expect(journal.claimManifest(round.planDigest, first, false)).toBe(true)
    expect(journal.find(round.planDigest)).toMatchObject({ endorsedManifest: first, answered: false })
  })

  it('never both answers and gives up, in either order, after a restart too', () => {
    journal.accept(again.planDigest, again.planEnvelope, subject)
    expect(journal.claimManifest(round.planDigest, first, true)).toBe(true)
    expect(journal.claimAbandonment(again.planDigest)).toBe(true)
    restart()
    expect(journal.claimAbandonment(round.planDigest)).toBe(false)
    expect(journal.claimManifest(again.planDigest, first, true)).toBe(false)
    expect(journal.claimManifest(again.planDigest, first, false)).toBe(false)
    expect(journal.claimCandidates(again.planDigest, first)).toBe(false)
    expect(journal.claimAbandonment(again.planDigest)).toBe(true)
    expect(journal.find(round.planDigest)).toMatchObject({ answered: true, abandoned: false })
    expect(journal.find(again.planDigest)).toMatchObject({ answered: false, abandoned: true })
  })

  it('never takes an answer back: an endorsement that comes later leaves it standing', () => {
    expect(journal.claimManifest(round.planDigest, first, true)).toBe(true)
    expect(journal.claimManifest(round.planDigest, first, false)).toBe(true)
    expect(journal.claimAbandonment(round.planDigest)).toBe(false)
  })

  it('lets no code write that a plan was both answered and given up', () => {
    journal.claimManifest(round.planDigest, first, true)
    expect(() => journal.database.exec('UPDATE rounds SET abandoned = 1')).toThrow(/CHECK constraint/)
  })

  it('remembers of which job a wrong sum was published, after a restart too', () => {
    expect(journal.hasWrongSum(job)).toBe(false)
    journal.markWrongSum(round.planDigest)
    restart()
    expect(journal.hasWrongSum(job)).toBe(true)
    expect(journal.hasWrongSum('f'.repeat(64))).toBe(false)
  })

  it('remembers which publication of a plan it has verified, after a restart too', () => {
    expect(journal.findVerified(round.planDigest)).toBeUndefined()
    journal.noteVerified(round.planDigest, first)
    restart()
    expect(journal.findVerified(round.planDigest)).toBe(first)
    expect(journal.findVerified(second)).toBeUndefined()
  })

  it('keeps what this holder saw of the log, the last that was written, after a restart too', () => {
    expect(journal.readWitnessState()).toBeUndefined()
    journal.writeWitnessState('one')
    journal.writeWitnessState('two')
    restart()
    expect(journal.readWitnessState()).toBe('two')
  })

  it('claims nothing for a plan that it has not accepted', () => {
    expect(journal.claimContribution(first)).not.toBe('claimed')
    expect(journal.claimCandidates(first, first)).toBe(false)
    expect(journal.claimManifest(first, first, true)).toBe(false)
    expect(journal.claimAbandonment(first)).toBe(false)
    expect(journal.find(first)).toBeUndefined()
  })

  it('keeps what a plan is about as it was accepted first', () => {
    journal.accept(round.planDigest, again.planEnvelope, { ...subject, question: 'd'.repeat(64), dataset: '' })
    journal.claimContribution(round.planDigest)
    expect(journal.countContributions('heart')).toBe(1)
    expect(journal.livePlansOf(subject.question)).toEqual([round.planDigest])
  })

  it('belongs to one process: a second one is told so', () => {
    expect(() => new HolderJournal(directory)).toThrow(expect.objectContaining({ code: 'journal-in-use' }))
  })

  it('keeps a claim through SIGKILL in the moment after it was made', () => {
    journal.close()
    const module = resolve(import.meta.dirname, '../../nodes/holder/journal.ts')
    const program = `
      const { HolderJournal } = await import(${JSON.stringify(module)})
      const journal = new HolderJournal(${JSON.stringify(directory)})
      if (journal.claimManifest('${round.planDigest}', '${first}', true)) process.kill(process.pid, 'SIGKILL')`
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program])
    expect(signal).toBe('SIGKILL')
    journal = new HolderJournal(directory)
    expect(journal.claimManifest(round.planDigest, second, false)).toBe(false)
    expect(journal.claimAbandonment(round.planDigest)).toBe(false)
  })

  it('says so when it is not a journal any more', () => {
    journal.close()
    const file = join(directory, 'journal.sqlite')
    expect(readFileSync(file).length).toBeGreaterThan(0)
    rmSync(`${file}-wal`, { force: true })
    spawnSync('dd', ['if=/dev/urandom', `of=${file}`, 'bs=4096', 'count=2', 'conv=notrunc'])
    expect(() => new HolderJournal(directory)).toThrow(expect.objectContaining({ code: 'journal-unreadable' }))
    rmSync(file)
    journal = new HolderJournal(directory)
  })
})
