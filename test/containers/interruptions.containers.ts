/** What dies, is cut off or is stopped in the middle of a round: the job goes to its end, and no sum is wrong. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { docker } from './support/engine.ts'
import * as venue from './support/venue.ts'

const { project } = inject('stack')
/** So many that a round lasts. */
const EPOCHS = 60

let undisturbed: Awaited<ReturnType<typeof venue.endOf>>
beforeAll(async () => {
  await venue.settle()
  await venue.startResearcher()
  undisturbed = await venue.endOf(await venue.submit(venue.testJob(2, EPOCHS)))
})
afterEach(venue.settle)
afterAll(venue.stopResearcher)

/** Runs a job, disturbs it in its second round of training, and gives its end. */
async function disturbed(disturb: () => Promise<unknown>) {
  const planned = venue.trainingRound()
  const job = await venue.submit(venue.testJob(2, EPOCHS))
  await planned
  await disturb()
  const end = await venue.endOf(job)
  expect((await venue.verdictsOf(job)).wrong).toBe(0)
  return end
}

/** As if nothing had happened: the same records in the same rounds give the same model. */
function expectNothingLost({ state, reason, evaluation }: typeof undisturbed): void {
  expect(state, reason).toBe('completed')
  venue.expectSameModel(evaluation, undisturbed.evaluation)
}

/** The round that was open when its coordinator died is published with everybody, each once, and no round took its place. */
function expectRoundsResumed(end: typeof undisturbed): void {
  expectNothingLost(end)
  const numbers = ({ rounds }: typeof undisturbed) => rounds.map(({ round }) => round)
  expect(numbers(end)).toEqual(numbers(undisturbed))
  for (const { round, contributors } of end.rounds)
    expect([...contributors].sort(), `round ${round}`).toEqual([...venue.hospitals].sort())
}

const kill = async (service: string) => docker(['kill', await venue.containerOf(service)])
const start = async (service: string) => docker(['start', await venue.containerOf(service)])

describe('killed in the middle of a round', () => {
  it('the coordinator goes on at its next start: the job ends with the model that it would have had', async () => {
    const end = await disturbed(async () => {
      await kill('coordinator')
      await start('coordinator')
    })
    expectRoundsResumed(end)
  })

  it('PostgreSQL takes the coordinator with it; both come back, and the job ends with the model that it would have had', async () => {
    const end = await disturbed(async () => {
      await kill('postgres')
      await sleep(3000)
      await start('postgres')
    })
    expectRoundsResumed(end)
  })

  it('a holder is left out, the others finish, and at its next start it takes part again', async () => {
    // It stays away, whatever its restart policy says.
    await docker(['update', '--restart', 'no', await venue.containerOf('hungary')])
    const { state, reason, rounds } = await disturbed(() => kill('hungary'))
    expect(state, reason).toBe('completed')
    expect(rounds.some(({ contributors }) => contributors.length === 3)).toBe(true)
    await venue.settle()
    expectNothingLost(await venue.endOf(await venue.submit(venue.testJob(2, EPOCHS))))
  })
})

describe('cut off in the middle of a round', () => {
  it('a holder comes back by itself when its network does', async () => {
    const network = `${project}_hungary`
    const hungary = await venue.containerOf('hungary')
    const { state, reason } = await disturbed(async () => {
      await docker(['network', 'disconnect', network, hungary])
      try {
        await sleep(3000)
      } finally {
        await docker(['network', 'connect', network, hungary])
      }
    })
    expect(state, reason).toBe('completed')
    await venue.settle()
    expectNothingLost(await venue.endOf(await venue.submit(venue.testJob(2, EPOCHS))))
  })
})

describe('told to stop in the middle of a round', () => {
  /** Stops a service. @returns how it ended */
  async function stop(service: string) {
    const began = performance.now()
    await docker(['stop', await venue.containerOf(service)])
    const { ExitCode, OOMKilled } = (await venue.inspect(service)).State
    return { ExitCode, OOMKilled, isQuick: performance.now() - began < 25_000 }
  }
  const inOrder = { ExitCode: 0, OOMKilled: false, isQuick: true }

  it('the coordinator ends in order, and goes on at its next start', async () => {
    const since = new Date()
    const end = await disturbed(async () => {
      expect(await stop('coordinator')).toEqual(inOrder)
      await start('coordinator')
    })
    expectRoundsResumed(end)
    expect((await venue.linesOf('coordinator', since)).filter(({ event }) => event === 'fault')).toEqual([])
  })

  it('a holder ends in order, and the others finish', async () => {
    const { state, reason } = await disturbed(async () => expect(await stop('switzerland')).toEqual(inOrder))
    expect(state, reason).toBe('completed')
  })
})

describe('started again', () => {
  it.each(['coordinator', 'cleveland'])('%s is ready within three seconds', async (service) => {
    // What else the machine does slows a start down, and nothing makes one faster: the best of three counts.
    const times: number[] = []
    for (let i = 0; i < 3 && !times.some((ms) => ms < 3000); i++) {
      await docker(['restart', await venue.containerOf(service)])
      const { StartedAt } = (await venue.inspect(service)).State
      await venue.until(`${service} is ready`, async () => (await readyAt(service, StartedAt)) !== undefined)
      times.push((await readyAt(service, StartedAt))! - Date.parse(StartedAt))
    }
    console.log(`${service}: ready after ${times.map((ms) => `${ms} ms`).join(', ')}`)
    expect(Math.min(...times)).toBeLessThan(3000)
  })

  async function readyAt(service: string, startedAt: string): Promise<number | undefined> {
    const lines = await venue.linesOf(service, new Date(startedAt))
    const line = lines.find(({ event }) => event === 'listening' || event === 'ready')
    return line && Date.parse(String(line.time))
  }
})
