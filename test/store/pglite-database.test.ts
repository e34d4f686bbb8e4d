import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCoordinatorStore } from '../../src/store/coordinator-store.ts'
import { openPgliteDatabase } from '../../src/store/pglite-database.ts'

describe('The embedded database', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-pglite-'))
  const directory = join(scratch, 'state')
  let told: { job: string; plan: string; manifest: string; position: number }

  beforeAll(() => {
    // What a first start that was interrupted leaves behind.
    mkdirSync(join(directory, 'database.new'), { recursive: true, mode: 0o700 })
    writeFileSync(join(directory, 'database.new', 'PG_VERSION'), '18\n')
    const script = new URL('./die-after-writing.ts', import.meta.url).pathname
    const child = spawnSync(process.execPath, [script, directory], { encoding: 'utf8' })
    expect(child.stderr).toBe('')
    expect(child.signal).toBe('SIGKILL')
    told = JSON.parse(child.stdout)
  })
  afterAll(() => rmSync(scratch, { recursive: true }))

  it('has every resolved write of a process that was killed right after it', async () => {
    const store = await openCoordinatorStore({ directory })
    expect(await store.findJob(told.job)).toMatchObject({ state: 'queued' })
    expect(await store.listRounds(told.job)).toMatchObject([{ planDigest: told.plan, phase: 'sealed' }])
    await store.close()
    const database = await openPgliteDatabase(directory)
    const rows = await database.query(
      `SELECT position::integer, manifest_digest = digest AS sealed FROM statements, rounds WHERE digest = $1`,
      [told.manifest],
    )
    expect(rows).toEqual([{ position: told.position, sealed: true }])
    await database.close()
  })

  it('is made anew when making it was interrupted', () => {
    expect(existsSync(join(directory, 'database.new'))).toBe(false)
  })

  it('is readable by its owner only', () => {
    expect(statSync(join(directory, 'database')).mode & 0o077).toBe(0)
  })

  it('belongs to one store at a time', async () => {
    const store = await openCoordinatorStore({ directory })
    await expect(openCoordinatorStore({ directory })).rejects.toMatchObject({ code: 'directory-in-use' })
    expect(await store.findJob(told.job)).toBeDefined()
    await store.close()
    await (await openCoordinatorStore({ directory })).close()
  })

  it('checkpoints as it is written to, so that its write-ahead log stays bounded', async () => {
    const database = await openPgliteDatabase(directory, { checkpointBytes: 1_000_000 })
    const logBytes = async () => {
      const [row] = await database.query<{ bytes: number }>(
        'SELECT (pg_current_wal_lsn() - redo_lsn)::float8 AS bytes FROM pg_control_checkpoint()',
      )
      return row.bytes
    }
    await database.query('CREATE TABLE filler (text text)')
    // Random, so that nothing of it is compressed away.
    const filler = () => Buffer.from(crypto.getRandomValues(new Uint8Array(37_500))).toString('base64')
    for (let i = 0; i < 100; i++) await database.query('INSERT INTO filler VALUES ($1)', [filler()])
    expect(await logBytes()).toBeLessThan(2_000_000)
    await database.query('DROP TABLE filler')
    await database.close()
  })

  it('finishes what was asked of it before it closes', async () => {
    const database = await openPgliteDatabase(directory)
    const answers = Promise.all([1, 2, 3].map((n) => database.query('SELECT $1::integer AS n', [n])))
    await database.close()
    expect(await answers).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]])
    await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'store-closed' })
  })

  it('names files that are no database, and lets the directory go', async () => {
    const damaged = join(scratch, 'damaged')
    mkdirSync(join(damaged, 'database'), { recursive: true })
    writeFileSync(join(damaged, 'database', 'PG_VERSION'), '9\n')
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(openPgliteDatabase(damaged)).rejects.toMatchObject({ code: 'corrupt' })
    }
  })

  it('needs a place', async () => {
    const file = join(scratch, 'file')
    writeFileSync(file, '')
    await expect(openCoordinatorStore({ directory: file })).rejects.toMatchObject({ name: 'StoreError' })
    await expect(openCoordinatorStore({ directory: join(file, 'below') })).rejects.toMatchObject({
      code: 'directory-unusable',
    })
    await expect(openCoordinatorStore({})).rejects.toMatchObject({ code: 'directory-unusable' })
  })
})
