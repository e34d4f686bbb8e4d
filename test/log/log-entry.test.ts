import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/crypto/digest.ts'
import { encodeEnvelope, signEnvelope } from '../../src/crypto/envelope.ts'
import { attachPayload, decodeLogEntry, encodeLogEntry } from '../../src/log/log-entry.ts'
import { codeOf, SIGNER } from './log-fixtures.ts'

const envelopeOf = (payload: Uint8Array) => signEnvelope('application/vnd.sluice.round-plan+json', payload, SIGNER.key)
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')

describe('the log entry of a statement', () => {
  it('is its envelope as everybody else writes it, while that fits', () => {
    const envelope = envelopeOf(Buffer.from('{"round":1}'))
    const entry = encodeLogEntry(envelope)
    expect(text(entry)).toBe(encodeEnvelope(envelope))
    expect(decodeLogEntry(entry)).toEqual({ kind: 'whole', ...envelope, payload: new Uint8Array(envelope.payload) })
  })

  it('names the digest of a payload that does not fit, and only with that payload is the statement again', () => {
    const envelope = envelopeOf(new Uint8Array(80_000).map((_, i) => i))
    const bytes = encodeLogEntry(envelope)
    expect(bytes.length).toBeLessThan(600)
    const entry = decodeLogEntry(bytes)
    if (entry.kind !== 'detached') throw new Error('the entry is whole')
    expect(attachPayload(entry, envelope.payload)).toEqual({ kind: 'whole', ...envelope })
    expect(codeOf(() => attachPayload(entry, envelope.payload.subarray(1)))).toBe('payload-mismatch')
  })

  it('has one form on each side of the limit', () => {
    // The longest payload whose envelope has at most 65,535 bytes.
    let fits = 48_000
    while (encodeEnvelope(envelopeOf(new Uint8Array(fits + 1))).length <= 65_535) fits++
    const [whole, detached] = [fits, fits + 1].map((bytes) =>
      decodeLogEntry(encodeLogEntry(envelopeOf(new Uint8Array(bytes)))),
    )
    expect([whole.kind, detached.kind]).toEqual(['whole', 'detached'])
    const { payload, ...rest } = envelopeOf(new Uint8Array(fits))
    const needless = { kind: 'detached' as const, ...rest, payloadSha256: digestOf(payload) }
    expect(codeOf(() => attachPayload(needless, payload))).toBe('malformed-entry')
  })

  it('is refused when its signatures alone fill it', () => {
    const envelope = envelopeOf(Buffer.from('{}'))
    const signatures = (count: number) => Array.from({ length: count }, () => envelope.signatures[0])
    expect(decodeLogEntry(encodeLogEntry({ ...envelope, signatures: signatures(350) })).signatures).toHaveLength(350)
    expect(codeOf(() => encodeLogEntry({ ...envelope, signatures: signatures(400) }))).toBe('entry-too-large')
  })

  it.each(['<', '&', '"', '\\', 'é', '\u2028'])(
    'is refused with %j in its type, which JSON writers write in several ways',
    (odd) => {
      const envelope = { ...envelopeOf(Buffer.from('{}')), payloadType: `text${odd}` }
      expect(codeOf(() => encodeLogEntry(envelope))).toBe('malformed-entry')
      const entry = encodeLogEntry({ ...envelope, payloadType: 'text#' })
      const changed = Buffer.from(text(entry).replace('text#', JSON.stringify(`text${odd}`).slice(1, -1)))
      expect(codeOf(() => decodeLogEntry(changed))).toBe('malformed-entry')
    },
  )

  it('comes back from its bytes, and from no others', () => {
    const plainText = fc.stringMatching(/^[ !#-%'-;=?-[\]-~]{0,40}$/)
    const envelopes = fc.record({
      payloadType: plainText,
      payload: fc.uint8Array({ maxLength: 100 }),
      signatures: fc.array(fc.record({ keyid: plainText, sig: fc.uint8Array({ maxLength: 70 }) }), { maxLength: 3 }),
    })
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const bytes = encodeLogEntry(envelope)
        expect(text(encodeLogEntry(decodeLogEntry(bytes) as never))).toBe(text(bytes))
        for (const changed of [` ${text(bytes)}`, `${text(bytes)}\n`, text(bytes).replace('{', '{"extra":1,')]) {
          expect(codeOf(() => decodeLogEntry(Buffer.from(changed)))).toBe('malformed-entry')
        }
      }),
    )
  })

  it.each([
    '',
    'null',
    '[]',
    '{"payloadType":"t","payload":"AA=","signatures":[]}',
    '{"payloadType":"t","payload":"AA==","signatures":{}}',
    '{"payloadType":"t","payload":"AA==","signatures":[{"keyid":"k"}]}',
    '{"payloadType":"t","payload":"AA==","signatures":[{"keyid":"k","sig":"!"}]}',
    '{"payload":"AA==","payloadType":"t","signatures":[]}',
    '{"payloadType":"t","signatures":[]}',
    `{"payloadType":"t","payloadSha256":"${'A'.repeat(64)}","signatures":[]}`,
    `{"payloadType":"t","payload":"AA==","payloadSha256":"${'a'.repeat(64)}","signatures":[]}`,
  ])('is not %s', (json) => {
    expect(codeOf(() => decodeLogEntry(Buffer.from(json)))).toBe('malformed-entry')
  })
})
