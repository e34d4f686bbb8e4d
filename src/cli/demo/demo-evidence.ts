import { setTimeout as sleep } from 'node:timers/promises'
import { httpLogSource } from '../../wire/log-client.ts'
import { readHolderKeys } from '../audit-keys.ts'
import { auditLog, type LogVerdict } from '../audit-log.ts'
import type { SluiceProcess } from './demo-processes.ts'
import type { DemoJob } from './demo-run.ts'
import type { DemoVenue } from './demo-venue.ts'

/** What anybody can check of the demo, and what its hospitals have checked. */
export interface DemoEvidence {
  /** Of the whole log, by one hospital's keys, over HTTP. */
  readonly audit: LogVerdict
  /** Over all published rounds: the least number of hospitals that verified a sum. */
  readonly sumVerifiedBy: number
}

/** Audits the log as a hospital's security officer would, and reads in the hospitals' own logs which sums they verified. */
export async function collectEvidence(
  { auditorDirectory, logUrl, holders }: DemoVenue,
  jobs: readonly DemoJob[],
): Promise<DemoEvidence> {
  const audit = await auditLog(httpLogSource(logUrl), await readHolderKeys(auditorDirectory))
  return { audit, sumVerifiedBy: await countVerifiers(jobs, holders) }
}

/** How long hospitals may take to say what they think of the last sum: they verify it when the job has ended. */
const VERIFYING_MS = 5000
const POLL_MS = 20

/** What a holder says of a published sum, one of these. */
const VERDICTS: ReadonlySet<unknown> = new Set(['sum-verified', 'sum-unverified', 'wrong-sum'])

async function countVerifiers(jobs: readonly DemoJob[], holders: readonly SluiceProcess[]): Promise<number> {
  const rounds = jobs.flatMap(({ job, rounds }) =>
    rounds.map(({ round, contributors }) => ({ job, round, contributors })),
  )
  const deadline = performance.now() + VERIFYING_MS
  const haveSpoken = () =>
    rounds.every(({ job, round, contributors }) => spokenBy(job, round, holders, VERDICTS) >= contributors.length)
  while (!haveSpoken() && performance.now() < deadline) await sleep(POLL_MS)
  const verified = new Set(['sum-verified'])
  return Math.min(...rounds.map(({ job, round }) => spokenBy(job, round, holders, verified)))
}

/** Holders whose log has one of these events for the plan of a round. */
function spokenBy(job: string, round: number, holders: readonly SluiceProcess[], events: ReadonlySet<unknown>): number {
  return holders.filter(({ lines }) => {
    const own = lines.filter((line) => line.job === job)
    const contributed = own.find((line) => line.event === 'contributed' && line.round === round)
    return contributed && own.some((line) => line.plan === contributed.plan && events.has(line.event))
  }).length
}
