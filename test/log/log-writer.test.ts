import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { signCheckpoint } from '../../src/log/checkpoint.ts'
import { addCosignatures, cosign } from '../../src/log/cosignature.ts'
import { COMMIT_ENTRIES_MAX } from '../../src/log/log-commit.ts'
import { createLog, openLogWriter } from '../../src/log/log-writer.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { formatSignatureLine, parseNote } from '../../src/log/note.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import {
  entriesUpTo,
  entryAt,
  flipBit,
  LOG_KEY,
  logOfSizes,
  SIGNER,
  STRANGER,
  WITNESS_KEYS,
  WITNESSES,
} from './log-fixtures.ts'
import { ReferenceTree } from './reference.ts'

const POLICY = { log: LOG_KEY, witnesses: WITNESS_KEYS, quorum: 0 }
const cosignedBy = (note: string, witness: number) => {
  const line = formatSignatureLine(cosign(parseNote(note).text, WITNESSES[witness], 1_800_000_000))
  return addCosignatures(note, line, WITNESS_KEYS)
}

describe('a log writer', () => {
  it('gives every new entry the next position and every known one its old, in batches of any kind', async () => {
    const batches = fc.array(fc.array(fc.nat(400), { maxLength: 200 }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(batches, async (lists) => {
        const storage = new MemoryLogStorage()
        let writer = await createLog(storage, SIGNER)
        const model = new Map<number, number>()
        for (const [i, list] of lists.entries()) {
          if (i % 3 === 2) writer = await openLogWriter(storage, SIGNER)
          const expected = list.map((entry) => {
            if (!model.has(entry)) model.set(entry, model.size)
            return model.get(entry)
          })
          const { positions, checkpoint } = await writer.append(list.map(entryAt))
          expect(positions).toEqual(expected)
          const tree = new ReferenceTree([...model.keys()].map(entryAt))
          expect(checkpoint.size).toBe(model.size)
          expect(Buffer.compare(checkpoint.root, tree.mth(0, model.size))).toBe(0)
        }
        expect(await verifyLog(storage, POLICY)).toMatchObject({ ok: true, checkpoint: { size: model.size } })
      }),
      { numRuns: 25 },
    )
  })

  it('appends what is known to be new only where the log ends, and goes on after a refusal', async () => {
    const { storage, writer } = await logOfSizes(250)
    for (const start of [249, 251]) {
      await expect(writer.appendNew(start, [entryAt(999)])).rejects.toMatchObject({ code: 'writer-overtaken' })
    }
    await expect(writer.appendNew(250, [new Uint8Array(65_536)])).rejects.toMatchObject({ code: 'entry-too-large' })
    const record = await storage.readCommit()
    expect((await writer.appendNew(250, [])).size).toBe(250)
    expect(await storage.readCommit()).toEqual(record)
    const overlapping = [writer.appendNew(250, entriesUpTo(260, 250)), writer.appendNew(260, entriesUpTo(600, 260))]
    expect((await Promise.all(overlapping)).map(({ size }) => size)).toEqual([260, 600])
    expect((await writer.append(entriesUpTo(601))).positions).toEqual(Array.from({ length: 601 }, (_, i) => i))
    expect(Buffer.compare(writer.checkpoint.root, new ReferenceTree(entriesUpTo(601)).mth(0, 601))).toBe(0)
    expect(await verifyLog(storage, POLICY)).toMatchObject({ ok: true, checkpoint: { size: 601 } })
  })

  it('serves overlapping appends in turn, without gaps', async () => {
    const { storage, writer } = await logOfSizes(0)
    const results = await Promise.all(Array.from({ length: 40 }, (_, i) => writer.append([entryAt(i), entryAt(i + 1)])))
    expect(results.map(({ positions }) => positions)).toEqual(results.map((_, i) => [i, i + 1]))
    expect(await verifyLog(storage, POLICY)).toMatchObject({ ok: true, checkpoint: { size: 41 } })
  })

  it('writes and signs nothing for entries that are all known', async () => {
    const { storage, writer, notes } = await logOfSizes(5)
    const before = await storage.readCommit()
    expect((await writer.append([entryAt(4), entryAt(4), entryAt(0)])).positions).toEqual([4, 4, 0])
    expect((await writer.append([])).positions).toEqual([])
    expect(await storage.readCommit()).toEqual(before)
    expect(writer.checkpoint.note).toBe(notes.get(5))
  })

  it('refuses an entry or a batch above the limits, and goes on', async () => {
    const { writer } = await logOfSizes(2)
    await expect(writer.append([new Uint8Array(65_536)])).rejects.toMatchObject({ code: 'entry-too-large' })
    await expect(writer.append(entriesUpTo(COMMIT_ENTRIES_MAX + 1))).rejects.toMatchObject({ code: 'batch-too-large' })
    const large = Array.from({ length: 257 }, (_, i) => new Uint8Array(65_535).fill(i))
    await expect(writer.append(large)).rejects.toMatchObject({ code: 'batch-too-large' })
    expect((await writer.append([new Uint8Array(65_535), new Uint8Array(0)])).positions).toEqual([2, 3])
  })

  it('forgets the partial tiles of a full one, and keeps those of the tile that grows', async () => {
    const { storage } = await logOfSizes(...Array.from({ length: 260 }, (_, i) => i + 1))
    for (const name of ['entries', 0]) {
      for (let width = 1; width < 256; width++) {
        expect(await storage.readTile(`tile/${name}/000.p/${width}`)).toBeUndefined()
      }
      expect(await storage.readTile(`tile/${name}/000`)).toBeDefined()
      expect(await storage.readTile(`tile/${name}/001.p/4`)).toBeDefined()
    }
  })

  it('publishes cosignatures on its latest tree, keeps them over a restart, and drops those of an older tree', async () => {
    const { storage, writer, notes } = await logOfSizes(3, 8)
    const cosigned = cosignedBy(cosignedBy(writer.checkpoint.note, 0), 2)
    expect(await writer.publishCosigned(cosigned)).toBe(true)
    await openLogWriter(storage, SIGNER)
    expect(await storage.readCheckpoint()).toBe(cosigned)
    expect(await verifyLog(storage, { ...POLICY, quorum: 2 })).toMatchObject({ ok: true })
    expect(await writer.publishCosigned(cosignedBy(notes.get(3)!, 0))).toBe(false)
    expect(await storage.readCheckpoint()).toBe(cosigned)
  })

  it('publishes no note of another tree or of another key', async () => {
    const { writer } = await logOfSizes(3)
    const root = new Uint8Array(32)
    for (const size of [3, 4]) {
      const forged = signCheckpoint({ size, root }, SIGNER)
      await expect(writer.publishCosigned(forged)).rejects.toMatchObject({ code: 'not-this-log' })
    }
    const theirs = signCheckpoint({ size: 3, root: writer.checkpoint.root }, STRANGER)
    await expect(writer.publishCosigned(theirs)).rejects.toMatchObject({ code: 'not-signed' })
  })
})

describe('opening a log', () => {
  it('refuses to begin a second log where there is one, or to go on where there is none', async () => {
    const storage = new MemoryLogStorage()
    await expect(openLogWriter(storage, SIGNER)).rejects.toMatchObject({ code: 'log-not-found' })
    await createLog(storage, SIGNER)
    await expect(createLog(storage, SIGNER)).rejects.toMatchObject({ code: 'log-exists' })
  })

  it('refuses the log of another key or origin', async () => {
    const { storage } = await logOfSizes(3)
    await expect(openLogWriter(storage, STRANGER)).rejects.toMatchObject({ code: 'not-signed' })
    const renamed = { ...SIGNER, origin: 'venue.example/other' }
    await expect(openLogWriter(storage, renamed)).rejects.toMatchObject({ code: 'wrong-origin' })
  })

  it.each(['tile/0/001.p/44', 'tile/1/000.p/1', 'tile/entries/001.p/44'])(
    'refuses a storage whose %s was changed',
    async (path) => {
      const { storage } = await logOfSizes(300)
      const bytes = (await storage.readTile(path))!
      await storage.putTiles([{ path, bytes: flipBit(bytes, bytes.length * 8 - 9) }])
      await expect(openLogWriter(storage, SIGNER)).rejects.toMatchObject({ code: 'storage-corrupt' })
      await storage.putTiles([{ path, bytes: bytes.subarray(1) }])
      await expect(openLogWriter(storage, SIGNER)).rejects.toMatchObject({
        code: expect.stringMatching(/^malformed-(tile|bundle)$/),
      })
    },
  )

  it('refuses a commit record that is damaged, or older than what was published', async () => {
    const { writer: old, storage: past } = await logOfSizes(3)
    const record = (await past.readCommit())!
    await old.append(entriesUpTo(7, 3))
    const rolledBack = new MemoryLogStorage()
    await rolledBack.compareAndSwap(undefined, record)
    await rolledBack.publish(7, old.checkpoint.note)
    await expect(openLogWriter(rolledBack, SIGNER)).rejects.toMatchObject({ code: 'storage-corrupt' })
    const damaged = new MemoryLogStorage()
    await damaged.compareAndSwap(undefined, record.subarray(0, -1))
    await expect(openLogWriter(damaged, SIGNER)).rejects.toMatchObject({ code: 'malformed-commit' })
  })
})
