import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const GENERATED = join(ROOT, 'src/wire/generated')

function readTree(directory: string): Map<string, string> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return new Map(names.sort().map((name) => [name, readFileSync(join(directory, name), 'utf8')]))
}

describe('the contract in proto/', () => {
  it('is what the generated types were made from', () => {
    const { generate } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts
    const fresh = mkdtempSync(join(tmpdir(), 'sluice-generated-'))
    try {
      const [command, ...args] = generate.replace('src/wire/generated', fresh).split(' ')
      execFileSync(join(ROOT, 'node_modules/.bin', command), args, { cwd: ROOT, stdio: 'pipe' })
      expect(readTree(GENERATED)).toEqual(readTree(fresh))
    } finally {
      rmSync(fresh, { recursive: true })
    }
  })
})
