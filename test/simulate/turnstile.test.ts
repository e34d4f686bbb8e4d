import { describe, expect, it } from 'vitest'
import { Turnstile } from '../../src/simulate/turnstile.ts'

const never = new AbortController().signal
const settle = () => new Promise(setImmediate)

describe('the turnstile', () => {
  it('lets no more through at a time than it has places, first come, first in', async () => {
    const turnstile = new Turnstile(2)
    const inside = new Set<number>()
    const order: number[] = []
    let most = 0
    const visit = async (who: number) => {
      expect(await turnstile.enter(never)).toBe(true)
      inside.add(who)
      order.push(who)
      most = Math.max(most, inside.size)
      await settle()
      inside.delete(who)
      turnstile.leave()
    }
    await Promise.all([0, 1, 2, 3, 4, 5].map(visit))
    expect(most).toBe(2)
    expect(order).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('sends whoever stops waiting away, and gives the place to the next', async () => {
    const turnstile = new Turnstile(1)
    await turnstile.enter(never)
    const impatient = new AbortController()
    const [left, stays] = [turnstile.enter(impatient.signal), turnstile.enter(never)]
    impatient.abort()
    expect(await left).toBe(false)
    turnstile.leave()
    expect(await stays).toBe(true)
    expect(await turnstile.enter(AbortSignal.abort())).toBe(false)
  })
})
