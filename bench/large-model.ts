/**
 * A model of a hundred million weights among three holders: a coordinator and three holder nodes as real processes on loopback, one
 * training round. The trainer is one that costs next to nothing (venue/cheap-trainer.ts): a step of TensorFlow.js on such a model takes
 * longer than the round, and says nothing about it.
 *
 *     npm run bench:large [-- --weights 100000000] [--threads 2] [--json]
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { heartJob } from '../nodes/examples/heart/jobs.ts'
import type { JobEvent } from '../src/coordinator/ports.ts'
import { modelOfJob, parseJobSpecification } from '../src/learning/job-specification.ts'
import { weightCount } from '../src/learning/model.ts'
import { forgetPeak, processMemory, processSeconds } from '../test/support/process-memory.ts'
import { ProcessVenue } from '../test/support/process-venue.ts'
import { hiddenLayers } from './venue/hidden-layers.ts'

const { values: options } = parseArgs({
  options: {
    weights: { type: 'string', default: '100000000' },
    threads: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
})

const HOLDERS = 3
const holderProgram = fileURLToPath(new URL('./venue/cheap-holder.ts', import.meta.url))
const venue = await ProcessVenue.start({ holders: HOLDERS, holderProgram, payloadThreads: Number(options.threads) })
try {
  const { coordinator, holders } = venue
  const atStart = processMemory(coordinator.pid!)
  for (const { pid } of [coordinator, ...holders]) forgetPeak(pid!)
  const specification = {
    ...heartJob('mlp', 'ab'.repeat(32), 1),
    model: { preset: 'mlp' as const, hidden: hiddenLayers(Number(options.weights)), l2: 0 },
    holders: [...venue.holderNames],
    roundTimeoutMs: 3_600_000,
  }
  const weights = weightCount(modelOfJob(parseJobSpecification(specification)))
  const connection = await venue.connect()
  const secondsBefore = [coordinator, ...holders].map(({ pid }) => processSeconds(pid!))
  const started = performance.now()
  const job = await connection.submit(specification)
  let training: Extract<JobEvent, { kind: 'round-published' }> | undefined
  for await (const { event } of connection.watch(job)) {
    if (event.kind === 'round-published' && event.step === 'training') training = event
    if (event.kind === 'round-abandoned' || event.kind === 'holder-refused') console.error(event)
  }
  const jobS = (performance.now() - started) / 1000
  const { summary } = await connection.result(job)
  connection.close()
  if (summary.state !== 'completed' || !training) throw new Error(`The job ${summary.state}: ${summary.reason}`)
  await allVerified(venue, training.round)
  const verifiedS = (performance.now() - started) / 1000
  const [coordinatorCpuS, ...holderCpuS] = [coordinator, ...holders].map(
    ({ pid }, i) => processSeconds(pid!) - secondsBefore[i],
  )
  const ofHolders = holders.map(({ pid }) => processMemory(pid!).peakRssBytes)
  const result = {
    weights,
    holders: HOLDERS,
    payloadThreads: Number(options.threads),
    jobS: round(jobS),
    verifiedS: round(verifiedS),
    coordinatorCpuS: round(coordinatorCpuS),
    holderCpuS: round(Math.max(...holderCpuS)),
    trainingRoundMs: training.durations,
    ciphertextBytes: training.ciphertextBytes,
    ciphertextBytesPerWeight: round(training.ciphertextBytes / weights),
    // The embedded database is compiled at the start, which takes more for a moment than a round does.
    coordinatorStartPeakRssMb: mb(atStart.peakRssBytes),
    coordinatorIdleRssMb: mb(atStart.rssBytes),
    coordinatorPeakRssMb: mb(processMemory(coordinator.pid!).peakRssBytes),
    holderPeakRssMb: Math.max(...ofHolders.map(mb)),
  }
  if (options.json) console.log(JSON.stringify(result))
  else console.table(Object.entries({ ...result, trainingRoundMs: JSON.stringify(training.durations) }))
} finally {
  await venue.close()
}

/** Every holder has verified the sum of the round; it takes its time after the publication. */
async function allVerified({ holders }: ProcessVenue, number: number): Promise<void> {
  const verified = ({ lines }: (typeof holders)[0]) =>
    lines.some(({ event, round: of }) => event === 'sum-verified' && of === number)
  const deadline = Date.now() + 600_000
  while (!holders.every(verified)) {
    if (Date.now() > deadline) throw new Error('A holder has not verified the sum.')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

function mb(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}

function round(value: number): number {
  return Number(value.toPrecision(4))
}
