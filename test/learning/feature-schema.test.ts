import { describe, expect, it } from 'vitest'
import {
  encodedColumns,
  inputWidth,
  type NumericFeature,
  parseFeatureSchema,
  scaleToBounds,
} from '../../src/learning/feature-schema.ts'
import { LearningError } from '../../src/learning/learning-error.ts'

const age = { kind: 'numeric', name: 'age', column: 'age', low: 18, high: 98 }
const pain = { kind: 'categorical', name: 'pain', column: 'cp', values: ['typical', 'none'], missingIndicator: true }
const sugar = { kind: 'boolean', name: 'sugar', column: 'fbs' }
const label = { name: 'disease', column: 'num', positiveWhen: { greaterThan: 0 } }

function refusal(features: unknown[], otherLabel: unknown = label): string {
  try {
    parseFeatureSchema({ features, label: otherLabel })
  } catch (error) {
    expect(error).toBeInstanceOf(LearningError)
    expect((error as LearningError).code).toBe('feature-schema-invalid')
    return (error as LearningError).message
  }
  throw new Error('the schema was accepted')
}

describe('feature schema', () => {
  it('names the inputs of the model in schema order, the missing indicator last', () => {
    const schema = parseFeatureSchema({ features: [age, pain, sugar], label })
    expect(encodedColumns(schema).map(({ name, role }) => [name, role])).toEqual([
      ['age', 'number'],
      ['pain = typical', 'category'],
      ['pain = none', 'category'],
      ['pain is missing', 'missing'],
      ['sugar', 'boolean'],
    ])
    expect(inputWidth(schema)).toBe(5)
  })

  it('clips a number to its public bounds and scales it to [0, 1]', () => {
    const [feature] = parseFeatureSchema({ features: [age], label }).features as NumericFeature[]
    expect([-1e300, 18, 58, 98, Number.MAX_VALUE].map((value) => scaleToBounds(feature, value))).toEqual([
      0, 0, 0.5, 1, 1,
    ])
  })

  it.each([
    ['bounds the wrong way round', [{ ...age, low: 98, high: 18 }], /features\[0\]\.high/],
    ['a number without bounds', [{ kind: 'numeric', name: 'age', column: 'age' }], /low/],
    ['bounds that are not finite', [{ ...age, high: Number.POSITIVE_INFINITY }], /high/],
    ['two features of one name', [age, { ...sugar, name: 'age' }], /two features are called age/],
    ['a value listed twice', [{ ...pain, values: ['a', 'a'] }], /listed twice/],
    ['a category of one value', [{ ...pain, values: ['a'] }], /values/],
    ['the label as a feature, in other letters', [{ ...age, column: 'NUM' }], /learn the answer/],
    ['an unknown key', [{ ...age, lo: 3 }], /lo/],
    ['an unknown kind', [{ ...age, kind: 'text' }], /kind/],
    ['a line break in a name', [{ ...age, name: 'age\nx' }], /name/],
    ['no feature', [], /features/],
  ])('refuses %s and names the field', (_, features, expected) => {
    expect(refusal(features)).toMatch(expected)
  })

  it('refuses a label rule that it does not know', () => {
    expect(refusal([age], { ...label, positiveWhen: { sql: 'num > 0' } })).toMatch(/positiveWhen/)
    expect(refusal([age], { ...label, positiveWhen: { greaterThan: 0, atLeast: 1 } })).toMatch(/positiveWhen/)
  })
})
