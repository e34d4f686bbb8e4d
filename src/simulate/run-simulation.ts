import { dequantiseSums } from '../protocol/quantiser.ts'
import { vectorLength } from '../protocol/segments.ts'
import { runClearRound } from './clear-round.ts'
import { foundFederation } from './federation.ts'
import { median, type RoundReport, type RoundTraffic, type SimulationReport } from './report.ts'
import { isAbandoned, type PublishedRound, SimulatedVenue, type SimulationParts } from './simulated-venue.ts'
import { type Simulation, simulationLayout } from './simulation.ts'
import { SimulationError } from './simulation-error.ts'
import { checkSimulationOptions, drawDropOuts, holderNames, type SimulationOptions } from './simulation-options.ts'
import { plainSum } from './synthetic-update.ts'

/** For a display: where a round is. */
export interface SimulationProgress {
  readonly round: number
  /** What holders are asked: `contribute`, `check-shares`, `hash-payload` and so on. */
  readonly doing: string
  readonly done: number
}

/** An attempt is made anew this often before the simulation ends, as a job's step is. */
const ATTEMPTS = 3

/**
 * Simulates a federation in this process, round after round: the protocol of a venue, on real ciphertexts and keys, with updates
 * that are drawn instead of trained (docs/SIMULATING.md).
 *
 * @param parts opened when the options have been found good
 * @throws SimulationError `option-invalid` before anything is opened; `round-abandoned` when a round is given up three times
 */
export async function runSimulation(
  options: SimulationOptions,
  openParts: () => Promise<SimulationParts>,
  onProgress: (progress: SimulationProgress) => void,
): Promise<SimulationReport> {
  checkSimulationOptions(options)
  const names = holderNames(options.holders)
  const run = options.clear ? runClear : runProtected
  const { setupMs, rounds } = await run(options, names, openParts, onProgress)
  return {
    options,
    setupMs,
    rounds,
    exact: rounds.every(({ exact }) => exact),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }
}

type Run = (
  options: SimulationOptions,
  names: readonly string[],
  openParts: () => Promise<SimulationParts>,
  onProgress: (progress: SimulationProgress) => void,
) => Promise<{ readonly setupMs: number; readonly rounds: RoundReport[] }>

const runClear: Run = async (options, names, _openParts, onProgress) => {
  const rounds: RoundReport[] = []
  for (let round = 1; round <= options.rounds; round++) {
    let done = 0
    rounds.push(
      await runClearRound(options, names, round, () => onProgress({ round, doing: 'contribute', done: ++done })),
    )
  }
  return { setupMs: 0, rounds }
}

const runProtected: Run = async (options, names, openParts, onProgress) => {
  const started = performance.now()
  const { weights, precisionBits, seed, minContributors } = options
  const simulation = { weights, precisionBits, seed }
  const federation = await foundFederation(seed, names)
  // Of the round that is under way: hashes are asked for beside the duties of the committee.
  const answers = new Map<string, number>()
  let counted = 0
  const onAnswer = ({ kind }: { readonly kind: string }) => {
    const round = venue.nextRound - 1
    if (round !== counted) answers.clear()
    counted = round
    const done = (answers.get(kind) ?? 0) + 1
    answers.set(kind, done)
    onProgress({ round, doing: kind, done })
  }
  const parts = await openParts()
  const venue = await SimulatedVenue.open(simulation, federation, minContributors, parts, onAnswer)
  const setupMs = performance.now() - started
  const rounds: RoundReport[] = []
  while (rounds.length < options.rounds) rounds.push(await runOne(options, simulation, names, venue))
  return { setupMs, rounds }
}

/** One question, asked until it is answered; then it is held against what everybody sent, and verified by a few. */
async function runOne(
  options: SimulationOptions,
  simulation: Simulation,
  names: readonly string[],
  venue: SimulatedVenue,
): Promise<RoundReport> {
  const { signal } = new AbortController()
  const abandoned: string[] = []
  for (;;) {
    const vanishing = drawDropOuts(options, names, venue.nextRound)
    venue.wire.beginRound(vanishing)
    try {
      const published = await venue.runRound(signal, () => {})
      const report = await describe(published, simulation, venue)
      const { verified, verifyMs } = await verify(published, options.verifiers, venue, signal)
      await venue.forget(published)
      return { ...report, droppedOut: vanishing.size, verified, verifyMs, abandoned }
    } catch (error) {
      if (!isAbandoned(error)) throw error
      abandoned.push(error.message)
      if (abandoned.length < ATTEMPTS) continue
      const reason = `A round was given up ${ATTEMPTS} times, at last: ${error.message} Lower --drop-outs.`
      throw new SimulationError('round-abandoned', reason, { cause: error })
    }
  }
}

async function describe({ opened, publishMs }: PublishedRound, simulation: Simulation, { wire }: SimulatedVenue) {
  const { round, contributors, durations, made: sums, aggregate, ciphertextBytes } = opened
  const { planMs, collectMs, checkMs, certifyMs, answerMs, openMs } = durations
  const phasesMs = {
    plan: planMs,
    collect: collectMs,
    check: checkMs,
    certify: certifyMs,
    answer: answerMs,
    open: openMs,
    publish: publishMs,
  }
  return {
    round: round.plan.round,
    contributors: contributors.length,
    exact: isExact(simulation, contributors, round.plan.round, sums),
    phasesMs,
    totalMs: Object.values(phasesMs).reduce((sum, ms) => sum + ms, 0),
    ciphertextBytes,
    traffic: describeTraffic(contributors, round.plan.committee.members, wire),
    aggregate,
  }
}

/** Every lane of the opened sum against the sum in the clear. Both are put into the values' units by the same steps. */
function isExact(
  simulation: Simulation,
  contributors: readonly string[],
  round: number,
  opened: ReadonlyMap<string, Float64Array>,
): boolean {
  const layout = simulationLayout(simulation)
  const expected = dequantiseSums(layout, plainSum(simulation, contributors, round), contributors.length)
  const compared = layout.segments.reduce((count, { name }) => {
    const own = opened.get(name)!
    return expected.get(name)!.every((value, i) => value === own[i]) ? count + own.length : count
  }, 0)
  return compared === vectorLength(layout)
}

function describeTraffic(
  contributors: readonly string[],
  members: readonly string[],
  { traffic }: SimulatedVenue['wire'],
): RoundTraffic {
  const of = (names: readonly string[]) => names.flatMap((name) => traffic.get(name) ?? [])
  const seated = of(members)
  const others = of(contributors.filter((name) => !members.includes(name)))
  return {
    contributor: {
      upBytes: median(others.map(({ up }) => up)),
      downBytes: median(others.map(({ down }) => down)),
    },
    member: {
      upBytes: Math.max(0, ...seated.map(({ up }) => up)),
      downBytes: Math.max(0, ...seated.map(({ down }) => down)),
    },
  }
}

/** Contributors that are spread over the names verify the sum, each for itself. */
async function verify(published: PublishedRound, verifiers: number, venue: SimulatedVenue, signal: AbortSignal) {
  const started = performance.now()
  const { contributors } = published.opened
  const sample = Math.min(verifiers, contributors.length)
  let verified = 0
  for (let i = 0; i < sample; i++) {
    const holder = contributors[Math.floor((i * contributors.length) / sample)]
    const objection = await venue.tell(holder, published, signal)
    if (!objection) verified++
  }
  return { verified, verifyMs: performance.now() - started }
}
