import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type LogRange, proveRange, verifyRange } from '../../src/log/range-proof.ts'
import type { LogReader } from '../../src/log/tile-reader.ts'
import { entriesUpTo, flipBit, logOfSizes } from './log-fixtures.ts'
import { ReferenceTree } from './reference.ts'

const SIZES = [0, 1, 2, 7, 200, 255, 256, 257, 300, 700]
const ALL = entriesUpTo(700)
const reference = new ReferenceTree(ALL)
const headAt = (size: number) => ({ size, root: reference.mth(0, size) })
let log: LogReader

beforeAll(async () => {
  log = (await logOfSizes(...SIZES)).storage
})

/** Straight from RFC 6962: the subtrees that the bits of `start` stand for. */
function subtreesBefore(start: number): Uint8Array[] {
  const hashes: Uint8Array[] = []
  let at = 0
  for (let width = 512; width >= 1; width /= 2) {
    if (!(start & width)) continue
    hashes.push(reference.mth(at, at + width))
    at += width
  }
  return hashes
}

const place = fc.constantFrom(...SIZES).chain((size) => fc.tuple(fc.integer({ min: 0, max: size }), fc.constant(size)))

describe('a range proof', () => {
  it('holds the subtrees before the range and exactly its entries, and is accepted', async () => {
    await fc.assert(
      fc.asyncProperty(place, async ([start, size]) => {
        const range = await proveRange(log, start, size)
        expect(range.before.map((hash) => Buffer.from(hash))).toEqual(subtreesBefore(start))
        expect(range.entries.map((entry) => Buffer.from(entry))).toEqual(ALL.slice(start, size))
        expect(verifyRange(range, headAt(size))).toEqual({ ok: true, value: true })
      }),
    )
  })

  it('is refused with an entry left out, added, changed, moved or swapped, also when the size is made to fit', () => {
    const inner = fc.integer({ min: 2, max: 699 }).chain((size) => fc.tuple(fc.nat(size - 2), fc.constant(size)))
    fc.assert(
      fc.property(inner, fc.nat(), fc.nat(), ([start, size], pick, bit) => {
        const range: LogRange = { start, before: subtreesBefore(start), entries: ALL.slice(start, size) }
        expect(verifyRange(range, headAt(size)).ok).toBe(true)
        const { entries, before } = range
        const at = pick % (entries.length - 1)
        const without = entries.toSpliced(at, 1)
        const swapped = entries.with(at, entries[at + 1]).with(at + 1, entries[at])
        const mutations: [LogRange, { size: number; root: Uint8Array }][] = [
          [{ ...range, entries: without }, headAt(size)],
          [
            { ...range, entries: without },
            { size: size - 1, root: reference.mth(0, size) },
          ],
          [
            { ...range, entries: entries.slice(0, -1) },
            { size: size - 1, root: reference.mth(0, size) },
          ],
          [
            { ...range, entries: [...entries, entries[at]] },
            { size: size + 1, root: reference.mth(0, size) },
          ],
          [{ ...range, entries: entries.with(at, flipBit(entries[at], bit % 56)) }, headAt(size)],
          [{ ...range, entries: swapped }, headAt(size)],
          [{ ...range, start: start + 1, entries: entries.slice(1) }, headAt(size)],
          [{ ...range, before: [...before, reference.leaf(0)] }, headAt(size)],
          [range, headAt(size + 1)],
          [range, { size, root: reference.mth(0, size + 1) }],
        ]
        if (before.length > 0) {
          const bent = before.with(pick % before.length, flipBit(before[pick % before.length], bit % 256))
          mutations.push([{ ...range, before: bent }, headAt(size)])
          mutations.push([{ ...range, before: before.slice(1) }, headAt(size)])
          mutations.push([{ ...range, before: before.with(0, before[0].subarray(1)) }, headAt(size)])
        }
        if (before.length > 1) mutations.push([{ ...range, before: before.toReversed() }, headAt(size)])
        expect(mutations.map(([changed, head]) => verifyRange(changed, head).ok)).toEqual(mutations.map(() => false))
      }),
      { numRuns: 60 },
    )
  })

  it('names another form as such, and other entries as other', () => {
    const range: LogRange = { start: 5, before: subtreesBefore(5), entries: ALL.slice(5, 9) }
    for (const start of [-1, 0.5, Number.NaN, 2 ** 60]) {
      expect(verifyRange({ ...range, start }, headAt(9))).toMatchObject({ code: 'proof-length' })
    }
    expect(verifyRange(range, headAt(10))).toMatchObject({ code: 'proof-length' })
    expect(verifyRange({ ...range, before: [] }, headAt(9))).toMatchObject({ code: 'proof-length' })
    expect(verifyRange({ ...range, entries: ALL.slice(4, 8) }, headAt(9))).toMatchObject({ code: 'root-mismatch' })
  })

  it('of nothing at the end of a tree, and of the empty tree, says only the root', async () => {
    expect(verifyRange({ start: 0, before: [], entries: [] }, headAt(0)).ok).toBe(true)
    expect(verifyRange({ start: 7, before: subtreesBefore(7), entries: [] }, headAt(7)).ok).toBe(true)
    expect(verifyRange({ start: 7, before: subtreesBefore(7), entries: [] }, headAt(8)).ok).toBe(false)
    await expect(proveRange(log, 8, 7)).rejects.toMatchObject({ code: 'out-of-range' })
    await expect(proveRange(log, -1, 7)).rejects.toMatchObject({ code: 'out-of-range' })
  })
})
