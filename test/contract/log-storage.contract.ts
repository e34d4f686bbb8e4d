import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/crypto/digest.ts'
import type { LeafPosition, LogStorage, TileFile } from '../../src/log/log-storage.ts'

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text))
const leaf = (i: number) => digestOf(bytesOf(`leaf ${i}`))

/**
 * What every {@link LogStorage} keeps to. `open` opens the same place each time within a test, as another process or as
 * after a restart, and `reset` gives a new, empty place.
 */
export function describeLogStorage(name: string, open: () => Promise<LogStorage>, reset: () => Promise<void>): void {
  describe(`LogStorage on ${name}`, () => {
    let storage: LogStorage
    const writeTiles = (tiles: readonly TileFile[]) =>
      storage.writeCommitted({ tiles, leaves: [], size: 0, note: 'empty' })
    const writePositions = (leaves: readonly LeafPosition[]) =>
      storage.writeCommitted({ tiles: [], leaves, size: 0, note: 'empty' })
    beforeEach(async () => {
      await reset()
      storage = await open()
    })

    it('is empty at first', async () => {
      expect(await storage.readCommit()).toBeUndefined()
      expect(await storage.readCheckpoint()).toBeUndefined()
      expect(await storage.readTile('tile/0/000')).toBeUndefined()
      expect(await storage.findPositions([leaf(0)])).toEqual([undefined])
    })

    it('keeps everything over a restart', async () => {
      await storage.compareAndSwap(undefined, bytesOf('commit'))
      await storage.writeCommitted({
        tiles: [{ path: 'tile/entries/x001/000.p/7', bytes: bytesOf('bundle') }],
        leaves: [{ leafHash: leaf(1), position: 1 }],
        size: 2,
        note: 'note at 2',
      })
      const again = await open()
      expect(Buffer.from((await again.readCommit())!).toString()).toBe('commit')
      expect(Buffer.from((await again.readTile('tile/entries/x001/000.p/7'))!).toString()).toBe('bundle')
      expect(await again.findPositions([leaf(1)])).toEqual([1])
      expect(await again.readCheckpoint()).toBe('note at 2')
    })

    it('swaps the commit record only for the one that was expected, and else changes nothing', async () => {
      const [first, second] = [bytesOf('first'), bytesOf('second')]
      expect(await storage.compareAndSwap(digestOf(first), second)).toBe(false)
      expect(await storage.readCommit()).toBeUndefined()
      expect(await storage.compareAndSwap(undefined, first)).toBe(true)
      expect(await storage.compareAndSwap(undefined, second)).toBe(false)
      expect(await storage.compareAndSwap(digestOf(second), second)).toBe(false)
      expect(Buffer.from((await storage.readCommit())!).toString()).toBe('first')
      expect(await storage.compareAndSwap(digestOf(first), second)).toBe(true)
      expect(await storage.compareAndSwap(digestOf(first), bytesOf('third'))).toBe(false)
      expect(Buffer.from((await storage.readCommit())!).toString()).toBe('second')
    })

    it('lets one of many racing swaps win, from several openings', async () => {
      const others = await Promise.all([open(), open()])
      for (const expected of [undefined, 'winner']) {
        const current = expected && digestOf((await storage.readCommit())!)
        const swaps = Array.from({ length: 9 }, (_, i) =>
          [storage, ...others][i % 3].compareAndSwap(current, bytesOf(`${expected} ${i}`)),
        )
        const results = await Promise.all(swaps)
        expect(results.filter(Boolean)).toHaveLength(1)
        const winner = `${expected} ${results.indexOf(true)}`
        expect(Buffer.from((await storage.readCommit())!).toString()).toBe(winner)
      }
    })

    it('holds a commit record of megabytes and tiles of any bytes, and hands out copies', async () => {
      const large = new Uint8Array(3_000_000).map((_, i) => i * 7)
      expect(await storage.compareAndSwap(undefined, large)).toBe(true)
      expect(Buffer.compare((await storage.readCommit())!, large)).toBe(0)
      await writeTiles([{ path: 'tile/0/000', bytes: large.subarray(0, 8192) }])
      const copy = (await storage.readTile('tile/0/000'))!
      expect(Buffer.compare(copy, large.subarray(0, 8192))).toBe(0)
      copy.fill(0)
      expect(Buffer.compare((await storage.readTile('tile/0/000'))!, large.subarray(0, 8192))).toBe(0)
    })

    it('takes many tiles at once, and the same ones twice', async () => {
      const tiles = ['tile/1/000.p/1', 'tile/0/000', 'tile/entries/000', 'tile/entries/x001/x234/067.p/9'].map(
        (path, i) => ({ path, bytes: new Uint8Array(5000 + i).fill(i) }),
      )
      for (let i = 0; i < 2; i++) await writeTiles(tiles)
      await writeTiles([])
      for (const { path, bytes } of tiles) expect(Buffer.compare((await storage.readTile(path))!, bytes)).toBe(0)
      expect(await storage.readTile('tile/1/000')).toBeUndefined()
    })

    it('gives a growing tile back at every width that was stored, whoever stored it', async () => {
      const bundle = new Uint8Array(256 * 40).map((_, i) => i * 11)
      const grown = (width: number) => bundle.subarray(0, width * 40)
      const path = (width: number) => `tile/entries/007${width < 256 ? `.p/${width}` : ''}`
      const widths = [1, 2, 9, 10, 200, 255, 256]
      for (const [i, width] of widths.entries()) {
        if (i % 3 === 2) storage = await open()
        for (let again = 0; again < 2; again++) await writeTiles([{ path: path(width), bytes: grown(width) }])
        for (const stored of widths.slice(0, i + 1)) {
          expect(Buffer.compare((await storage.readTile(path(stored)))!, grown(stored)), path(stored)).toBe(0)
        }
      }
      await storage.discardPartialTiles(['tile/entries/007'])
      expect(await Promise.all(widths.map((width) => storage.readTile(path(width))))).toEqual([
        ...widths.slice(1).map(() => undefined),
        bundle,
      ])
    })

    it('forgets the partial tiles of the full tiles that are named and no other', async () => {
      const paths = ['tile/0/001', 'tile/0/001.p/1', 'tile/0/001.p/255', 'tile/0/002.p/1', 'tile/1/001.p/1']
      const others = ['tile/entries/001.p/1', 'tile/0/x001/001.p/1', 'tile/2/005', 'tile/2/005.p/3']
      await writeTiles([...paths, ...others].map((path) => ({ path, bytes: bytesOf(path) })))
      for (let i = 0; i < 2; i++) await storage.discardPartialTiles(['tile/0/001', 'tile/2/005'])
      await storage.discardPartialTiles([])
      expect(await storage.readTile('tile/2/005')).toBeDefined()
      expect(await storage.readTile('tile/2/005.p/3')).toBeUndefined()
      const kept = await Promise.all(paths.map((path) => storage.readTile(path)))
      expect(kept.map(Boolean)).toEqual([true, false, false, true, true])
      expect(await storage.readTile('tile/entries/001.p/1')).toBeDefined()
      expect(await storage.readTile('tile/0/x001/001.p/1')).toBeDefined()
    })

    it('finds positions in the order asked, and a leaf keeps its first', async () => {
      const leaves = Array.from({ length: 1000 }, (_, i) => ({ leafHash: leaf(i), position: i }))
      await writePositions(leaves)
      await writePositions(leaves.slice(500))
      await writePositions([{ leafHash: leaf(3), position: 4000 }])
      await writePositions([])
      expect(await storage.findPositions([leaf(999), leaf(5000), leaf(3), leaf(0), leaf(3)])).toEqual([
        999,
        undefined,
        3,
        0,
        3,
      ])
      expect(await storage.findPositions([])).toEqual([])
    })

    it('never publishes a smaller tree than before, and at one size the latest note', async () => {
      await storage.publish(0, 'empty')
      await storage.publish(7, 'seven')
      await storage.publish(6, 'six')
      expect(await storage.readCheckpoint()).toBe('seven')
      await storage.publish(7, 'seven, cosigned')
      expect(await storage.readCheckpoint()).toBe('seven, cosigned')
      await storage.publish(256, 'grown')
      await (await open()).publish(7, 'late')
      expect(await storage.readCheckpoint()).toBe('grown')
    })

    it('publishes what follows from a commit by the same rule, and keeps the rest of it whatever was published', async () => {
      const commit = (size: number, note: string) => ({
        tiles: [{ path: `tile/0/000.p/${size}`, bytes: bytesOf(note) }],
        leaves: [{ leafHash: leaf(size), position: size - 1 }],
        size,
        note,
      })
      await storage.writeCommitted(commit(7, 'seven'))
      await storage.publish(7, 'seven, cosigned')
      await (await open()).writeCommitted(commit(6, 'six'))
      expect(await storage.readCheckpoint()).toBe('seven, cosigned')
      expect(Buffer.from((await storage.readTile('tile/0/000.p/6'))!).toString()).toBe('six')
      expect(await storage.findPositions([leaf(6), leaf(7)])).toEqual([5, 6])
    })
  })
}
