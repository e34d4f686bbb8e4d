/** Opened sums as a stream (docs/adr/0016). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/crypto/digest.ts'
import { chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { readOpenedSum, restChunk, type SumSubject } from '../../src/protocol/opened-sum.ts'
import { dequantiseSums } from '../../src/protocol/quantiser.ts'
import { checkSegment, countSegment, vectorLength } from '../../src/protocol/segments.ts'
import { collecting, type SumReading } from '../../src/protocol/sum-reading.ts'

const CONTRIBUTORS = 3
const VALUES_PER_CHUNK = payloadParameters({ precisionBits: 16, maxContributors: 4, length: 1 }).valuesPerChunk

/** An update of this length, then counts, then the check; lane sums that tell their position, zeros in the check. */
function makeSum(updateLength: number, countLength: number) {
  const precisionBits = 16
  const layout = {
    precisionBits,
    segments: [
      { name: 'update', length: updateLength, low: -1, high: 1 },
      countSegment('counts', countLength, precisionBits),
      checkSegment(precisionBits),
    ],
  }
  const length = vectorLength(layout)
  const parameters = payloadParameters({ precisionBits, maxContributors: 4, length })
  const laneSums = Float64Array.from({ length }, (_, i) => (i < length - 64 ? (i * 7919) % 190_000 : 0))
  const asked: number[] = []
  const openChunk = async (index: number) => {
    asked.push(index)
    const { firstValue, valueCount } = chunkGeometry(parameters, index)
    return laneSums.slice(firstValue, firstValue + valueCount)
  }
  const subject: SumSubject = { layout, parameters, contributors: CONTRIBUTORS }
  return { subject, laneSums, asked, openChunk }
}

/** Keeps all that it is given. */
function recording(streamed?: string) {
  const seen = { begun: 0, collected: new Map<string, Float64Array>(), stretches: [] as Float64Array[] }
  const reading: SumReading<string> = {
    streamed,
    begin: async (sums) => {
      seen.begun++
      seen.collected = new Map(sums)
      return { take: (stretch) => void seen.stretches.push(stretch.slice()), end: (aggregate) => aggregate }
    },
  }
  return { reading, seen }
}

describe('a sum that is read as it opens', () => {
  it('gives the values and the digest that the whole would give, wherever a chunk ends', async () => {
    const update = fc.oneof(
      fc.nat(200),
      fc.integer({ min: -70, max: 70 }).map((near) => 2 * VALUES_PER_CHUNK + near),
    )
    await fc.assert(
      fc.asyncProperty(update, fc.integer({ min: 1, max: 120 }), async (updateLength, countLength) => {
        const { subject, laneSums, openChunk } = makeSum(Math.max(1, updateLength), countLength)
        const { reading, seen } = recording('update')
        const { aggregate, made } = await readOpenedSum(subject, openChunk, 2, reading)
        expect(aggregate).toBe(digestOf(new Uint8Array(laneSums.buffer.slice(0))))
        expect(made).toBe(aggregate)
        const whole = dequantiseSums(subject.layout, laneSums, CONTRIBUTORS)
        expect([...seen.collected.keys()]).toEqual(['counts', 'check'])
        expect(seen.collected.get('counts')).toEqual(whole.get('counts'))
        const streamed = Buffer.concat(seen.stretches.map((each) => new Uint8Array(each.buffer)))
        expect(digestOf(streamed)).toBe(digestOf(new Uint8Array(whole.get('update')!.slice().buffer)))
      }),
      { numRuns: 25 },
    )
  })

  it('asks first for what is needed before the first stretch, then for the rest, in order', async () => {
    const { subject, asked, openChunk } = makeSum(3 * VALUES_PER_CHUNK + 5, 10)
    const { reading } = recording('update')
    await readOpenedSum(subject, openChunk, 2, reading)
    expect(asked).toEqual([3, 0, 1, 2])
    expect(restChunk(subject.parameters, 3 * VALUES_PER_CHUNK + 5).index).toBe(3)
  })

  it('is collected as a whole where nothing is streamed', async () => {
    const { subject, laneSums, openChunk } = makeSum(VALUES_PER_CHUNK + 1, 2)
    const { made, aggregate } = await readOpenedSum(
      subject,
      openChunk,
      2,
      collecting((sums) => sums),
    )
    expect(aggregate).toBe(digestOf(new Uint8Array(laneSums.buffer.slice(0))))
    expect(made).toEqual(dequantiseSums(subject.layout, laneSums, CONTRIBUTORS))
  })

  it('is not read at all when its check does not hold', async () => {
    const { subject, laneSums, asked, openChunk } = makeSum(2 * VALUES_PER_CHUNK, 3)
    for (const position of [1, 30, 64]) {
      asked.length = 0
      laneSums.fill(0, laneSums.length - 64)
      laneSums[laneSums.length - position] = 1
      const { reading, seen } = recording('update')
      await expect(readOpenedSum(subject, openChunk, 2, reading)).rejects.toMatchObject({ code: 'check-not-zero' })
      expect(seen).toMatchObject({ begun: 0, stretches: [] })
      expect(asked).toEqual([2])
    }
  })

  it('holds back the opening while a stretch is taken: few chunks are there at a time', async () => {
    const { subject, asked, openChunk } = makeSum(6 * VALUES_PER_CHUNK, 3)
    let taken = 0
    let most = 0
    const reading: SumReading<void> = {
      streamed: 'update',
      begin: async () => ({
        take: () => {
          // Those of the rest were asked for before.
          most = Math.max(most, asked.length - 1 - taken)
          taken++
        },
        end: () => {},
      }),
    }
    await readOpenedSum(subject, openChunk, 2, reading)
    expect(taken).toBe(6)
    expect(most).toBeLessThanOrEqual(2)
  })

  it('refuses to stream what the layout does not begin with', async () => {
    const { subject, openChunk } = makeSum(10, 3)
    const { reading } = recording('counts')
    await expect(readOpenedSum(subject, openChunk, 2, reading)).rejects.toMatchObject({ code: 'value-count-mismatch' })
  })
})
