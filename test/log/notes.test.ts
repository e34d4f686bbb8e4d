import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from '../../src/log/checkpoint.ts'
import { addCosignatures, cosign, cosignedAt, openCosignedCheckpoint } from '../../src/log/cosignature.ts'
import { formatNote, formatSignatureLine, isKeyName, type Note, noteFromBytes, parseNote } from '../../src/log/note.ts'
import { formatNoteKey, type NoteKey, noteKeyId, parseNoteKey } from '../../src/log/note-key.ts'
import { codeOf, LOG_KEY, SIGNER, STRANGER, WITNESS_KEYS, WITNESSES } from './log-fixtures.ts'

const HEAD = { size: 20852163, root: new Uint8Array(32).fill(5) }
const NOTE = signCheckpoint(HEAD, SIGNER)
const TEXT = parseNote(NOTE).text
const NOW_S = 1_800_000_000

const lineOf = (witness: number, nowS = NOW_S, text = TEXT) =>
  formatSignatureLine(cosign(text, WITNESSES[witness], nowS))
const names = fc.string({ minLength: 1, maxLength: 40, unit: 'binary' }).filter(isKeyName)
const signatures = fc.record({
  keyName: names,
  keyId: fc.nat(0xffffffff),
  signature: fc.uint8Array({ minLength: 1, maxLength: 90 }),
})
const texts = fc
  .array(
    fc.string({ unit: 'grapheme' }).filter((line) => !/\p{Cc}/u.test(line)),
    { minLength: 1, maxLength: 6 },
  )
  .map((lines) => `${lines.join('\n')}\n`)
const bytesOf = (signature: Uint8Array) => Buffer.from(signature).toString('hex')

describe('signed notes', () => {
  it('come back from their wire form, empty lines in the text and all', () => {
    fc.assert(
      fc.property(texts, fc.array(signatures, { minLength: 1, maxLength: 20 }), (text, list) => {
        const parsed = parseNote(formatNote({ text, signatures: list }))
        expect(parsed.text).toBe(text)
        expect(parsed.signatures.map((each) => ({ ...each, signature: bytesOf(each.signature) }))).toEqual(
          list.map((each) => ({ ...each, signature: bytesOf(each.signature) })),
        )
      }),
    )
  })

  const good = `text\n\n\u2014 key AAAAAQID\n`
  it.each([
    ['without a blank line', good.replace('\n\n', '\n')],
    ['without a signature', 'text\n\n'],
    ['cut off in its last line', good.slice(0, -1)],
    ['with an empty signature', `text\n\n\u2014 key AAAAAQ==\n`],
    ['with base64 of two meanings', `text\n\n\u2014 key AAAAAQIE=\n`],
    ['with a hyphen for the dash', good.replace('\u2014', '-')],
    ['with a plus in a name', good.replace('key', 'k+y')],
    ['with a space of another script in a name', good.replace('key', 'k\u2003y')],
    ['with two spaces', good.replace('key ', 'key  ')],
    ['with a carriage return', good.replace('text', 'te\rxt')],
    ['with half a character', good.replace('text', 'te\ud800xt')],
    ['with more signatures than the limit', `text\n\n${'\u2014 key AAAAAQID\n'.repeat(1025)}`],
    ['longer than the limit', `${'x'.repeat(300_000)}\n\n\u2014 key AAAAAQID\n`],
  ])('are refused %s', (_, note) => {
    expect(parseNote(good).signatures).toHaveLength(1)
    expect(codeOf(() => parseNote(note))).toBe('malformed-note')
  })

  it('are refused as bytes that are not UTF-8 or too many', () => {
    expect(noteFromBytes(Buffer.from(NOTE))).toBe(NOTE)
    expect(codeOf(() => noteFromBytes(Uint8Array.of(0xff)))).toBe('malformed-note')
    expect(codeOf(() => noteFromBytes(new Uint8Array(300_000)))).toBe('malformed-note')
  })
})

describe('note keys', () => {
  it('have the key id of the Go checksum database in its published key', () => {
    const vkey = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8'
    const key = parseNoteKey(vkey)
    expect(key).toMatchObject({ role: 'log', name: 'sum.golang.org' })
    expect(noteKeyId(key)).toBe(0x033de0ae)
    expect(formatNoteKey(key)).toBe(vkey)
  })

  it('come back from their text, and log and witness keys of one name and key differ', () => {
    for (const role of ['log', 'witness'] as const) {
      const key: NoteKey = { ...LOG_KEY, role }
      expect(parseNoteKey(formatNoteKey(key))).toEqual(key)
    }
    expect(noteKeyId({ ...LOG_KEY, role: 'witness' })).not.toBe(noteKeyId(LOG_KEY))
  })

  it('are refused with another id, an unknown type, a short key, or no name', () => {
    const [name, id, material] = formatNoteKey(LOG_KEY).split('+')
    const ecdsa = Buffer.concat([Uint8Array.of(2), new Uint8Array(32)]).toString('base64')
    for (const text of [
      `${name}+00000000+${material}`,
      `${name}+${id}+${ecdsa}`,
      `${name}+${id}+AQID`,
      `+${id}+${material}`,
      name,
    ]) {
      expect(codeOf(() => parseNoteKey(text))).toBe('malformed-key')
    }
    expect(codeOf(() => formatNoteKey({ ...LOG_KEY, name: 'two words' }))).toBe('bad-key-name')
    expect(codeOf(() => signCheckpoint(HEAD, { ...SIGNER, origin: 'a+b' }))).toBe('bad-key-name')
  })
})

describe('log checkpoints', () => {
  it('are the lines of the specification', () => {
    expect(TEXT).toBe(`venue.example/log\n20852163\n${Buffer.alloc(32, 5).toString('base64')}\n`)
    expect(parseCheckpoint(TEXT)).toMatchObject({ ...HEAD, origin: 'venue.example/log', extensions: [] })
    const extended = `${TEXT}one\ntwo\n`
    expect(parseCheckpoint(extended).extensions).toEqual(['one', 'two'])
    expect(formatCheckpoint(parseCheckpoint(extended))).toBe(extended)
  })

  it.each([
    ['an empty origin', TEXT.replace('venue.example/log', '')],
    ['a size with a leading zero', TEXT.replace('20852163', '020852163')],
    ['a negative size', TEXT.replace('20852163', '-1')],
    ['a size that a double does not hold', TEXT.replace('20852163', '9007199254740992')],
    ['a size in words', TEXT.replace('20852163', '1e3')],
    ['a short root', TEXT.replace('BQUF', '')],
    ['a root in another base64', TEXT.replace('=', '')],
    ['an empty extension line', `${TEXT}\n`],
    ['no last newline', TEXT.slice(0, -1)],
    ['nothing', ''],
  ])('are refused with %s', (_, text) => {
    expect(codeOf(() => parseCheckpoint(text))).toBe('malformed-checkpoint')
  })

  it('open with the key of their log, with other signatures beside it', () => {
    const [text, lines] = [TEXT, NOTE.slice(TEXT.length + 1)]
    expect(openCheckpoint(parseNote(NOTE), LOG_KEY)).toMatchObject({ ok: true, value: HEAD })
    const many = `${text}\n\u2014 unknown.example AAAAAQID\n${lines}${lineOf(0)}`
    expect(openCheckpoint(parseNote(many), LOG_KEY).ok).toBe(true)
  })

  it('do not open for another origin, unsigned, signed by another key, or with a changed text or signature', () => {
    const open = (note: Note) => openCheckpoint(note, LOG_KEY)
    const parsed = parseNote(NOTE)
    expect(openCheckpoint(parsed, { ...LOG_KEY, name: 'other' })).toMatchObject({ ok: false, code: 'wrong-origin' })
    expect(open({ ...parsed, signatures: [] })).toMatchObject({ ok: false, code: 'not-signed' })
    expect(open(parseNote(signCheckpoint(HEAD, STRANGER)))).toMatchObject({ ok: false, code: 'not-signed' })
    const grown = { ...parsed, text: TEXT.replace('20852163', '20852164') }
    expect(open(grown)).toMatchObject({ ok: false, code: 'bad-signature' })
    const [{ signature, ...line }] = parsed.signatures
    const short = { ...parsed, signatures: [{ ...line, signature: signature.subarray(1) }] }
    expect(open(short)).toMatchObject({ ok: false, code: 'bad-signature' })
    // A good signature does not excuse a bad one in the same name.
    const both = { ...parsed, signatures: [...parsed.signatures, { ...line, signature: new Uint8Array(64) }] }
    expect(open(both)).toMatchObject({ ok: false, code: 'bad-signature' })
  })
})

describe('cosignatures', () => {
  const policy = (quorum: number) => ({ log: LOG_KEY, witnesses: WITNESS_KEYS, quorum })
  const cosigned = (...lines: string[]) => parseNote(NOTE + lines.join(''))

  it('make a quorum of distinct witnesses, with the time of each', () => {
    const opened = openCosignedCheckpoint(cosigned(lineOf(0), lineOf(2, NOW_S + 7)), policy(2))
    expect(opened).toMatchObject({ ok: true, value: { checkpoint: HEAD } })
    expect(opened.ok && opened.value.cosigners).toEqual([
      { name: WITNESSES[0].name, cosignedAtS: NOW_S },
      { name: WITNESSES[2].name, cosignedAtS: NOW_S + 7 },
    ])
  })

  it('are one however often the same witness signs', () => {
    const twice = cosigned(lineOf(0), lineOf(0, NOW_S + 1))
    expect(openCosignedCheckpoint(twice, policy(1)).ok).toBe(true)
    expect(openCosignedCheckpoint(twice, policy(2))).toMatchObject({ ok: false, code: 'quorum-not-met' })
    expect(openCosignedCheckpoint(cosigned(), policy(1))).toMatchObject({ ok: false, code: 'quorum-not-met' })
  })

  it('do not count of strangers, of another text, at another time, or of a key in the role of a log', () => {
    const stranger = formatSignatureLine(cosign(TEXT, { name: 'stranger', key: STRANGER.key }, NOW_S))
    expect(openCosignedCheckpoint(cosigned(stranger), policy(1))).toMatchObject({ ok: false, code: 'quorum-not-met' })
    const elsewhere = lineOf(0, NOW_S, TEXT.replace('20852163', '20852164'))
    expect(openCosignedCheckpoint(cosigned(elsewhere), policy(0))).toMatchObject({ ok: false, code: 'bad-signature' })
    const later = cosign(TEXT, WITNESSES[0], NOW_S)
    later.signature[7] ^= 1
    expect(cosignedAt(TEXT, WITNESS_KEYS[0], later)).toBeUndefined()
    const asLog = signCheckpoint(HEAD, { origin: SIGNER.origin, key: WITNESSES[0].key }).split('\n\n')[1]
    expect(openCosignedCheckpoint(cosigned(asLog), policy(1))).toMatchObject({ ok: false, code: 'quorum-not-met' })
  })

  it('need the signature of the log all the same', () => {
    const note = { text: TEXT, signatures: cosigned(lineOf(0)).signatures.slice(1) }
    expect(openCosignedCheckpoint(note, policy(1))).toMatchObject({ ok: false, code: 'not-signed' })
  })

  it('refuse a list of witnesses that counts somebody twice or cannot be met', () => {
    const [first, second] = WITNESS_KEYS
    const bad = [
      { ...policy(1), witnesses: [first, { ...second, name: first.name }] },
      { ...policy(1), witnesses: [first, { ...second, publicKey: first.publicKey }] },
      { ...policy(1), witnesses: [{ ...first, role: 'log' as const }] },
      policy(4),
      policy(-1),
      policy(0.5),
    ]
    for (const each of bad) expect(codeOf(() => openCosignedCheckpoint(cosigned(), each))).toBe('bad-witness-set')
  })

  it('are merged into a note only when valid, the later in place of the earlier', () => {
    const bad = lineOf(1, NOW_S, 'another text\n')
    const stranger = formatSignatureLine(cosign(TEXT, { name: 'stranger', key: STRANGER.key }, NOW_S))
    const once = addCosignatures(NOTE, lineOf(0) + bad + stranger, WITNESS_KEYS)
    expect(once).toBe(NOTE + lineOf(0))
    expect(addCosignatures(once, lineOf(0, NOW_S + 9), WITNESS_KEYS)).toBe(NOTE + lineOf(0, NOW_S + 9))
  })

  it('carry a whole second since 1970', () => {
    for (const nowS of [-1, 0.5, Number.NaN, 2 ** 60]) {
      expect(codeOf(() => cosign(TEXT, WITNESSES[0], nowS))).toBe('out-of-range')
    }
    const beyond = cosign(TEXT, WITNESSES[0], NOW_S)
    beyond.signature.fill(0xff, 0, 8)
    expect(cosignedAt(TEXT, WITNESS_KEYS[0], beyond)).toBeUndefined()
  })
})
