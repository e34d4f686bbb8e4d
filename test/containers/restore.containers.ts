/** The commands of docs/DEPLOY.md: a backup, nothing left after `down --volumes`, a restored venue; a venue and a holder apart. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { heartDirectory } from '../../nodes/examples/heart/hospitals.ts'
import { fencedBlocks, readPage } from '../docs/pages.ts'
import { composeOf, docker, run } from './support/engine.ts'
import { repositoryRoot } from './support/stack.ts'
import * as venue from './support/venue.ts'

const { project, files, environment, directory } = inject('stack')
const ours = ['coordinator', ...venue.hospitals]

/** What of a project the engine still has. */
async function leftOf(name: string): Promise<string[]> {
  const label = `label=com.docker.compose.project=${name}`
  const left = await Promise.all([
    docker(['ps', '--all', '--quiet', '--filter', label]),
    docker(['volume', 'ls', '--quiet', '--filter', label]),
    docker(['network', 'ls', '--quiet', '--filter', label]),
  ])
  return left.flatMap((text) => text.split('\n').filter(Boolean))
}

/** Runs a block of the page as an operator would, in an empty directory. `docker compose` is docker-compose where there is no plugin. */
async function runBlock(info: string): Promise<void> {
  const [block] = fencedBlocks(readPage('docs/DEPLOY.md'), `sh ${info}`)
  const shim =
    'docker() { if [ "$1" = compose ] && ! command docker compose version >/dev/null 2>&1; then shift; docker-compose "$@"; else command docker "$@"; fi; }'
  const env = { ...environment, COMPOSE_PROJECT_NAME: project, COMPOSE_FILE: files.join(delimiter) }
  const script = `set -eu\n${shim}\ncd "$1"\n${block}`
  const { code, stderr } = await run('sh', ['-c', script, 'sh', directory], '', env)
  if (code !== 0) throw new Error(`the block "${info}" ended with ${code}: ${stderr.slice(-2000)}`)
}

describe('backup and restore, by the page’s own commands', () => {
  beforeAll(venue.settle)
  afterAll(venue.stopResearcher)

  it('carry a venue over the loss of everything', async () => {
    await venue.startResearcher()
    const before = await venue.endOf(await venue.submit(venue.testJob(2)))
    expect(before.state).toBe('completed')
    await venue.stopResearcher()
    await runBlock('backup')

    await venue.compose(['--profile', 'demo', 'down', '--volumes', '--remove-orphans'])
    expect(await leftOf(project)).toEqual([])

    await runBlock('restore')
    await venue.settle()
    await venue.startResearcher()
    const after = await venue.endOf(await venue.submit(venue.testJob(2)))
    expect(after.state, after.reason).toBe('completed')
    // The same members with the same records, whose log is the one that they had seen.
    venue.expectSameModel(after.evaluation, before.evaluation)
    expect(after.rounds.map(({ contributors }) => contributors.length)).toEqual([4, 4, 4, 4])
    const lines = (await Promise.all(ours.map((service) => venue.linesOf(service)))).flat()
    expect(lines.filter(({ event }) => event === 'founded' || event === 'joined')).toEqual([])
  }, 600_000)
})

describe('a venue and a holder that share nothing but an invite', () => {
  const place = mkdtempSync(join(tmpdir(), 'sluice-apart-'))
  const host = '172.17.0.1'
  const ports = [17443, 17444, 17445]
  const [listen, enrol, log] = ports.map(String)
  const settings = {
    ...environment,
    SLUICE_VENUE: 'hearts.example',
    SLUICE_ADDRESS: `${host}:${listen}`,
    SLUICE_ENROL_ADDRESS: `${host}:${enrol}`,
    SLUICE_PORT: listen,
    SLUICE_ENROL_PORT: enrol,
    SLUICE_LOG_PORT: log,
    SLUICE_HOLDER_FILES: place,
    SLUICE_DATASETS: '[{ name: heart, path: /data/heart.csv }]',
  }
  const [venueProject, holderProject] = [`${project}venue`, `${project}north`]
  const file = (name: string) => join(repositoryRoot, 'deploy/compose', name)
  const ofVenue = composeOf(venueProject, [file('venue.yml')], settings)
  const ofHolder = composeOf(holderProject, [file('holder.yml')], settings)
  const sluice = ['/usr/local/bin/node', '/opt/sluice/src/cli/sluice.ts']

  /** Members of the registry that the holder has accepted; undefined before it has one. */
  const membersOf = async () =>
    JSON.parse(await ofHolder('exec', '-T', 'holder', ...sluice, 'holder', 'members', '--json')).registry?.members

  afterAll(async () => {
    await ofHolder('down', '--volumes')
    await ofVenue('down', '--volumes')
    rmSync(place, { recursive: true })
    expect([...(await leftOf(venueProject)), ...(await leftOf(holderProject))]).toEqual([])
  })

  it('meet over published ports: the holder joins, and is in the registry', async () => {
    await ofVenue('up', '--detach')
    await venue.until('the coordinator listens', async () => /"listening"/.test(await ofVenue('logs', 'coordinator')))
    const invite = ['coordinator', 'invite', 'north', '--organisation', 'North Clinic']
    const line = await ofVenue('exec', '-T', 'coordinator', ...sluice, ...invite)
    for (const name of ['invite', 'data']) mkdirSync(join(place, name))
    writeFileSync(join(place, 'invite/invite'), line)
    writeFileSync(join(place, 'policy.yaml'), fencedBlocks(readPage('docs/DEPLOY.md'), 'yaml policy')[0])
    copyFileSync(join(heartDirectory, 'cleveland.csv'), join(place, 'data/heart.csv'))
    await run('chmod', ['-R', 'a+rX', place])
    await ofHolder('up', '--detach')
    await venue.until('the holder is connected', async () => /"connected"/.test(await ofHolder('logs', 'holder')))
    // It asks for the registry once it is connected.
    await venue.until('the holder has the registry', async () => (await membersOf())?.length > 0)
    expect((await membersOf()).map(({ holder }: { holder: string }) => holder)).toEqual(['north'])
    const check = JSON.parse(await ofHolder('exec', '-T', 'holder', ...sluice, 'config', 'check', '--json'))
    expect(check.fields).toContainEqual({ field: 'policy', value: '/etc/sluice/policy.yaml', from: 'SLUICE_POLICY' })
  })
})
