import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeEntries, ENTRY_BYTES_MAX, encodeEntries, tileBytesMax } from '../../src/log/entry-bundle.ts'
import { decodeHashTile, encodeHashTile } from '../../src/log/hash-tile.ts'
import { parseTilePath, type TileAddress, tileInTree, tilePath } from '../../src/log/tile-path.ts'
import { hashReaderOf } from '../../src/log/tile-reader.ts'
import { codeOf, entriesUpTo, logOfSizes } from './log-fixtures.ts'
import { ReferenceTree } from './reference.ts'

const addresses: fc.Arbitrary<TileAddress> = fc.record({
  level: fc.oneof(fc.constant('entries' as const), fc.integer({ min: 0, max: 63 })),
  index: fc.oneof(fc.nat(2000), fc.maxSafeNat()),
  width: fc.integer({ min: 1, max: 256 }),
})

describe('tile paths', () => {
  it.each([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 'entries', index: 1234067, width: 256 }, 'tile/entries/x001/x234/067'],
    [{ level: 1, index: 999, width: 17 }, 'tile/1/999.p/17'],
    [{ level: 2, index: 1000, width: 1 }, 'tile/2/x001/000.p/1'],
  ] as const)('%o is %s', (address, path) => {
    expect(tilePath(address)).toBe(path)
    expect(parseTilePath(path)).toEqual(address)
  })

  it('come back from their text', () => {
    fc.assert(
      fc.property(addresses, (address) => {
        expect(parseTilePath(tilePath(address))).toEqual(address)
      }),
    )
  })

  it.each([
    'tile/00/000',
    'tile/64/000',
    'tile/0/0',
    'tile/0/0000',
    'tile/0/x000/001',
    'tile/0/001/000',
    'tile/0/x001/x000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/0/000.p/',
    'tile/data/000',
    'tile/0/x999/x999/x999/x999/x999/999',
    'tile/0/x999/x999/x999/x999/x999/x999/x999/999',
    'tile/0/../000',
    '/tile/0/000',
    'tile/0/000\n',
    '',
  ])('refuse %j', (path) => {
    expect(codeOf(() => parseTilePath(path))).toBe('malformed-tile-path')
  })

  it('tell the tiles of the tree of 70,000 entries that the specification counts', () => {
    expect(tileInTree(0, 272, 70_000)).toEqual({ level: 0, index: 272, width: 256 })
    expect(tileInTree(0, 273, 70_000)).toEqual({ level: 0, index: 273, width: 112 })
    expect(tileInTree(0, 274, 70_000)).toBeUndefined()
    expect(tileInTree(1, 0, 70_000)?.width).toBe(256)
    expect(tileInTree(1, 1, 70_000)?.width).toBe(17)
    expect(tileInTree(2, 0, 70_000)?.width).toBe(1)
    expect(tileInTree(3, 0, 70_000)).toBeUndefined()
  })
})

describe('tiles', () => {
  const widths = [1, 2, 255, 256]

  it.each(widths)('of %i hashes come back from their bytes, and no other length passes', (width) => {
    const hashes = Array.from({ length: width }, (_, i) => new Uint8Array(32).fill(i))
    const bytes = encodeHashTile(hashes)
    expect(decodeHashTile(bytes, width)).toEqual(hashes)
    expect(codeOf(() => decodeHashTile(bytes.subarray(1), width))).toBe('malformed-tile')
    expect(codeOf(() => decodeHashTile(new Uint8Array([...bytes, 0]), width))).toBe('malformed-tile')
    expect(bytes.length).toBe(tileBytesMax({ level: 0, index: 0, width }))
  })

  it('of entries come back from their bytes, and neither cut, extended nor miscounted ones pass', () => {
    const entries = fc.array(fc.uint8Array({ maxLength: 600 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(entries, (list) => {
        const bytes = encodeEntries(list)
        const decoded = decodeEntries(bytes, list.length)
        expect(decoded.every((entry, i) => Buffer.compare(entry, list[i]) === 0)).toBe(true)
        for (const count of [list.length - 1, list.length + 1]) {
          expect(codeOf(() => decodeEntries(bytes, count))).toBe('malformed-bundle')
        }
        expect(codeOf(() => decodeEntries(bytes.subarray(0, -1), list.length))).toBe('malformed-bundle')
        expect(codeOf(() => decodeEntries(new Uint8Array([...bytes, 0]), list.length))).toBe('malformed-bundle')
      }),
    )
  })

  it('hold an entry of 65,535 bytes and none above', () => {
    expect(encodeEntries([new Uint8Array(ENTRY_BYTES_MAX)]).length).toBe(ENTRY_BYTES_MAX + 2)
    expect(codeOf(() => encodeEntries([new Uint8Array(ENTRY_BYTES_MAX + 1)]))).toBe('entry-too-large')
  })

  it('of a log are those of the specification at sizes around full tiles', async () => {
    const reference = new ReferenceTree(entriesUpTo(3000))
    for (const size of [1, 255, 256, 257, 3000]) {
      const { storage } = await logOfSizes(size)
      for (let level = 0; level < 3; level++) {
        const last = Math.floor(size / 256 ** (level + 1))
        for (const index of new Set([0, last])) {
          const address = tileInTree(level, index, size)
          const bytes = address && (await storage.readTile(tilePath(address)))
          const span = 256 ** level
          const expected = Array.from({ length: address?.width ?? 0 }, (_, i) =>
            reference.mth((index * 256 + i) * span, (index * 256 + i + 1) * span),
          )
          expect(Buffer.compare(bytes ?? Buffer.alloc(0), Buffer.concat(expected))).toBe(0)
        }
      }
    }
  })

  it('reach a third level at 65,537 entries, with the root that Tessera computed for them', async () => {
    const { storage, writer } = await logOfSizes(65_537)
    const root = Buffer.from(writer.checkpoint.root).toString('hex')
    expect(root).toBe('b99c570aaf13b96e026383e8e252e69c7142b3ad7e6e0264f3dc10dfd884d8c5')
    const lengths = ['tile/1/000', 'tile/2/000.p/1', 'tile/0/256.p/1', 'tile/1/001.p/1', 'tile/1/001'].map(
      async (path) => {
        return (await storage.readTile(path))?.length
      },
    )
    expect(await Promise.all(lengths)).toEqual([8192, 32, 32, undefined, undefined])
  })

  it('of the past are read from the full tile once the partial one is gone', async () => {
    const { storage } = await logOfSizes(200, 256)
    expect(await storage.readTile('tile/0/000.p/200')).toBeUndefined()
    const reference = new ReferenceTree(entriesUpTo(200))
    expect(Buffer.compare(await hashReaderOf(storage, 200).hash(7, 0), reference.mth(0, 128))).toBe(0)
    await expect(hashReaderOf(storage, 200).hash(7, 1)).rejects.toMatchObject({ code: 'out-of-range' })
    await expect(hashReaderOf(storage, 300).hash(3, 32)).rejects.toMatchObject({ code: 'tile-missing' })
  })
})
