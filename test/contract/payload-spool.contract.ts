import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { PART_CHUNKS, type PayloadSpool, type SpoolWriter } from '../../src/coordinator/ports.ts'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { chunkGeometry, type PayloadParameters, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'

const somePlan = () => digestOf(randomBytes(32))

/** A vector of so many chunks, the last of them shorter. */
export function parametersOf(chunkCount: number): PayloadParameters {
  const { valuesPerChunk } = payloadParameters({ precisionBits: 16, maxContributors: 4, length: 1 })
  const length = (chunkCount - 1) * valuesPerChunk + 1000
  return payloadParameters({ precisionBits: 16, maxContributors: 4, length })
}

export function someChunks(parameters: PayloadParameters): Uint8Array[] {
  return Array.from({ length: parameters.chunkCount }, (_, i) => randomBytes(chunkGeometry(parameters, i).bytes))
}

export function referenceOf(chunks: readonly Uint8Array[]) {
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0)
  return { digest: payloadDigest(chunks.map((chunk) => digestOf(chunk))), bytes }
}

/** What every {@link PayloadSpool} keeps to. `open` opens the same place each time, as after a restart or in another process. */
export function describePayloadSpool(name: string, open: () => Promise<PayloadSpool>): void {
  describe(`PayloadSpool on ${name}`, () => {
    const small = parametersOf(1)
    const large = parametersOf(2 * PART_CHUNKS + 3)
    const absent = { code: 'not-found' }
    let spool: PayloadSpool
    let plan: Digest
    beforeEach(async () => {
      spool = await open()
      plan = somePlan()
    })

    const openWriter = (parameters: PayloadParameters, holder = 'zurich', from = spool) =>
      from.open(plan, holder, parameters)

    async function upload(chunks: readonly Uint8Array[], parameters: PayloadParameters, holder = 'zurich', of = plan) {
      const writer = await spool.open(of, holder, parameters)
      for (const chunk of chunks.slice(writer.resumed.chunks)) await writer.append(chunk)
      return writer.commit()
    }

    async function appendAll(writer: SpoolWriter, chunks: readonly Uint8Array[]): Promise<void> {
      for (const chunk of chunks) await writer.append(chunk)
    }

    it.each([1, PART_CHUNKS - 1, PART_CHUNKS, PART_CHUNKS + 1, 2 * PART_CHUNKS])(
      'says what it has of a payload of %i chunks, and gives it back after a restart',
      async (chunkCount) => {
        const parameters = parametersOf(chunkCount)
        const chunks = someChunks(parameters)
        expect(await spool.stat(plan, 'zurich')).toBeUndefined()
        expect(await upload(chunks, parameters)).toEqual(referenceOf(chunks))
        for (const reader of [spool, await open()]) {
          expect(await reader.stat(plan, 'zurich')).toEqual(referenceOf(chunks))
          const read = await reader.read(plan, 'zurich', 0, parameters.ciphertextBytes)
          expect(Buffer.compare(read, Buffer.concat(chunks))).toBe(0)
        }
      },
    )

    it('gives any range back, in a buffer of its own, across chunks and parts', async () => {
      const chunks = someChunks(large)
      const whole = Buffer.concat(chunks)
      await upload(chunks, large)
      const near = (at: number) => fc.integer({ min: Math.max(0, at - 3), max: Math.min(whole.length, at + 3) })
      const partBytes = PART_CHUNKS * chunks[0].length
      const edges = [0, 72 * 1024, chunks[0].length, partBytes, 2 * partBytes, whole.length].map(near)
      const at = fc.oneof(fc.nat(whole.length), ...edges)
      await fc.assert(
        fc.asyncProperty(at, at, async (one, other) => {
          const [offset, end] = one < other ? [one, other] : [other, one]
          const read = await spool.read(plan, 'zurich', offset, end - offset)
          expect(Buffer.compare(read, whole.subarray(offset, end))).toBe(0)
          expect([read.byteOffset, read.buffer.byteLength]).toEqual([0, end - offset])
        }),
        { numRuns: 40 },
      )
    })

    it('keeps payloads apart, each under its plan and holder', async () => {
      const other = somePlan()
      const chunks = [someChunks(small), someChunks(small), someChunks(small)]
      await Promise.all([
        upload(chunks[0], small, 'zurich'),
        upload(chunks[1], small, 'hungary'),
        upload(chunks[2], small, 'zurich', other),
      ])
      const bytes = small.ciphertextBytes
      expect(Buffer.compare(await spool.read(plan, 'zurich', 0, bytes), chunks[0][0])).toBe(0)
      expect(Buffer.compare(await spool.read(plan, 'hungary', 0, bytes), chunks[1][0])).toBe(0)
      expect(Buffer.compare(await spool.read(other, 'zurich', 0, bytes), chunks[2][0])).toBe(0)
      expect(await spool.plans()).toEqual(expect.arrayContaining([plan, other]))
    })

    it('takes chunks in that are reused as soon as they were taken', async () => {
      const chunks = someChunks(large)
      const writer = await openWriter(large)
      const reused = new Uint8Array(chunks[0].length)
      for (const chunk of chunks) {
        reused.set(chunk)
        await writer.append(reused.subarray(0, chunk.length))
        reused.fill(0)
      }
      await writer.commit()
      const read = await spool.read(plan, 'zurich', 0, large.ciphertextBytes)
      expect(Buffer.compare(read, Buffer.concat(chunks))).toBe(0)
    })

    it('shows nothing of an upload before its commit', async () => {
      const chunks = someChunks(large)
      const writer = await openWriter(large)
      await appendAll(writer, chunks)
      for (const reader of [spool, await open()]) {
        expect(await reader.stat(plan, 'zurich')).toBeUndefined()
        await expect(reader.read(plan, 'zurich', 0, 1)).rejects.toMatchObject(absent)
      }
      await writer.close()
      await writer.close()
      expect(await spool.stat(plan, 'zurich')).toBeUndefined()
      await expect(writer.append(chunks[0])).rejects.toMatchObject({ code: 'conflict' })
      await expect(writer.commit()).rejects.toMatchObject({ code: 'conflict' })
    })

    it.each([
      [0, 0],
      [PART_CHUNKS - 1, 0],
      [PART_CHUNKS, 1],
      [PART_CHUNKS + 5, 1],
      [2 * PART_CHUNKS, 2],
      [2 * PART_CHUNKS + 3, 2],
    ])('that has %i chunks of an upload when its process dies goes on after %i parts', async (count, parts) => {
      const chunks = someChunks(large)
      const dead = await openWriter(large)
      expect(dead.resumed).toEqual({ chunks: 0, digest: payloadDigest([]) })
      await appendAll(dead, chunks.slice(0, count))
      expect(dead.durable).toBe(parts * PART_CHUNKS)

      const writer = await openWriter(large, 'zurich', await open())
      const durable = chunks.slice(0, parts * PART_CHUNKS)
      expect(writer.resumed).toEqual({ chunks: durable.length, digest: referenceOf(durable).digest })
      expect(writer.durable).toBe(durable.length)
      await appendAll(writer, chunks.slice(durable.length))
      expect(await writer.commit()).toEqual(referenceOf(chunks))
      const read = await spool.read(plan, 'zurich', 0, large.ciphertextBytes)
      expect(Buffer.compare(read, Buffer.concat(chunks))).toBe(0)
    })

    it('commits once, however often it is told to; a close afterwards takes nothing back', async () => {
      const chunks = someChunks(small)
      const writer = await openWriter(small)
      await appendAll(writer, chunks)
      expect(await writer.commit()).toEqual(await writer.commit())
      await writer.close()
      await expect(writer.append(chunks[0])).rejects.toMatchObject({ code: 'conflict' })
      expect(await spool.stat(plan, 'zurich')).toEqual(referenceOf(chunks))
    })

    it('is not written again when it is whole', async () => {
      const chunks = someChunks(small)
      await upload(chunks, small)
      await expect(openWriter(small)).rejects.toMatchObject({ code: 'conflict' })
      expect(await spool.stat(plan, 'zurich')).toEqual(referenceOf(chunks))
    })

    it('refuses a chunk of another size, one too many, and a commit of too few', async () => {
      const chunks = someChunks(large)
      const invalid = { name: 'StoreError', code: 'invalid-value' }
      for (const wrong of [chunks[0].subarray(1), new Uint8Array(chunks[0].length + 1), new Uint8Array(0)]) {
        const writer = await openWriter(large)
        await expect(writer.append(wrong)).rejects.toMatchObject(invalid)
        await expect(writer.append(chunks[0])).rejects.toMatchObject({ code: 'conflict' })
        await writer.close()
      }
      const early = await openWriter(large)
      await appendAll(early, chunks.slice(0, -1))
      await expect(early.commit()).rejects.toMatchObject(invalid)
      const long = await openWriter(small)
      await appendAll(long, someChunks(small))
      await expect(long.append(chunks[0])).rejects.toMatchObject(invalid)
      await long.close()
    })

    it('lets the later of two writers in a process take over, and the earlier one write nothing more', async () => {
      const chunks = someChunks(large)
      const other = someChunks(large)
      const earlier = await openWriter(large)
      await appendAll(earlier, chunks.slice(0, PART_CHUNKS + 2))
      const later = await openWriter(large)
      expect(later.resumed.chunks).toBe(PART_CHUNKS)
      await expect(earlier.append(other[0])).rejects.toMatchObject({ code: 'conflict' })
      await expect(earlier.commit()).rejects.toMatchObject({ code: 'conflict' })
      await earlier.close()
      await appendAll(later, chunks.slice(PART_CHUNKS))
      expect(await later.commit()).toEqual(referenceOf(chunks))
    })

    it('leaves what the first of two processes commits, made of its bytes alone', async () => {
      const [chunks, other] = [someChunks(large), someChunks(large)]
      const one = await openWriter(large)
      const two = await openWriter(large, 'zurich', await open())
      for (let i = 0; i < large.chunkCount; i++) await Promise.all([one.append(chunks[i]), two.append(other[i])])
      expect(await two.commit()).toEqual(referenceOf(other))
      await expect(one.commit()).rejects.toMatchObject({ code: 'conflict' })
      await one.close()
      expect(await spool.stat(plan, 'zurich')).toEqual(referenceOf(other))
      const read = await spool.read(plan, 'zurich', 0, large.ciphertextBytes)
      expect(Buffer.compare(read, Buffer.concat(other))).toBe(0)
    })

    it('lets two processes commit the same bytes', async () => {
      const chunks = someChunks(large)
      const one = await openWriter(large)
      const two = await openWriter(large, 'zurich', await open())
      for (const chunk of chunks) await Promise.all([one.append(chunk), two.append(chunk)])
      expect(await Promise.all([one.commit(), two.commit()])).toEqual([referenceOf(chunks), referenceOf(chunks)])
      const read = await spool.read(plan, 'zurich', 0, large.ciphertextBytes)
      expect(Buffer.compare(read, Buffer.concat(chunks))).toBe(0)
    })

    it('forgets a round, again without effect, and does not let a late upload bring it back', async () => {
      const other = somePlan()
      const chunks = someChunks(large)
      await upload(someChunks(small), small)
      await upload(someChunks(small), small, 'zurich', other)
      await spool.read(plan, 'zurich', 0, 1)
      const late = await openWriter(large, 'hungary')
      await appendAll(late, chunks.slice(0, PART_CHUNKS - 1))
      const inWork = late.append(chunks[PART_CHUNKS - 1])
      await Promise.all([inWork.catch(() => undefined), spool.discard(plan)])
      await spool.discard(plan)
      await expect(late.append(chunks[PART_CHUNKS])).rejects.toMatchObject(absent)
      await expect(late.commit()).rejects.toMatchObject(absent)
      await late.close()
      for (const holder of ['zurich', 'hungary']) {
        expect(await spool.stat(plan, holder)).toBeUndefined()
        await expect(spool.read(plan, holder, 0, 1)).rejects.toMatchObject(absent)
      }
      expect(await spool.plans()).not.toContain(plan)
      expect(await spool.read(other, 'zurich', 0, 10)).toHaveLength(10)
    })

    it('forgets one payload of a round, and none whose name it begins', async () => {
      const names = ['zurich', 'zurich-2', 'hungary']
      for (const name of names) await upload(someChunks(small), small, name)
      await spool.read(plan, 'zurich', 0, 1)
      await spool.discard(plan, 'zurich')
      await expect(spool.read(plan, 'zurich', 0, 1)).rejects.toMatchObject(absent)
      for (const name of names.slice(1)) expect(await spool.read(plan, name, 0, 10)).toHaveLength(10)
      expect(await spool.plans()).toContain(plan)
    })

    it.each(['', '.', '..', '../zurich', 'zurich/..', 'zu/rich', 'Zurich', 'zurich\0', '-zurich'])(
      'refuses %j, which is no identity',
      async (holder) => {
        const invalid = { code: 'invalid-value' }
        await expect(spool.open(plan, holder, small)).rejects.toMatchObject(invalid)
        await expect(spool.stat(plan, holder)).rejects.toMatchObject(invalid)
        await expect(spool.read(plan, holder, 0, 1)).rejects.toMatchObject(invalid)
      },
    )

    it.each(['', '..', '../..', 'A'.repeat(64)])('refuses %j, which is no digest of a plan', async (none) => {
      const invalid = { code: 'invalid-value' }
      await expect(spool.open(none, 'zurich', small)).rejects.toMatchObject(invalid)
      await expect(spool.stat(none, 'zurich')).rejects.toMatchObject(invalid)
      await expect(spool.read(none, 'zurich', 0, 1)).rejects.toMatchObject(invalid)
      await expect(spool.discard(none)).rejects.toMatchObject(invalid)
    })

    it('refuses a range that is not within the payload', async () => {
      await upload(someChunks(small), small)
      const bytes = small.ciphertextBytes
      for (const [offset, count] of [
        [-1, 1],
        [0, -1],
        [0.5, 1],
        [0, Number.NaN],
        [0, bytes + 1],
        [bytes, 1],
      ]) {
        await expect(spool.read(plan, 'zurich', offset, count)).rejects.toMatchObject({ code: 'invalid-value' })
      }
    })
  })
}
