import { beforeAll, describe, expect, it } from 'vitest'
import type { CoordinatorStore } from '../../src/coordinator/ports.ts'
import { coordinatorStoreOver } from '../../src/store/coordinator-store.ts'
import type { Database } from '../../src/store/database.ts'
import { StoreError } from '../../src/store/store-error.ts'
import {
  certify,
  someContribution,
  someDigest,
  someJob,
  someManifest,
  someRound,
  someStatement,
} from '../contract/coordinator-fixtures.ts'

/** A database whose next query is lost, or takes effect and is reported as failed: a connection that broke. */
class BreakingDatabase implements Database {
  readonly #database: Database
  #next: 'works' | 'lost' | 'persisted' = 'works'

  constructor(database: Database) {
    this.#database = database
  }

  breakNext(how: 'lost' | 'persisted'): void {
    this.#next = how
  }

  async query<Row extends object>(...call: Parameters<Database['query']>): Promise<Row[]> {
    const how = this.#next
    this.#next = 'works'
    if (how === 'lost') throw new StoreError('database-unreachable', 'The connection broke before the query.')
    const rows = await this.#database.query<Row>(...call)
    if (how === 'persisted') throw new StoreError('database-unreachable', 'The connection broke after the query.')
    return rows
  }

  transaction: Database['transaction'] = (work) => this.#database.transaction(work)
  close: Database['close'] = () => this.#database.close()
}

/** Every write of the store, lost and persisted-but-reported-failed. `database` is migrated. */
export function describeFailedWrites(database: () => Database): void {
  describe('A write that fails', () => {
    let breaking: BreakingDatabase
    let store: CoordinatorStore
    beforeAll(() => {
      breaking = new BreakingDatabase(database())
      store = coordinatorStoreOver(breaking)
    })

    const at = new Date(Date.UTC(2026, 0, 1))

    /** A write and, beside its result, all that can be seen of what it wrote. */
    async function prepareWrites() {
      const { job, envelope } = someJob()
      await store.addJob(job, envelope, at)
      const [collecting, sealed] = [someRound(job, 1), someRound(job, 2)]
      await store.addRound(collecting)
      await store.addRound(sealed)
      const [manifest, other] = [someManifest(sealed), someManifest(collecting)]
      await store.setRoundPhase(sealed.planDigest, 'sealed', { manifest })
      const [fresh, next, statement] = [someJob(), someRound(job, 3), someStatement()]
      const contribution = someContribution(collecting, 'zurich')
      const output = { name: 'model', version: 1, digest: someDigest() }
      return {
        look: async () => ({
          jobs: [await store.findJob(job), await store.findJob(fresh.job)],
          outputs: await store.listJobOutputs(job),
          events: await store.listJobEvents(job, 0, 10),
          rounds: await store.listRounds(job),
          statements: await database().query('SELECT position FROM statements'),
          contributions: await database().query('SELECT holder FROM contributions WHERE plan_digest = $1', [
            collecting.planDigest,
          ]),
        }),
        writes: {
          appendStatement: () => store.appendStatement(statement),
          addJob: () => store.addJob(fresh.job, fresh.envelope, at),
          setJobState: () => store.setJobState(job, 'running', at),
          addJobOutput: () => store.addJobOutput(job, output),
          appendJobEvent: () => store.appendJobEvent(job, at, { kind: 'job-state', state: 'running' }),
          addRound: () => store.addRound(next),
          addContribution: () => store.addContribution(collecting.planDigest, 'zurich', contribution),
          seal: () => store.setRoundPhase(collecting.planDigest, 'sealed', { manifest: other }),
          certify: () => store.setRoundPhase(sealed.planDigest, 'certified', { manifest: certify(manifest) }),
          abandon: () => store.setRoundPhase(collecting.planDigest, 'abandoned', { reason: 'the holders left' }),
        },
      }
    }

    type Write = keyof Awaited<ReturnType<typeof prepareWrites>>['writes']
    const names: Write[] = [
      'appendStatement',
      'addJob',
      'setJobState',
      'addJobOutput',
      'appendJobEvent',
      'addRound',
      'addContribution',
      'seal',
      'certify',
      'abandon',
    ]

    it.each(names)('%s: lost, it changes nothing; repeated, it takes effect', async (name) => {
      const { writes, look } = await prepareWrites()
      const before = await look()
      breaking.breakNext('lost')
      await expect(writes[name]()).rejects.toMatchObject({ code: 'database-unreachable' })
      expect(await look()).toEqual(before)
      await writes[name]()
      expect(await look()).not.toEqual(before)
    })

    it.each(names)('%s: persisted but reported failed, the repeat changes nothing and resolves', async (name) => {
      const { writes, look } = await prepareWrites()
      const before = await look()
      breaking.breakNext('persisted')
      await expect(writes[name]()).rejects.toMatchObject({ code: 'database-unreachable' })
      const after = await look()
      expect(after).not.toEqual(before)
      const repeated = await writes[name]()
      expect(await look()).toEqual(after)
      expect(await writes[name]()).toEqual(repeated)
    })
  })
}
