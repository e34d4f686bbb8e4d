import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ArtifactStore } from '../../src/coordinator/ports.ts'
import { digestOf } from '../../src/crypto/digest.ts'

/** What every {@link ArtifactStore} keeps to. `open` opens the same place each time, as after a restart. */
export function describeArtifactStore(name: string, open: () => Promise<ArtifactStore>): void {
  describe(`ArtifactStore on ${name}`, () => {
    let store: ArtifactStore
    beforeEach(async () => {
      store = await open()
    })

    it.each([0, 1, 70_000, 3_000_001])('gives %i bytes back by their digest, after a restart too', async (length) => {
      const bytes = new Uint8Array(randomBytes(length))
      const digest = await store.put(bytes)
      expect(digest).toBe(digestOf(bytes))
      for (const reader of [store, await open()]) {
        expect(Buffer.compare(await reader.get(digest), bytes)).toBe(0)
      }
    })

    it('takes the same bytes again, also at once', async () => {
      const bytes = randomBytes(1000)
      const digests = await Promise.all([store.put(bytes), store.put(bytes), store.put(bytes)])
      expect(new Set([...digests, await store.put(bytes)])).toEqual(new Set([digestOf(bytes)]))
      expect(Buffer.compare(await store.get(digests[0]), bytes)).toBe(0)
    })

    it('takes pieces that it can go through twice, and refuses others', async () => {
      const pieces = [randomBytes(10), randomBytes(3_000_000), randomBytes(1)].map((bytes) => new Uint8Array(bytes))
      const digest = digestOf(...pieces)
      expect(await store.put(pieces)).toBe(digest)
      expect(Buffer.compare(await store.get(digest), Buffer.concat(pieces))).toBe(0)
      const other = pieces.map((piece) => piece.map((byte) => byte ^ 1))
      const again = {
        async *[Symbol.asyncIterator]() {
          yield* other
        },
      }
      expect(await store.put(again)).toBe(digestOf(...other))
      async function* once() {
        yield randomBytes(10)
      }
      await expect(store.put(once())).rejects.toMatchObject({ code: 'invalid-value' })
      let passes = 0
      const changing = { [Symbol.iterator]: () => [Buffer.from(`${passes++}`)].values() }
      await expect(store.put(changing)).rejects.toMatchObject({ code: 'invalid-value' })
      await expect(store.get(digestOf(Buffer.from('0')))).rejects.toMatchObject({ code: 'not-found' })
    })

    it('names an artifact that it does not have', async () => {
      await expect(store.get(digestOf(randomBytes(8)))).rejects.toMatchObject({ code: 'not-found' })
    })

    it.each(['', '..', '../../etc/passwd', `${'a'.repeat(63)}/`, 'A'.repeat(64)])(
      'refuses %j, which is no digest',
      async (name) => {
        await expect(store.get(name)).rejects.toMatchObject({ code: 'invalid-value' })
      },
    )
  })
}
