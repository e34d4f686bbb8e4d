/** One venue of containers for the whole suite: its images, its start, its end. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { TestProject } from 'vitest/node'
import { stringify as toYaml } from 'yaml'
import { heartDirectory, heartHospitals } from '../../../nodes/examples/heart/hospitals.ts'
import { composeOf, docker, missingEngine } from './engine.ts'

/** What the tests know of the running venue. */
export interface Stack {
  readonly project: string
  readonly images: { readonly coordinator: string; readonly holder: string; readonly postgres: string }
  /** Compose files: the one of the repository, and what the test changes of it. */
  readonly files: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** For files of the tests; removed at the end. */
  readonly directory: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    stack: Stack
  }
}

/** Numbers and texts that no other record, file or digest has, by hospital and column. */
export const CANARIES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cleveland: { chol: '187.0625', thal: 'quetzalcoatlus' },
  hungary: { chol: '203.0625', thal: 'archaeopteryx' },
}

export const repositoryRoot = resolve(import.meta.dirname, '../../..')
const standIns = join(repositoryRoot, 'test/containers/stand-ins')

/** Vitest calls it before the suite; what it returns, after. @throws Error when there is no engine */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const missing = missingEngine()
  if (missing) throw new Error(missing)
  const stack = describeStack()
  const compose = composeOf(stack.project, stack.files, stack.environment)
  const tearDown = async () => {
    await compose('--profile', 'demo', '--profile', 'observability', 'down', '--volumes', '--remove-orphans')
    rmSync(stack.directory, { recursive: true, force: true })
  }
  try {
    await buildImages(stack)
    await compose('up', '--detach')
  } catch (error) {
    await tearDown()
    throw error
  }
  project.provide('stack', stack)
  return tearDown
}

function describeStack(): Stack {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-containers-'))
  const images = {
    coordinator: 'sluice-test-coordinator',
    holder: 'sluice-test-holder',
    postgres: 'sluice-test-postgres',
  }
  plantCanaries(directory)
  const services = Object.fromEntries(
    heartHospitals.map(({ name }) => [name, { volumes: [`${join(directory, `${name}.csv`)}:/data/heart.csv:ro`] }]),
  )
  const override = join(directory, 'override.yml')
  writeFileSync(override, toYaml({ services }))
  return {
    project: `sluicetest${process.pid}`,
    images,
    files: [join(repositoryRoot, 'docker-compose.yml'), override],
    environment: {
      SLUICE_COORDINATOR_IMAGE: images.coordinator,
      SLUICE_HOLDER_IMAGE: images.holder,
      // The official image is in no registry that this machine may reach: see the stand-in's Dockerfile.
      SLUICE_POSTGRES_IMAGE: images.postgres,
      SLUICE_PROMETHEUS_IMAGE: 'sluice-test-prometheus',
    },
    directory,
  }
}

/** Each hospital's records, with the canaries over the first of them. */
function plantCanaries(directory: string): void {
  for (const { name, path } of heartHospitals) {
    const file = join(directory, `${name}.csv`)
    cpSync(join(heartDirectory, path), file)
    const [header, first, ...rest] = readFileSync(file, 'utf8').split('\n')
    const record = first.split(',')
    for (const [column, value] of Object.entries(CANARIES[name] ?? {}))
      record[header.split(',').indexOf(column)] = value
    writeFileSync(file, [header, record.join(','), ...rest].join('\n'))
  }
}

async function buildImages({ images }: Stack): Promise<void> {
  await docker(['build', '--quiet', '--tag', images.postgres, join(standIns, 'postgres')])
  await docker(buildArguments('coordinator', images.coordinator))
  await docker(buildArguments('holder', images.holder))
}

/** The command that builds one of the repository's images. */
export function buildArguments(target: 'coordinator' | 'holder', tag: string): string[] {
  return ['build', '--quiet', '--file', 'deploy/Dockerfile', '--target', target, '--tag', tag, '.']
}

/** A stand-in of the test, or a variant of an image. */
export function standIn(name: string): string {
  return join(standIns, name)
}
