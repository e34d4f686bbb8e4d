import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { boxKeyFromSeed, SEALED_BOX_OVERHEAD_BYTES, sealBox } from '../../src/crypto/sealed-box.ts'
import { openReference, sealReference } from '../support/hpke-reference.ts'

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

  it('is what an implementation from the RFC seals and opens, as in the vectors', async () => {
    const { info, cases } = JSON.parse(readFileSync(new URL('../vectors/sealed-box.json', import.meta.url), 'utf8'))
    for (const vector of cases) {
      const [seed, ephemeral, text, sealed] = [
        vector.recipientSeed,
        vector.ephemeralSeed,
        vector.plaintext,
        vector.box,
      ].map((hex) => Buffer.from(hex, 'hex'))
      const bound = Buffer.from(vector.associatedData)
      const recipient = await boxKeyFromSeed(seed)
      expect(recipient.publicKey).toBe(vector.recipientPublicKey)
      expect(sealReference(seed, ephemeral, Buffer.from(info), bound, text)).toEqual(sealed)
      expect(Buffer.from(await recipient.open(sealed, bound))).toEqual(text)
      const box = await sealBox(recipient.publicKey, text, bound)
      expect(openReference(seed, Buffer.from(info), bound, box)).toEqual(text)
    }
    expect(cases.length).toBeGreaterThan(1)
  })

  it('derives the key pair of RFC 9180, appendix A.1.1', async () => {
    const seed = Buffer.from('6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037', 'hex')
    const expected = '3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d'
    expect((await boxKeyFromSeed(seed)).publicKey).toBe(expected)
  })

  it('is sealed to no key of small order, whose shared secret anybody knows', async () => {
    for (const first of ['00', '01']) {
      const key = first.padEnd(64, '0')
      await expect(sealBox(key, plaintext, associatedData)).rejects.toMatchObject({ code: 'bad-key' })
    }
  })

  it('that does not open says nothing of what is in it', async () => {
    const text = 'a secret share'
    const box = await sealBox(hungary.publicKey, Buffer.from(text), associatedData)
    await expect(zurich.open(box, associatedData)).rejects.toSatisfy((error: Error) => !error.message.includes(text))
  })

  it('is bound to keys of 32 bytes', async () => {
    await expect(boxKeyFromSeed(new Uint8Array(16))).rejects.toMatchObject({ code: 'bad-key' })
    await expect(sealBox('00', plaintext, associatedData)).rejects.toMatchObject({ code: 'bad-key' })
  })
})
