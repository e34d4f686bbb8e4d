import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { BlobStore } from '../../src/coordinator/ports.ts'

/** What every {@link BlobStore} keeps to. `open` opens the same place each time, as after a restart or in another process. */
export function describeBlobStore(name: string, open: () => Promise<BlobStore>): void {
  describe(`BlobStore on ${name}`, () => {
    let blobs: BlobStore
    /** Of each test. */
    let place: string
    beforeEach(async () => {
      blobs = await open()
      place = `test/${randomBytes(8).toString('hex')}`
    })

    async function* inPieces(...pieces: Uint8Array[]) {
      yield* pieces
    }

    it.each([0, 1, 70_000, 12_000_001])('gives %i bytes back, after a restart too', async (length) => {
      const bytes = new Uint8Array(randomBytes(length))
      await blobs.put(`${place}/a`, bytes)
      for (const reader of [blobs, await open()]) {
        const read = await reader.get(`${place}/a`)
        expect(Buffer.compare(read, bytes)).toBe(0)
        expect([read.byteOffset, read.buffer.byteLength]).toEqual([0, length])
        expect(await reader.size(`${place}/a`)).toBe(length)
      }
    })

    it.each([[[]], [[0]], [[3]], [[100_000, 0, 1]], [[6_000_000, 6_000_000, 5]]])(
      'takes bytes in pieces of %j',
      async (lengths) => {
        const pieces = lengths.map((length) => new Uint8Array(randomBytes(length)))
        await blobs.put(`${place}/a`, inPieces(...pieces))
        expect(Buffer.compare(await blobs.get(`${place}/a`), Buffer.concat(pieces))).toBe(0)
      },
    )

    it('gives a range, and none that is not within the bytes', async () => {
      const bytes = randomBytes(100_000)
      await blobs.put(`${place}/a`, bytes)
      for (const [offset, count] of [
        [0, 1],
        [0, 100_000],
        [99_999, 1],
        [50_001, 40_000],
        [100_000, 0],
        [7, 0],
      ]) {
        const read = await blobs.get(`${place}/a`, { offset, bytes: count })
        expect(Buffer.compare(read, bytes.subarray(offset, offset + count))).toBe(0)
        expect([read.byteOffset, read.buffer.byteLength]).toEqual([0, count])
      }
      for (const [offset, count] of [
        [0, 100_001],
        [100_000, 1],
        [99_999, 2],
        [200_000, 1],
        [100_001, 0],
        [-1, 1],
        [0, -1],
        [0.5, 1],
        [0, Number.NaN],
      ]) {
        await expect(blobs.get(`${place}/a`, { offset, bytes: count })).rejects.toMatchObject({ code: 'invalid-value' })
      }
    })

    it('names what it does not have', async () => {
      await blobs.put(`${place}/a/b`, randomBytes(1))
      for (const key of [`${place}/b`, `${place}/a`, `${place}/a/b/c`]) {
        await expect(blobs.get(key)).rejects.toMatchObject({ code: 'not-found' })
        await expect(blobs.get(key, { offset: 0, bytes: 1 })).rejects.toMatchObject({ code: 'not-found' })
        await expect(blobs.get(key, { offset: 0, bytes: 0 })).rejects.toMatchObject({ code: 'not-found' })
        expect(await blobs.size(key)).toBeUndefined()
      }
    })

    it('replaces as a whole, also when several write at once', async () => {
      await blobs.put(`${place}/a`, randomBytes(1000))
      const all = [10, 2000, 300].map((length) => randomBytes(length))
      await Promise.all(
        all.map((bytes, i) => (i === 1 ? blobs.put(`${place}/a`, inPieces(bytes)) : blobs.put(`${place}/a`, bytes))),
      )
      const read = await blobs.get(`${place}/a`)
      expect(all.filter((bytes) => Buffer.compare(bytes, read) === 0)).toHaveLength(1)
    })

    it.each([100, 12_000_000])(
      'stores nothing when the pieces end in an error after %i bytes, and passes that on',
      async (length) => {
        const fault = new Error('no more')
        async function* failing() {
          yield new Uint8Array(randomBytes(length))
          throw fault
        }
        await expect(blobs.put(`${place}/new`, failing())).rejects.toBe(fault)
        expect(await blobs.size(`${place}/new`)).toBeUndefined()
        const kept = randomBytes(5)
        await blobs.put(`${place}/old`, kept)
        await expect(blobs.put(`${place}/old`, failing())).rejects.toBe(fault)
        expect(Buffer.compare(await blobs.get(`${place}/old`), kept)).toBe(0)
        expect(await blobs.list(place)).toEqual([`${place}/old`])
      },
    )

    it('lists what is under a prefix, sorted, and how much it is', async () => {
      const names = ['b', 'a/2', 'a/10', 'a.b', 'A/x/y', 'ab/c', 'a-', 'a_1']
      for (const [i, each] of names.entries()) await blobs.put(`${place}/${each}`, randomBytes(i + 1))
      expect(await blobs.list(place)).toEqual(names.map((each) => `${place}/${each}`).sort())
      expect(await blobs.bytesUnder(place)).toBe(36)
      expect(await blobs.list(`${place}/a`)).toEqual([`${place}/a/10`, `${place}/a/2`])
      expect(await blobs.bytesUnder(`${place}/a`)).toBe(5)
      // A key is not under itself.
      expect(await blobs.list(`${place}/b`)).toEqual([])
      expect(await blobs.list(`${place}/none`)).toEqual([])
      expect(await blobs.bytesUnder(`${place}/none`)).toBe(0)
    })

    it('lists and deletes more than one page of keys', { timeout: 60_000 }, async () => {
      const keys = Array.from({ length: 1205 }, (_, i) => `${place}/${i}`)
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => blobs.put(key, new Uint8Array(1))))
      }
      expect(await blobs.list(place)).toEqual(keys.sort())
      expect(await blobs.bytesUnder(place)).toBe(1205)
      await blobs.delete(place)
      expect(await blobs.list(place)).toEqual([])
    })

    it('deletes a key, or all under it, and nothing else; again without effect', async () => {
      for (const each of ['a/1', 'a/b/2', 'ab', 'a.c']) await blobs.put(`${place}/${each}`, randomBytes(1))
      for (let i = 0; i < 2; i++) {
        await blobs.delete(`${place}/a`)
        expect(await blobs.list(place)).toEqual([`${place}/a.c`, `${place}/ab`])
      }
      await blobs.delete(`${place}/ab`)
      expect(await blobs.size(`${place}/ab`)).toBeUndefined()
      await blobs.put(`${place}/a/1`, randomBytes(2))
      expect(await blobs.size(`${place}/a/1`)).toBe(2)
    })

    it.each(['', '.', '..', '/a', 'a/', 'a//b', '../a', 'a/../b', 'a/./b', 'a b', 'a\0', 'ä', 'a\\b', 'x'.repeat(201)])(
      'refuses %j, which is no key',
      async (key) => {
        const invalid = { name: 'StoreError', code: 'invalid-value' }
        await expect((async () => blobs.put(key, randomBytes(1)))()).rejects.toMatchObject(invalid)
        await expect((async () => blobs.get(key))()).rejects.toMatchObject(invalid)
        await expect((async () => blobs.size(key))()).rejects.toMatchObject(invalid)
        await expect((async () => blobs.list(key))()).rejects.toMatchObject(invalid)
        await expect((async () => blobs.bytesUnder(key))()).rejects.toMatchObject(invalid)
        await expect((async () => blobs.delete(key))()).rejects.toMatchObject(invalid)
      },
    )
  })
}
