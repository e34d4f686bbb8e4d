/** A coordinator whose log has another outcome of a round than its holders verified. Real holder agents with journals. */
import { afterAll, beforeAll, expect } from 'vitest'
import { initialModel } from '../../src/learning/round-output.ts'
import { attack, limit } from '../support/attack.ts'
import { HoldersUnderAttack, specification } from '../support/holders-under-attack.ts'
import { acceptedOf, codeOf, type Party } from '../support/round-fixtures.ts'
import { nameOf, type Said, SealedSum } from '../support/sealed-sum.ts'

let venue: HoldersUnderAttack
beforeAll(async () => {
  venue = await HoldersUnderAttack.open()
})
afterAll(() => venue.close())

/** Asks a holder for its update at statistics that a publication in the log has as its output. */
async function askToTrainOn(
  { publication, output }: Said,
  { job, log, round }: SealedSum,
  party: Party,
  number: number,
) {
  const inputs = [
    { name: 'statistics', digest: venue.serve(output.bytes) },
    { name: 'model', digest: venue.serve(initialModel(round.plan.job, specification)) },
  ]
  const planned = venue.createPlan(job, { round: number, inputs }, venue.parties, 'training')
  await log.append([publication, planned.planEnvelope])
  const publications = [await log.logged(publication)]
  return codeOf(await venue.contribute(party, log, planned, job, { publications }))
}

attack({
  name: 'one publication for the holders, and another for the log',
  by: 'coordinator',
  wins: 'updates at statistics, or at a model, of its own making, from holders that verified the true ones',
  guard: 'a holder remembers what it verified, and verifies what it was not told of; else it takes no further part',
  lines: [7],
  off: async () => {
    const sums = await SealedSum.seal(venue)
    const [forgetful] = venue.parties
    // On disk is what it sent, and what it verified: one that lost the first in between has neither.
    venue.restart(forgetful, { losesOutbox: true })
    expect(codeOf(await sums.tell(await sums.sayTruth(), forgetful))).toBe('accepted')
    expect(await askToTrainOn(await sums.sayFalseAggregate(), sums, forgetful, 2)).toBe('accepted')
  },
  on: async () => {
    const sums = await SealedSum.seal(venue)
    const [told, untold] = venue.parties
    for (const party of [told, untold]) acceptedOf(await sums.askForHash(party))
    const truth = await sums.sayTruth()
    const lie = await sums.sayFalseAggregate()
    expect(codeOf(await sums.tell(truth, told))).toBe('accepted')
    venue.restart(told)
    expect(await askToTrainOn(lie, sums, told, 2)).toBe('wrong-sum')
    venue.opening = lie.opening
    expect(await askToTrainOn(lie, sums, untold, 3)).toBe('wrong-sum')
    // For good: the truth comes too late.
    for (const party of [told, untold]) expect(await askToTrainOn(truth, sums, party, 4)).toBe('wrong-sum')
  },
})

attack({
  name: 'a wrong sum, to a holder that goes on with the job',
  by: 'coordinator',
  wins: 'a holder’s next update for a job that lies',
  guard: 'the holder notes it durably, and takes no further part in the job',
  off: async () => {
    const { job, round } = await SealedSum.seal(venue)
    // The journal's claim alone would grant the next one.
    const [party] = venue.parties
    const next = venue.createPlan(job, { round: 2 })
    const journal = venue.journalOf(party)
    journal.accept(next.planDigest, next.planEnvelope, { job: round.plan.job, question: 'another', dataset: 'heart' })
    journal.markWrongSum(round.planDigest)
    expect(journal.claimContribution(next.planDigest)).toBe('claimed')
  },
  on: async () => {
    const sums = await SealedSum.seal(venue)
    const { job, log } = sums
    const [party] = venue.parties
    acceptedOf(await sums.askForHash(party))
    const lie = await sums.say(sums.truth, { aggregate: 'f'.repeat(64) })
    expect(codeOf(await sums.tell(lie, party))).toBe('wrong-sum')
    venue.restart(party)
    const next = venue.createPlan(job, { round: 2 })
    await log.append([next.planEnvelope])
    expect(codeOf(await venue.contribute(party, log, next, job))).toBe('wrong-sum')
  },
})

limit({
  name: 'a wrong sum, with one hash left out',
  by: 'coordinator',
  wins: 'updates at statistics, or at a model, of its own making, as often in a job as maxUnverifiedSums says',
  because:
    'who vanishes after the seal hashes nothing: holders count such sums and stop at their policy’s number; the log names it',
  shown: async () => {
    const sums = await SealedSum.seal(venue)
    const hashes = (await sums.signHashes(nameOf(sums.truth))).slice(1)
    const lie = await sums.sayFalseAggregate({ hashes })
    for (const [i, party] of venue.parties.entries()) {
      acceptedOf(await sums.askForHash(party))
      expect(codeOf(await sums.tell(lie, party))).toBe('accepted')
      expect(await askToTrainOn(lie, sums, party, 2 + i)).toBe('accepted')
    }
  },
})
