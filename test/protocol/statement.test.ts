import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { signEnvelope } from '../../src/crypto/envelope.ts'
import { committeeThreshold, drawCommittee, toleratedMembers } from '../../src/protocol/committee.ts'
import { defineStatement, readStatement, STATEMENT_BYTES_MAX, signStatement } from '../../src/protocol/statement.ts'
import { codeOf, coordinatorKey } from '../support/round-fixtures.ts'

const greeting = defineStatement('greeting', z.strictObject({ text: z.string() }))
const sign = (payload: string | Uint8Array, payloadType = greeting.payloadType) =>
  signEnvelope(payloadType, typeof payload === 'string' ? Buffer.from(payload) : payload, coordinatorKey)
const read = (envelope: ReturnType<typeof sign>) => readStatement(greeting, envelope, coordinatorKey.publicKey)

describe('a statement', () => {
  it('comes back as it was signed', () => {
    expect(read(signStatement(greeting, { text: 'Grüezi' }, coordinatorKey))).toEqual({
      ok: true,
      value: { text: 'Grüezi' },
    })
  })

  it('does not leave in a form that a peer would refuse', () => {
    expect(() => signStatement(greeting, { text: 1 } as never, coordinatorKey)).toThrow()
  })

  it('does not leave when it is larger than a peer would take', () => {
    const text = 'x'.repeat(STATEMENT_BYTES_MAX)
    expect(() => signStatement(greeting, { text }, coordinatorKey)).toThrow(
      expect.objectContaining({ code: 'statement-too-large' }),
    )
  })

  it('is refused by name: type, size, form, unknown fields, signature', () => {
    expect(codeOf(read(sign('{"text":"x"}', 'application/json')))).toBe('wrong-statement-type')
    expect(codeOf(read(sign(new Uint8Array(STATEMENT_BYTES_MAX + 1))))).toBe('statement-too-large')
    expect(codeOf(read(sign('{"text":')))).toBe('malformed-statement')
    expect(codeOf(read(sign(Uint8Array.of(0x22, 0xff, 0x22))))).toBe('malformed-statement')
    expect(codeOf(read(sign(Buffer.concat([Buffer.from('{"text":"'), Uint8Array.of(0xff), Buffer.from('"}')]))))).toBe(
      'malformed-statement',
    )
    expect(codeOf(read(sign('{"text":"x","more":1}')))).toBe('malformed-statement')
    expect(codeOf(read({ ...sign('{"text":"x"}'), signatures: [] }))).toBe('bad-signature')
    expect(codeOf(readStatement(greeting, sign('{"text":"x"}'), 'ab'.repeat(32)))).toBe('bad-signature')
  })
})

describe('a statement that names a field twice', () => {
  const nested = defineStatement(
    'nested',
    z.strictObject({ floor: z.int(), list: z.array(z.strictObject({ name: z.string() })), more: z.int().default(0) }),
  )
  const readNested = (text: string) =>
    codeOf(readStatement(nested, sign(text, nested.payloadType), coordinatorKey.publicKey))
  const twice = '{"floor":2,"list":[],"floor":3}'

  it('says one thing to a reader that takes the last and another to one that takes the first: guard off', () => {
    const first = Number(/"floor":(\d)/.exec(twice)![1])
    expect([first, JSON.parse(twice).floor]).toEqual([2, 3])
  })

  it('is refused, wherever it does so and however it spells the name: guard on', () => {
    expect(readNested(twice)).toBe('malformed-statement')
    expect(readNested('{"floor":2,"list":[{"name":"a","name":"b"}]}')).toBe('malformed-statement')
    expect(readNested('{"floor":2,"flo\\u006fr":3,"list":[]}')).toBe('malformed-statement')
    expect(readNested('{"floor":2,"list":[],"list":[{"name":"a"}]}')).toBe('malformed-statement')
  })

  it('is told from one that only looks like it: white space, escapes, colons and quotes in its values', () => {
    expect(readNested('{"floor":2,"list":[]}')).toBe('accepted')
    expect(readNested(' { "list" : [ { "name" : "a" } , { "name" : "a" } ] ,\n"floor" : 2 } ')).toBe('accepted')
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), fc.boolean(), (names, indented) => {
        const text = JSON.stringify({ floor: 2, list: names.map((name) => ({ name })) }, null, indented ? 2 : 0)
        expect(readNested(text)).toBe('accepted')
      }),
    )
    expect(readNested(String.raw`{"floor":2,"list":[{"name":"\\"},{"name":"\":\\\":"}]}`)).toBe('accepted')
  })
})

describe('a committee', () => {
  const holders = Array.from({ length: 12 }, (_, i) => `holder-${i}`)

  it('is at most seven, drawn by the seed and not by the order of the holders', () => {
    const drawn = drawCommittee(holders, 'a'.repeat(64))
    expect(drawn.members).toHaveLength(7)
    expect(drawCommittee([...holders].reverse(), 'a'.repeat(64))).toEqual(drawn)
    expect(drawCommittee(holders, 'b'.repeat(64))).not.toEqual(drawn)
  })

  it('is the same for every implementation: holders by SHA-256("sluice/v1/committee" NUL, seed, name)', () => {
    // Computed with Python's hashlib over b'sluice/v1/committee\\0', 32 bytes aa, the name; sorted by digest.
    expect(drawCommittee(holders, 'a'.repeat(64)).members).toEqual([
      'holder-8',
      'holder-10',
      'holder-11',
      'holder-3',
      'holder-7',
      'holder-5',
      'holder-0',
    ])
  })

  it('seats the first node of each organisation, and no other', () => {
    const organisationOf = (holder: string) => (Number(holder.slice(7)) < 9 ? 'one for all' : holder)
    const single = drawCommittee(holders, 'a'.repeat(64), undefined, 12).members
    const { members, threshold, tolerates } = drawCommittee(holders, 'a'.repeat(64), organisationOf)
    expect(members).toHaveLength(4)
    expect({ threshold, tolerates }).toEqual({ threshold: 3, tolerates: 1 })
    const [first] = single.filter((holder) => organisationOf(holder) === 'one for all')
    expect(members.filter((holder) => organisationOf(holder) === 'one for all')).toEqual([first])
    expect(() => drawCommittee(holders, 'a'.repeat(64), () => 'one for all')).toThrow(
      expect.objectContaining({ code: 'impossible-plan' }),
    )
  })

  it('takes every holder about equally often', () => {
    const counts = new Map<string, number>()
    const draws = 1200
    for (let i = 0; i < draws; i++) {
      for (const member of drawCommittee(holders, i.toString(16).padStart(64, '0')).members) {
        counts.set(member, (counts.get(member) ?? 0) + 1)
      }
    }
    const expected = (draws * 7) / 12
    for (const holder of holders) expect(Math.abs(counts.get(holder)! - expected)).toBeLessThan(0.15 * expected)
  })

  it('opens with two thirds and tolerates what two quorums and two honest members allow', () => {
    const table = [2, 3, 4, 5, 6, 7].map((k) => [k, committeeThreshold(k), toleratedMembers(k, committeeThreshold(k))])
    expect(table).toEqual([
      [2, 2, 0],
      [3, 3, 1],
      [4, 3, 1],
      [5, 4, 2],
      [6, 5, 3],
      [7, 5, 2],
    ])
    for (const [k, t, f] of table) {
      expect(2 * t - k).toBeGreaterThan(f)
      expect(t).toBeGreaterThan(f)
    }
  })

  it('has one seat for an organisation, however many nodes it runs', () => {
    const organisationOf = (holder: string) => (Number(holder.slice(7)) < 8 ? 'many nodes' : holder)
    for (let i = 0; i < 50; i++) {
      const seed = i.toString(16).padStart(64, '0')
      const { members, threshold, tolerates } = drawCommittee(holders, seed, organisationOf)
      expect(new Set(members.map(organisationOf)).size).toBe(members.length)
      expect([members.length, threshold, tolerates]).toEqual([5, 4, 2])
    }
    expect(() => drawCommittee(holders, 'a'.repeat(64), () => 'one')).toThrow(
      expect.objectContaining({ code: 'impossible-plan' }),
    )
  })

  it('needs two holders', () => {
    expect(() => drawCommittee(['alone'], 'a'.repeat(64))).toThrow(expect.objectContaining({ code: 'impossible-plan' }))
  })
})
