import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { makeVectorFiles } from './write-vectors.ts'

describe('the vector files', () => {
  it('are what the code makes today: after a change of format, run node test/vectors/write-vectors.ts', async () => {
    const made = await makeVectorFiles()
    const present = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.json'))
    expect(present.toSorted()).toEqual([...made.keys()].toSorted())
    for (const [name, text] of made) {
      expect(readFileSync(new URL(name, import.meta.url), 'utf8'), name).toBe(text)
      expect(JSON.parse(text).description.join(' '), name).toMatch(/\(src\/|C2SP/)
    }
  })
})
