/** The files of deploy/, docker-compose.yml and docs/DEPLOY.md are held against each other and against the code. */
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { heartHospitals } from '../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../nodes/examples/heart/jobs.ts'
import { datasetConfigSchema } from '../../nodes/holder/dataset-config.ts'
import { holderConfigSchema } from '../../nodes/holder/holder-config.ts'
import { holderPolicySchema } from '../../nodes/holder/holder-policy.ts'
import { coordinatorConfigSchema } from '../../src/cli/venue-files.ts'
import { unknownVariables } from '../../src/configuration/environment.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { runSluice } from '../support/processes.ts'
import { codeIn, documentedTable, fencedBlocks, readPage } from './pages.ts'

const ROOT = resolve(import.meta.dirname, '../..')

interface Service {
  readonly image: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, unknown>>
  readonly volumes?: readonly string[]
  readonly networks?: readonly string[] | Readonly<Record<string, unknown>>
  readonly profiles?: readonly string[]
  readonly ports?: readonly string[]
  readonly [key: string]: unknown
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>
  readonly networks?: Readonly<Record<string, { readonly internal?: boolean }>>
}

const COMPOSE_FILES = ['docker-compose.yml', 'deploy/compose/venue.yml', 'deploy/compose/holder.yml']
const readCompose = (file: string) => parse(readPage(file), { merge: true }) as ComposeFile
const main = readCompose('docker-compose.yml')
const allServices = COMPOSE_FILES.flatMap((file) =>
  Object.entries(readCompose(file).services).map(([name, service]) => ({ file, name, service })),
)
const ofSluice = allServices.filter(({ service }) => /sluice-(coordinator|holder)/.test(service.image))
const networksOf = ({ networks = [] }: Service) => (Array.isArray(networks) ? networks : Object.keys(networks))

describe('the compose files', () => {
  it('run commands that the command line knows, flag by flag', async () => {
    const commands = new Map(
      ofSluice.map(({ service }) => [
        service
          .command!.filter((part) => part.startsWith('--') || /^[a-z-]+$/.test(part))
          .slice(0, 2)
          .join(' '),
        service.command!,
      ]),
    )
    expect(commands.size).toBeGreaterThan(4)
    for (const [path, command] of commands) {
      const { code, stdout } = await runSluice([...path.split(' '), '--help'])
      expect(code, path).toBe(0)
      for (const flag of command.filter((part) => part.startsWith('--'))) expect(stdout, path).toContain(flag)
    }
  })

  it('set variables that a coordinator or a holder has', () => {
    const options = ['SLUICE_LOG_LEVEL']
    for (const { name, service } of ofSluice) {
      const schema = /holder/.test(service.image) ? holderConfigSchema : coordinatorConfigSchema
      const env = Object.fromEntries(
        Object.entries(service.environment ?? {}).map(([key, value]) => [key, String(value)]),
      )
      expect(unknownVariables(schema, options, env), name).toEqual([])
    }
  })

  it('confine every container: nothing to write to, no capability, no way to more, a bound on processes', () => {
    for (const { file, name, service } of allServices) {
      expect(service, `${file}: ${name}`).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        pids_limit: expect.any(Number),
      })
      expect(service.privileged, name).toBeUndefined()
    }
  })

  it('have no password, and name every image by a tag', () => {
    for (const { file, name, service } of allServices) {
      const images = /\$\{\w+:-(.+)\}/.exec(service.image)
      expect(images?.[1], `${file}: ${name}`).toMatch(/^sluice-|^[\w./-]+:[\w.-]+$/)
      const named = Object.keys(service.environment ?? {}).filter((key) => /PASSWORD|SECRET|URL/.test(key))
      expect(
        named.filter((key) => !key.endsWith('_FILE') && key !== 'GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION'),
        name,
      ).toEqual([])
    }
  })

  it('give each holder one network, which is internal and nobody’s but its own and the coordinator’s', () => {
    for (const { name, path } of heartHospitals) {
      const service = main.services[name]
      expect(networksOf(service)).toEqual([name])
      expect(service.ports).toBeUndefined()
      expect(main.networks![name]).toEqual({ internal: true })
      const others = Object.entries(main.services).filter(
        ([other, each]) => other !== name && networksOf(each).includes(name),
      )
      expect(others.map(([other]) => other)).toEqual(['coordinator'])
      expect(service.volumes).toContain(`./nodes/examples/heart/${path}:/data/heart.csv:ro`)
    }
    expect(networksOf(main.services.postgres)).toEqual(['database'])
  })

  it('mount files that are there, read-only', () => {
    for (const { service } of allServices) {
      for (const mount of service.volumes ?? []) {
        if (!mount.startsWith('./')) continue
        const [source, , mode] = mount.split(':')
        expect(existsSync(join(ROOT, source)), source).toBe(true)
        expect(mode, mount).toBe('ro')
      }
    }
  })
})

describe('the files that they mount', () => {
  it('are the heart job of the demo, a policy, and a dataset', () => {
    const submitted = JSON.parse(JSON.stringify(heartJob('mlp', digestOf(Buffer.from('sluice demo 0')))))
    expect(parse(readPage('deploy/compose/heart.yaml'))).toEqual(submitted)
    const policy = holderPolicySchema.parse(parse(readPage('deploy/compose/policy.yaml')))
    expect(policy.coMembers).toEqual(heartHospitals.map(({ name }) => name))
    const { SLUICE_DATASETS } = main.services.cleveland.environment!
    expect(parse(String(SLUICE_DATASETS)).map((each: unknown) => datasetConfigSchema.parse(each).name)).toEqual([
      'heart',
    ])
  })

  it('ask for metrics that there are, and watch the coordinator where it serves them', () => {
    const metrics = documentedTable('docs/OBSERVING.md', 'sluice_rounds_total')
    const dashboards = readdirSync(join(ROOT, 'deploy/observability/grafana/dashboards'))
    expect(dashboards.length).toBeGreaterThan(0)
    for (const file of dashboards) {
      const dashboard = JSON.parse(readPage(`deploy/observability/grafana/dashboards/${file}`))
      const queries: string[] = dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
        targets.map(({ expr }) => expr),
      )
      const names = new Set(queries.flatMap((query) => query.match(/sluice_\w+/g) ?? []))
      expect(names.size).toBeGreaterThan(8)
      for (const name of names) expect([...metrics.keys()], name).toContain(name.replace(/_(sum|count|bucket)$/, ''))
    }
    const { scrape_configs } = parse(readPage('deploy/observability/prometheus.yml'))
    const { SLUICE_ADMIN_LISTEN } = main.services.coordinator.environment!
    expect(scrape_configs[0].static_configs[0].targets).toEqual([SLUICE_ADMIN_LISTEN])
    expect(main.services.coordinator.networks).toMatchObject({ observation: { aliases: ['coordinator-admin'] } })
  })
})

describe('docs/DEPLOY.md', () => {
  const page = readPage('docs/DEPLOY.md')
  const lines = [...page.matchAll(/^```sh.*\n([\s\S]*?)^```$/gm)]
    .flatMap(([, body]) => body.split('\n'))
    .filter((line) => line.includes('docker compose'))

  it('names files, profiles and services that exist', () => {
    expect(lines.length).toBeGreaterThan(10)
    const services = new Set(allServices.map(({ name }) => name))
    const profiles = new Set(Object.values(main.services).flatMap(({ profiles = [] }) => profiles))
    for (const line of lines) {
      for (const [, file] of line.matchAll(/--file (\S+)/g)) expect(existsSync(join(ROOT, file)), line).toBe(true)
      for (const [, profile] of line.matchAll(/--profile (\S+)/g)) expect([...profiles], line).toContain(profile)
      const [, named = ''] = /\b(?:stop|start|exec -T|up --detach) ([a-z- ]+)/.exec(line) ?? []
      for (const name of named
        .split(' ')
        .filter((word) => word && !word.startsWith('-'))
        .slice(0, line.includes('exec') ? 1 : 9))
        expect([...services], line).toContain(name)
    }
  })

  it('shows commands of sluice that there are, flag by flag', async () => {
    const commands = [...page.matchAll(/sluice\.ts ([a-z]+(?: [a-z]+)*)([^`>\n]*)/g)]
    expect(commands.length).toBeGreaterThan(2)
    for (const [, words, rest] of commands) {
      const { code, stdout } = await runSluice([...words.split(' ').slice(0, 2), '--help'])
      expect(code, words).toBe(0)
      for (const [flag] of rest.matchAll(/--[a-z-]+/g)) expect(stdout, words).toContain(flag)
    }
  })

  it('shows a policy that a holder reads, and the networks of the file', () => {
    const [policy] = fencedBlocks(page, 'yaml policy')
    expect(holderPolicySchema.parse(parse(policy)).admissions).toBe('ask')
    const shown = [...documentedTable('docs/DEPLOY.md', 'database').values()].flatMap((row) => codeIn(row.network))
    expect(shown.sort()).toEqual(Object.keys(main.networks!).sort())
  })
})
