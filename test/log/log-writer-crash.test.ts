import { describe, expect, it } from 'vitest'
import { parseCheckpoint } from '../../src/log/checkpoint.ts'
import { LogError } from '../../src/log/log-error.ts'
import type { LogStorage } from '../../src/log/log-storage.ts'
import { createLog, type LogWriter, openLogWriter } from '../../src/log/log-writer.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { parseNote } from '../../src/log/note.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { InterruptedLogStorage, StorageFault, type WriteCall } from './interrupted-log-storage.ts'
import { entriesUpTo, LOG_KEY, SIGNER } from './log-fixtures.ts'
import { ReferenceTree } from './reference.ts'

const POLICY = { log: LOG_KEY, witnesses: [], quorum: 0 }
/** One entry, up to just before a full tile, the entry that fills it, and past the next: every kind of write there is. */
const BATCHES = [entriesUpTo(1), entriesUpTo(255, 1), entriesUpTo(256, 255), entriesUpTo(520, 256)]
const ALL = entriesUpTo(520)

type Around = (call: WriteCall, write: () => Promise<void>) => Promise<void>
const undisturbed: Around = (_, write) => write()

async function create(storage: LogStorage): Promise<LogWriter> {
  try {
    return await createLog(storage, SIGNER)
  } catch (error) {
    if (error instanceof LogError && error.code === 'log-exists') return openLogWriter(storage, SIGNER)
    throw error
  }
}

async function appendAll(storage: LogStorage): Promise<void> {
  const writer = await create(storage)
  for (const batch of BATCHES) await writer.append(batch)
}

/** The entries of the published log, after an audit of all of it. */
async function auditedEntries(storage: LogStorage): Promise<Uint8Array[]> {
  const entries: Uint8Array[] = []
  const audit = await verifyLog(storage, POLICY, {
    checkEntry: (_, entry) => {
      entries.push(entry)
      return undefined
    },
  })
  expect(audit).toMatchObject({ ok: true })
  return entries
}

/** Every checkpoint that ever left the process is of a prefix of what the log now holds. */
function expectOneHistory(signed: readonly string[], entries: readonly Uint8Array[]): void {
  const tree = new ReferenceTree(entries)
  for (const note of signed) {
    const { size, root } = parseCheckpoint(parseNote(note).text)
    expect(size).toBeLessThanOrEqual(entries.length)
    expect(Buffer.from(root).toString('hex')).toBe(Buffer.from(tree.mth(0, size)).toString('hex'))
  }
}

async function countWrites(): Promise<number> {
  const storage = new InterruptedLogStorage(new MemoryLogStorage(), undisturbed)
  await appendAll(storage)
  return storage.writes
}

const WRITES = await countWrites()
const FAULTS: Record<string, Around> = {
  'is lost': async () => {
    throw new StorageFault('lost')
  },
  'persists and is reported failed': async (_, write) => {
    await write()
    throw new StorageFault('persisted')
  },
}

describe('a log whose writer dies', () => {
  it('has writes of each kind to die at', async () => {
    const methods = new Set<string>()
    const storage = new InterruptedLogStorage(new MemoryLogStorage(), async ({ method }, write) => {
      methods.add(method.split(' ')[0])
      await write()
    })
    await appendAll(storage)
    expect([...methods].sort()).toEqual([
      'compareAndSwap',
      'discardPartialTiles',
      'publish',
      'putPositions',
      'putTiles',
    ])
    expect(WRITES).toBeGreaterThan(30)
  })

  describe.each(Object.entries(FAULTS))('at a write that %s', (_, fault) => {
    const cases = Array.from({ length: WRITES }, (_, at) => at)

    it.each(cases)('no. %i, is whole as published, and a new writer goes on with what was promised', async (at) => {
      const disk = new MemoryLogStorage()
      const dying = new InterruptedLogStorage(disk, (call, write) => (call.index === at ? fault(call, write) : write()))
      await expect(appendAll(dying)).rejects.toThrow(StorageFault)
      // What was published before anyone repairs anything is complete under its checkpoint.
      if ((await disk.readCheckpoint()) !== undefined) await auditedEntries(disk)

      // The next process first has something else to say, then all that the dead one was to append.
      const next = new InterruptedLogStorage(disk, undisturbed, dying.signed)
      const writer = await create(next)
      const news = Buffer.from('after the restart')
      const [newsAt] = (await writer.append([news])).positions
      const { positions } = await writer.append(ALL)
      const entries = await auditedEntries(disk)
      expect(entries).toHaveLength(ALL.length + 1)
      expect(Buffer.compare(entries[newsAt], news)).toBe(0)
      expect(positions.every((position, i) => Buffer.compare(entries[position], ALL[i]) === 0)).toBe(true)
      expectOneHistory(next.signed, entries)
      // A third process finds the same, without writing anything anew.
      const third = await openLogWriter(disk, SIGNER)
      expect((await third.append(ALL)).positions).toEqual(positions)
      expect(third.checkpoint.size).toBe(entries.length)
    })
  })

  it('at any write twice in a row still goes on', async () => {
    for (let at = 0; at < WRITES; at += 3) {
      const disk = new MemoryLogStorage()
      const signed: string[] = []
      for (const again of [at, 0, 1, 2, 3]) {
        const fault = FAULTS[again % 2 ? 'is lost' : 'persists and is reported failed']
        const dying = new InterruptedLogStorage(
          disk,
          (call, write) => (call.index === again ? fault(call, write) : write()),
          signed,
        )
        await appendAll(dying).catch((error) => expect(error).toBeInstanceOf(StorageFault))
      }
      await appendAll(new InterruptedLogStorage(disk, undisturbed, signed))
      const entries = await auditedEntries(disk)
      expect(entries.map((entry) => Buffer.from(entry).toString())).toEqual(
        ALL.map((entry) => Buffer.from(entry).toString()),
      )
      expectOneHistory(signed, entries)
    }
  })
})

describe('a log with two writers at once', () => {
  it.each(Array.from({ length: WRITES }, (_, at) => at))(
    'stays one history when the second does all its work during write no. %i of the first',
    async (at) => {
      const disk = new MemoryLogStorage()
      const signed: string[] = []
      const theirs = Buffer.from('from the second writer')
      const slow = new InterruptedLogStorage(
        disk,
        async (call, write) => {
          if (call.index === at) {
            const fast = await create(new InterruptedLogStorage(disk, undisturbed, signed))
            await fast.append([theirs, ...entriesUpTo(700, 600)])
          }
          await write()
        },
        signed,
      )
      // Overtaken, or too late to create; or done, when the second came after its last swap.
      const outcome = await appendAll(slow).then(
        () => 'done',
        (error) => (error instanceof LogError ? error.code : error),
      )
      expect(['done', 'writer-overtaken']).toContain(outcome)
      await auditedEntries(disk)
      await appendAll(new InterruptedLogStorage(disk, undisturbed, signed))
      const entries = await auditedEntries(disk)
      expect(entries).toHaveLength(ALL.length + 101)
      expectOneHistory(signed, entries)
    },
  )

  it('refuses the one that was overtaken, from then on', async () => {
    const disk = new MemoryLogStorage()
    const first = await createLog(disk, SIGNER)
    const second = await openLogWriter(disk, SIGNER)
    await first.append(entriesUpTo(3))
    await expect(second.append([Buffer.from('late')])).rejects.toMatchObject({ code: 'writer-overtaken' })
    await expect(second.append([Buffer.from('late')])).rejects.toMatchObject({ code: 'writer-stopped' })
    await expect(second.publishCosigned(second.checkpoint.note)).rejects.toMatchObject({ code: 'writer-stopped' })
    expect((await first.append([Buffer.from('on')])).positions).toEqual([3])
  })
})
