import pg from 'pg'
import type { Database, Transaction } from './database.ts'
import { PostgresListener } from './postgres-listener.ts'
import { databaseError, StoreError } from './store-error.ts'

/** Connections of one coordinator process; its writes are short, and more replicas share the server. */
const CONNECTIONS_MAX = 8
const CONNECT_TIMEOUT_MS = 10_000

/**
 * A PostgreSQL server, version 15 or newer, by URL (`postgres://user:password@host:port/database?sslmode=…`). Connects
 * at the first query; a lost connection fails the queries on it and is replaced at the next one.
 *
 * *Durability* is the server's: with its defaults (`fsync`, `synchronous_commit`) a resolved write survives a power
 * failure. Several processes may share one database.
 *
 * @throws StoreError `bad-database-url`. The password appears in no message, and the URL in no `cause`.
 */
export function openPostgresDatabase(databaseUrl: string): Database {
  const where = `The PostgreSQL database ${describeDatabaseUrl(databaseUrl)}`
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'sluice-coordinator',
  })
  // An idle connection that the server ends is replaced at the next query; without a listener it would end the process.
  pool.on('error', () => {})
  const listener = new PostgresListener(databaseUrl)
  let closing: Promise<void> | undefined

  const guarded = async <T>(run: () => Promise<T>): Promise<T> => {
    if (closing) throw new StoreError('store-closed', `${where} is closed: open it again.`)
    try {
      return await run()
    } catch (cause) {
      throw databaseError(cause, where)
    }
  }

  return {
    query: (sql, parameters = []) => guarded(async () => (await pool.query(sql, [...parameters])).rows as never),
    transaction: (work) => guarded(() => runTransaction(pool, work)),
    listen: (channel, onNotified) => listener.listen(channel, onNotified),
    close: () => (closing ??= Promise.all([listener.close(), pool.end()]).then(() => undefined)),
  }
}

async function runTransaction<T>(pool: pg.Pool, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  // A server that restarts between two queries is met by the next one; without a listener it would end the process.
  const onError = () => {}
  client.on('error', onError)
  try {
    await client.query('BEGIN')
    const result = await work({
      query: async (sql, parameters = []) => (await client.query(sql, [...parameters])).rows as never,
      script: async (sql) => void (await client.query(sql)),
    })
    await client.query('COMMIT')
    client.release()
    return result
  } catch (error) {
    // A connection that cannot roll back is not given to anyone else; ending it rolls back as well.
    const broken = await client.query('ROLLBACK').then(
      () => false,
      () => true,
    )
    client.release(broken)
    throw error
  } finally {
    client.removeListener('error', onError)
  }
}

/**
 * Host, port and database of a PostgreSQL URL: what may be shown and logged.
 * @throws StoreError `bad-database-url`, without the URL.
 */
export function describeDatabaseUrl(databaseUrl: string): string {
  const url = URL.canParse(databaseUrl) ? new URL(databaseUrl) : undefined
  if (url?.protocol !== 'postgres:' && url?.protocol !== 'postgresql:') {
    throw new StoreError(
      'bad-database-url',
      'The database URL is not of the form postgres://user:password@host:port/database. Correct DATABASE_URL; percent-encode special characters of the password.',
    )
  }
  const host = url.hostname || url.searchParams.get('host') || 'localhost'
  return `${host}:${url.port || url.searchParams.get('port') || '5432'}${url.pathname}`
}
