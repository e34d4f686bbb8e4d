import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addLinearHashes, type LinearHash } from '../../src/crypto/linear-hash.ts'
import { drawOneTimeKey, type OneTimeKey } from '../../src/crypto/one-time-key.ts'
import { chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { createPayloadScheme } from '../../src/crypto/payload-schemes.ts'
import { type PayloadWorkers, startPayloadWorkers } from '../../src/crypto/payload-workers.ts'
import { seededRandomness } from '../../src/crypto/randomness.ts'

let workers: PayloadWorkers

beforeAll(async () => {
  workers = await startPayloadWorkers({ threads: 2 })
})

afterAll(() => workers.close())

const planDigest = createHash('sha256').update('a plan for workers').digest()
const parameters = payloadParameters({ precisionBits: 8, maxContributors: 3, length: 300_001 })

function keyOf(seed: number): OneTimeKey {
  return drawOneTimeKey(seededRandomness(new Uint8Array(32).fill(seed)))
}

function valuesOf(seed: number): Uint32Array {
  const bytes = new Uint8Array(parameters.length)
  seededRandomness(new Uint8Array(32).fill(seed)).fill(bytes)
  return Uint32Array.from(bytes)
}

function chunkOf(values: Uint32Array, index: number): Uint32Array {
  const { firstValue, valueCount } = chunkGeometry(parameters, index)
  return values.subarray(firstValue, firstValue + valueCount)
}

/** Deep equality of the test library takes seconds at these sizes. */
function sameBytes(a: readonly ArrayBufferView[], b: readonly ArrayBufferView[]): boolean {
  const bytes = (arrays: readonly ArrayBufferView[]): Buffer =>
    Buffer.concat(arrays.map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)))
  return a.length === b.length && bytes(a).equals(bytes(b))
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const collected: Uint8Array[] = []
  for await (const chunk of chunks) collected.push(chunk)
  return collected
}

async function protect(seed: number, values: Uint32Array): Promise<Uint8Array[]> {
  const protection = workers.beginProtection({ parameters, planDigest, key: keyOf(seed) })
  const chunks = await collect(protection.protect(values))
  await protection.end()
  return chunks
}

describe('payload workers', () => {
  it('protect to the same bytes as the synchronous scheme, with and without prepared pads', async () => {
    const values = valuesOf(1)
    const scheme = await createPayloadScheme()
    const protector = scheme.createProtector(parameters, planDigest, keyOf(1))
    const expected = Array.from({ length: parameters.chunkCount }, (_, i) =>
      protector.preparePad(i).protect(chunkOf(values, i)),
    )
    scheme.dispose()
    expect(parameters.chunkCount).toBeGreaterThan(2)
    expect(sameBytes(await protect(1, values), expected)).toBe(true)
    const protection = workers.beginProtection({ parameters, planDigest, key: keyOf(1) })
    await Promise.all(expected.map((_, i) => protection.preparePad(i)))
    expect(sameBytes(await collect(protection.protect(values)), expected)).toBe(true)
    await protection.end()
  })

  it('read values from shared memory without a copy, and leave the caller its own arrays', async () => {
    const values = valuesOf(2)
    const shared = new Uint32Array(new SharedArrayBuffer(values.byteLength))
    shared.set(values)
    const [fromOwn, fromShared] = [await protect(2, values), await protect(2, shared)]
    expect(sameBytes(fromShared, fromOwn)).toBe(true)
    expect(sameBytes([values], [valuesOf(2)])).toBe(true)
  })

  it('add contributions before the key sum is known, and open the exact sums', async () => {
    const seeds = [3, 4, 5]
    const aggregation = workers.beginAggregation({ parameters, planDigest })
    const all = Array.from({ length: parameters.chunkCount }, (_, i) => i)
    await Promise.all(all.map((i) => aggregation.expandAhead(i)))
    const keySum = new Int32Array(2048)
    const expected = new Float64Array(parameters.length)
    for (const seed of seeds) {
      const values = valuesOf(seed)
      const chunks = await protect(seed, values)
      for (const [i, coefficient] of keyOf(seed).coefficients.entries()) keySum[i] += coefficient
      for (const [i, value] of values.entries()) expected[i] += value
      // Slices of a network buffer: not aligned, and not to be detached.
      const received = Buffer.concat([Buffer.alloc(3), ...chunks])
      let start = 3
      for (const [i, chunk] of chunks.entries()) {
        await aggregation.add(i, received.subarray(start, start + chunk.length))
        start += chunk.length
      }
      expect(received.length).toBe(start)
    }
    await expect(aggregation.openChunk(0)).rejects.toMatchObject({ code: 'nothing-to-open' })
    await aggregation.setKeySum(keySum)
    const opened = await Promise.all(all.map((i) => aggregation.openChunk(i)))
    const sums = Buffer.concat(opened.map((chunk) => Buffer.from(chunk.buffer)))
    expect(sums.equals(Buffer.from(expected.buffer))).toBe(true)
    // What was opened is dropped.
    await expect(aggregation.openChunk(0)).rejects.toMatchObject({ code: 'nothing-to-open' })
    await aggregation.end()
  })

  it('pass on refusals by name, and go on', async () => {
    const aggregation = workers.beginAggregation({ parameters, planDigest })
    await expect(aggregation.add(0, new Uint8Array(5))).rejects.toMatchObject({ code: 'wrong-length' })
    await expect(aggregation.add(99, new Uint8Array(5))).rejects.toMatchObject({ code: 'chunk-out-of-range' })
    await expect(aggregation.setKeySum(new Int32Array(7))).rejects.toMatchObject({ code: 'key-sum-implausible' })
    const chunks = await protect(6, valuesOf(6))
    await aggregation.add(0, chunks[0])
    await aggregation.setKeySum(keyOf(7).coefficients)
    await expect(aggregation.openChunk(0)).rejects.toMatchObject({ code: 'noise-out-of-bounds' })
    // A failed opening keeps the sum: the right key sum still opens it.
    await aggregation.setKeySum(keyOf(6).coefficients)
    expect([...(await aggregation.openChunk(0))]).toEqual([...chunkOf(valuesOf(6), 0)])
    await aggregation.end()
    await expect(aggregation.add(0, chunks[0])).rejects.toMatchObject({ code: 'already-disposed' })
  })

  it('refuse values out of bounds, wrong counts and pads used before', async () => {
    const protection = workers.beginProtection({ parameters, planDigest, key: keyOf(8) })
    const values = valuesOf(8)
    const over = chunkOf(values, 1).slice()
    over[17] = 256
    await expect(protection.protectChunk(1, over)).rejects.toMatchObject({ code: 'value-out-of-bounds' })
    await expect(protection.protect(values.subarray(1)).next()).rejects.toMatchObject({ code: 'wrong-value-count' })
    await protection.protectChunk(1, chunkOf(values, 1))
    await expect(protection.protectChunk(1, chunkOf(values, 1))).rejects.toMatchObject({ code: 'pad-already-used' })
    await protection.end()
    await expect(protection.protectChunk(2, chunkOf(values, 2))).rejects.toMatchObject({ code: 'already-disposed' })
  })

  it('take a key for one vector only', () => {
    const key = keyOf(9)
    workers.beginProtection({ parameters, planDigest, key })
    expect(() => workers.beginProtection({ parameters, planDigest, key })).toThrow(
      expect.objectContaining({ code: 'pad-already-used' }),
    )
  })

  it('leave the event loop free while they work', async () => {
    const protection = workers.beginProtection({ parameters, planDigest, key: keyOf(10) })
    const events: string[] = []
    const work = collect(protection.protect(valuesOf(10))).then(() => events.push('protected'))
    setImmediate(() => events.push('served'))
    await work
    expect(events).toEqual(['served', 'protected'])
    await protection.end()
  })

  it('stop early without leaving a rejection behind when the consumer does', async () => {
    const protection = workers.beginProtection({ parameters, planDigest, key: keyOf(11) })
    for await (const chunk of protection.protect(valuesOf(11))) {
      expect(chunk.length).toBe(chunkGeometry(parameters, 0).bytes)
      break
    }
    await protection.end()
  })
})

describe('payload workers that hash and hand sums on', () => {
  const challenge = createHash('sha256').update('a manifest').digest()
  const all = Array.from({ length: parameters.chunkCount }, (_, i) => i)

  async function hashOf(chunks: readonly Uint8Array[], order: readonly number[] = all): Promise<LinearHash> {
    const hashing = workers.beginHashing({ parameters, challenge })
    await Promise.all(order.map((i) => hashing.add(i, chunks[i])))
    return hashing.end()
  }

  it('pack a sum that hashes to the sum of the hashes, and open it again from its bytes', async () => {
    const seeds = [12, 13, 14]
    const contributions = await Promise.all(seeds.map((seed) => protect(seed, valuesOf(seed))))
    const aggregation = workers.beginAggregation({ parameters, planDigest })
    for (const chunks of contributions) await Promise.all(all.map((i) => aggregation.add(i, chunks[i])))
    const packed = await Promise.all(all.map((i) => aggregation.takeSum(i)))
    await expect(aggregation.takeSum(0)).rejects.toMatchObject({ code: 'nothing-to-open' })
    for (const chunks of contributions) await Promise.all(all.map((i) => aggregation.add(i, chunks[i])))
    const hashes = await Promise.all(contributions.map((chunks) => hashOf(chunks)))
    expect(await hashOf(packed)).toEqual(addLinearHashes(hashes))

    const holder = workers.beginAggregation({ parameters, planDigest })
    const keySum = new Int32Array(2048)
    for (const seed of seeds) for (const [i, c] of keyOf(seed).coefficients.entries()) keySum[i] += c
    for (const vector of [aggregation, holder]) await vector.setKeySum(keySum)
    await Promise.all(all.map((i) => holder.addSum(i, packed[i], seeds.length)))
    const [ours, theirs] = await Promise.all(
      [aggregation, holder].map((vector) => Promise.all(all.map((i) => vector.openChunk(i)))),
    )
    expect(sameBytes(theirs, ours)).toBe(true)
    await expect(holder.addSum(0, packed[0], 4)).rejects.toMatchObject({ code: 'too-many-contributors' })
    await Promise.all([aggregation.end(), holder.end()])
  })

  it('hash as the synchronous scheme does, in any order, and leave the caller its bytes', async () => {
    const chunks = await protect(15, valuesOf(15))
    const scheme = await createPayloadScheme()
    const hasher = scheme.createHasher(parameters, challenge)
    for (const i of all) hasher.add(i, chunks[i])
    const expected = hasher.hash()
    hasher.dispose()
    scheme.dispose()
    const copies = chunks.map((chunk) => chunk.slice())
    expect(await hashOf(copies, all.toReversed())).toEqual(expected)
    expect(sameBytes(copies, chunks)).toBe(true)
  })

  it('give no hash of part of a vector or of a chunk counted twice, and take a chunk again that was refused', async () => {
    const chunks = await protect(16, valuesOf(16))
    const expected = await hashOf(chunks)
    const hashing = workers.beginHashing({ parameters, challenge })
    const spoilt = chunks[0].slice().fill(0xff, 0, 16)
    await expect(hashing.add(0, spoilt)).rejects.toMatchObject({ code: 'residue-not-canonical' })
    await expect(hashing.add(0, chunks[0].subarray(1))).rejects.toMatchObject({ code: 'wrong-length' })
    await expect(hashing.add(99, chunks[0])).rejects.toMatchObject({ code: 'chunk-out-of-range' })
    const given = all.map((i) => hashing.add(i, chunks[i]))
    await expect(hashing.add(1, chunks[1])).rejects.toMatchObject({ code: 'chunk-already-added' })
    expect(await hashing.end()).toEqual(expected)
    await Promise.all(given)
    await expect(hashing.end()).rejects.toMatchObject({ code: 'already-disposed' })
    await expect(hashing.add(0, chunks[0])).rejects.toMatchObject({ code: 'already-disposed' })

    const partial = workers.beginHashing({ parameters, challenge })
    await partial.add(0, chunks[0])
    await expect(partial.end()).rejects.toMatchObject({ code: 'chunks-missing' })
    const unseeded = workers.beginHashing({ parameters, challenge: challenge.subarray(1) })
    await expect(unseeded.add(0, chunks[0])).rejects.toMatchObject({ code: 'digest-not-256-bits' })
    await expect(unseeded.end()).rejects.toMatchObject({ name: 'CryptoError' })
  })
})

describe('payload workers that end', () => {
  it('reject what is under way and what comes after with a name', async () => {
    const own = await startPayloadWorkers({ threads: 1 })
    const aggregation = own.beginAggregation({ parameters, planDigest })
    const underWay = aggregation.expandAhead(0)
    const refusal = expect(underWay).rejects.toMatchObject({ code: 'workers-closed' })
    await own.close()
    await refusal
    await expect(aggregation.expandAhead(1)).rejects.toMatchObject({ code: 'workers-closed' })
    await aggregation.end()
    await own.close()
  })

  it('reject all calls by name when a thread dies of something unforeseen', async () => {
    const own = await startPayloadWorkers({ threads: 2 })
    const aggregation = own.beginAggregation({ parameters, planDigest })
    const [broken, behind] = [aggregation.setKeySum(null as never), aggregation.expandAhead(0)]
    const named = { code: 'worker-died', cause: expect.any(TypeError) }
    await Promise.all([
      expect(broken).rejects.toMatchObject(named),
      expect(behind).rejects.toMatchObject({ code: 'worker-died' }),
    ])
    await expect(aggregation.openChunk(0)).rejects.toMatchObject({ code: 'worker-died' })
    await aggregation.end()
    await own.close()
  })

  it('are refused when no thread is asked for', async () => {
    for (const threads of [0, -1, 1.5]) {
      await expect(startPayloadWorkers({ threads })).rejects.toMatchObject({ code: 'parameters-out-of-range' })
    }
  })
})
