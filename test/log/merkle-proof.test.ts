import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EMPTY_ROOT, leafHash, perfectRoot } from '../../src/log/merkle-hash.ts'
import { type HashReader, proveConsistency, proveInclusion, rootFromReader } from '../../src/log/merkle-proof.ts'
import { hashReaderOf } from '../../src/log/tile-reader.ts'
import { EMPTY_EDGE, edgeRoot, extendEdge } from '../../src/log/tree-edge.ts'
import { verifyConsistency, verifyInclusion } from '../../src/log/verify-proof.ts'
import { entriesUpTo, flipBit, logOfSizes } from './log-fixtures.ts'
import { ReferenceTree } from './reference.ts'

const SIZE_MAX = 300
const reference = new ReferenceTree(entriesUpTo(3000))
const headAt = (size: number) => ({ size, root: reference.mth(0, size) })
const readerAt = (size: number): HashReader => ({
  async hash(height, index) {
    const end = (index + 1) * 2 ** height
    if (end > size) throw new RangeError(`asked for a subtree up to ${end} of ${size}`)
    return reference.mth(index * 2 ** height, end)
  },
})
const sameHashes = (a: readonly Uint8Array[], b: readonly Uint8Array[]) =>
  a.length === b.length && a.every((hash, i) => Buffer.compare(hash, b[i]) === 0)

describe('Merkle proofs', () => {
  // Collected and compared once: an assertion for each of 90,000 proofs would take longer than the proofs.
  it(`prove each entry of each tree up to ${SIZE_MAX} exactly as RFC 6962 writes it, and are accepted`, async () => {
    const wrong: string[] = []
    for (let size = 1; size <= SIZE_MAX; size++) {
      const head = headAt(size)
      for (let index = 0; index < size; index++) {
        const proof = await proveInclusion(readerAt(size), index, size)
        const same = sameHashes(proof, reference.path(index, 0, size))
        if (!same || !verifyInclusion(head, index, reference.leaf(index), proof).ok) wrong.push(`${index} of ${size}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it(`prove each pair of trees up to ${SIZE_MAX} consistent exactly as RFC 6962 writes it, and are accepted`, async () => {
    const wrong: string[] = []
    for (let newSize = 1; newSize <= SIZE_MAX; newSize++) {
      const newer = headAt(newSize)
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const proof = await proveConsistency(readerAt(newSize), oldSize, newSize)
        const same = sameHashes(proof, reference.proof(oldSize, newSize))
        if (!same || !verifyConsistency(headAt(oldSize), newer, proof).ok) wrong.push(`${oldSize} to ${newSize}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('come out the same from the tiles of a log, for trees it has outgrown too', async () => {
    const { storage } = await logOfSizes(1, 255, 256, 257, 1000, 3000)
    const sizes = fc.constantFrom(1, 255, 256, 257, 1000, 3000)
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, a, b) => {
        const reader = hashReaderOf(storage, size)
        const [index, oldSize] = [a % size, 1 + (b % size)]
        expect(Buffer.compare(await rootFromReader(reader, size), reference.mth(0, size))).toBe(0)
        expect(sameHashes(await proveInclusion(reader, index, size), reference.path(index, 0, size))).toBe(true)
        const proof = await proveConsistency(reader, oldSize, size)
        expect(verifyConsistency(headAt(oldSize), headAt(size), proof).ok).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('hold in trees whose sizes no 32-bit number holds', async () => {
    // Every entry alike, so that a subtree's root depends on its height alone and 2^50 entries need 50 hashes.
    const byHeight = [leafHash(Buffer.from('the same'))]
    for (let height = 1; height <= 53; height++)
      byHeight[height] = perfectRoot([byHeight[height - 1], byHeight[height - 1]])
    const reader: HashReader = { hash: async (height) => byHeight[height] }
    const size = fc
      .double({ min: 0, max: 53, noNaN: true })
      .map((bits) => Math.max(1, Math.min(2 ** 53 - 1, Math.floor(2 ** bits))))
    await fc.assert(
      fc.asyncProperty(size, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), async (newSize, share) => {
        const newer = { size: newSize, root: await rootFromReader(reader, newSize) }
        const index = Math.floor(share * newSize)
        const inclusion = await proveInclusion(reader, index, newSize)
        expect(verifyInclusion(newer, index, byHeight[0], inclusion).ok).toBe(true)
        const older = { size: index + 1, root: await rootFromReader(reader, index + 1) }
        expect(verifyConsistency(older, newer, await proveConsistency(reader, index + 1, newSize)).ok).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('of inclusion are refused for another entry, index, size or root, cut, extended, or with a bit changed', async () => {
    const place = fc.integer({ min: 2, max: 600 }).chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1)))
    await fc.assert(
      fc.property(place, fc.nat(), fc.nat(), ([size, index], other, bit) => {
        const [head, leaf, proof] = [headAt(size), reference.leaf(index), reference.path(index, 0, size)]
        const otherIndex = (index + 1 + (other % (size - 1))) % size
        const bent = proof.map((hash, i) => (i === other % proof.length ? flipBit(hash, bit % 256) : hash))
        const refusals = [
          verifyInclusion(head, otherIndex, leaf, proof),
          verifyInclusion(head, index, reference.leaf(otherIndex), proof),
          verifyInclusion({ size, root: reference.mth(0, size + 1) }, index, leaf, proof),
          verifyInclusion(head, index, leaf, proof.slice(1)),
          verifyInclusion(head, index, leaf, [...proof, reference.leaf(0)]),
          verifyInclusion(head, index, leaf, bent),
          verifyInclusion(head, size, leaf, proof),
          verifyInclusion(head, -1, leaf, proof),
          verifyInclusion(head, index, leaf.subarray(1), proof),
        ]
        expect(refusals.filter(({ ok }) => ok)).toEqual([])
      }),
    )
  })

  it('of consistency are refused for another tree, cut, extended, with a bit changed, or backwards', async () => {
    const pair = fc
      .integer({ min: 2, max: 600 })
      .chain((size) => fc.tuple(fc.integer({ min: 1, max: size - 1 }), fc.constant(size)))
    await fc.assert(
      fc.property(pair, fc.nat(), fc.nat(), ([oldSize, newSize], other, bit) => {
        const [older, newer, proof] = [headAt(oldSize), headAt(newSize), reference.proof(oldSize, newSize)]
        const bent = proof.map((hash, i) => (i === other % proof.length ? flipBit(hash, bit % 256) : hash))
        const refusals = [
          verifyConsistency({ size: oldSize, root: reference.mth(0, oldSize + 1) }, newer, proof),
          verifyConsistency(older, { size: newSize, root: reference.mth(0, newSize + 1) }, proof),
          verifyConsistency(older, newer, proof.slice(1)),
          verifyConsistency(older, newer, [...proof, reference.leaf(0)]),
          verifyConsistency(older, newer, bent),
          verifyConsistency(newer, older, proof),
        ]
        expect(refusals.filter(({ ok }) => ok)).toEqual([])
      }),
    )
  })

  it('name a proof of the wrong length as such', () => {
    const [head, leaf, inclusion, consistency] = [
      headAt(11),
      reference.leaf(4),
      reference.path(4, 0, 11),
      reference.proof(5, 11),
    ]
    for (const proof of [inclusion.slice(0, -1), [...inclusion, leaf], []]) {
      expect(verifyInclusion(head, 4, leaf, proof)).toMatchObject({ ok: false, code: 'proof-length' })
    }
    for (const proof of [consistency.slice(0, -1), [...consistency, leaf], []]) {
      expect(verifyConsistency(headAt(5), head, proof)).toMatchObject({ ok: false, code: 'proof-length' })
    }
  })

  it('tell a proof of a fork from bytes that anyone could have sent', () => {
    const forged = { size: 5, root: reference.leaf(9) }
    const proof = reference.proof(5, 9)
    expect(verifyConsistency(forged, headAt(9), proof)).toMatchObject({ ok: false, code: 'old-root-mismatch' })
    const noise = proof.map((hash) => flipBit(hash, 3))
    expect(verifyConsistency(headAt(5), headAt(9), noise)).toMatchObject({ ok: false, code: 'root-mismatch' })
  })

  it('take the empty tree as a prefix of any, without a proof, and no other root for it', () => {
    expect(verifyConsistency({ size: 0, root: EMPTY_ROOT }, headAt(7), []).ok).toBe(true)
    expect(verifyConsistency({ size: 0, root: EMPTY_ROOT }, headAt(7), [reference.leaf(0)]).ok).toBe(false)
    expect(verifyConsistency({ size: 0, root: reference.leaf(0) }, headAt(7), []).ok).toBe(false)
  })

  it('refuse to be made for what the tree does not hold', async () => {
    await expect(proveInclusion(readerAt(5), 5, 5)).rejects.toMatchObject({ code: 'out-of-range' })
    await expect(proveInclusion(readerAt(0), 0, 0)).rejects.toMatchObject({ code: 'out-of-range' })
    await expect(proveConsistency(readerAt(5), 6, 5)).rejects.toMatchObject({ code: 'out-of-range' })
    await expect(proveConsistency(readerAt(5), 1.5, 5)).rejects.toMatchObject({ code: 'out-of-range' })
  })
})

describe('the right edge of a tree', () => {
  it('gives the root of RFC 6962 however the leaves arrive', () => {
    const cuts = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 4 })
    fc.assert(
      fc.property(cuts, (lengths) => {
        let edge = EMPTY_EDGE
        for (const length of lengths) {
          const leaves = Array.from({ length }, (_, i) => reference.leaf(edge.size + i))
          edge = extendEdge(edge, leaves).edge
        }
        expect(Buffer.compare(edgeRoot(edge), reference.mth(0, edge.size))).toBe(0)
      }),
      { numRuns: 50 },
    )
  })

  it('is the root of every size, one leaf at a time', () => {
    let edge = EMPTY_EDGE
    for (let size = 0; size <= 600; size++) {
      expect(Buffer.compare(edgeRoot(edge), reference.mth(0, size))).toBe(0)
      edge = extendEdge(edge, [reference.leaf(size)]).edge
    }
  })
})
