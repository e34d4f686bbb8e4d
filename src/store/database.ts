/** What a parameter or a column may be. Documents travel as text; instants go in as ISO 8601 and come out as Date. */
export type SqlValue = string | number | boolean | null

/** Runs one statement with `$1`, `$2`, … parameters. @throws StoreError by SQLSTATE, see `databaseError`. */
export interface Queryable {
  query<Row extends object>(sql: string, parameters?: readonly SqlValue[]): Promise<Row[]>
}

export interface Transaction extends Queryable {
  /** Several statements without parameters: a migration. */
  script(sql: string): Promise<void>
}

/**
 * All that the store wants of a database: PostgreSQL, served or embedded. Two implementations, `openPostgresDatabase`
 * and `openPgliteDatabase`; the SQL above them is one, and `bigint` is the only type they give back differently (read it
 * with `Number`).
 *
 * - *Atomicity*: a `query` is its own transaction; `transaction` commits when `work` resolves and rolls back when it
 *   rejects. *Durability*: a resolved call survives the death of this process.
 * - *Concurrency*: calls may overlap; isolation is READ COMMITTED.
 * - After `close` every call rejects with StoreError `store-closed`; closing again does nothing.
 */
export interface Database extends Queryable {
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>
  /**
   * Calls `listener` with what is notified on a channel, by any process. What is said while there is no connection is lost.
   * @returns the way to stop
   */
  listen(channel: string, listener: (payload: string) => void): () => void
  close(): Promise<void>
}
