/** What a test does with the running venue: run jobs, read logs, stop and start its containers. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject } from 'vitest'
import { heartHospitals } from '../../../nodes/examples/heart/hospitals.ts'
import { heartJob } from '../../../nodes/examples/heart/jobs.ts'
import type { LogLine } from '../../../src/cli/demo/demo-processes.ts'
import type { JobEvent, StoredJobEvent } from '../../../src/coordinator/ports.ts'
import { composeOf, docker, type Finished, run } from './engine.ts'

export type PublishedRound = Extract<JobEvent, { kind: 'round-published' }>

export const hospitals = heartHospitals.map(({ name }) => name)
const SLUICE = ['/usr/local/bin/node', '/opt/sluice/src/cli/sluice.ts']
/** Far above what anything takes on a machine of its own. */
const PATIENCE_MS = 200_000

const { project, files, environment } = inject('stack')

/** Compose on the venue; `more` are compose files over it. */
export function compose(args: readonly string[], more: readonly string[] = [], env = {}): Promise<string> {
  return composeOf(project, [...files, ...more], { ...environment, ...env })(...args)
}

/** The id of a service's container. */
export async function containerOf(service: string): Promise<string> {
  const labels = [`com.docker.compose.project=${project}`, `com.docker.compose.service=${service}`]
  const found = await docker([
    'ps',
    '--all',
    '--quiet',
    '--latest',
    ...labels.flatMap((label) => ['--filter', `label=${label}`]),
  ])
  if (!found) throw new Error(`The venue has no container of ${service}.`)
  return found.trim()
}

export async function inspect(service: string) {
  const [found] = JSON.parse(await docker(['inspect', await containerOf(service)]))
  return found
}

/** A `sluice` command in a service's container. */
export async function sluiceIn(service: string, args: readonly string[], input?: string): Promise<Finished> {
  return run('docker', ['exec', '--interactive', await containerOf(service), ...SLUICE, ...args], input)
}

/** A script in a service's container, by the only interpreter that is there. @returns what it prints */
export async function scriptIn(service: string, script: string): Promise<string> {
  return docker(['exec', await containerOf(service), '/usr/local/bin/node', '--eval', script])
}

/** Waits for something to be so. @throws Error naming what was waited for */
export async function until(what: string, isSo: () => Promise<boolean>, patienceMs = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs / 1000} s in vain: ${what}`)
    await sleep(500)
  }
}

export const untilHealthy = (service: string) =>
  until(`${service} is healthy`, async () => (await inspect(service)).State.Health.Status === 'healthy')

/** What a service has logged, as far as its lines are JSON. */
export async function linesOf(service: string, since?: Date): Promise<LogLine[]> {
  const from = since ? ['--since', since.toISOString()] : []
  const { stdout } = await run('docker', ['logs', ...from, await containerOf(service)])
  return stdout
    .split('\n')
    .map(parseLine)
    .filter((line) => line !== undefined)
}

function parseLine(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return undefined
  }
}

/** Waits for a line in a service's log, from now on. */
export async function nextLine(service: string, matches: (line: LogLine) => boolean): Promise<LogLine> {
  const following = spawn('docker', ['logs', '--follow', '--tail', '0', await containerOf(service)])
  const patience = setTimeout(() => following.kill(), PATIENCE_MS)
  try {
    for await (const text of createInterface({ input: following.stdout })) {
      const line = parseLine(text)
      if (line && matches(line)) return line
    }
  } finally {
    clearTimeout(patience)
    following.kill()
  }
  throw new Error(`${service} logged no such line`)
}

/** A service that a researcher's commands run in: on the researchers' network, joined by an invite. */
export async function startResearcher(): Promise<void> {
  await compose(['--profile', 'demo', 'run', '--rm', '--no-deps', 'enrol-researcher'])
  const name = researcher()
  await docker(['rm', '--force', name]).catch(() => undefined)
  const volumes = [`${project}_researcher:/var/lib/sluice`, `${project}_researcher-invite:/run/sluice:ro`]
  await docker([
    ...['run', '--detach', '--rm', '--name', name, '--no-healthcheck', '--entrypoint', '/usr/local/bin/node'],
    ...['--label', `com.docker.compose.project=${project}`, '--network', `${project}_researchers`],
    ...volumes.flatMap((volume) => ['--volume', volume]),
    ...[
      environment.SLUICE_COORDINATOR_IMAGE,
      '--eval',
      'process.on("SIGTERM", () => process.exit()); setInterval(() => {}, 1e6)',
    ],
  ])
  const joined = await inResearcher(['researcher', 'join', '/run/sluice/invite', '--directory', '/var/lib/sluice'])
  if (joined.code !== 0) throw new Error(joined.stderr)
}

const researcher = () => `${project}-researcher`
export const stopResearcher = () => docker(['rm', '--force', researcher()])

function inResearcher(args: readonly string[], input?: string): Promise<Finished> {
  const env = ['--env', 'SLUICE_RESEARCHER=/var/lib/sluice']
  return run('docker', ['exec', '--interactive', ...env, researcher(), ...SLUICE, ...args], input)
}

const SEED = '5eed'.repeat(16)

/** A job over the four hospitals. More epochs make its rounds long enough to be interrupted. */
export function testJob(rounds: number, epochs = 2) {
  const job = heartJob('logistic', SEED, rounds)
  return { ...job, training: { ...job.training!, epochs } }
}

/** Submits a job. @returns its id */
export async function submit(job: object): Promise<string> {
  const { code, stdout, stderr } = await inResearcher(['job', 'submit', '/dev/stdin'], JSON.stringify(job))
  if (code !== 0) throw new Error(stderr)
  return stdout.trim()
}

/** Watches a job to its end, again when the coordinator went away. @returns its events; they end with its state */
export async function eventsOf(job: string): Promise<JobEvent[]> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const { stdout, stderr } = await inResearcher(['job', 'watch', job, '--json'])
    const events = stdout.split('\n').flatMap((line) => (line ? [(JSON.parse(line) as StoredJobEvent).event] : []))
    const last = events.at(-1)
    if (last?.kind === 'job-state' && ['completed', 'failed', 'cancelled'].includes(last.state)) return events
    if (performance.now() > deadline) throw new Error(`the job does not end: ${stderr}`)
    await sleep(500)
  }
}

/** How a job ended: its last event, and the rounds that it published. */
export async function endOf(job: string) {
  const events = await eventsOf(job)
  const rounds = events.filter((event): event is PublishedRound => event.kind === 'round-published')
  const last = events.at(-1) as Extract<JobEvent, { kind: 'job-state' }>
  return { state: last.state, reason: last.reason, events, rounds, evaluation: rounds.at(-1)?.evaluation }
}

/**
 * The same records in the same rounds give the same model, but for the random rounding of every update: a score may move an example
 * over a threshold, and no more.
 */
export function expectSameModel(one: PublishedRound['evaluation'], other: PublishedRound['evaluation']): void {
  expect(one?.exampleCount).toBe(other?.exampleCount)
  expect(one?.meanLoss).toBeCloseTo(other!.meanLoss, 2)
  for (const score of ['accuracy', 'auc'] as const) {
    expect(Math.abs(one![score]!.value - other![score]!.value), score).toBeLessThan(0.02)
  }
}

/** Resolves when the coordinator has planned a round of training, the second of a job: its holders compute. */
export const trainingRound = () =>
  nextLine('coordinator', ({ event, round }) => event === 'round-planned' && Number(round) >= 3)

/** Starts what does not run, and waits until everybody is ready: a test that failed half-way is no reason for the next to fail. */
export async function settle(): Promise<void> {
  const all = ['postgres', 'coordinator', ...hospitals]
  for (const service of all) {
    const { State, Id } = await inspect(service)
    if (!State.Running) await docker(['start', Id])
  }
  await Promise.all(all.map(untilHealthy))
}

/** Which holders verified each sum of a job, by round; and whether anybody found one wrong. */
export async function verdictsOf(job: string) {
  const verified = new Map<number, string[]>()
  let wrong = 0
  for (const name of hospitals) {
    for (const line of await linesOf(name)) {
      if (line.job !== job) continue
      if (line.event === 'wrong-sum') wrong++
      if (line.event === 'sum-verified') {
        const round = Number(line.round)
        verified.set(round, [...(verified.get(round) ?? []), name])
      }
    }
  }
  return { verified, wrong }
}
