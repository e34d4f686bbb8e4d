/** What a container may do and reach, and what its operator can see of a hospital's records: nothing. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { docker, run } from './support/engine.ts'
import { CANARIES } from './support/stack.ts'
import * as venue from './support/venue.ts'

const { project, images, directory } = inject('stack')
const ours = ['coordinator', ...venue.hospitals]

let job: string
beforeAll(async () => {
  await venue.settle()
  await venue.startResearcher()
  job = await venue.submit(venue.testJob(3))
  expect((await venue.endOf(job)).state).toBe('completed')
})
afterAll(venue.stopResearcher)

describe('a job over four holders in containers', () => {
  it('ends with sums that every hospital has verified, and a log that says so in order', async () => {
    const { rounds, evaluation } = await venue.endOf(job)
    expect(rounds.map(({ contributors }) => contributors.length)).toEqual([4, 4, 4, 4, 4])
    // 61 + 59 + 40 + 26 records: the held-out fifths of the four hospitals, each counted once in the sum.
    expect(evaluation?.exampleCount).toBe(184)
    await venue.until('all have verified the last sum', async () => {
      const { verified } = await venue.verdictsOf(job)
      return verified.get(rounds.at(-1)!.round)?.length === 4
    })
    const { verified, wrong } = await venue.verdictsOf(job)
    expect(wrong).toBe(0)
    for (const { round } of rounds) expect(verified.get(round)?.length, `round ${round}`).toBe(4)
    const audit = await venue.sluiceIn('cleveland', [
      ...['log', 'verify', 'http://coordinator:7445/log', '--holder', '/var/lib/sluice', '--json'],
    ])
    expect(audit.code, audit.stdout + audit.stderr).toBe(0)
  })
})

describe('a container', () => {
  it.each([...ours, 'postgres'])('of %s has no root, no capability, no way to more, and bounds', async (service) => {
    const { HostConfig, Config } = await venue.inspect(service)
    expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'], Privileged: false })
    expect(HostConfig.SecurityOpt.join()).toMatch(/no-new-privileges/)
    expect(HostConfig.Memory).toBeGreaterThan(0)
    expect(HostConfig.PidsLimit).toBeGreaterThan(0)
    expect(Config.User).not.toMatch(/^(0|root)?(:|$)/)
    const status = await docker(['exec', await venue.containerOf(service), ...catStatus(service)])
    expect(status).toMatch(/^CapEff:\s0+$/m)
    expect(status).toMatch(/^CapBnd:\s0+$/m)
    expect(status).toMatch(/^NoNewPrivs:\s1$/m)
    expect(status).not.toMatch(/^Uid:\s0\s/m)
  })

  it.each(ours)('of %s can write to its volume and to /tmp alone', async (service) => {
    const places = ['/', '/opt/sluice', '/etc', '/usr/local/bin', '/tmp', '/var/lib/sluice']
    const script = `const fs = require('fs')
      console.log(JSON.stringify(${JSON.stringify(places)}.filter((place) => {
        try { fs.writeFileSync(place + '/.probe', ''); fs.rmSync(place + '/.probe'); return true } catch { return false }
      })))`
    expect(JSON.parse(await venue.scriptIn(service, script))).toEqual(['/tmp', '/var/lib/sluice'])
  })

  it('has no secret in its environment, its command line or its log', async () => {
    const password = await venue.scriptIn(
      'coordinator',
      `process.stdout.write(require('fs').readFileSync('/run/sluice/password', 'utf8').trim())`,
    )
    expect(password).toMatch(/^[0-9a-f]{64}$/)
    for (const service of [...ours, 'postgres', 'secrets']) {
      expect(JSON.stringify(await venue.inspect(service)), service).not.toContain(password)
      const { stdout, stderr } = await run('docker', ['logs', await venue.containerOf(service)])
      expect(stdout + stderr, service).not.toContain(password)
    }
  })
})

const catStatus = (service: string) =>
  service === 'postgres'
    ? ['cat', '/proc/1/status']
    : ['/usr/local/bin/node', '-p', 'require("fs").readFileSync("/proc/1/status", "utf8")']

/** Which of some addresses, `host port`, somebody answers at when a service dials: a refusal is an answer, too. */
async function answering(service: string, targets: readonly string[]): Promise<string[]> {
  const script = `const { connect } = require('net')
    const dial = (target) => new Promise((done) => {
      const [host, port] = target.split(' ')
      const socket = connect({ host, port: Number(port) })
      socket.on('connect', () => done([target])).on('error', ({ code }) => done(code === 'ECONNREFUSED' ? [target] : []))
      // Nobody has refused; a name that is not to be found may take longer still.
      setTimeout(() => done([]), 3000)
    })
    Promise.all(${JSON.stringify(targets)}.map(dial)).then((all) => {
      console.log(JSON.stringify(all.flat()))
      process.exit()
    })`
  return JSON.parse(await venue.scriptIn(service, script))
}

/** Addresses of a service on all its networks. */
async function addressesOf(service: string): Promise<string[]> {
  const { NetworkSettings } = await venue.inspect(service)
  return Object.values(NetworkSettings.Networks as Record<string, { IPAddress: string }>).map((each) => each.IPAddress)
}

describe('a holder', () => {
  it('reaches its coordinator, and no other holder, no database, no metrics, no outside', async () => {
    const others = venue.hospitals.filter((name) => name !== 'cleveland')
    const byName = [...others, 'postgres', 'coordinator-admin'].map((name) => `${name} 7446`)
    const byAddress = (await Promise.all([...others, 'postgres'].map(async (service) => addressesOf(service)))).flatMap(
      (addresses) => addresses.flatMap((address) => [`${address} 7446`, `${address} 5432`]),
    )
    const foreign = ['192.0.2.1 443', '1.1.1.1 53']
    const found = await answering('cleveland', ['coordinator 7443', ...byName, ...byAddress, ...foreign])
    expect(byAddress.length).toBeGreaterThan(6)
    expect(found).toEqual(['coordinator 7443'])
  })

  it('cannot be reached, not even by its coordinator', async () => {
    const targets = (await addressesOf('cleveland')).flatMap((address) =>
      [7443, 7446, 80].map((port) => `${address} ${port}`),
    )
    // Nothing listens there but loopback: every port of the container refuses.
    const refused = `const { connect } = require('net')
      Promise.all(${JSON.stringify(targets)}.map((target) => new Promise((done) => {
        const [host, port] = target.split(' ')
        connect({ host, port: Number(port) }).on('connect', () => done('open')).on('error', ({ code }) => done(code))
      }))).then((all) => { console.log(JSON.stringify(all)); process.exit() })`
    const answers: string[] = JSON.parse(await venue.scriptIn('coordinator', refused))
    expect(new Set(answers)).toEqual(new Set(['ECONNREFUSED']))
  })
})

describe('canaries in the records of a hospital', () => {
  const texts = Object.entries(CANARIES).flatMap(([name, columns]) =>
    Object.values(columns).map((text) => ({ name, text })),
  )

  it('are in no log of anybody, and in no metric', async () => {
    const metrics = await venue.scriptIn(
      'coordinator',
      `fetch('http://coordinator-admin:7446/metrics').then((answer) => answer.text()).then(console.log)`,
    )
    expect(metrics).toContain('sluice_contributions_total')
    const logs = await Promise.all(
      [...ours, 'postgres'].map(async (service) => run('docker', ['logs', await venue.containerOf(service)])),
    )
    const seen = [metrics, ...logs.flatMap(({ stdout, stderr }) => [stdout, stderr])].join('\n')
    expect(seen).toContain('sum-verified')
    for (const { text } of texts) expect(seen).not.toContain(text)
  })

  it('are in no volume of another party, in any spelling', async () => {
    const volumes = (
      await docker(['volume', 'ls', '--quiet', '--filter', `label=com.docker.compose.project=${project}`])
    )
      .trim()
      .split('\n')
    expect(volumes.length).toBeGreaterThan(10)
    const mounts = volumes.flatMap((volume) => ['--volume', `${volume}:/volumes/${volume}:ro`])
    const script = `const { readdirSync, readFileSync, statSync } = require('fs')
      const spellings = (text) => {
        const number = Number(text)
        if (Number.isNaN(number)) return [Buffer.from(text)]
        const bytes = Buffer.alloc(24); bytes.writeDoubleLE(number, 0); bytes.writeDoubleBE(number, 8)
        return [Buffer.from(text), bytes.subarray(0, 8), bytes.subarray(8, 16)]
      }
      let files = 0
      const found = []
      for (const name of readdirSync('/volumes', { recursive: true })) {
        const path = '/volumes/' + name
        if (!statSync(path).isFile()) continue
        files++
        const content = readFileSync(path)
        for (const { name: hospital, text } of ${JSON.stringify(texts)})
          if (spellings(text).some((bytes) => content.includes(bytes))) found.push({ path, hospital, text })
      }
      console.log(JSON.stringify({ files, found }))`
    const planted = `${join(directory, 'cleveland.csv')}:/volumes/planted/cleveland.csv:ro`
    const { files, found } = JSON.parse(
      await docker([
        ...['run', '--rm', '--network', 'none', '--user', '0', '--entrypoint', 'node', '--volume', planted, ...mounts],
        ...[images.postgres, '--eval', script],
      ]),
    )
    expect(files).toBeGreaterThan(100)
    // What is to be found is found: in the file itself, which only this search has beside the volumes.
    expect(found.filter(({ path }: { path: string }) => path.startsWith('/volumes/planted/')).length).toBe(2)
    const elsewhere = found.filter(
      ({ path, hospital }: { path: string; hospital: string }) =>
        !path.startsWith('/volumes/planted/') && !path.startsWith(`/volumes/${project}_${hospital}/`),
    )
    expect(elsewhere).toEqual([])
  })
})
