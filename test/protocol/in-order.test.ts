import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { inOrder } from '../../src/protocol/in-order.ts'

describe('work in order', () => {
  it('gives results in order, whatever ends first, and works on a few at a time', async () => {
    let working = 0
    let most = 0
    const results: number[] = []
    const work = async (index: number) => {
      most = Math.max(most, ++working)
      await sleep(index % 2 === 0 ? 10 : 0)
      working--
      return index
    }
    for await (const result of inOrder(7, 3, work)) results.push(result)
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(most).toBe(3)
  })

  it('begins nothing after a failure, and has ended what it began when the failure is met', async () => {
    const begun: number[] = []
    const ended: number[] = []
    const work = async (index: number) => {
      begun.push(index)
      if (index === 1) throw new Error('broken')
      await sleep(10)
      ended.push(index)
      return index
    }
    const all = async () => {
      for await (const _ of inOrder(10, 3, work));
    }
    await expect(all()).rejects.toThrow('broken')
    expect(begun).toEqual([0, 1, 2, 3])
    expect(ended.sort()).toEqual([0, 2, 3])
  })

  it('is not begun for nothing', async () => {
    const all = []
    for await (const each of inOrder(0, 3, async (index) => index)) all.push(each)
    expect(all).toEqual([])
  })
})
