import { describe, expect, it } from 'vitest'
import { createLog, openLogWriter } from '../../src/log/log-writer.ts'
import { verifyLog } from '../../src/log/verify-log.ts'
import type { Database } from '../../src/store/database.ts'
import { databaseLogStorage } from '../../src/store/log-storage.ts'
import { StoreError } from '../../src/store/store-error.ts'
import { entriesUpTo, LOG_KEY, SIGNER } from '../log/log-fixtures.ts'

/** Partial tiles that grow upon each other, one that fills, and one beyond: every kind of row that there is. */
const SIZES = [1, 2, 255, 256, 300]

/** A database whose query no. `failAt` is lost, or takes effect and is reported as failed; the others work. */
function failingAt(database: Database, failAt: number, persists: boolean): Database & { readonly queries: number } {
  let queries = 0
  return {
    get queries() {
      return queries
    },
    async query(...call) {
      const fails = queries++ === failAt
      if (fails && !persists) throw new StoreError('database-unreachable', 'The connection broke before the query.')
      const rows = await database.query<never>(...call)
      if (fails) throw new StoreError('database-unreachable', 'The connection broke after the query.')
      return rows
    },
    transaction: (work) => database.transaction(work),
    listen: (channel, listener) => database.listen(channel, listener),
    close: () => database.close(),
  }
}

/** The log on tables of which every query may fail. `reset` empties them; `database` is migrated. */
export function describeInterruptedLog(database: () => Database, reset: () => Promise<void>): void {
  describe('The log, when a query fails', () => {
    /** Grows a log over one storage that lives on, as in a coordinator that outlives the fault; a writer may not. */
    async function growOver(faulty: Database): Promise<number> {
      const storage = databaseLogStorage(faulty)
      let faults = 0
      for (const size of SIZES) {
        for (let done = false; !done; ) {
          try {
            const exists = (await storage.readCommit()) !== undefined
            const writer = exists ? await openLogWriter(storage, SIGNER) : await createLog(storage, SIGNER)
            await writer.append(entriesUpTo(size))
            done = true
          } catch (fault) {
            expect(fault).toMatchObject({ code: 'database-unreachable' })
            faults++
          }
        }
      }
      return faults
    }

    async function expectWhole(): Promise<void> {
      const entries: string[] = []
      const audit = await verifyLog(
        databaseLogStorage(database()),
        { log: LOG_KEY, witnesses: [], quorum: 0 },
        { checkEntry: (_, entry) => void entries.push(Buffer.from(entry).toString()) },
      )
      expect(audit).toMatchObject({ ok: true })
      expect(entries).toEqual(entriesUpTo(SIZES.at(-1)!).map((entry) => Buffer.from(entry).toString()))
    }

    it.each([
      ['lost', false],
      ['persisted but reported failed', true],
    ])('any of its queries %s, is whole and has no entry twice', async (_, persists) => {
      await reset()
      const counting = failingAt(database(), -1, persists)
      expect(await growOver(counting)).toBe(0)
      await expectWhole()
      expect(counting.queries).toBeGreaterThan(40)
      for (let at = 0; at < counting.queries; at++) {
        await reset()
        expect(await growOver(failingAt(database(), at, persists)), `query ${at}`).toBe(1)
        await expectWhole()
      }
    })
  })
}
