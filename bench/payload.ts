/**
 * The payload scheme at 1,000,000 weights: one thread beside the straightforward use of node-seal in the same run, two
 * threads beside one, and where the time goes. Every opened sum is compared with the plain integer sum.
 *
 *     node bench/payload.ts [--json]             all but the huge case
 *     node bench/payload.ts [--json] --workers   one and two worker threads alone
 *     node bench/payload.ts [--json] --huge      100,000,000 weights
 */
import { randomBytes } from 'node:crypto'
import { drawGaussian } from '../src/crypto/discrete-gaussian.ts'
import { drawOneTimeKey } from '../src/crypto/one-time-key.ts'
import { chunkGeometry, type PayloadParameters, payloadParameters } from '../src/crypto/payload-parameters.ts'
import type { PayloadScheme } from '../src/crypto/payload-scheme.ts'
import { createPayloadScheme } from '../src/crypto/payload-schemes.ts'
import { type PayloadWorkers, startPayloadWorkers } from '../src/crypto/payload-workers.ts'
import { publicPolynomials } from '../src/crypto/public-polynomials.ts'
import { systemRandomness } from '../src/crypto/randomness.ts'
import { createRing } from '../src/crypto/ring.ts'
import { peakRssMb, round, summarise, timed, timedAsync } from './measure.ts'
import { createStraightforward } from './straightforward.ts'

const LENGTH = 1_000_000
const WARM_UP = 1

/** Each run makes fresh contributions of all holders, so that the noise in the sum is what it would be. */
const runsFor = (contributors: number) => (contributors > 10 ? 2 : 7)
const json = process.argv.includes('--json')

type Row = Readonly<Record<string, string | number | boolean>>

function print(row: Row): void {
  if (json) console.log(JSON.stringify(row))
  else
    console.log(
      Object.entries(row)
        .map(([name, value]) => `${name} ${value}`)
        .join('  '),
    )
}

function randomValues(
  length: number,
  precisionBits: number,
  memory: ArrayBufferLike = new ArrayBuffer(4 * length),
): Uint32Array {
  const values = new Uint32Array(memory)
  const draws = new Uint32Array(16_384)
  for (let at = 0; at < length; at += draws.length) {
    systemRandomness.fill(new Uint8Array(draws.buffer))
    values.set(draws.subarray(0, Math.min(draws.length, length - at)), at)
  }
  if (precisionBits < 32) for (let i = 0; i < length; i++) values[i] >>>= 32 - precisionBits
  return values
}

function addPlain(sums: Float64Array, values: Uint32Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] += values[i]
}

function requireEqual(opened: Float64Array, expected: Float64Array): void {
  for (let i = 0; i < expected.length; i++) {
    if (opened[i] !== expected[i]) throw new Error(`The opened sum differs from the plain one at value ${i}.`)
  }
}

/** All chunks of a vector, one after another, by the synchronous scheme. */
function protectAll(
  scheme: PayloadScheme,
  parameters: PayloadParameters,
  plan: Uint8Array,
  values: Uint32Array,
  samples: { whole: number[]; online: number[] },
) {
  const key = drawOneTimeKey(systemRandomness)
  const coefficients = key.coefficients.slice()
  const chunks: Uint8Array[] = []
  let onlineMs = 0
  timed(samples.whole, () => {
    const protector = scheme.createProtector(parameters, plan, key)
    for (let index = 0; index < parameters.chunkCount; index++) {
      const { firstValue, valueCount } = chunkGeometry(parameters, index)
      const pad = protector.preparePad(index)
      const started = performance.now()
      chunks.push(pad.protect(values.subarray(firstValue, firstValue + valueCount)))
      onlineMs += performance.now() - started
    }
  })
  samples.online.push(onlineMs)
  key.dispose()
  return { coefficients, chunks }
}

function benchOneThread(scheme: PayloadScheme, contributors: number, precisionBits: number): Row {
  const parameters = payloadParameters({ precisionBits, maxContributors: contributors, length: LENGTH })
  const samples = { whole: [] as number[], online: [] as number[] }
  const adds: number[] = []
  const opens: number[] = []
  for (let run = 0; run < runsFor(contributors) + WARM_UP; run++) {
    const plan = randomBytes(32)
    const made = Array.from({ length: contributors }, () => {
      const values = randomValues(LENGTH, precisionBits)
      return { values, ...protectAll(scheme, parameters, plan, values, samples) }
    })
    const accumulators = Array.from({ length: parameters.chunkCount }, (_, index) =>
      scheme.createAccumulator(parameters, plan, index),
    )
    const keySum = new Int32Array(2048)
    const expected = new Float64Array(LENGTH)
    for (let i = 0; i < contributors; i++) {
      const { coefficients, chunks, values } = made[i]
      for (let c = 0; c < keySum.length; c++) keySum[c] += coefficients[c]
      addPlain(expected, values)
      timed(adds, () => {
        for (const [index, accumulator] of accumulators.entries()) accumulator.add(chunks[index])
      })
    }
    const opened = new Float64Array(LENGTH)
    timed(opens, () => {
      const prepared = scheme.prepareKeySum(keySum)
      for (const [index, accumulator] of accumulators.entries())
        opened.set(accumulator.open(prepared), chunkGeometry(parameters, index).firstValue)
      prepared.dispose()
    })
    requireEqual(opened, expected)
    if (run < WARM_UP) for (const list of [samples.whole, samples.online, adds, opens]) list.length = 0
  }
  return {
    case: 'one-thread',
    contributors,
    precisionBits,
    lanes: parameters.lanes,
    protectMs: summarise(samples.whole).medianMs,
    protectWithPadMs: summarise(samples.online).medianMs,
    addMs: summarise(adds).medianMs,
    openMs: summarise(opens).medianMs,
    bytesPerWeight: round(parameters.ciphertextBytes / LENGTH),
    exact: true,
    peakRssMb: peakRssMb(),
  }
}

async function benchStraightforward(contributors: number, precisionBits: number): Promise<Row> {
  const bar = await createStraightforward(contributors, precisionBits)
  const protects: number[] = []
  const adds: number[] = []
  const opens: number[] = []
  for (let run = 0; run < runsFor(contributors) + WARM_UP; run++) {
    const seed = randomBytes(32)
    const made = Array.from({ length: contributors }, () => {
      const values = randomValues(LENGTH, precisionBits)
      const key = drawOneTimeKey(systemRandomness).coefficients
      return { values, key, contribution: timed(protects, () => bar.protect(values, key, seed)) }
    })
    const keySum = new Int32Array(2048)
    const expected = new Float64Array(LENGTH)
    const sum = new Uint32Array(made[0].contribution.length)
    for (let i = 0; i < contributors; i++) {
      const { key, contribution, values } = made[i]
      for (let c = 0; c < keySum.length; c++) keySum[c] += key[c]
      addPlain(expected, values)
      timed(adds, () => bar.addInto(sum, contribution))
    }
    requireEqual(
      timed(opens, () => bar.open(sum, keySum, seed, LENGTH)),
      expected,
    )
    if (run < WARM_UP) for (const list of [protects, adds, opens]) list.length = 0
  }
  return {
    case: 'straightforward',
    contributors,
    precisionBits,
    lanes: bar.lanes,
    protectMs: summarise(protects).medianMs,
    addMs: summarise(adds).medianMs,
    openMs: summarise(opens).medianMs,
  }
}

/** Protect, add and open through the worker threads; the unit of comparison is one thread of the same pool. */
async function benchThreads(threads: number, contributors: number, precisionBits: number): Promise<Row> {
  const workers = await startPayloadWorkers({ threads })
  const parameters = payloadParameters({ precisionBits, maxContributors: contributors, length: LENGTH })
  const samples = { protect: [] as number[], add: [] as number[], open: [] as number[] }
  for (let run = 0; run < runsFor(contributors) + WARM_UP; run++) {
    await runThroughWorkers(workers, parameters, contributors, samples)
    if (run < WARM_UP) for (const list of Object.values(samples)) list.length = 0
  }
  await workers.close()
  return {
    case: 'workers',
    threads,
    contributors,
    precisionBits,
    protectMs: summarise(samples.protect).medianMs,
    addMs: summarise(samples.add).medianMs,
    openMs: summarise(samples.open).medianMs,
    peakRssMb: peakRssMb(),
  }
}

async function runThroughWorkers(
  workers: PayloadWorkers,
  parameters: PayloadParameters,
  contributors: number,
  samples: { protect: number[]; add: number[]; open: number[] },
) {
  const planDigest = randomBytes(32)
  const aggregation = workers.beginAggregation({ parameters, planDigest })
  const keySum = new Int32Array(2048)
  const expected = new Float64Array(parameters.length)
  const indices = Array.from({ length: parameters.chunkCount }, (_, index) => index)
  for (let i = 0; i < contributors; i++) {
    // In shared memory the threads read the values in place; otherwise each chunk is copied on its way.
    const memory = new SharedArrayBuffer(4 * parameters.length)
    const values = randomValues(parameters.length, parameters.precisionBits, memory)
    addPlain(expected, values)
    const key = drawOneTimeKey(systemRandomness)
    for (let c = 0; c < keySum.length; c++) keySum[c] += key.coefficients[c]
    const chunks: Uint8Array[] = []
    await timedAsync(samples.protect, async () => {
      const protection = workers.beginProtection({ parameters, planDigest, key })
      for await (const chunk of protection.protect(values)) chunks.push(chunk)
      await protection.end()
    })
    key.dispose()
    await timedAsync(samples.add, () => Promise.all(indices.map((index) => aggregation.add(index, chunks[index]))))
  }
  const opened = new Float64Array(parameters.length)
  await timedAsync(samples.open, async () => {
    await aggregation.setKeySum(keySum)
    await Promise.all(
      indices.map(async (index) =>
        opened.set(await aggregation.openChunk(index), chunkGeometry(parameters, index).firstValue),
      ),
    )
  })
  await aggregation.end()
  requireEqual(opened, expected)
}

/** Where the time of one protection goes, part by part, at 16 bits and n = 10. */
async function benchPhases(): Promise<Row> {
  const parameters = payloadParameters({ precisionBits: 16, maxContributors: 10, length: LENGTH })
  const ring = await createRing()
  const key = ring.transformKey(drawOneTimeKey(systemRandomness).coefficients)
  const polynomials = publicPolynomials(randomBytes(32))
  const errors = new Int8Array(parameters.coefficientCount)
  const phases = { expand: [] as number[], multiply: [] as number[], sample: [] as number[] }
  const perChunk = Math.ceil(parameters.polynomialCount / parameters.chunkCount)
  for (let run = 0; run < runsFor(10) + WARM_UP; run++) {
    let expandMs = 0
    let multiplyMs = 0
    for (let first = 0; first < parameters.polynomialCount; first += perChunk) {
      const count = Math.min(perChunk, parameters.polynomialCount - first)
      const started = performance.now()
      polynomials.expand(first, ring.operands(count))
      const expanded = performance.now()
      ring.multiply(key, count)
      expandMs += expanded - started
      multiplyMs += performance.now() - expanded
    }
    phases.expand.push(expandMs)
    phases.multiply.push(multiplyMs)
    timed(phases.sample, () => drawGaussian(errors, systemRandomness))
    if (run < WARM_UP) for (const list of Object.values(phases)) list.length = 0
  }
  const access = ring.access
  ring.dispose()
  return {
    case: 'phases',
    ringAccess: access,
    expandPublicMs: summarise(phases.expand).medianMs,
    sampleErrorsMs: summarise(phases.sample).medianMs,
    multiplyAndInverseNttMs: summarise(phases.multiply).medianMs,
  }
}

/** 100,000,000 weights of three contributors, chunk by chunk; memory above the vectors themselves. */
async function benchHuge(): Promise<Row> {
  const length = 100_000_000
  const workers = await startPayloadWorkers({ threads: 2 })
  const parameters = payloadParameters({ precisionBits: 16, maxContributors: 3, length })
  const planDigest = randomBytes(32)
  const keys = [1, 2, 3].map(() => drawOneTimeKey(systemRandomness))
  const keySum = new Int32Array(2048)
  for (const { coefficients } of keys) for (let c = 0; c < keySum.length; c++) keySum[c] += coefficients[c]
  const started = performance.now()
  const protections = keys.map((key) => workers.beginProtection({ parameters, planDigest, key }))
  const aggregation = workers.beginAggregation({ parameters, planDigest })
  await aggregation.setKeySum(keySum)
  const vectors = [1, 2, 3].map(() => randomValues(length, 16))
  const opened = new Float64Array(length)
  const vectorsMb = Math.round((vectors.length * vectors[0].byteLength + opened.byteLength) / 2 ** 20)
  let next = 0
  const work = async () => {
    while (next < parameters.chunkCount) {
      const index = next++
      const { firstValue, valueCount } = chunkGeometry(parameters, index)
      for (const [i, protection] of protections.entries()) {
        const chunk = await protection.protectChunk(index, vectors[i].subarray(firstValue, firstValue + valueCount))
        await aggregation.add(index, chunk)
      }
      opened.set(await aggregation.openChunk(index), firstValue)
    }
  }
  await Promise.all([work(), work(), work(), work()])
  const wallS = (performance.now() - started) / 1000
  for (let i = 0; i < length; i++) {
    if (opened[i] !== vectors[0][i] + vectors[1][i] + vectors[2][i]) throw new Error(`sum ${i} differs`)
  }
  const rss = peakRssMb()
  await workers.close()
  return {
    case: 'huge',
    length,
    contributors: 3,
    wallS: round(wallS),
    vectorsMb,
    peakRssMb: rss,
    aboveVectorsMb: rss - vectorsMb,
    exact: true,
  }
}

async function benchOneThreadCases(): Promise<void> {
  const scheme = await createPayloadScheme()
  for (const precisionBits of [16, 8]) {
    for (const contributors of [3, 10, 100]) {
      print(await benchStraightforward(contributors, precisionBits))
      print(benchOneThread(scheme, contributors, precisionBits))
    }
  }
  scheme.dispose()
}

async function benchWorkerCases(): Promise<void> {
  const [one, two] = [await benchThreads(1, 10, 16), await benchThreads(2, 10, 16)]
  const ratio = (field: string) => round(Number(one[field]) / Number(two[field]))
  print(one)
  print({ ...two, protectSpeedUp: ratio('protectMs'), openSpeedUp: ratio('openMs') })
}

if (process.argv.includes('--huge')) print(await benchHuge())
else if (process.argv.includes('--workers')) await benchWorkerCases()
else {
  await benchWorkerCases()
  await benchOneThreadCases()
  print(await benchPhases())
}
