import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HolderJournal } from '../../nodes/holder/journal.ts'
import { planRound } from '../../src/protocol/coordinator-round.ts'
import { coordinatorKey, createParties, makePlan } from '../support/round-fixtures.ts'

const round = planRound(makePlan(await createParties()), coordinatorKey)
const [first, second] = ['a'.repeat(64), 'b'.repeat(64)]

describe('the holder’s journal', () => {
  let directory: string
  let journal: HolderJournal
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-journal-'))
    journal = new HolderJournal(directory)
    journal.accept(round.planDigest, round.planEnvelope, 'heart')
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
    expect(journal.find(round.planDigest)).toEqual({ plan: round.planEnvelope, contributed: false })
    expect(journal.find(first)).toBeUndefined()
  })

  it('lets one contribution to a plan leave, after a restart too', () => {
    expect(journal.claimContribution(round.planDigest)).toBe(true)
    expect(journal.claimContribution(round.planDigest)).toBe(false)
    restart()
    expect(journal.claimContribution(round.planDigest)).toBe(false)
    expect(journal.countContributions('heart')).toBe(1)
    expect(journal.countContributions('other')).toBe(0)
  })

  it('stands by one manifest, after a restart too', () => {
    expect(journal.claimManifest(round.planDigest, first)).toBe(true)
    expect(journal.claimManifest(round.planDigest, second)).toBe(false)
    restart()
    expect(journal.claimManifest(round.planDigest, second)).toBe(false)
    expect(journal.claimManifest(round.planDigest, first)).toBe(true)
    expect(journal.find(round.planDigest)?.endorsedManifest).toBe(first)
  })

  it('claims nothing for a plan that it has not accepted', () => {
    expect(journal.claimContribution(first)).toBe(false)
    expect(journal.claimManifest(first, first)).toBe(false)
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
      if (journal.claimManifest('${round.planDigest}', '${first}')) process.kill(process.pid, 'SIGKILL')`
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program])
    expect(signal).toBe('SIGKILL')
    journal = new HolderJournal(directory)
    expect(journal.claimManifest(round.planDigest, second)).toBe(false)
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
