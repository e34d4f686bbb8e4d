/**
 * How long a job stands still when its coordinator is killed (SIGKILL) and started again at once: from the start to the first
 * line of the job that the coordinator stores or a holder writes, with four holders and a small model, at ten moments of its rounds.
 *
 *     npm run bench:recovery [-- --times 10] [--json]
 */
import { parseArgs } from 'node:util'
import { heartJob } from '../nodes/examples/heart/jobs.ts'
import { ProcessVenue } from '../test/support/process-venue.ts'
import { summarise } from './measure.ts'

const { values: options } = parseArgs({
  options: { times: { type: 'string', default: '10' }, json: { type: 'boolean', default: false } },
})

/** One kill: milliseconds since the new process was begun. */
interface Recovery {
  /** The coordinator listens. */
  readonly listeningMs: number
  /** The first holder is back on its stream. */
  readonly connectedMs: number
  /** A holder has done something for the job. */
  readonly progressMs: number
}

const venue = await ProcessVenue.start()
try {
  const connection = await venue.connect()
  const times = Number(options.times)
  await connection.submit({ ...heartJob('logistic', 'ab'.repeat(32), 100_000), roundTimeoutMs: 10_000 })
  connection.close()
  await untilContributed(venue, 0)
  const recoveries: Recovery[] = []
  for (let i = 0; i < times; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1000 + i * 137))
    recoveries.push(await killAndStart(venue))
    await untilContributed(venue, contributions(venue))
  }
  const result = {
    kills: times,
    listeningMs: summarise(recoveries.map(({ listeningMs }) => listeningMs)),
    connectedMs: summarise(recoveries.map(({ connectedMs }) => connectedMs)),
    progressMs: summarise(recoveries.map(({ progressMs }) => progressMs)),
  }
  if (options.json) console.log(JSON.stringify(result))
  else console.table({ listening: result.listeningMs, connected: result.connectedMs, progress: result.progressMs })
} finally {
  await venue.close()
}

async function killAndStart(venue: ProcessVenue): Promise<Recovery> {
  await venue.coordinator.kill()
  const before = venue.holders.map(({ lines }) => lines.length)
  const started = performance.now()
  const since = () => performance.now() - started
  const fresh = (events: readonly string[]) =>
    venue.holders.some(({ lines }, i) => lines.slice(before[i]).some(({ event }) => events.includes(event ?? '')))
  let connectedMs = 0
  const connected = until(() => fresh(['connected'])).then(() => {
    connectedMs = since()
  })
  const progress = until(() => fresh(['contributed', 'contributed-again', 'published', 'sum-verified'])).then(since)
  await venue.startCoordinator()
  const listeningMs = since()
  await connected
  return { listeningMs, connectedMs, progressMs: await progress }
}

function contributions({ holders }: ProcessVenue): number {
  return holders.flatMap(({ lines }) => lines.filter(({ event }) => event === 'contributed')).length
}

function untilContributed(venue: ProcessVenue, more: number): Promise<void> {
  return until(() => contributions(venue) > more)
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 120_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('Nothing has happened for two minutes.')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
