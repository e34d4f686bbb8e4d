import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { someJob } from './coordinator-fixtures.ts'
import { describeJobQueue } from './job-queue.contract.ts'
import { createPostgresDatabase, noPostgresReason } from './postgres-server.ts'

describeJobQueue('PGlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-store-'))
  return {
    open: () => openCoordinatorStore({ directory }),
    remove: () => rm(directory, { recursive: true }),
  }
})

if (noPostgresReason) {
  describe('the queue of CoordinatorStore on PostgreSQL', () => {
    it.skip(noPostgresReason!, () => {})
  })
} else {
  describeJobQueue('PostgreSQL', async () => {
    const { url, drop } = await createPostgresDatabase()
    return { open: () => openCoordinatorStore({ databaseUrl: url }), remove: drop }
  })

  describe('two stores over one PostgreSQL database', () => {
    it('tell each other of jobs, their states and their events', async () => {
      const { url, drop } = await createPostgresDatabase()
      const [here, there] = await Promise.all([
        openCoordinatorStore({ databaseUrl: url }),
        openCoordinatorStore({ databaseUrl: url }),
      ])
      const heard: string[] = []
      const next = async (count: number) => {
        for (const end = Date.now() + 15_000; heard.length < count && Date.now() < end; ) {
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
        return heard.splice(0)
      }
      const stop = there.onJobChange((job) => heard.push(job))
      const { job, envelope } = someJob()
      // Until the listener's connection stands nothing is heard.
      for (const end = Date.now() + 15_000; heard.length === 0 && Date.now() < end; ) {
        const early = someJob()
        await here.addJob(early.job, early.envelope, new Date())
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      heard.splice(0)
      await here.addJob(job, envelope, new Date())
      expect(await next(1)).toContain(job)
      await here.setJobState(job, 'running', new Date())
      expect(await next(1)).toEqual([job])
      await here.appendJobEvent(job, new Date(), { kind: 'job-state', state: 'running' })
      expect(await next(1)).toEqual([job])
      await here.requestCancel(job)
      expect(await next(1)).toEqual([job])
      stop()
      await Promise.all([here.close(), there.close()])
      await drop()
    })
  })
}
