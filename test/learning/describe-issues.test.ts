/** A refusal of what a peer wrote is for people and for logs: it does not grow with what was written. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { describeIssues } from '../../src/learning/describe-issues.ts'
import { FEATURES_MAX, parseFeatureSchema } from '../../src/learning/feature-schema.ts'
import { parseFederatedStatistics } from '../../src/learning/federated-statistics.ts'
import { parseJobSpecification } from '../../src/learning/job-specification.ts'
import { LearningError } from '../../src/learning/learning-error.ts'
import { parseModel } from '../../src/learning/model.ts'
import { decodeSafetensors } from '../../src/learning/safetensors.ts'

const REASON_CHARACTERS_MAX = 4200

function reasonOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof LearningError) return error.message
    throw error
  }
  return 'not refused'
}

const schema = parseFeatureSchema({
  features: [{ kind: 'boolean', name: 'male', column: 'sex' }],
  label: { name: 'disease', column: 'num', positiveWhen: { atLeast: 1 } },
})
const unknownMembers = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`unknown member ${i}`, i]))
const wrongElements = Array(FEATURES_MAX).fill(0)

describe('the description of what is wrong with an input', () => {
  it('names the wrong fields, and how many more there are than it names', () => {
    const form = z.array(z.string())
    const few = describeIssues(form.safeParse([1, 'a', 2]).error!)
    expect(few).toContain('[0]')
    expect(few).toContain('[2]')
    expect(few).not.toContain('more')
    const many = describeIssues(form.safeParse(wrongElements).error!)
    expect(many).toContain('[19]')
    expect(many).not.toContain('[20]')
    expect(many).toMatch(/… and 4076 more$/)
  })

  it('stays short where a description of everything would not: guard off, guard on', () => {
    const error = z.array(z.string()).safeParse(wrongElements).error!
    expect(z.prettifyError(error).length).toBeGreaterThan(200_000)
    expect(describeIssues(error).length).toBeLessThan(REASON_CHARACTERS_MAX)
    const named = z.strictObject({}).safeParse(unknownMembers).error!
    expect(z.prettifyError(named).length).toBeGreaterThan(100_000)
    expect(describeIssues(named).length).toBeLessThan(REASON_CHARACTERS_MAX)
  })

  it.each([
    ['statistics', () => parseFederatedStatistics({ ...unknownMembers, features: wrongElements }, schema)],
    ['a feature schema', () => parseFeatureSchema({ ...unknownMembers, features: wrongElements })],
    ['a job', () => parseJobSpecification({ ...unknownMembers, holders: wrongElements })],
    ['a model', () => parseModel(unknownMembers)],
    ['a model file', () => decodeSafetensors(fileOf({ ['x'.repeat(100_000)]: {} }))],
  ])('bounds the refusal of %s', (_, call) => {
    const reason = reasonOf(call)
    expect(reason).not.toBe('not refused')
    expect(reason.length).toBeLessThan(REASON_CHARACTERS_MAX)
  })

  it('looks at no element of statistics with more features than any schema has', () => {
    const features = [...wrongElements, 0]
    expect(reasonOf(() => parseFederatedStatistics({ features }, schema))).not.toContain('features[0]')
    expect(reasonOf(() => parseFederatedStatistics({ features: wrongElements }, schema))).toContain('features[0]')
  })
})

/** A safetensors file of this header and no data. */
function fileOf(header: object): Uint8Array {
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return new Uint8Array(Buffer.concat([length, json]))
}
