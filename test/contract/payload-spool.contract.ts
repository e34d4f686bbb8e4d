import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { PayloadSpool } from '../../src/coordinator/ports.ts'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'

const somePlan = () => digestOf(randomBytes(32))

/** What every {@link PayloadSpool} keeps to. `open` opens the same place each time, as after a restart. */
export function describePayloadSpool(name: string, open: () => Promise<PayloadSpool>): void {
  describe(`PayloadSpool on ${name}`, () => {
    let spool: PayloadSpool
    beforeEach(async () => {
      spool = await open()
    })

    async function upload(plan: Digest, holder: string, chunks: readonly Uint8Array[]): Promise<void> {
      const writer = await spool.begin(plan, holder)
      for (const chunk of chunks) await writer.append(chunk)
      await writer.commit()
    }

    it('gives any range of a payload back, however it was cut into chunks', async () => {
      const chunkBytes = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 60_000, max: 200_000 }))
      const cases = fc.tuple(
        fc.array(chunkBytes, { maxLength: 5 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(),
      )
      await fc.assert(
        fc.asyncProperty(cases, async ([lengths, start, span]) => {
          const chunks = lengths.map((length) => randomBytes(length))
          const whole = Buffer.concat(chunks)
          const plan = somePlan()
          await upload(plan, 'zurich', chunks)
          const offset = Math.floor(start * whole.length)
          const bytes = span % (whole.length - offset + 1)
          const read = await spool.read(plan, 'zurich', offset, bytes)
          expect(Buffer.compare(read, whole.subarray(offset, offset + bytes))).toBe(0)
        }),
        { numRuns: 60 },
      )
    })

    it('keeps committed payloads over a restart, each under its plan and holder', async () => {
      const [planA, planB] = [somePlan(), somePlan()]
      const payloads = [randomBytes(500), randomBytes(500), randomBytes(500)]
      await Promise.all([
        upload(planA, 'zurich', [payloads[0]]),
        upload(planA, 'hungary', [payloads[1]]),
        upload(planB, 'zurich', [payloads[2]]),
      ])
      spool = await open()
      expect(Buffer.compare(await spool.read(planA, 'zurich', 0, 500), payloads[0])).toBe(0)
      expect(Buffer.compare(await spool.read(planA, 'hungary', 0, 500), payloads[1])).toBe(0)
      expect(Buffer.compare(await spool.read(planB, 'zurich', 0, 500), payloads[2])).toBe(0)
    })

    it('shows nothing of an upload before its commit, after an abort, or after a restart in its midst', async () => {
      const plan = somePlan()
      const aborted = await spool.begin(plan, 'zurich')
      await aborted.append(randomBytes(100))
      await expect(spool.read(plan, 'zurich', 0, 1)).rejects.toMatchObject({ code: 'not-found' })
      await aborted.abort()
      await aborted.abort()
      await expect(spool.read(plan, 'zurich', 0, 1)).rejects.toMatchObject({ code: 'not-found' })
      await expect(aborted.commit()).rejects.toMatchObject({ code: 'conflict' })
      const left = await spool.begin(plan, 'zurich')
      await left.append(randomBytes(100))
      spool = await open()
      await expect(spool.read(plan, 'zurich', 0, 1)).rejects.toMatchObject({ code: 'not-found' })
      await left.abort()
    })

    it('commits once, however often it is told to, and an abort afterwards takes nothing back', async () => {
      const plan = somePlan()
      const payload = randomBytes(100)
      const writer = await spool.begin(plan, 'zurich')
      await writer.append(payload)
      await writer.commit()
      await writer.commit()
      await writer.abort()
      await expect(writer.append(payload)).rejects.toMatchObject({ code: 'conflict' })
      expect(Buffer.compare(await spool.read(plan, 'zurich', 0, 100), payload)).toBe(0)
    })

    it('replaces an earlier payload as a whole, and leaves it while a later upload is not committed', async () => {
      const plan = somePlan()
      const [earlier, later] = [randomBytes(300), randomBytes(100)]
      await upload(plan, 'zurich', [earlier])
      const writer = await spool.begin(plan, 'zurich')
      await writer.append(later)
      expect(Buffer.compare(await spool.read(plan, 'zurich', 0, 300), earlier)).toBe(0)
      await writer.commit()
      expect(Buffer.compare(await spool.read(plan, 'zurich', 0, 100), later)).toBe(0)
      await expect(spool.read(plan, 'zurich', 0, 101)).rejects.toMatchObject({ code: 'invalid-value' })
    })

    it('forgets a round, again without effect, and does not let a late upload bring it back', async () => {
      const [plan, other] = [somePlan(), somePlan()]
      await upload(plan, 'zurich', [randomBytes(10)])
      await upload(other, 'zurich', [randomBytes(10)])
      const late = await spool.begin(plan, 'hungary')
      await late.append(randomBytes(10))
      await spool.discard(plan)
      await spool.discard(plan)
      await expect(spool.read(plan, 'zurich', 0, 1)).rejects.toMatchObject({ code: 'not-found' })
      await expect(late.commit()).rejects.toMatchObject({ code: 'not-found' })
      await late.abort()
      await expect(spool.read(plan, 'hungary', 0, 1)).rejects.toMatchObject({ code: 'not-found' })
      expect(await spool.read(other, 'zurich', 0, 10)).toHaveLength(10)
    })

    it.each(['', '.', '..', '../zurich', 'zurich/..', 'zu/rich', 'Zurich', 'zurich\0', '-zurich'])(
      'refuses %j, which is no identity',
      async (holder) => {
        const plan = somePlan()
        await expect(spool.begin(plan, holder)).rejects.toMatchObject({ code: 'invalid-value' })
        await expect(spool.read(plan, holder, 0, 1)).rejects.toMatchObject({ code: 'invalid-value' })
      },
    )

    it.each(['', '..', '../..', 'A'.repeat(64)])('refuses %j, which is no digest of a plan', async (plan) => {
      await expect(spool.begin(plan, 'zurich')).rejects.toMatchObject({ code: 'invalid-value' })
      await expect(spool.read(plan, 'zurich', 0, 1)).rejects.toMatchObject({ code: 'invalid-value' })
      await expect(spool.discard(plan)).rejects.toMatchObject({ code: 'invalid-value' })
    })

    it.each([
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [0, Number.NaN],
      [0, 101],
      [100, 1],
    ])('refuses %d, %d as a range of 100 bytes', async (offset, bytes) => {
      const plan = somePlan()
      await upload(plan, 'zurich', [randomBytes(100)])
      await expect(spool.read(plan, 'zurich', offset, bytes)).rejects.toMatchObject({ code: 'invalid-value' })
    })
  })
}
