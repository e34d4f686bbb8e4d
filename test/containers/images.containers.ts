/** The images that ship: what is in them, how large they are, and that one commit gives them twice. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { docker } from './support/engine.ts'
import { buildArguments } from './support/stack.ts'

const { images } = inject('stack')
const roles = ['coordinator', 'holder'] as const
const MEGABYTE = 1_000_000

async function imageOf(tag: string) {
  const [image] = JSON.parse(await docker(['image', 'inspect', tag]))
  return image
}

/** What a script prints that runs in an image, with nothing of a network. */
const inImage = (role: (typeof roles)[number], script: string) =>
  docker(['run', '--rm', '--network', 'none', '--entrypoint', '/usr/local/bin/node', images[role], '--eval', script])

describe.each(roles)('the image of the %s', (role) => {
  it('is smaller than 350 MB', async () => {
    const { Size } = await imageOf(images[role])
    console.log(`image of the ${role}: ${(Size / MEGABYTE).toFixed(0)} MB`)
    expect(Size).toBeLessThan(350 * MEGABYTE)
  })

  it('runs as a user who is not root, is told to stop by SIGTERM, and says whether it is ready', async () => {
    const { Config } = await imageOf(images[role])
    expect(Config).toMatchObject({ User: '10001:10001', StopSignal: 'SIGTERM' })
    expect(Config.Healthcheck.Test).toContain('ready')
  })

  it('has an SBOM and a list of licences of exactly the packages that are in it', async () => {
    const script = `const { readFileSync, existsSync } = require('fs')
      const { bomFormat, components } = JSON.parse(readFileSync('/opt/sbom.cdx.json', 'utf8'))
      const place = ({ group, name }) => '/opt/sluice/node_modules/' + (group ? group + '/' : '') + name
      const licences = readFileSync('/opt/licenses.txt', 'utf8').trim().split('\\n')
      const { dependencies } = JSON.parse(readFileSync('/opt/sluice/package.json', 'utf8'))
      const names = components.map(({ group, name }) => (group ? group + '/' : '') + name)
      console.log(JSON.stringify({ bomFormat, count: components.length, licences: licences.length,
        unlisted: Object.keys(dependencies).filter((name) => !names.includes(name)),
        undeclared: licences.filter((line) => line.endsWith('not declared')) }))`
    const { bomFormat, count, licences, unlisted, undeclared } = JSON.parse(await inImage(role, script))
    expect(bomFormat).toBe('CycloneDX')
    expect(count).toBeGreaterThan(50)
    expect(licences).toBe(count)
    expect({ unlisted, undeclared }).toEqual({ unlisted: [], undeclared: [] })
  })

  it('has no shell, no package manager, and nothing of the other role or of a developer', async () => {
    const foreign = { coordinator: '@tensorflow/tfjs-core', holder: 'pg' }[role]
    const paths = ['/bin/sh', '/usr/bin/apt', '/usr/local/bin/npm', '/opt/sluice/test', '/opt/sluice/.git']
    const modules = ['vitest', 'typescript', foreign].map((name) => `/opt/sluice/node_modules/${name}`)
    const script = `console.log(JSON.stringify(${JSON.stringify([...paths, ...modules])}.filter(require('fs').existsSync)))`
    expect(JSON.parse(await inImage(role, script))).toEqual([])
  })
})

describe('building again', () => {
  beforeAll(async () => {
    // Without the cache, so that every step runs anew; the second target finds the fresh steps that both share.
    await docker([...buildArguments('holder', `${images.holder}:again`), '--no-cache'])
    await docker(buildArguments('coordinator', `${images.coordinator}:again`))
  }, 300_000)
  afterAll(async () => {
    await docker(['image', 'rm', `${images.holder}:again`, `${images.coordinator}:again`])
  })

  it.each(roles)('gives the same layers of the %s', async (role) => {
    const [first, again] = await Promise.all([imageOf(images[role]), imageOf(`${images[role]}:again`)])
    expect(again.RootFS.Layers).toEqual(first.RootFS.Layers)
    expect(again.Id).not.toBe(first.Id)
  })
})
