import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeKeySum, encodeKeySum, KEY_SUM_BYTES } from '../../src/crypto/key-sum-encoding.ts'

const edges = [0, 1, -1, 93, -93, 24_012, -24_012, 32_767, -32_768]
const withEdges = (values: readonly number[]) => Int32Array.from({ length: 2048 }, (_, i) => values[i % values.length])

describe('an encoded key sum', () => {
  it('is 2048 little-endian 16-bit integers, and comes back from any alignment', () => {
    const bytes = encodeKeySum(withEdges(edges))
    expect(bytes.length).toBe(KEY_SUM_BYTES)
    expect(Buffer.from(bytes.subarray(0, 18)).toString('hex')).toBe('00000100ffff5d00a3ffcc5d34a2ff7f0080')
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -32_768, max: 32_767 }), { minLength: 1, maxLength: 50 }), (values) => {
        const keySum = withEdges(values)
        expect(decodeKeySum(Buffer.concat([Buffer.alloc(1), encodeKeySum(keySum)]).subarray(1))).toEqual(keySum)
      }),
      { numRuns: 10 },
    )
  })

  it('is refused of another length, and not made of what no contributors can have', () => {
    for (const length of [0, KEY_SUM_BYTES - 1, KEY_SUM_BYTES + 1, 2 * KEY_SUM_BYTES]) {
      expect(() => decodeKeySum(new Uint8Array(length))).toThrow(expect.objectContaining({ code: 'wrong-length' }))
    }
    const refusal = expect.objectContaining({ code: 'key-sum-implausible' })
    for (const coefficient of [32_768, -32_769, 2 ** 31 - 1]) {
      expect(() => encodeKeySum(withEdges([0]).with(5, coefficient))).toThrow(refusal)
    }
    expect(() => encodeKeySum(new Int32Array(2047))).toThrow(refusal)
  })
})
