import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/crypto/digest.ts'
import { runSimulation } from '../../src/simulate/run-simulation.ts'
import type { SimulationParts } from '../../src/simulate/simulated-venue.ts'
import { drawDropOuts, holderNames, type SimulationOptions } from '../../src/simulate/simulation-options.ts'
import { plainSum } from '../../src/simulate/synthetic-update.ts'
import { openPlace, protectingWrongly, someOptions } from './simulation-fixtures.ts'

let place: Awaited<ReturnType<typeof openPlace>>
beforeAll(async () => {
  place = await openPlace()
})
afterAll(() => place.close())

const run = (options: SimulationOptions, changes: Partial<SimulationParts> = {}) =>
  runSimulation(
    options,
    async () => place.openParts(changes),
    () => {},
  )

/** The digest of what these holders drew, added in the clear. */
function sumOf(options: SimulationOptions, holders: readonly string[], round = 1): string {
  return digestOf(new Uint8Array(plainSum(options, holders, round).buffer))
}

describe('a simulated federation', () => {
  it('opens exactly the sum of what twenty holders drew, which all of them verify', async () => {
    const options = someOptions()
    const { exact, rounds } = await run(options)
    expect(exact).toBe(true)
    expect(rounds).toMatchObject([{ round: 1, contributors: 20, droppedOut: 0, exact: true, verified: 20 }])
    expect(rounds[0].aggregate).toBe(sumOf(options, holderNames(20)))
    const { ciphertextBytes, traffic } = rounds[0]
    expect(traffic?.contributor.upBytes).toBeGreaterThan(ciphertextBytes)
    // A member fetches every contribution with its sealed shares.
    expect(traffic?.member.downBytes).toBeGreaterThan(20 * 7 * 6000)
  })

  it('goes from round to round, each from the last one’s sum, with other updates and another committee', async () => {
    const options = someOptions({ rounds: 3, holders: 9, verifiers: 2 })
    const { rounds } = await run(options)
    expect(rounds.map(({ aggregate }) => aggregate)).toEqual(
      [1, 2, 3].map((round) => sumOf(options, holderNames(9), round)),
    )
    expect(rounds.every(({ exact, verified }) => exact && verified === 2)).toBe(true)
  })

  it('opens the sum of those who stay when others vanish, with or without their ciphertext', async () => {
    const options = someOptions({ dropOuts: 0.2 })
    const names = holderNames(20)
    const vanishing = drawDropOuts(options, names, 1)
    expect(new Set(vanishing.values())).toEqual(new Set(['before-upload', 'after-upload']))
    const stayed = names.filter((name) => !vanishing.has(name))
    const { rounds } = await run(options)
    expect(rounds).toMatchObject([{ contributors: stayed.length, droppedOut: vanishing.size, exact: true }])
    expect(rounds[0].verified).toBe(stayed.length)
    expect(rounds[0].aggregate).toBe(sumOf(options, stayed))
  })

  it('comes to the same sums in the clear', async () => {
    const options = someOptions({ dropOuts: 0.2, rounds: 2 })
    const aggregates = async (clear: boolean) =>
      (await run({ ...options, clear })).rounds.map(({ aggregate, contributors }) => ({ aggregate, contributors }))
    expect(await aggregates(true)).toEqual(await aggregates(false))
  })

  it('needs threads, a store and a disk for protection only', async () => {
    const opened: string[] = []
    const openParts = async () => {
      opened.push('parts')
      return place.openParts()
    }
    await runSimulation(someOptions({ clear: true }), openParts, () => {})
    expect(opened).toEqual([])
  })

  it('says that a sum is not exact when a single value of it is not what was drawn', async () => {
    const { workers } = place.openParts()
    const { exact, rounds } = await run(someOptions({ holders: 4, verifiers: 4 }), {
      workers: protectingWrongly(workers),
    })
    expect(exact).toBe(false)
    // A holder verifies that the sum is of what was sent, which it is.
    expect(rounds).toMatchObject([{ exact: false, verified: 4 }])
  })

  it('counts no verification of a sum whose opening is another one', async () => {
    const { openings } = place.openParts()
    const flipped = {
      ...openings,
      read: async (...range: Parameters<typeof openings.read>) => {
        const bytes = await openings.read(...range)
        bytes[0] ^= 1
        return bytes
      },
    }
    const { rounds } = await run(someOptions({ holders: 4, verifiers: 4 }), { openings: flipped })
    expect(rounds).toMatchObject([{ exact: true, verified: 0 }])
  })

  it('tells how far a round is', async () => {
    const asked = new Map<string, number>()
    await runSimulation(
      someOptions({ holders: 5, verifiers: 1 }),
      async () => place.openParts(),
      ({ doing, done }) => asked.set(doing, done),
    )
    expect(Object.fromEntries(asked)).toMatchObject({
      contribute: 5,
      'check-shares': 5,
      'hash-payload': 5,
      published: 1,
    })
  })
})

describe('a round that loses its committee', () => {
  /** Follows from the seed: in round 1 more members vanish than may, in round 2 enough are there. */
  const options = someOptions({ holders: 8, dropOuts: 0.4, verifiers: 8, seed: digestOf(Buffer.from('committee 3')) })

  it('is given up, proven dead by its committee, and asked again under another number', async () => {
    const { rounds, exact } = await run(options)
    expect(exact).toBe(true)
    expect(rounds).toMatchObject([{ round: 2 }])
    expect(rounds[0].abandoned).toHaveLength(1)
    const names = holderNames(8)
    const stayed = names.filter((name) => !drawDropOuts(options, names, 2).has(name))
    expect(rounds[0].aggregate).toBe(sumOf(options, stayed, 2))
  })

  it('is not answered again by those who answered it without that proof', async () => {
    const { store } = place.openParts()
    const forgetful = { ...store, listRounds: async () => [] }
    await expect(run(options, { store: forgetful })).rejects.toMatchObject({ code: 'round-abandoned' })
  })

  it('ends the simulation with a reason when it happens again and again', async () => {
    const hopeless = { ...options, holders: 7, verifiers: 0, minContributors: 2, dropOuts: 0.7 }
    await expect(run(hopeless)).rejects.toMatchObject({ code: 'round-abandoned' })
  })
})

describe('bad options', () => {
  const cases: [string, Partial<SimulationOptions>][] = [
    ['--holders', { holders: 1 }],
    ['--holders', { holders: 10_001 }],
    ['--weights', { weights: 0 }],
    ['--weights', { weights: 1e12 }],
    ['--rounds', { rounds: 0.5 }],
    ['--precision-bits', { precisionBits: 33 }],
    ['--precision-bits', { precisionBits: 32, holders: 5000 }],
    ['--min-contributors', { minContributors: 1 }],
    ['--min-contributors', { minContributors: 21 }],
    ['--min-contributors', { minContributors: 15, dropOuts: 0.5 }],
    ['--drop-outs', { dropOuts: 1 }],
    ['--drop-outs', { dropOuts: Number.NaN }],
    ['--verify', { verifiers: 21 }],
    ['--seed', { seed: 'abc' }],
  ]

  it.each(cases)('%s: %j is refused by name, before anything is opened', async (option, changes) => {
    const opened: string[] = []
    const openParts = async () => {
      opened.push('parts')
      return place.openParts()
    }
    const refused = runSimulation(someOptions(changes), openParts, () => {})
    await expect(refused).rejects.toMatchObject({ code: 'option-invalid', message: expect.stringContaining(option) })
    expect(opened).toEqual([])
  })
})
