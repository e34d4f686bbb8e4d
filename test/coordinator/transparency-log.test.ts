import { beforeEach, describe, expect, it } from 'vitest'
import { type LogJournal, openTransparencyLog } from '../../src/coordinator/transparency-log.ts'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { type Envelope, signEnvelope, statementDigest } from '../../src/crypto/envelope.ts'
import { addCosignatures, cosign } from '../../src/log/cosignature.ts'
import { attachPayload, decodeLogEntry, encodeLogEntry } from '../../src/log/log-entry.ts'
import type { LogStorage } from '../../src/log/log-storage.ts'
import { MemoryLogStorage } from '../../src/log/memory-log-storage.ts'
import { leafHash } from '../../src/log/merkle-hash.ts'
import { formatSignatureLine, parseNote } from '../../src/log/note.ts'
import { verifyRange } from '../../src/log/range-proof.ts'
import { TILE_CACHE_BYTES } from '../../src/log/tile-cache.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import { verifyConsistency, verifyInclusion } from '../../src/log/verify-proof.ts'
import { LOG_KEY, SIGNER, STRANGER, WITNESS_KEYS, WITNESSES } from '../log/log-fixtures.ts'

/** A journal in memory with the contract of the store's. */
class MemoryJournal implements LogJournal {
  readonly log: LogStorage
  readonly statements: Envelope[] = []
  pagesRead = 0

  constructor(log: LogStorage = new MemoryLogStorage()) {
    this.log = log
  }

  async appendStatements(envelopes: readonly Envelope[]): Promise<number[]> {
    return envelopes.map((envelope) => this.#find(statementDigest(envelope)) ?? this.statements.push(envelope) - 1)
  }

  async listStatements(from: number, limit: number): Promise<Envelope[]> {
    this.pagesRead++
    return this.statements.slice(from, from + limit)
  }

  async findStatement(digest: Digest): Promise<number | undefined> {
    return this.#find(digest)
  }

  #find(digest: Digest): number | undefined {
    const position = this.statements.findIndex((envelope) => statementDigest(envelope) === digest)
    return position < 0 ? undefined : position
  }

  async findPayload(payloadSha256: Digest): Promise<Uint8Array | undefined> {
    return this.statements.find(({ payload }) => digestOf(payload) === payloadSha256)?.payload
  }
}

const statement = (i: number, filler = ''): Envelope =>
  signEnvelope('application/vnd.sluice.v1.test+json', Buffer.from(JSON.stringify({ i, filler })), SIGNER.key)
const statements = (end: number, start = 0) => Array.from({ length: end - start }, (_, i) => statement(start + i))

const STEPS = ['compareAndSwap', 'putTiles', 'putPositions', 'publish'] as const
type Step = (typeof STEPS)[number]

/** A storage of which one step fails, before or after it took effect; later ones succeed. */
class FlakyStorage extends MemoryLogStorage {
  failNext: { step: Step; persists: boolean } | undefined

  override compareAndSwap(...args: Parameters<LogStorage['compareAndSwap']>): Promise<boolean> {
    return this.#step('compareAndSwap', () => super.compareAndSwap(...args))
  }

  override putTiles(...args: Parameters<MemoryLogStorage['putTiles']>): Promise<void> {
    return this.#step('putTiles', () => super.putTiles(...args))
  }

  override putPositions(...args: Parameters<MemoryLogStorage['putPositions']>): Promise<void> {
    return this.#step('putPositions', () => super.putPositions(...args))
  }

  override publish(...args: Parameters<LogStorage['publish']>): Promise<void> {
    return this.#step('publish', () => super.publish(...args))
  }

  async #step<T>(step: Step, take: () => Promise<T>): Promise<T> {
    const fails = this.failNext?.step === step ? this.failNext : undefined
    if (fails) this.failNext = undefined
    if (fails && !fails.persists) throw new Error('the disk failed')
    const result = await take()
    if (fails) throw new Error('the disk failed')
    return result
  }
}

/** Passes every call on to what `inner` gives at that moment, and tells its name. */
function watched<T extends object>(inner: () => T, onCall: (method: string) => void): T {
  return new Proxy(inner(), {
    get: (_, method) => {
      const [object, value] = [inner(), Reflect.get(inner(), method)]
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        onCall(String(method))
        return value.apply(object, args)
      }
    },
  })
}

/** Every statement of the journal is the entry of its position in the published log, and there is nothing else. */
async function expectLogOf(journal: MemoryJournal): Promise<void> {
  const entries: Uint8Array[] = []
  const audit = await verifyLog(
    journal.log,
    { log: LOG_KEY, witnesses: [], quorum: 0 },
    { checkEntry: (_, entry) => void entries.push(entry) },
  )
  expect(audit).toMatchObject({ ok: true })
  expect(entries.map((entry) => Buffer.from(entry))).toEqual(
    journal.statements.map((each) => Buffer.from(encodeLogEntry(each))),
  )
}

describe('the transparency log of a journal', () => {
  let journal: MemoryJournal
  beforeEach(() => {
    journal = new MemoryJournal()
  })

  it('begins with an empty, published tree, and goes on after a restart', async () => {
    const first = await openTransparencyLog(journal, SIGNER)
    expect(first.key).toEqual(LOG_KEY)
    expect(first.checkpoint.size).toBe(0)
    expect(await journal.log.readCheckpoint()).toBe(first.checkpoint.note)
    await first.append(statements(3))
    const second = await openTransparencyLog(journal, SIGNER)
    expect(second.checkpoint).toEqual(first.checkpoint)
    expect((await second.append(statements(5))).positions).toEqual([0, 1, 2, 3, 4])
    await expectLogOf(journal)
  })

  it('gives a statement the same position as the journal, and a checkpoint, inclusion and range that cover it', async () => {
    const log = await openTransparencyLog(journal, SIGNER)
    const older = log.checkpoint
    for (const batch of [statements(1), statements(4, 1), statements(260, 4)]) {
      const { positions, checkpoint } = await log.append(batch)
      expect(checkpoint.size).toBe(journal.statements.length)
      for (const [i, position] of positions.entries()) {
        const leaf = leafHash(encodeLogEntry(batch[i]))
        const path = await log.inclusion(position, checkpoint.size)
        expect(verifyInclusion(checkpoint, position, leaf, path).ok).toBe(true)
        expect(await log.find(statementDigest(batch[i]))).toBe(position)
      }
      const range = await log.range(positions[0], checkpoint.size)
      expect(verifyRange(range, checkpoint).ok).toBe(true)
      expect(range.entries).toHaveLength(batch.length)
      const proof = await log.consistency(older.size, checkpoint.size)
      expect(verifyConsistency(older, checkpoint, proof).ok).toBe(true)
    }
    expect(await log.find(statementDigest(statement(999)))).toBeUndefined()
  })

  it('logs what others put into the journal before it, in the journal’s order', async () => {
    const log = await openTransparencyLog(journal, SIGNER)
    await journal.appendStatements([statement(7)])
    expect((await log.append([statement(8)])).positions).toEqual([1])
    await journal.appendStatements([statement(9)])
    expect((await log.catchUp()).size).toBe(3)
    await expectLogOf(journal)
  })

  it('takes up a journal that a dead process had put ahead of the log', async () => {
    await openTransparencyLog(journal, SIGNER)
    await journal.appendStatements(statements(200))
    expect((await openTransparencyLog(journal, SIGNER)).checkpoint.size).toBe(200)
    await expectLogOf(journal)
  })

  it('makes one commit of many appends that wait, more than one commit takes included', async () => {
    const commits: string[] = []
    const storage = new MemoryLogStorage()
    journal = new MemoryJournal(
      watched(
        () => storage,
        (method) => void (method === 'compareAndSwap' && commits.push(method)),
      ),
    )
    const log = await openTransparencyLog(journal, SIGNER)
    commits.length = 0
    const results = await Promise.all(statements(50).map((each) => log.append([each])))
    expect(results.map(({ positions }) => positions[0]).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    )
    expect(commits.length).toBeLessThanOrEqual(2)
    for (const each of statements(4300, 50)) journal.statements.push(each)
    commits.length = 0
    expect((await log.catchUp()).size).toBe(4300)
    expect(commits).toHaveLength(2)
    await expectLogOf(journal)
  })

  it('asks the store four times for an append, whatever the number of statements', async () => {
    const calls: string[] = []
    const storage = new MemoryLogStorage()
    journal = new MemoryJournal(
      watched(
        () => storage,
        (method) => calls.push(method),
      ),
    )
    const log = await openTransparencyLog(
      watched(
        () => journal,
        (method) => calls.push(method),
      ),
      SIGNER,
    )
    for (const batch of [statements(1), statements(7, 1), statements(9, 6)]) {
      calls.length = 0
      await log.append(batch)
      expect(calls).toEqual(['appendStatements', 'listStatements', 'compareAndSwap', 'writeCommitted'])
    }
    await expectLogOf(journal)
  })

  it('does nothing for statements that are logged', async () => {
    const log = await openTransparencyLog(journal, SIGNER)
    const { checkpoint } = await log.append(statements(2))
    const before = journal.pagesRead
    expect(await log.append([statement(1), statement(0)])).toEqual({ positions: [1, 0], checkpoint })
    expect(await log.append([])).toEqual({ positions: [], checkpoint })
    expect(journal.pagesRead).toBe(before)
  })

  it('logs a large statement by its digest, and serves its payload', async () => {
    const log = await openTransparencyLog(journal, SIGNER)
    const large = statement(1, 'x'.repeat(100_000))
    const { positions, checkpoint } = await log.append([large])
    const [bytes] = (await log.range(positions[0], checkpoint.size)).entries
    const entry = decodeLogEntry(bytes)
    if (entry.kind !== 'detached') throw new Error('the statement fits into an entry')
    const payload = (await log.source.readPayload(entry.payloadSha256))!
    expect(Buffer.from(attachPayload(entry, payload).payload)).toEqual(Buffer.from(large.payload))
  })

  it('refuses a statement that no entry can hold before the journal has it', async () => {
    const log = await openTransparencyLog(journal, SIGNER)
    const signatures = Array.from({ length: 500 }, () => statement(1).signatures[0])
    const refusal = log.append([statement(0), { ...statement(1), signatures }])
    await expect(refusal).rejects.toMatchObject({ code: 'entry-too-large' })
    expect(journal.statements).toHaveLength(0)
    expect((await log.append([statement(2)])).positions).toEqual([0])
  })

  it('publishes cosignatures on the latest tree, and not on one that it has outgrown', async () => {
    const log = await openTransparencyLog(journal, SIGNER)
    const cosigned = (note: string) =>
      addCosignatures(
        note,
        formatSignatureLine(cosign(parseNote(note).text, WITNESSES[0], 1_800_000_000)),
        WITNESS_KEYS,
      )
    const { checkpoint } = await log.append(statements(2))
    expect(await log.publishCosigned(cosigned(checkpoint.note))).toBe(true)
    expect(await log.source.readCheckpoint()).toBe(cosigned(checkpoint.note))
    await log.append([statement(2)])
    expect(await log.publishCosigned(cosigned(checkpoint.note))).toBe(false)
    expect(await log.source.readCheckpoint()).toBe(log.checkpoint.note)
  })
})

describe('the transparency log, after a fault', () => {
  const faults = STEPS.flatMap((step) => [false, true].map((persists) => ({ step, persists })))

  it.each(faults)('of $step (persisted: $persists) goes on with the next call, and repeats nothing', async (fault) => {
    const flaky = new FlakyStorage()
    const journal = new MemoryJournal(flaky)
    const log = await openTransparencyLog(journal, SIGNER)
    await log.append(statements(255))
    flaky.failNext = fault
    await expect(log.append([statement(255)])).rejects.toThrow('the disk failed')
    expect((await log.append([statement(255), statement(256)])).positions).toEqual([255, 256])
    expect(log.checkpoint.size).toBe(257)
    await expectLogOf(journal)
  })

  it('of the journal goes on, too', async () => {
    const journal = new MemoryJournal()
    const log = await openTransparencyLog(journal, SIGNER)
    const list = journal.listStatements.bind(journal)
    journal.listStatements = () => Promise.reject(new Error('the database failed'))
    await expect(log.append([statement(0)])).rejects.toThrow('the database failed')
    journal.listStatements = list
    expect((await log.append([statement(1)])).positions).toEqual([1])
    await expectLogOf(journal)
  })
})

describe('several coordinators over one journal', () => {
  it('log each statement once, whoever comes first, and none is stopped by another', async () => {
    const journal = new MemoryJournal()
    const logs = await Promise.all([0, 1, 2].map(() => openTransparencyLog(journal, SIGNER)))
    const appends = statements(60).map(async (each, i) => {
      if (i % 4 === 0) await new Promise((next) => setImmediate(next))
      return logs[i % 3].append([each])
    })
    for (const { positions, checkpoint } of await Promise.all(appends)) {
      expect(checkpoint.size).toBeGreaterThan(positions[0])
    }
    for (const log of logs) expect((await log.catchUp()).size).toBe(60)
    await expectLogOf(journal)
  })

  it('go on when another has logged the rest of the journal meanwhile', async () => {
    const journal = new MemoryJournal()
    const [one, other] = [await openTransparencyLog(journal, SIGNER), await openTransparencyLog(journal, SIGNER)]
    await other.append(statements(5))
    expect((await one.catchUp()).size).toBe(5)
    await other.append(statements(8))
    expect((await one.append([statement(7), statement(8)])).positions).toEqual([7, 8])
    await expectLogOf(journal)
  })
})

describe('a log that is not of its journal', () => {
  it('is not begun anew when it is gone and the journal is not', async () => {
    const journal = new MemoryJournal()
    await (await openTransparencyLog(journal, SIGNER)).append(statements(3))
    const restored = new MemoryJournal()
    restored.statements.push(...journal.statements)
    await expect(openTransparencyLog(restored, SIGNER)).rejects.toMatchObject({ code: 'log-not-found' })
    expect(await restored.log.readCommit()).toBeUndefined()
  })

  it('is refused when the journal is older, or has another statement at the log’s end', async () => {
    const journal = new MemoryJournal()
    await (await openTransparencyLog(journal, SIGNER)).append(statements(3))
    const older = new MemoryJournal(journal.log)
    older.statements.push(...journal.statements.slice(0, 2))
    await expect(openTransparencyLog(older, SIGNER)).rejects.toMatchObject({ code: 'storage-corrupt' })
    older.statements.push(statement(77), statement(78))
    await expect(openTransparencyLog(older, SIGNER)).rejects.toMatchObject({ code: 'storage-corrupt' })
  })

  it.each([
    ['ends before what was published', statements(2)],
    ['has another end', [...statements(2), statement(77)]],
  ])('is refused, and nothing signed, when it is put back beneath a running coordinator and %s', async (_, past) => {
    let current = new MemoryJournal()
    const journal = watched(
      () => current,
      () => {},
    )
    const storage = watched(
      () => current.log,
      () => {},
    )
    await (await openTransparencyLog(current, SIGNER)).append(statements(2))
    const log = await openTransparencyLog(
      new Proxy(journal, { get: (target, name) => (name === 'log' ? storage : Reflect.get(target, name)) }),
      SIGNER,
    )
    await log.append([statement(2)])
    const before = new MemoryLogStorage()
    current = new MemoryJournal(before)
    await (await openTransparencyLog(current, SIGNER)).append(past)
    // Tiles that the process remembers would tell; this one leaves no room for them.
    await before.putTiles([{ path: 'tile/entries/999', bytes: new Uint8Array(TILE_CACHE_BYTES + 1) }])
    await log.source.readTile('tile/entries/999')
    const record = await current.log.readCommit()
    await expect(log.append(statements(12, 10))).rejects.toMatchObject({ code: 'storage-corrupt' })
    expect(await current.log.readCommit()).toEqual(record)
  })

  it('is refused with another key', async () => {
    const journal = new MemoryJournal()
    await openTransparencyLog(journal, SIGNER)
    await expect(openTransparencyLog(journal, STRANGER)).rejects.toMatchObject({ code: 'not-signed' })
  })
})
