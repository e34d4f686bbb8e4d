import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { listField } from '../../src/protocol/list-field.ts'

const MAX = 50_000
const names = listField(z.string().min(1).default('a'), { min: 1, max: MAX })

describe('a list that a peer sends', () => {
  it('is read as z.array reads it: elements, defaults, bounds', () => {
    expect(names.parse(['x', undefined, 'y'])).toEqual(['x', 'a', 'y'])
    expect(names.safeParse([]).success).toBe(false)
    expect(names.safeParse(Array(MAX + 1).fill('x')).success).toBe(false)
    expect(names.safeParse('x').success).toBe(false)
  })

  it('names the wrong elements by their place, also within each other', () => {
    const nested = listField(listField(z.object({ a: z.string() }), { max: 5 }), { max: 5 })
    const issues = nested.safeParse([[{ a: 'x' }], [{ a: 'x' }, { a: 1 }], 7]).error!.issues
    expect(issues.map(({ path }) => path.join('.'))).toEqual(['1.1.a', '2'])
  })

  it('costs an issue for every wrong element: guard off; for some of them: guard on', () => {
    const wrong = Array(MAX).fill(0)
    expect(z.array(z.string()).max(MAX).safeParse(wrong).error!.issues).toHaveLength(MAX)
    expect(names.safeParse(wrong).error!.issues).toHaveLength(20)
  })
})
