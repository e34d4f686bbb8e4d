/** A disk that is full, a clock that is an hour off, a member that has not updated: what is in the way is named, and goes with it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { stringify as toYaml } from 'yaml'
import { docker, run } from './support/engine.ts'
import { repositoryRoot, standIn } from './support/stack.ts'
import * as venue from './support/venue.ts'

const { images, directory } = inject('stack')

beforeAll(async () => {
  await venue.settle()
  await venue.startResearcher()
})
afterAll(venue.stopResearcher)

/** Runs a service with other settings for as long as `use` takes, and then as it was. */
async function changed(service: string, settings: object, use: () => Promise<void>): Promise<void> {
  const file = join(directory, `${service}-changed.yml`)
  writeFileSync(file, toYaml({ services: { [service]: settings } }))
  try {
    await venue.compose(['up', '--detach', '--no-deps', service], [file])
    await use()
  } finally {
    await venue.compose(['up', '--detach', '--no-deps', service])
    await venue.untilHealthy(service)
  }
}

describe('a coordinator whose disk is full', () => {
  const readiness = `fetch('http://coordinator-admin:7446/readyz').then((answer) => answer.text()).then(console.log)`
  const fill = `const fs = require('fs')
    const file = fs.openSync('/var/lib/sluice/state/filler', 'w')
    const block = Buffer.alloc(65536)
    try { for (;;) fs.writeSync(file, block) } catch (error) { console.log(error.code) }`
  const free = `require('fs').rmSync('/var/lib/sluice/state/filler')`

  it('says so, fails the job and not itself, and works on when there is room', async () => {
    const small = { tmpfs: ['/tmp', '/var/lib/sluice/state:size=96m,uid=10001,gid=10001,mode=700'] }
    await changed('coordinator', small, async () => {
      await venue.untilHealthy('coordinator')
      await Promise.all(venue.hospitals.map(venue.untilHealthy))
      const { RestartCount } = await venue.inspect('coordinator')
      expect(await venue.scriptIn('coordinator', fill)).toBe('ENOSPC\n')
      expect(JSON.parse(await venue.scriptIn('coordinator', readiness))).toMatchObject({
        ready: false,
        checks: { disk: 'disk-full' },
      })
      const ready = await venue.sluiceIn('coordinator', ['ready', 'http://coordinator-admin:7446'])
      expect(ready).toMatchObject({ code: 1, stdout: expect.stringContaining('disk disk-full') })
      const { state, reason } = await venue.endOf(await venue.submit(venue.testJob(1)))
      expect({ state, reason }).toMatchObject({ state: 'failed', reason: expect.stringMatching(/disk|full/i) })
      await venue.scriptIn('coordinator', free)
      expect((await venue.endOf(await venue.submit(venue.testJob(1)))).state).toBe('completed')
      expect((await venue.inspect('coordinator')).RestartCount).toBe(RestartCount)
    })
  })
})

describe('a holder whose clock is an hour ahead', () => {
  beforeAll(async () => {
    const skewed = ['build', '--quiet', '--build-arg', `HOLDER_IMAGE=${images.holder}`]
    await docker([...skewed, '--tag', 'sluice-test-skewed-holder', standIn('skewed-holder')])
  })

  it('is told by the doctor, and does not spoil the rounds of the others', async () => {
    const settings = { image: 'sluice-test-skewed-holder', environment: { FAKETIME: '+3600s' } }
    await changed('long-beach', settings, async () => {
      const ahead = Number(await venue.scriptIn('long-beach', 'console.log(Date.now())')) - Date.now()
      expect(Math.round(ahead / 60_000)).toBe(60)
      const doctor = await venue.sluiceIn('long-beach', ['doctor', '--json'])
      expect(doctor.code, doctor.stderr).toBe(1)
      const clock = JSON.parse(doctor.stdout).find(({ check }: { check: string }) => check === 'clock')
      expect(clock).toMatchObject({ state: 'fail', found: expect.stringMatching(/^3[56]\d\d s ahead of/) })
      const { state, reason, rounds } = await venue.endOf(await venue.submit(venue.testJob(1)))
      expect(state, reason).toBe('completed')
      for (const { contributors } of rounds) expect(contributors.length).toBeGreaterThanOrEqual(3)
    })
  })

  it('takes part again when its clock is right', async () => {
    const { rounds } = await venue.endOf(await venue.submit(venue.testJob(1)))
    expect(rounds.map(({ contributors }) => contributors.length)).toEqual([4, 4, 4])
  })
})

/** The first commit that had a Dockerfile; undefined where git does not have it, as in a shallow clone. */
const oldest = (await run('git', ['log', '--diff-filter=A', '--format=%H', '--', 'deploy/Dockerfile'])).stdout
  .trim()
  .split('\n')
  .at(-1)

describe('a holder of an older release', () => {
  it('takes part where it speaks the protocol of this coordinator', async () => {
    const image = 'sluice-test-earlier-holder'
    const source = ['--build-arg', `HOLDER_IMAGE=${images.holder}`]
    await docker(['build', '--quiet', ...source, '--tag', image, standIn('earlier-holder')])
    await changed('switzerland', { image }, async () => {
      await venue.untilHealthy('switzerland')
      expect((await venue.sluiceIn('switzerland', ['--version'])).stdout).toBe('0.0.9\n')
      const { state, reason, rounds } = await venue.endOf(await venue.submit(venue.testJob(1)))
      expect(state, reason).toBe('completed')
      expect(rounds.map(({ contributors }) => contributors.length)).toEqual([4, 4, 4])
    })
  })

  it.skipIf(!oldest)(
    'is refused by name where it speaks an older protocol, and the others go on (needs the history of git)',
    async () => {
      const image = 'sluice-test-old-holder'
      const build = `git -C '${repositoryRoot}' archive ${oldest} | docker build --quiet --file deploy/Dockerfile --target holder --tag ${image} -`
      const built = await run('sh', ['-c', build])
      expect(built.code, built.stderr).toBe(0)
      await nameDatasetsInFile('switzerland')
      const since = new Date()
      const settings = {
        image,
        command: ['holder', 'start', '--directory', '/var/lib/sluice'],
        healthcheck: { disable: true },
      }
      await changed('switzerland', settings, async () => {
        await venue.until('the old holder is refused by name', async () => {
          const { stdout, stderr } = await run('docker', ['logs', await venue.containerOf('switzerland')])
          return /protocol-version/.test(stdout + stderr)
        })
        const { state, reason, rounds } = await venue.endOf(await venue.submit(venue.testJob(1)))
        expect(state, reason).toBe('completed')
        for (const { contributors } of rounds)
          expect([...contributors].sort()).toEqual(['cleveland', 'hungary', 'long-beach'])
      })
      expect((await venue.linesOf('coordinator', since)).filter(({ event }) => event === 'fault')).toEqual([])
    },
    300_000,
  )
})

/** The older release knows no configuration from the environment. */
async function nameDatasetsInFile(service: string): Promise<void> {
  const script = `const fs = require('fs')
    const path = '/var/lib/sluice/holder.yaml'
    const text = fs.readFileSync(path, 'utf8')
      .replace('datasets: []', 'datasets: [{ name: heart, path: /data/heart.csv }]')
      .replace('policy: policy.yaml', 'policy: /etc/sluice/policy.yaml')
    fs.writeFileSync(path, text)`
  await venue.scriptIn(service, script)
}
