import { describe, expect, it } from 'vitest'
import { boxKeyFromSeed, SEALED_BOX_OVERHEAD_BYTES, sealBox } from '../../src/crypto/sealed-box.ts'

const plaintext = Uint8Array.from({ length: 100 }, (_, i) => i)
const associatedData = Buffer.from('round 1, from cleveland to hungary')
const hungary = await boxKeyFromSeed(new Uint8Array(32).fill(1))
const zurich = await boxKeyFromSeed(new Uint8Array(32).fill(2))
const notOpenable = expect.objectContaining({ code: 'box-not-openable' })

describe('a sealed box', () => {
  it('opens for its recipient under the same associated data', async () => {
    const box = await sealBox(hungary.publicKey, plaintext, associatedData)
    expect(box.length).toBe(plaintext.length + SEALED_BOX_OVERHEAD_BYTES)
    expect(await hungary.open(box, associatedData)).toEqual(plaintext)
  })

  it('is another one each time', async () => {
    const boxes = await Promise.all([1, 2].map(() => sealBox(hungary.publicKey, plaintext, associatedData)))
    expect(boxes[0]).not.toEqual(boxes[1])
  })

  it('opens for nobody else, and under nothing else', async () => {
    const box = await sealBox(hungary.publicKey, plaintext, associatedData)
    await expect(zurich.open(box, associatedData)).rejects.toThrow(notOpenable)
    await expect(hungary.open(box, Buffer.from('round 2, from cleveland to hungary'))).rejects.toThrow(notOpenable)
  })

  it('does not open with any byte changed, cut or added', async () => {
    const box = await sealBox(hungary.publicKey, plaintext, associatedData)
    for (const position of [0, 31, 32, 80, box.length - 1]) {
      const mauled = box.slice()
      mauled[position] ^= 1
      await expect(hungary.open(mauled, associatedData)).rejects.toThrow(notOpenable)
    }
    for (const mauled of [box.slice(1), box.slice(0, -1), new Uint8Array([...box, 0]), new Uint8Array(0)]) {
      await expect(hungary.open(mauled, associatedData)).rejects.toThrow(notOpenable)
    }
  })

  it('is bound to keys of 32 bytes', async () => {
    await expect(boxKeyFromSeed(new Uint8Array(16))).rejects.toMatchObject({ code: 'bad-key' })
    await expect(sealBox('00', plaintext, associatedData)).rejects.toMatchObject({ code: 'bad-key' })
  })
})
