import { randomBytes } from 'node:crypto'
import {
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Outbox } from '../../nodes/holder/outbox.ts'
import type { OutgoingPayload } from '../../nodes/holder/outgoing-payload.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { readAll } from '../support/read-all.ts'

const form = { precisionBits: 16, maxContributors: 4 }
const { valuesPerChunk } = payloadParameters({ ...form, length: 1 })
const parameters = payloadParameters({ ...form, length: 3 * valuesPerChunk - 1000 })
const chunks = Array.from(
  { length: parameters.chunkCount },
  (_, i) => new Uint8Array(randomBytes(chunkGeometry(parameters, i).bytes)),
)
const digests = chunks.map((chunk) => digestOf(chunk))

async function digestsFrom(payload: OutgoingPayload, first: number): Promise<string[]> {
  return (await readAll(payload.chunksFrom(first))).map((chunk) => digestOf(chunk))
}

const envelopeOf = (text: string) => ({
  payloadType: 'x',
  payload: new Uint8Array(Buffer.from(text)),
  signatures: [{ keyid: 'k', sig: new Uint8Array([1]) }],
})
const record = { contribution: envelopeOf('a contribution'), job: envelopeOf('a job') }
const plan = (name: string) => digestOf(Buffer.from(name))

async function* stream(of: readonly Uint8Array[] = chunks) {
  yield* of
}

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-outbox-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

async function send(outbox: Outbox, planDigest: string) {
  const payload = await outbox.begin(planDigest, parameters)
  await payload.fill(stream())
  await outbox.keep(planDigest, { ...record, payload })
  return payload
}

describe('an outbox', () => {
  it('gives the same bytes and the same record to the next life of the holder', async () => {
    const [one] = [plan('one')]
    await send(new Outbox(directory), one)
    const outbox = new Outbox(directory)
    const kept = (await outbox.find(one, parameters))!
    expect(kept).toMatchObject(record)
    expect(await kept.payload.whole()).toEqual({
      digest: payloadDigest(digests),
      bytes: parameters.ciphertextBytes,
    })
    expect(await digestsFrom(kept.payload, 0)).toEqual(digests)
    expect(await digestsFrom(kept.payload, 2)).toEqual(digests.slice(2))
    expect(kept.payload.digestOfFirst(2)).toBe(payloadDigest(digests.slice(0, 2)))
    const manifest = envelopeOf('a manifest')
    await outbox.keep(one, { ...kept, manifest })
    expect(await new Outbox(directory).find(one, parameters)).toMatchObject({ ...record, manifest })
    await outbox.forget(one)
    expect(readdirSync(directory)).toEqual([])
    expect(await outbox.find(one, parameters)).toBeUndefined()
  })

  it('is for this holder’s eyes only', async () => {
    await send(new Outbox(join(directory, 'outbox')), plan('one'))
    const modes = ['', `${plan('one')}.json`, `${plan('one')}.ciphertext`].map(
      (name) => statSync(join(directory, 'outbox', name)).mode & 0o777,
    )
    expect(modes).toEqual([0o700, 0o600, 0o600])
  })

  it('hands chunks on while they are made, and again from any of them', async () => {
    const payload = await new Outbox(directory).begin(plan('one'), parameters)
    const proceed = Promise.withResolvers<void>()
    async function* slow() {
      yield chunks[0]
      await proceed.promise
      yield* chunks.slice(1)
    }
    const filling = payload.fill(slow())
    const reading = payload.chunksFrom(0)
    expect(digestOf((await reading.next()).value!)).toBe(digests[0])
    expect(payload.digestOfFirst(1)).toBe(payloadDigest(digests.slice(0, 1)))
    expect(payload.digestOfFirst(2)).toBeUndefined()
    const next = reading.next()
    proceed.resolve()
    expect(digestOf((await next).value!)).toBe(digests[1])
    expect(await digestsFrom(payload, 0)).toEqual(digests)
    await filling
  })

  it('tells whoever sends when what makes the chunks has failed', async () => {
    const payload = await new Outbox(directory).begin(plan('one'), parameters)
    async function* failing() {
      yield chunks[0]
      throw new Error('a thread died')
    }
    const sending = readAll(payload.chunksFrom(0)).catch((error: Error) => error.message)
    await expect(payload.fill(failing())).rejects.toThrow('a thread died')
    expect(await sending).toBe('a thread died')
    await expect(payload.whole()).rejects.toThrow('a thread died')
  })

  it('removes at its start what a dead process had not finished', async () => {
    const outbox = new Outbox(directory)
    await send(outbox, plan('whole'))
    const payload = await outbox.begin(plan('unsigned'), parameters)
    await payload.fill(stream())
    writeFileSync(join(directory, `${plan('half')}.json.new`), '{')
    writeFileSync(join(directory, `${plan('without bytes')}.json`), '{}')
    const next = new Outbox(directory)
    expect(readdirSync(directory).sort()).toEqual([`${plan('whole')}.ciphertext`, `${plan('whole')}.json`].sort())
    expect(await next.find(plan('unsigned'), parameters)).toBeUndefined()
    expect(await next.find(plan('whole'), parameters)).toBeDefined()
  })

  const damages: [string, (files: { ciphertext: string; record: string }) => Promise<void> | void][] = [
    ['a flipped bit in the ciphertext', ({ ciphertext }) => flip(ciphertext, parameters.ciphertextBytes - 1)],
    ['a ciphertext cut short', ({ ciphertext }) => truncateSync(ciphertext, parameters.ciphertextBytes - 1)],
    ['a flipped bit in the record', ({ record }) => flip(record, 100)],
    ['a record cut short', ({ record }) => truncateSync(record, 200)],
    ['an empty record', ({ record }) => truncateSync(record, 0)],
  ]

  async function flip(file: string, at: number): Promise<void> {
    await using handle = await open(file, 'r+')
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at)
    await handle.write(Buffer.from([buffer[0] ^ 1]), 0, 1, at)
  }

  it.each(damages)('takes what is damaged for lost: %s', async (_, damage) => {
    await send(new Outbox(directory), plan('one'))
    await damage({
      ciphertext: join(directory, `${plan('one')}.ciphertext`),
      record: join(directory, `${plan('one')}.json`),
    })
    expect(await new Outbox(directory).find(plan('one'), parameters)).toBeUndefined()
    expect(readdirSync(directory)).toEqual([])
  })

  it('notices damage that comes while it is open', async () => {
    const payload = await send(new Outbox(directory), plan('one'))
    await flip(join(directory, `${plan('one')}.ciphertext`), 0)
    await expect(payload.readChunk(0)).rejects.toMatchObject({ code: 'ciphertext-not-kept' })
    expect(digestOf(await payload.readChunk(1))).toBe(digests[1])
  })

  it('is bounded in rounds and in bytes: the oldest make room', async () => {
    const names = ['one', 'two', 'three', 'four'].map(plan)
    const few = new Outbox(directory, { rounds: 2, bytes: Number.MAX_SAFE_INTEGER })
    for (const name of names) await send(few, name)
    const keptOf = async (outbox: Outbox) => {
      const found = await Promise.all(names.map((name) => outbox.find(name, parameters)))
      return found.map((kept) => kept !== undefined)
    }
    expect(await keptOf(few)).toEqual([false, false, true, true])
    // Older than the clock of the files can tell.
    utimesSync(join(directory, `${names[2]}.ciphertext`), 1, 1)
    const small = new Outbox(directory, { rounds: 9, bytes: 2.5 * parameters.ciphertextBytes })
    await send(small, names[0])
    expect(await keptOf(small)).toEqual([true, false, false, true])
    expect(readdirSync(directory)).toHaveLength(4)
  })

  it('lets no round go that is being sent, and takes in none that has no room beside it', async () => {
    const [one, two] = ['one', 'two'].map(plan)
    const outbox = new Outbox(directory, { rounds: 1, bytes: 2.5 * parameters.ciphertextBytes })
    const held = outbox.hold(one)
    const payload = await send(outbox, one)
    await send(outbox, two)
    expect(digestOf(await payload.readChunk(2))).toBe(digests[2])
    const large = payloadParameters({ ...form, length: 5 * valuesPerChunk })
    await expect(outbox.begin(plan('large'), large)).rejects.toMatchObject({ code: 'outbox-unwritable' })
    // What was refused has cost nothing.
    expect(await outbox.find(two, parameters)).toBeDefined()
    held[Symbol.dispose]()
    await outbox.begin(plan('large'), large)
    expect(await outbox.find(one, parameters)).toBeUndefined()
  })

  it('counts the bytes that others have yet to write', async () => {
    const { bavail, bsize } = statfsSync(directory)
    // More than half of the disk: there is room for one.
    const { ciphertextBytes } = parameters
    const large = payloadParameters({
      ...form,
      length: Math.round(0.6 * bavail * bsize * (parameters.length / ciphertextBytes)),
    })
    const outbox = new Outbox(directory, { rounds: 9, bytes: Number.MAX_SAFE_INTEGER })
    using _one = outbox.hold(plan('one'))
    await outbox.begin(plan('one'), large)
    await expect(outbox.begin(plan('two'), large)).rejects.toMatchObject({ code: 'outbox-unwritable' })
    await outbox.forget(plan('one'))
    await outbox.begin(plan('two'), large)
  })

  it('says so, before anything is made, when the disk has no room', async () => {
    const huge = payloadParameters({ ...form, length: 2 ** 47 })
    await expect(new Outbox(directory).begin(plan('huge'), huge)).rejects.toMatchObject({ code: 'outbox-unwritable' })
  })
})
