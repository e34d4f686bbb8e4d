import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { describeDatabaseUrl } from '../../src/store/postgres-database.ts'
import { closedPort } from '../support/free-port.ts'

const failureOf = (databaseUrl: string) =>
  openCoordinatorStore({ databaseUrl }).then(
    () => undefined,
    (error) => error,
  )

describe('A PostgreSQL database by URL', () => {
  it('that is not there is named by host, port and name, and its password by nothing', async () => {
    const port = await closedPort()
    const error = await failureOf(`postgres://venue:s3cr3t@127.0.0.1:${port}/sluice?password=s3cr3t`)
    expect(error).toMatchObject({
      name: 'StoreError',
      code: 'database-unreachable',
      message: expect.stringContaining(`127.0.0.1:${port}/sluice`),
    })
    expect(inspect(error, { depth: 8 })).not.toContain('s3cr3t')
  })

  it.each(['s3cr3t', 'mysql://venue:s3cr3t@localhost/sluice', 'postgres://venue:s3cr3t@local host:port/sluice'])(
    'that is none is refused without showing it: %s',
    async (url) => {
      const error = await failureOf(url)
      expect(error).toMatchObject({ code: 'bad-database-url', message: expect.stringContaining('postgres://') })
      expect(inspect(error, { depth: 8 })).not.toContain('s3cr3t')
    },
  )

  it.each([
    ['postgres://venue:s3cr3t@db.example/sluice', 'db.example:5432/sluice'],
    ['postgresql://db.example:6000/a', 'db.example:6000/a'],
    ['postgres:///sluice?host=/run/postgresql', '/run/postgresql:5432/sluice'],
  ])('%s is shown as %s', (url, shown) => {
    expect(describeDatabaseUrl(url)).toBe(shown)
  })
})
