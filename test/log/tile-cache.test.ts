import { describe, expect, it } from 'vitest'
import { createLog } from '../../src/log/log-writer.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { cacheTiles } from '../../src/log/tile-cache.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { describeLogStorage } from '../contract/log-storage.contract.ts'
import { entriesUpTo, LOG_KEY, SIGNER } from './log-fixtures.ts'

let place = new MemoryLogStorage()
let cached = cacheTiles(place)

describeLogStorage(
  'memory behind a cache of tiles, read from there',
  async () => copying(cached),
  async () => {
    place = new MemoryLogStorage()
    cached = cacheTiles(place)
  },
)

/** The cache shares its bytes on purpose; the contract's copies are made here. */
function copying(storage: ReturnType<typeof cacheTiles>): ReturnType<typeof cacheTiles> {
  return {
    ...storage,
    readTile: async (path) => {
      const bytes = await storage.readTile(path)
      return bytes && new Uint8Array(bytes)
    },
  }
}

const nothing = { tiles: [], leaves: [], size: 0, note: 'empty' }

class CountingStorage extends MemoryLogStorage {
  reads = 0

  override readTile(path: string): Promise<Uint8Array | undefined> {
    this.reads++
    return super.readTile(path)
  }
}

describe('a cache of tiles', () => {
  it('reads nothing of what was written or read before, as long as it fits', async () => {
    const storage = new CountingStorage()
    const cache = cacheTiles(storage)
    const writer = await createLog(cache, SIGNER)
    await writer.append(entriesUpTo(300))
    const before = storage.reads
    for (let i = 0; i < 3; i++) {
      expect(await verifyLog(cache, { log: LOG_KEY, witnesses: [], quorum: 0 })).toMatchObject({ ok: true })
    }
    expect(storage.reads).toBe(before)
  })

  it('keeps no more bytes than it may, and drops what was used longest ago', async () => {
    const storage = new CountingStorage()
    const cache = cacheTiles(storage, 2500)
    const tile = (i: number) => ({ path: `tile/0/00${i}`, bytes: new Uint8Array(1000).fill(i) })
    await cache.writeCommitted({ ...nothing, tiles: [tile(1), tile(2)] })
    await cache.readTile('tile/0/001')
    await cache.writeCommitted({ ...nothing, tiles: [tile(3)] })
    const readsOf = async (i: number) => {
      const before = storage.reads
      expect((await cache.readTile(tile(i).path))?.[0]).toBe(i)
      return storage.reads - before
    }
    expect([await readsOf(1), await readsOf(3), await readsOf(2)]).toEqual([0, 0, 1])
  })

  it('does not remember that a tile was missing', async () => {
    const storage = new CountingStorage()
    const cache = cacheTiles(storage)
    expect(await cache.readTile('tile/0/000.p/1')).toBeUndefined()
    await storage.putTiles([{ path: 'tile/0/000.p/1', bytes: new Uint8Array(32) }])
    expect(await cache.readTile('tile/0/000.p/1')).toHaveLength(32)
  })
})
