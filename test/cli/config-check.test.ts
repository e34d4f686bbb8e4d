import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkConfig, configText } from '../../src/cli/check-config.ts'
import { readDatabaseUrl } from '../../src/cli/database-url.ts'
import { loadVenue } from '../../src/cli/venue-files.ts'
import { runSluice } from '../support/processes.ts'
import { editYaml, startTestVenue, type TestVenue } from '../support/test-venue.ts'

let root: string
let venue: TestVenue
const at = (...path: string[]) => join(root, ...path)
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'sluice-check-'))
  venue = await startTestVenue(at('venue'))
})
afterEach(async () => {
  await venue.close()
  rmSync(root, { recursive: true })
})

const fieldOf = ({ fields }: Awaited<ReturnType<typeof checkConfig>>, name: string) =>
  fields.find(({ field }) => field === name)

describe('checking a configuration', () => {
  it('says of a coordinator what is in force, and who says so', async () => {
    const env = { SLUICE_GATHER_MS: '2000', SLUICE_GATHERMS: '1', SLUICE_LOG_LEVEL: 'warn' }
    const checked = await checkConfig(at('venue'), env)
    expect(checked).toMatchObject({ role: 'coordinator', database: 'embedded', unknown: ['SLUICE_GATHERMS'] })
    expect(fieldOf(checked, 'gatherMs')).toEqual({ field: 'gatherMs', value: 2000, from: 'SLUICE_GATHER_MS' })
    expect(fieldOf(checked, 'venue')).toEqual({ field: 'venue', value: 'hearts.example', from: 'coordinator.yaml' })
    expect(fieldOf(checked, 'state')).toEqual({ field: 'state', value: 'state', from: 'default' })
    expect((await loadVenue(at('venue'), { env })).config.gatherMs).toBe(2000)
    expect(configText(checked)).toContain('SLUICE_GATHERMS is no field')
  })

  it('says of a holder what is in force, datasets and all', async () => {
    await venue.joinHolder('north', at('north'))
    writeFileSync(at('datasets'), '- { name: heart, path: heart.csv }\n')
    const checked = await checkConfig(at('north'), { SLUICE_DATASETS_FILE: at('datasets') })
    expect(fieldOf(checked, 'datasets')).toMatchObject({
      value: [{ name: 'heart', path: 'heart.csv' }],
      from: 'SLUICE_DATASETS_FILE',
    })
  })

  it('shows no password', async () => {
    const env = {
      SLUICE_TRACES_ENDPOINT: 'https://user:hunter2@collector.example/v1/traces?token=hunter2',
      DATABASE_URL: 'postgres://sluice:hunter2@db:5432/sluice',
    }
    const checked = await checkConfig(at('venue'), env)
    expect(checked.database).toBe('db:5432/sluice')
    expect(JSON.stringify(checked)).toContain('collector.example/v1/traces')
    expect(JSON.stringify(checked) + configText(checked)).not.toContain('hunter2')
  })

  it('names what is wrong, with exit code 1, and neither a venue nor a holder', async () => {
    const check = ['config', 'check', '--directory', at('venue')]
    const wrong = await runSluice(check, { SLUICE_GATHER_MS: 'soon' })
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('gatherMs is from SLUICE_GATHER_MS.') })
    editYaml(at('venue/coordinator.yaml'), { lisen: 1 })
    expect((await runSluice(check)).stderr).toContain('lisen')
    const nowhere = await runSluice(['config', 'check', '--directory', at('nowhere')])
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('coordinator.yaml nor holder.yaml') })
  })

  it('is one JSON object when asked', async () => {
    const { stdout, code } = await runSluice(['config', 'check', '--directory', at('venue'), '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ role: 'coordinator' })
  })
})

describe('the URL of the database', () => {
  it('comes from the option, the variable, or the file that a variable names', async () => {
    writeFileSync(at('url'), 'postgres://c\n')
    expect(await readDatabaseUrl('postgres://a', { DATABASE_URL: 'postgres://b' })).toBe('postgres://a')
    expect(await readDatabaseUrl(undefined, { DATABASE_URL: 'postgres://b' })).toBe('postgres://b')
    expect(await readDatabaseUrl(undefined, { DATABASE_URL_FILE: at('url') })).toBe('postgres://c')
    expect(await readDatabaseUrl(undefined, {})).toBeUndefined()
  })
})
