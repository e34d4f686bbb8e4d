import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readExactly } from '../../src/protocol/read-exactly.ts'
import { readAll } from '../support/read-all.ts'

/** A stream of these messages; tells how many were taken and whether it was let go. */
function streamOf(messages: readonly Uint8Array[]) {
  const seen = { taken: 0, isClosed: false }
  async function* stream() {
    try {
      for (const message of messages) {
        seen.taken++
        yield message
      }
    } finally {
      seen.isClosed = true
    }
  }
  return { stream: stream(), seen }
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 8 })

describe('a stream that is read in pieces', () => {
  it('gives the same bytes, in the sizes asked, however they arrive', async () => {
    const cuts = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(sizes, cuts, async (wanted, lengths) => {
        const total = wanted.reduce((sum, size) => sum + size, 0)
        const bytes = Uint8Array.from({ length: total }, (_, i) => i)
        const messages: Uint8Array[] = []
        for (let at = 0, i = 0; at < total; i++) {
          // Some of them empty; never only empty ones.
          const length = i % 2 === 0 ? lengths[i % lengths.length] : 7
          messages.push(bytes.subarray(at, at + length))
          at += length
        }
        const pieces = await readAll(readExactly(streamOf(messages).stream, wanted))
        expect(pieces.map(({ length }) => length)).toEqual(wanted)
        expect(Buffer.concat(pieces).equals(bytes)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('is refused by name when it ends before, and let go', async () => {
    const { stream, seen } = streamOf([new Uint8Array(10), new Uint8Array(9)])
    await expect(readAll(readExactly(stream, [10, 10]))).rejects.toMatchObject({ code: 'opening-too-short' })
    expect(seen.isClosed).toBe(true)
  })

  it('is read no further than asked: a sender that never ends costs nothing', async () => {
    const { stream, seen } = streamOf(Array(1000).fill(new Uint8Array(10)))
    expect(await readAll(readExactly(stream, [5, 15]))).toHaveLength(2)
    expect(seen).toEqual({ taken: 2, isClosed: true })
  })

  it('is let go by a reader that leaves early', async () => {
    const { stream, seen } = streamOf([new Uint8Array(10), new Uint8Array(10)])
    for await (const piece of readExactly(stream, [10, 10])) {
      expect(piece).toHaveLength(10)
      break
    }
    expect(seen.isClosed).toBe(true)
  })
})
