import { inspect } from 'node:util'
import { stdSerializers } from 'pino'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CoordinatorStore } from '../../src/coordinator/ports.ts'
import { coordinatorStoreOver } from '../../src/store/coordinator-store.ts'
import type { Database } from '../../src/store/database.ts'
import { StoreError } from '../../src/store/store-error.ts'
import {
  certify,
  someAbandonment,
  someCandidates,
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
  listen: Database['listen'] = (channel, listener) => this.#database.listen(channel, listener)
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
      const rounds = [1, 2, 3, 4].map((number) => someRound(job, number))
      const [collecting, checking, sealed, abandoned] = rounds
      for (const round of rounds) await store.addRound(round)
      const manifest = someManifest(sealed)
      for (const round of [checking, sealed]) {
        await store.setRoundPhase(round.planDigest, 'checking', { candidates: someCandidates(round) })
      }
      await store.setRoundPhase(sealed.planDigest, 'sealed', { manifest })
      await store.setRoundPhase(abandoned.planDigest, 'abandoned', { reason: 'the holders left' })
      const [fresh, next, statements] = [someJob(), someRound(job, 5), [someStatement(), someStatement()]]
      const [candidates, other, abandonment] = [
        someCandidates(collecting),
        someManifest(checking),
        someAbandonment(abandoned),
      ]
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
          appendStatements: () => store.appendStatements(statements),
          addJob: () => store.addJob(fresh.job, fresh.envelope, at),
          setJobState: () => store.setJobState(job, 'running', at),
          addJobOutput: () => store.addJobOutput(job, output),
          appendJobEvent: () => store.appendJobEvent(job, at, { kind: 'job-state', state: 'running' }),
          addRound: () => store.addRound(next),
          addContribution: () => store.addContribution(collecting.planDigest, 'zurich', contribution),
          close: () => store.setRoundPhase(collecting.planDigest, 'checking', { candidates }),
          seal: () => store.setRoundPhase(checking.planDigest, 'sealed', { manifest: other }),
          certify: () => store.setRoundPhase(sealed.planDigest, 'certified', { manifest: certify(manifest) }),
          abandon: () => store.setRoundPhase(collecting.planDigest, 'abandoned', { reason: 'the holders left' }),
          setAbandonment: () => store.setAbandonment(abandoned.planDigest, abandonment),
        },
      }
    }

    type Write = keyof Awaited<ReturnType<typeof prepareWrites>>['writes']
    const names: Write[] = [
      'appendStatements',
      'addJob',
      'setJobState',
      'addJobOutput',
      'appendJobEvent',
      'addRound',
      'addContribution',
      'close',
      'seal',
      'certify',
      'abandon',
      'setAbandonment',
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

  describe('An error of the database', () => {
    /** As the process's log would show it, and as a developer's console would. */
    const shown = (error: Error) =>
      `${inspect(error, { depth: 9 })} ${JSON.stringify(stdSerializers.errWithCause(error))}`
    const secret = 'the content of an envelope'

    it.each([
      ['INSERT INTO statements (position, digest, envelope) VALUES (-1, $1, $2)', 'invalid-value'],
      ['INSERT INTO nowhere (digest, envelope) VALUES ($1, $2)', 'database-failed'],
      [
        "INSERT INTO contributions (plan_digest, holder, digest, envelope) VALUES ($1, 'x', repeat('0', 64), $2)",
        'not-found',
      ],
    ])('names what failed, and shows no parameter of the query: %s', async (sql, code) => {
      const parameters = [someDigest(), JSON.stringify({ payload: secret })]
      const error = await database()
        .query(sql, parameters)
        .then(
          () => new Error('expected a failure'),
          (fault: Error) => fault,
        )
      expect(error).toMatchObject({ name: 'StoreError', code, cause: { code: expect.stringMatching(/^[0-9A-Z]{5}$/) } })
      expect(error.cause).toMatchObject({ message: expect.stringMatching(/nowhere|statements|contributions/) })
      for (const value of [secret, parameters[0]]) expect(shown(error)).not.toContain(value)
    })
  })
}
