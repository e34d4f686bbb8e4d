import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { describeInvalid, overlayEnvironment, unknownVariables } from '../../src/configuration/environment.ts'

const schema = z.strictObject({
  name: z.string(),
  retryMs: z.int().min(1).optional(),
  watched: z.boolean().optional(),
  coordinators: z.union([z.string().regex(/^\S+:\d+$/), z.array(z.string())]).optional(),
  datasets: z.array(z.strictObject({ name: z.string() })).default([]),
})

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-environment-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const read = async (file: unknown, env: Record<string, string>) =>
  schema.parse((await overlayEnvironment(schema, file, env)).input)

describe('the environment over a configuration file', () => {
  it('wins, field by field, and leaves the others', async () => {
    const file = { name: 'north', retryMs: 5 }
    expect(await read(file, { SLUICE_RETRY_MS: '7' })).toEqual({ name: 'north', retryMs: 7, datasets: [] })
    expect(await read(file, {})).toEqual({ ...file, datasets: [] })
    expect(await read(file, { SLUICE_RETRY_MS: '' })).toMatchObject({ retryMs: 5 })
  })

  it('takes text as text where the field takes text, and YAML elsewhere', async () => {
    const env = {
      SLUICE_NAME: '00123',
      SLUICE_WATCHED: 'true',
      SLUICE_COORDINATORS: '[a:1, b:2]',
      SLUICE_DATASETS: '[{ name: heart }]',
    }
    expect(await read({}, env)).toEqual({
      name: '00123',
      watched: true,
      coordinators: ['a:1', 'b:2'],
      datasets: [{ name: 'heart' }],
    })
    expect(await read({}, { SLUICE_NAME: 'x', SLUICE_COORDINATORS: 'a:1' })).toMatchObject({ coordinators: 'a:1' })
  })

  it('reads a value from the file that …_FILE names, without the end of its line', async () => {
    writeFileSync(join(root, 'name'), 'north\n')
    expect(await read({}, { SLUICE_NAME_FILE: join(root, 'name') })).toMatchObject({ name: 'north' })
  })

  it('refuses a variable beside its file, a file that is not there, and what is no YAML, and quotes no value', async () => {
    const wrong = [
      { SLUICE_NAME: 'hunter2', SLUICE_NAME_FILE: join(root, 'name') },
      { SLUICE_NAME_FILE: join(root, 'absent') },
      { SLUICE_DATASETS: '[{ hunter2' },
    ]
    for (const env of wrong) {
      const error = await overlayEnvironment(schema, {}, env).catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'environment-invalid' })
      expect(error.message).toMatch(/SLUICE_(NAME|DATASETS)/)
      expect(error.message).not.toContain('hunter2')
    }
  })

  it('is named where it is what is wrong', async () => {
    const overlay = await overlayEnvironment(schema, { name: 'north', colour: 'red' }, { SLUICE_RETRY_MS: 'hunter2' })
    const described = describeInvalid(schema.safeParse(overlay.input).error!, overlay)
    expect(described).toContain('retryMs is from SLUICE_RETRY_MS.')
    expect(described).toContain('colour')
    expect(described).not.toContain('hunter2')
  })

  it('tells variables that mean nothing', () => {
    const env = { SLUICE_NAME: 'x', SLUICE_NAMES: 'y', SLUICE_DATASETS_FILE: 'z', SLUICE_DIRECTORY: 'd', HOME: '/' }
    expect(unknownVariables(schema, ['SLUICE_DIRECTORY'], env)).toEqual(['SLUICE_NAMES'])
  })
})
