/**
 * Processor time of one contribution's steps, of one thread, by the process's own account of it: what a busy machine changes less than
 * the clock on the wall. A million weights of 16 bits among a thousand contributors, so that a coefficient carries one of them.
 *
 *     node bench/cpu-seconds.ts [--json]
 */
import { randomBytes } from 'node:crypto'
import { drawOneTimeKey } from '../src/crypto/one-time-key.ts'
import { chunkGeometry, payloadParameters } from '../src/crypto/payload-parameters.ts'
import { createPayloadScheme } from '../src/crypto/payload-schemes.ts'
import { systemRandomness } from '../src/crypto/randomness.ts'
import { summarise } from './measure.ts'

const RUNS = 5
const WARM_UP = 2
const parameters = payloadParameters({ precisionBits: 16, maxContributors: 1000, length: 1_000_000 })
const chunks = Array.from({ length: parameters.chunkCount }, (_, index) => chunkGeometry(parameters, index))
const values = new Uint32Array(parameters.valuesPerChunk).fill(12_345)

const samples = { protectMs: [] as number[], addMs: [] as number[], openMs: [] as number[], hashMs: [] as number[] }

function processorMs(list: number[], work: () => void): void {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  list.push((user + system) / 1000)
}

const scheme = await createPayloadScheme()
for (let run = 0; run < RUNS + WARM_UP; run++) {
  if (run === WARM_UP) for (const list of Object.values(samples)) list.length = 0
  const planDigest = randomBytes(32)
  const key = drawOneTimeKey(systemRandomness)
  const keySum = scheme.prepareKeySum(key.coefficients.slice())
  const packed: Uint8Array[] = []
  const protector = scheme.createProtector(parameters, planDigest, key)
  processorMs(samples.protectMs, () => {
    for (const { index, valueCount } of chunks) {
      packed.push(protector.preparePad(index).protect(values.subarray(0, valueCount)))
    }
  })
  const sums = chunks.map(({ index }) => scheme.createAccumulator(parameters, planDigest, index))
  processorMs(samples.addMs, () => {
    for (const [index, sum] of sums.entries()) sum.add(packed[index])
  })
  processorMs(samples.openMs, () => {
    for (const sum of sums) sum.open(keySum)
  })
  const hasher = scheme.createHasher(parameters, randomBytes(32))
  processorMs(samples.hashMs, () => {
    for (const [index, chunk] of packed.entries()) hasher.add(index, chunk)
  })
  for (const each of [...sums, hasher, keySum]) each.dispose()
}
scheme.dispose()
const row = Object.fromEntries(Object.entries(samples).map(([step, list]) => [step, summarise(list).medianMs]))
console.log(
  process.argv.includes('--json') ? JSON.stringify(row) : `processor time of a million weights: ${JSON.stringify(row)}`,
)
