import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addPacked, checkPacked, packResidues, unpackToWords } from '../../src/crypto/packing.ts'
import { RING_MODULUS } from '../../src/crypto/ring-constants.ts'
import { fromLimbs, fromWords, packReference, toLimbs, unpackReference } from './reference.ts'

const residue = fc.oneof(
  fc.bigInt(0n, RING_MODULUS - 1n),
  fc.constantFrom(0n, 1n, RING_MODULUS - 1n, 2n ** 27n - 1n, 2n ** 27n, RING_MODULUS - (RING_MODULUS % 2n ** 27n)),
)
const residues = fc.array(residue, { minLength: 1, maxLength: 70 })

describe('the wire format', () => {
  it('is a stream of 54-bit little-endian residues', () => {
    fc.assert(
      fc.property(residues, (values) => {
        const packed = packResidues(toLimbs(values), values.length)
        expect(packed).toEqual(packReference(values))
        expect(unpackReference(packed, values.length)).toEqual(values)
      }),
    )
  })

  it('has the known answer', () => {
    const packed = packResidues(toLimbs([1n, 2n, RING_MODULUS - 1n]), 3)
    expect(Buffer.from(packed).toString('hex')).toBe('010000000000800000000000000000edffffffff03')
  })

  it('adds without carrying, from any alignment', () => {
    fc.assert(
      fc.property(residues, fc.integer({ min: 0, max: 7 }), fc.integer({ min: 1, max: 4 }), (values, offset, times) => {
        const packed = packReference(values)
        const shifted = new Uint8Array(packed.length + offset).subarray(offset)
        shifted.set(packed)
        const sums = new Uint32Array(2 * values.length)
        for (let i = 0; i < times; i++) addPacked(shifted, values.length, sums)
        expect(fromLimbs(sums)).toEqual(values.map((value) => value * BigInt(times)))
      }),
    )
  })

  it('unpacks into words, from any alignment, and clears what stands behind', () => {
    fc.assert(
      fc.property(residues, fc.integer({ min: 0, max: 7 }), (values, offset) => {
        const packed = packReference(values)
        const shifted = new Uint8Array(packed.length + offset).subarray(offset)
        shifted.set(packed)
        const words = new Uint32Array(2 * values.length + 6).fill(0xffff_ffff)
        unpackToWords(shifted, values.length, words)
        expect(fromWords(words)).toEqual([...values, 0n, 0n, 0n])
      }),
    )
  })

  it('refuses every other length before it looks at the content', () => {
    for (const count of [1, 15, 16, 17, 2048]) {
      const good = packReference(new Array<bigint>(count).fill(0n))
      for (const length of [0, good.length - 1, good.length + 1, 2 * good.length]) {
        const refusal = expect.objectContaining({ code: 'wrong-length' })
        expect(() => addPacked(new Uint8Array(length), count, new Uint32Array(2 * count))).toThrow(refusal)
        expect(() => checkPacked(new Uint8Array(length), count)).toThrow(refusal)
        expect(() => unpackToWords(new Uint8Array(length), count, new Uint32Array(2 * count))).toThrow(refusal)
      }
    }
  })

  it('takes no memory for an oversized chunk', () => {
    const oversized = new Uint8Array(64 * 2 ** 20)
    const before = process.memoryUsage().arrayBuffers
    expect(() => checkPacked(oversized, 2048)).toThrow(expect.objectContaining({ code: 'wrong-length' }))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20)
  })

  it('refuses any bit set in the padding', () => {
    for (const count of [1, 2, 3, 5, 17]) {
      const used = (54 * count) % 8
      for (let bit = used; bit < 8; bit++) {
        const bytes = packReference(new Array<bigint>(count).fill(1n))
        bytes[bytes.length - 1] |= 1 << bit
        const refusal = expect.objectContaining({ code: 'padding-not-zero' })
        expect(() => addPacked(bytes, count, new Uint32Array(2 * count))).toThrow(refusal)
        expect(() => checkPacked(bytes, count)).toThrow(refusal)
      }
    }
  })

  it('refuses a residue at or above q wherever it stands, accepts q - 1, and leaves the sum as it was', () => {
    for (const count of [1, 16, 40, 53]) {
      for (let at = 0; at < count; at++) {
        for (const bad of [RING_MODULUS, RING_MODULUS + 1n, 2n ** 54n - 1n]) {
          const values = Array.from({ length: count }, (_, i) => BigInt(i + 1))
          const sums = Uint32Array.from({ length: 2 * count }, (_, i) => i)
          const before = sums.slice()
          values[at] = bad
          const refusal = expect.objectContaining({ code: 'residue-not-canonical' })
          expect(() => addPacked(packReference(values), count, sums)).toThrow(refusal)
          expect(sums).toEqual(before)
          expect(() => checkPacked(packReference(values), count)).toThrow(refusal)
          values[at] = RING_MODULUS - 1n
          checkPacked(packReference(values), count)
          addPacked(packReference(values), count, sums)
          expect(sums).not.toEqual(before)
        }
      }
    }
  })

  it('reads any bytes of the right length as the one encoding of what they mean, or refuses them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.infiniteStream(fc.nat(255)), (count, stream) => {
        const bytes = Uint8Array.from({ length: Math.ceil((54 * count) / 8) }, () => stream.next().value)
        const meant = unpackReference(bytes, count)
        const isCanonical =
          meant.every((value) => value < RING_MODULUS) && Buffer.from(packReference(meant)).equals(Buffer.from(bytes))
        if (isCanonical) checkPacked(bytes, count)
        else expect(() => checkPacked(bytes, count)).toThrow(/refuse the contribution/)
      }),
    )
  })
})
