import { describe, expect, it } from 'vitest'
import { seededRandomness } from '../../src/crypto/randomness.ts'
import { drawBoxSeed } from '../../src/crypto/sealed-box.ts'
import { drawStatementSeed, keyIdOf, statementKeyFromSeed, verifySignature } from '../../src/crypto/statement-key.ts'

const hex = (text: string) => Buffer.from(text, 'hex')
const key = statementKeyFromSeed(new Uint8Array(32).fill(7))
const message = Buffer.from('a manifest')

describe('a statement key', () => {
  it.each([
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
  ])('gives the key and signature of RFC 8032, section 7.1: seed %s', (seed, publicKey, text, signature) => {
    const signer = statementKeyFromSeed(hex(seed))
    expect(signer.publicKey).toBe(publicKey)
    expect(Buffer.from(signer.sign(hex(text))).toString('hex')).toBe(signature)
    expect(verifySignature(publicKey, hex(text), hex(signature))).toBe(true)
  })

  it('signs the same bytes alike each time: what lets a member repeat its answer after a restart', () => {
    expect(key.sign(message)).toEqual(statementKeyFromSeed(new Uint8Array(32).fill(7)).sign(message))
  })

  it('is not fooled by a changed signature, or one with the order of the group added to its scalar', () => {
    const signature = key.sign(message)
    for (const position of [0, 31, 32, 63]) {
      const changed = signature.slice()
      changed[position] ^= 1
      expect(verifySignature(key.publicKey, message, changed)).toBe(false)
    }
    // S + L is the same scalar; RFC 8032 §5.1.7 wants the smaller, so that a signature has one form.
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const scalar = BigInt(`0x${Buffer.from(signature.slice(32).reverse()).toString('hex')}`) + order
    const other = hex(scalar.toString(16).padStart(64, '0')).reverse()
    expect(verifySignature(key.publicKey, message, Buffer.concat([signature.slice(0, 32), other]))).toBe(false)
  })

  it('that is malformed, or whose signature is, is simply not the signer’s', () => {
    const signature = key.sign(message)
    const { publicKey } = key
    for (const odd of [
      '',
      publicKey.slice(2),
      `${publicKey}00`,
      publicKey.toUpperCase(),
      'zz'.repeat(32),
      'ff'.repeat(32),
    ])
      expect(verifySignature(odd, message, signature)).toBe(false)
    for (const odd of [signature.slice(1), new Uint8Array(0), Buffer.concat([signature, signature])])
      expect(verifySignature(publicKey, message, odd)).toBe(false)
  })

  it('has a key id that is the SHA-256 of its raw bytes', () => {
    // Of the first key of RFC 8032 §7.1, computed with sha256sum.
    expect(keyIdOf('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')).toBe(
      '21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9',
    )
  })
})

describe('the seeds of an identity', () => {
  it('are 256 bits each, all of them from the source, and no other length makes a key', () => {
    for (const draw of [drawStatementSeed, drawBoxSeed]) {
      const asked: number[] = []
      const source = seededRandomness(new Uint8Array(32).fill(1))
      const seed = draw({
        fill: (bytes) => {
          asked.push(bytes.length)
          source.fill(bytes)
        },
      })
      expect(asked).toEqual([32])
      const expected = new Uint8Array(32)
      seededRandomness(new Uint8Array(32).fill(1)).fill(expected)
      expect(seed).toEqual(expected)
    }
    for (const length of [0, 16, 31, 33, 64]) {
      expect(() => statementKeyFromSeed(new Uint8Array(length))).toThrow(expect.objectContaining({ code: 'bad-key' }))
    }
  })
})
