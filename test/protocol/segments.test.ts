import { describe, expect, it } from 'vitest'
import { checkPlanConsistency } from '../../src/protocol/round-plan.ts'
import { checkSegment, countSegment, endsInCheck, hasUsableStep, type Segment } from '../../src/protocol/segments.ts'
import { codeOf, createParties, makePlan } from '../support/round-fixtures.ts'

const check = checkSegment(16)
const update: Segment = { name: 'update', length: 5, low: -1, high: 1 }
const endsWell = (...segments: Segment[]) => endsInCheck({ precisionBits: 16, segments })

describe('the check of a vector', () => {
  it('is its last segment, whatever comes before', () => {
    expect(endsWell(update, check)).toBe(true)
    expect(endsWell(check)).toBe(true)
    expect(endsWell(update)).toBe(false)
  })

  it('is not some other segment of its shape that stands at the end in its place', () => {
    // Zeros are looked for at the end: a holder's counts would stand there, and the zeros elsewhere.
    expect(endsWell(update, check, countSegment('counts', check.length, 16))).toBe(false)
    expect(endsWell(check, update, check)).toBe(false)
  })

  it('has bounds between which zero is the lane zero, and the plan’s step', () => {
    expect(endsWell(update, { ...check, low: -1 })).toBe(false)
    expect(endsWell(update, { ...check, high: check.high - 1 })).toBe(false)
    expect(endsWell(update, checkSegment(8))).toBe(false)
  })

  it('of the wrong form makes a plan inconsistent', async () => {
    const plan = makePlan(await createParties())
    for (const segments of [
      [update, check, countSegment('counts', check.length, 16)],
      [update, { ...check, low: -1 }],
    ]) {
      expect(codeOf(checkPlanConsistency({ ...plan, vector: { precisionBits: 16, segments } }))).toBe(
        'inconsistent-plan',
      )
    }
  })
})

describe('the bounds of a segment', () => {
  it('are usable when a step and its inverse are numbers, to the ends of what a double holds', () => {
    const usable = (low: number, high: number, bits = 16) => hasUsableStep({ name: 'x', length: 1, low, high }, bits)
    expect(usable(-1, 1)).toBe(true)
    expect(usable(0, 1e-300)).toBe(true)
    expect(usable(-8e307, 8e307)).toBe(true)
    expect(usable(0, 5e-324)).toBe(false)
    expect(usable(0, 1e-308)).toBe(false)
    expect(usable(-1e308, 1e308)).toBe(false)
  })
})
