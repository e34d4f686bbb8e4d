/** A job that its coordinators die of: what becomes of it, and of those that wait beside it. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { Coordinator } from '../../src/coordinator/coordinator.ts'
import type { JobState } from '../../src/coordinator/ports.ts'
import type { JobSpecificationInput } from '../../src/learning/job-specification.ts'
import { InProcessVenue } from '../support/in-process-venue.ts'

let venue: InProcessVenue
beforeAll(async () => {
  venue = await InProcessVenue.open()
})
afterAll(() => venue.close())

const NAME = 'mortal'
const job = (changes: Partial<JobSpecificationInput> = {}) => ({
  ...heartJob('logistic', 'ab'.repeat(32), 1),
  ...changes,
})

/** Takes a job up and runs it, as far as its state, and is not heard of any more. */
async function dieOf(which: string, times: number): Promise<void> {
  for (let deaths = 0; deaths < times; deaths++) {
    const claimant = await venue.store.enterCoordinator(NAME)
    await venue.store.claimJob(claimant, 600_000, () => which)
    await venue.store.setJobState(which, 'running', new Date())
  }
}

function start() {
  const ended: { job: string; state: JobState }[] = []
  const scheduling = { ...venue.parts.scheduling, maxRunningJobs: 1 }
  const coordinator = new Coordinator(
    { ...venue.parts, name: NAME, scheduling },
    {
      onJobState: (which, state) => {
        if (state === 'completed' || state === 'failed') ended.push({ job: which, state })
      },
      onFault: () => {},
    },
  )
  const running = coordinator.run()
  const stop = async () => {
    coordinator.stop()
    await running
  }
  return { coordinator, ended, stop }
}

it('comes after the others, and completes if it was none of its doing', async () => {
  const idle = start()
  await idle.stop()
  const deadly = await idle.coordinator.submit(job({ priority: 'high' }), 'mallory')
  await dieOf(deadly, 3)
  const other = await idle.coordinator.submit(job({ priority: 'low' }), 'ada')
  const { ended, stop } = start()
  const expected = [other, deadly].map((which) => ({ job: which, state: 'completed' }))
  await expect.poll(() => ended, { timeout: 30_000 }).toEqual(expected)
  await stop()
})

it('fails by name after twenty deaths', async () => {
  const idle = start()
  await idle.stop()
  const deadly = await idle.coordinator.submit(job(), 'mallory')
  await dieOf(deadly, 20)
  const { coordinator, ended, stop } = start()
  await expect.poll(() => ended, { timeout: 30_000 }).toEqual([{ job: deadly, state: 'failed' }])
  expect((await coordinator.result(deadly)).record.reason).toMatch(
    /went away 20 times in a row .* submit the job again/,
  )
  await stop()
})
