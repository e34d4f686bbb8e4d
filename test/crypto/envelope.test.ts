import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeEnvelope,
  encodeEnvelope,
  isSignedBy,
  preAuthenticationEncoding,
  signatureOver,
  signEnvelope,
  statementDigest,
} from '../../src/crypto/envelope.ts'
import { statementKeyFromSeed } from '../../src/crypto/statement-key.ts'

const key = statementKeyFromSeed(new Uint8Array(32).fill(7))
const other = statementKeyFromSeed(new Uint8Array(32).fill(8))
const type = 'application/vnd.sluice.v1.test+json'
const bytes = (text: string) => new TextEncoder().encode(text)

describe('an envelope', () => {
  it('signs the pre-authentication encoding of DSSE v1', () => {
    // The example of the DSSE specification, protocol.md.
    const encoded = preAuthenticationEncoding('http://example.com/HelloWorld', bytes('hello world'))
    expect(new TextDecoder().decode(encoded)).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world')
  })

  it('gives the signatures and digests of the vectors', () => {
    const { cases } = JSON.parse(readFileSync(new URL('../vectors/envelope.json', import.meta.url), 'utf8'))
    for (const vector of cases) {
      const signer = statementKeyFromSeed(Buffer.from(vector.seed, 'hex'))
      const envelope = signEnvelope(vector.payloadType, bytes(vector.payload), signer)
      expect(signer.publicKey).toBe(vector.publicKey)
      expect(envelope.signatures[0].keyid).toBe(vector.keyid)
      expect(Buffer.from(envelope.signatures[0].sig).toString('hex')).toBe(vector.signature)
      expect(statementDigest(envelope)).toBe(vector.statementDigest)
    }
    expect(cases.length).toBeGreaterThan(1)
  })

  it('is signed by the key that signed it, and by no other', () => {
    const envelope = signEnvelope(type, bytes('{}'), key)
    expect(isSignedBy(envelope, key.publicKey)).toBe(true)
    expect(isSignedBy(envelope, other.publicKey)).toBe(false)
    expect(isSignedBy({ ...envelope, payload: bytes('{ }') }, key.publicKey)).toBe(false)
    expect(isSignedBy({ ...envelope, payloadType: `${type}2` }, key.publicKey)).toBe(false)
  })

  it('carries several signatures, and a key id that lies does not help', () => {
    const envelope = signEnvelope(type, bytes('{}'), key)
    const second = signatureOver(type, envelope.payload, other)
    const both = { ...envelope, signatures: [...envelope.signatures, second] }
    expect([key, other].map(({ publicKey }) => isSignedBy(both, publicKey))).toEqual([true, true])
    const lying = { ...envelope, signatures: [{ ...second, keyid: envelope.signatures[0].keyid }] }
    expect(isSignedBy(lying, key.publicKey)).toBe(false)
  })

  it('has one name, whoever has signed it', () => {
    const digests = [key, other].map((signer) => statementDigest(signEnvelope(type, bytes('{}'), signer)))
    expect(digests[0]).toBe(digests[1])
    expect(statementDigest(signEnvelope(`${type}2`, bytes('{}'), key))).not.toBe(digests[0])
  })

  it('comes back from its JSON form', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 200 }), (payloadType, payload) => {
        const envelope = signEnvelope(payloadType, payload, key)
        const decoded = decodeEnvelope(encodeEnvelope(envelope))
        expect(decoded).toEqual(envelope)
      }),
    )
  })

  it('is refused by name in any other form', () => {
    const text = encodeEnvelope(signEnvelope(type, bytes('{"a":1}'), key))
    const envelope = JSON.parse(text)
    const refused = [
      'x',
      '[]',
      'null',
      JSON.stringify({ ...envelope, payload: undefined }),
      JSON.stringify({ ...envelope, payload: `${envelope.payload} ` }),
      JSON.stringify({ ...envelope, payload: 'AB' }),
      JSON.stringify({ ...envelope, payload: '_-==' }),
      JSON.stringify({ ...envelope, signatures: {} }),
      JSON.stringify({ ...envelope, signatures: [{ keyid: 1, sig: '' }] }),
      JSON.stringify({ ...envelope, signatures: ['x'] }),
    ]
    for (const form of refused)
      expect(() => decodeEnvelope(form)).toThrow(expect.objectContaining({ code: 'bad-envelope' }))
  })

  it('never decodes from mutated text to something that still verifies', () => {
    const text = encodeEnvelope(signEnvelope(type, bytes('{"value":12345}'), key))
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), (position, code) => {
        const mutated = text.slice(0, position) + String.fromCharCode(code) + text.slice(position + 1)
        fc.pre(mutated !== text)
        try {
          expect(isSignedBy(decodeEnvelope(mutated), key.publicKey)).toBe(false)
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-envelope' })
        }
      }),
    )
  })

  it('is signed with keys of 32 bytes only', () => {
    for (const length of [0, 16, 31, 33]) {
      expect(() => statementKeyFromSeed(new Uint8Array(length))).toThrow(expect.objectContaining({ code: 'bad-key' }))
    }
  })
})
