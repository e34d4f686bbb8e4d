import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** The server of the tests, `postgres://…`; its user may create databases. */
const serverUrl = process.env.SLUICE_TEST_POSTGRES_URL

/** Why nothing runs on a server here, or undefined when something does. The name of the skipped test. */
export const noPostgresReason = serverUrl
  ? undefined
  : 'needs a PostgreSQL server: set SLUICE_TEST_POSTGRES_URL to one whose user may create databases'

/** A new, empty database on the server of the tests. */
export async function createPostgresDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `sluice_test_${randomBytes(6).toString('hex')}`
  await runOnServer(`CREATE DATABASE ${name}`)
  const url = new URL(serverUrl!)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => runOnServer(`DROP DATABASE ${name} WITH (FORCE)`) }
}

async function runOnServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
