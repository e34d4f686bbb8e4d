/**
 * What protection costs: the same job, by the same trainer, at the same four holders, as real processes over mutual TLS on
 * loopback: protected, and as federated averaging in the clear with plain float32 updates and nothing else (clear/). Both in
 * turns, so that what else the machine does meets both.
 *
 *     npm run bench:overhead [-- --weights 1000000] [--rounds 5] [--runs 3] [--trainer tfjs|cheap] [--json]
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { heartJob } from '../nodes/examples/heart/jobs.ts'
import { SluiceProcess } from '../src/cli/demo/demo-processes.ts'
import { modelOfJob, parseJobSpecification } from '../src/learning/job-specification.ts'
import { weightCount } from '../src/learning/model.ts'
import { processSeconds } from '../test/support/process-memory.ts'
import { findFreePort, ProcessVenue } from '../test/support/process-venue.ts'
import { round, summarise } from './measure.ts'
import { hiddenLayers } from './venue/hidden-layers.ts'

const { values: options } = parseArgs({
  options: {
    weights: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '5' },
    runs: { type: 'string', default: '3' },
    trainer: { type: 'string', default: 'tfjs' },
    json: { type: 'boolean', default: false },
  },
})
const program = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** One run of the job. */
interface Run {
  /** Of the whole job, submission to end. */
  readonly jobMs: number
  /** Of each training round. */
  readonly roundMs: readonly number[]
  /** Processor seconds of all processes. */
  readonly cpuS: number
  /** Means over the training rounds, by phase. */
  readonly phasesMs?: Readonly<Record<string, number>>
}

const specification = {
  ...heartJob('mlp', 'ab'.repeat(32), Number(options.rounds)),
  model: { preset: 'mlp' as const, hidden: hiddenLayers(Number(options.weights)), l2: 0 },
}
const weights = weightCount(modelOfJob(parseJobSpecification(specification)))
const venue = await ProcessVenue.start(
  options.trainer === 'cheap' ? { holderProgram: program('./venue/cheap-holder.ts') } : {},
)
try {
  const job = join(venue.root, 'job.json')
  writeFileSync(job, JSON.stringify(specification))
  const inProtected: Run[] = []
  const inClear: Run[] = []
  for (let i = 0; i < Number(options.runs); i++) {
    inClear.push(await runClear(job))
    inProtected.push(await runProtected())
  }
  report(inProtected, inClear)
} finally {
  await venue.close()
}

async function runProtected(): Promise<Run> {
  const pids = [venue.coordinator, ...venue.holders].map(({ pid }) => pid!)
  const cpuBefore = cpuOf(pids)
  const connection = await venue.connect()
  const started = performance.now()
  const job = await connection.submit(specification)
  const durations: Readonly<Record<string, number>>[] = []
  for await (const { event } of connection.watch(job)) {
    if (event.kind === 'round-published' && event.step === 'training') durations.push({ ...event.durations })
    if (event.kind === 'round-abandoned') throw new Error(event.reason)
  }
  const jobMs = performance.now() - started
  const { summary } = await connection.result(job)
  connection.close()
  if (summary.state !== 'completed') throw new Error(`The job ${summary.state}: ${summary.reason}`)
  const phases = Object.keys(durations[0]).map((phase) => [phase, round(mean(durations.map((each) => each[phase])))])
  return {
    jobMs,
    roundMs: durations.map(({ totalMs }) => totalMs),
    cpuS: cpuOf(pids) - cpuBefore,
    phasesMs: Object.fromEntries(phases),
  }
}

async function runClear(job: string): Promise<Run> {
  const address = `127.0.0.1:${await findFreePort()}`
  const directory = (name: string) => ['--directory', join(venue.root, name), '--job', job]
  const coordinator = new SluiceProcess(
    'clear coordinator',
    [...directory('venue'), '--listen', address, '--holders', String(venue.holderNames.length)],
    program('./clear/clear-coordinator.ts'),
  )
  await coordinator.ready('listening')
  const holders = venue.holderNames.map(
    (name) =>
      new SluiceProcess(
        name,
        [...directory(name), '--coordinator', address, '--trainer', options.trainer],
        program('./clear/clear-holder.ts'),
      ),
  )
  try {
    await coordinator.ready('complete')
    const pids = [coordinator, ...holders].map(({ pid }) => pid!)
    const cpuBefore = cpuOf(pids)
    let cpu = cpuBefore
    while (!coordinator.lines.some(({ event }) => event === 'done')) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      try {
        cpu = cpuOf(pids)
      } catch {
        break
      }
    }
    await coordinator.ready('done')
    const rounds = coordinator.lines.filter(({ event, step }) => event === 'round' && step === 'training')
    return {
      jobMs: Number(coordinator.lines.find(({ event }) => event === 'done')!.ms),
      roundMs: rounds.map(({ ms }) => Number(ms)),
      cpuS: cpu - cpuBefore,
    }
  } finally {
    await Promise.all([coordinator, ...holders].map((running) => running.stop()))
  }
}

function report(inProtected: readonly Run[], inClear: readonly Run[]): void {
  const of = (runs: readonly Run[]) => ({
    jobMs: summarise(runs.map(({ jobMs }) => jobMs)),
    trainingRoundMs: summarise(runs.flatMap(({ roundMs }) => roundMs)),
    cpuS: summarise(runs.map(({ cpuS }) => cpuS)),
  })
  const [guarded, clear] = [of(inProtected), of(inClear)]
  const ratio = (field: keyof typeof guarded) => round(guarded[field].medianMs / clear[field].medianMs)
  const result = {
    weights,
    holders: venue.holderNames.length,
    trainer: options.trainer,
    rounds: Number(options.rounds),
    protected: guarded,
    clear,
    ratios: { job: ratio('jobMs'), trainingRound: ratio('trainingRoundMs'), cpu: ratio('cpuS') },
    phasesMs: inProtected.at(-1)!.phasesMs,
  }
  if (options.json) {
    console.log(JSON.stringify(result))
    return
  }
  console.log(`${weights} weights, ${result.holders} holders, trainer ${options.trainer}`)
  console.table({
    'job, protected (ms)': guarded.jobMs,
    'job, in the clear (ms)': clear.jobMs,
    'training round, protected (ms)': guarded.trainingRoundMs,
    'training round, in the clear (ms)': clear.trainingRoundMs,
    'processors, protected (s)': guarded.cpuS,
    'processors, in the clear (s)': clear.cpuS,
  })
  console.table({ ratios: result.ratios })
  console.table({ 'protected training round': result.phasesMs })
}

function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + processSeconds(pid), 0)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
