/** The fuzz suite finds what it is there to find: decoders with one planted fault each. */
import { beforeAll, describe, expect, it } from 'vitest'
import { MUTATIONS, mutate } from './byte-mutator.ts'
import { type FuzzReport, runFuzz } from './fuzz-run.ts'
import { mutateProtobuf } from './protobuf-mutator.ts'
import { RandomStream } from './random-stream.ts'

/** A message that holds a text and a message. */
const MESSAGE = Uint8Array.of(0x0a, 2, 0x61, 0x62, 0x12, 4, 0x08, 5, 0x12, 0)
const CORPUS = ['{"a":[1,2,{"b":"c"}],"d":1234}', 'old 5\nAAAA\n\nnote\n'].map(
  (text) => new Uint8Array(Buffer.from(text)),
)

describe('the fuzz suite', () => {
  let report: FuzzReport
  beforeAll(async () => {
    const targetsModule = new URL('./planted-faults.ts', import.meta.url).href
    report = await runFuzz({ limit: { batches: 30 }, seed: 7, targetsModule, hangMs: 1500 })
  })

  it.each(['unnamed-error', 'unusable-refusal', 'allocation-above-limit', 'round-trip', 'hang'])(
    'finds: %s',
    (fault) => {
      const found = report.findings.filter(({ target }) => target === fault).map(({ kind }) => kind)
      expect(new Set(found)).toEqual(new Set([fault]))
    },
  )

  it('finds nothing where nothing is, and goes on after an input that ended its worker', () => {
    expect(report.findings.filter(({ target }) => target === 'sound')).toEqual([])
    const sound = report.statistics.find(({ target }) => target === 'sound')!
    expect(sound.inputs).toBeGreaterThan(100)
    expect(sound.accepted).toBeGreaterThan(0)
    expect(sound.accepted).toBeLessThan(sound.inputs)
  })

  it('makes a finding small', () => {
    const sizes = report.findings.filter(({ kind }) => kind === 'unnamed-error').map(({ input }) => input.length)
    expect(Math.min(...sizes)).toBeLessThanOrEqual('{"length":3,"values":[null]}'.length)
  })
})

describe('the mutator', () => {
  const stream = () => new RandomStream(42, 'test')

  it('does the same again for the same seed, and something else for another', () => {
    const run = (random: RandomStream) =>
      Array.from({ length: 200 }, () => Buffer.from(mutate(CORPUS, random)).toString('hex'))
    expect(run(stream())).toEqual(run(stream()))
    expect(run(stream())).not.toEqual(run(new RandomStream(43, 'test')))
    expect(run(stream())).not.toEqual(run(new RandomStream(42, 'other')))
  })

  it.each(Object.entries(MUTATIONS))('%s changes most inputs, and never the corpus', (name, mutation) => {
    const random = stream()
    const before = CORPUS.map((bytes) => Buffer.from(bytes).toString('hex'))
    const input = name === 'protobuf' ? MESSAGE : CORPUS[0]
    const mutants = Array.from({ length: 200 }, () => mutation(input, random, CORPUS[1]))
    expect(mutants.filter((mutant) => Buffer.compare(mutant, input) !== 0).length).toBeGreaterThan(100)
    expect(CORPUS.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(before)
  })

  it('writes JSON that JSON.stringify cannot: equal names, deep nesting, numbers beyond a double', () => {
    const random = stream()
    const texts = Array.from({ length: 3000 }, () =>
      Buffer.from(MUTATIONS.json(CORPUS[0], random, CORPUS[0])).toString(),
    )
    expect(texts.some((text) => /"a" ?:.*"a" ?:/.test(text))).toBe(true)
    expect(texts.some((text) => text.includes('[[[[[[[['))).toBe(true)
    expect(texts.some((text) => text.includes('1e400'))).toBe(true)
    expect(texts.some((text) => text.includes('__proto__'))).toBe(true)
  })

  it('keeps the lengths of protobuf right when it leaves fields out, doubles and moves them', () => {
    const random = stream()
    const lengths = Array.from({ length: 300 }, () => mutateProtobuf(MESSAGE, random)!).map((mutant) => {
      // One mutation further it is still a message.
      expect(mutant.length === 0 || mutateProtobuf(mutant, random)).toBeTruthy()
      return mutant.length
    })
    expect(new Set(lengths).size).toBeGreaterThan(4)
    expect(mutateProtobuf(MESSAGE.subarray(0, 9), random)).toBeUndefined()
  })
})
