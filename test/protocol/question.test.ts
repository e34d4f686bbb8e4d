import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { questionOf } from '../../src/protocol/question.ts'

const digest = fc.stringMatching(/^[0-9a-f]{64}$/)
const name = fc.stringMatching(/^[a-z][a-z-]{0,8}$/)
const inputs = fc.uniqueArray(fc.record({ name, digest }), { maxLength: 4, selector: (input) => input.name })
const asked = fc.record({ job: digest, inputs })

describe('a question', () => {
  it('is the same whatever else a plan says, and in whatever order it names its inputs', () => {
    fc.assert(
      fc.property(asked, fc.anything(), (question, more) => {
        const turned = { ...question, inputs: [...question.inputs].reverse(), round: more, cohort: more, step: more }
        expect(questionOf(turned)).toBe(questionOf(question))
      }),
    )
  })

  it('is another one with another job or input', () => {
    fc.assert(
      fc.property(asked, asked, (one, other) => {
        const text = ({ job, inputs: given }: typeof one) =>
          JSON.stringify([job, given.map((input) => [input.name, input.digest]).sort()])
        expect(questionOf(one) === questionOf(other)).toBe(text(one) === text(other))
        for (const field of ['job', 'inputs'] as const) {
          const changed = { ...one, [field]: other[field] }
          expect(questionOf(one) === questionOf(changed)).toBe(text(one) === text(changed))
        }
      }),
    )
  })
})
