/** The sizes that docs/SCALING.md calculates are those of the code. */
import { describe, expect, it } from 'vitest'
import { partCountOf } from '../../src/coordinator/fold-part.ts'
import { payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { MAX_MODEL_WEIGHTS } from '../../src/learning/model.ts'
import { COMMITTEE_SIZE } from '../../src/protocol/committee.ts'
import { readPage, section, tables } from './pages.ts'

const PAGE = 'docs/SCALING.md'

describe('docs/SCALING.md', () => {
  it('has the sizes of ciphertexts as the code cuts them', () => {
    const [rows] = tables(section(PAGE, 'Bytes of one ciphertext'))
    expect(rows.length).toBeGreaterThan(5)
    for (const row of rows) {
      const holders = Number(row.holders)
      const parameters = payloadParameters({
        precisionBits: Number(row.bits),
        maxContributors: holders,
        length: Number(row.weights),
      })
      expect(row, JSON.stringify(row)).toMatchObject({
        lanes: String(parameters.lanes),
        'bytes per weight': (parameters.ciphertextBytes / Number(row.weights)).toFixed(2),
        chunks: String(parameters.chunkCount),
        parts: String(partCountOf(parameters)),
        'MiB of one ciphertext': (parameters.ciphertextBytes / 2 ** 20).toFixed(1),
        'GiB in the spool': ((holders * parameters.ciphertextBytes) / 2 ** 30).toFixed(1),
      })
    }
  })

  it('counts rows and requests of what those make', () => {
    const [rows] = tables(section(PAGE, 'One round, by what it costs'))
    const cell = (what: string, column: string) => rows.find((row) => row.what.startsWith(what))![column]
    for (const [column, n, chunks, parts] of [
      ['at 10 × 10⁵', 10, 2, 1],
      ['at 1000 × 10⁷', 1000, 306, 10],
    ] as const) {
      expect(cell('ranges read', column)).toBe((n * chunks).toLocaleString('en'))
      expect(cell('entries', column)).toBe(String(5 + COMMITTEE_SIZE))
      // A single part has no row.
      const written = n + (parts > 1 ? parts : 0) + 5 + COMMITTEE_SIZE
      expect(cell('rows', column)).toBe(written.toLocaleString('en'))
    }
  })

  it('knows the limit of a model', () => {
    expect(MAX_MODEL_WEIGHTS).toBe(2 ** 28)
    expect(readPage(PAGE)).toContain('2²⁸')
  })
})
