/** The upload dialogue over real mutual TLS (docs/adr/0014): what is refused, what is gone on with, and who waits for whom. */
import { randomBytes } from 'node:crypto'
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PART_CHUNKS, type SpoolWriter } from '../../src/coordinator/ports.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import { channelOptions } from '../../src/wire/channel.ts'
import { CoordinatorContract } from '../../src/wire/contract.ts'
import { clientCredentials } from '../../src/wire/credentials.ts'
import type { UploadPayloadRequest } from '../../src/wire/generated/sluice/v1/UploadPayloadRequest.ts'
import type { UploadPayloadResponse__Output } from '../../src/wire/generated/sluice/v1/UploadPayloadResponse.ts'
import { HolderConnection } from '../../src/wire/holder-connection.ts'
import { limits } from '../../src/wire/limits.ts'
import type { PayloadSource } from '../../src/wire/upload-client.ts'
import type { WireError } from '../../src/wire/wire-error.ts'
import { payloadOf } from '../support/payload-source.ts'
import { startTestServer, type TestServer, until, VENUE } from '../support/wire-fixtures.ts'

/** Three parts, the last of them not full. */
const CHUNKS = 2 * PART_CHUNKS + 5
const form = { precisionBits: 16, maxContributors: 4 }
const { valuesPerChunk } = payloadParameters({ ...form, length: 1 })
const parameters = payloadParameters({ ...form, length: CHUNKS * valuesPerChunk - 1000 })
const chunks = Array.from({ length: CHUNKS }, (_, i) => zeroes(i))

/** Canonical residues of a chunk's size, told apart by their first byte. */
function zeroes(index: number, mark = index): Uint8Array {
  const chunk = new Uint8Array(chunkGeometry(parameters, index).bytes)
  chunk[0] = mark
  return chunk
}

let plans = 0
/** A plan of its own for each test. */
const newPlan = () => digestOf(Buffer.from(`plan ${plans++}`))
const notDue = 'e'.repeat(64)

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({
    expectedPayload: (plan, holder) => (plan !== notDue && holder === 'cleveland' ? parameters : undefined),
    contributionsFor: () => undefined,
    openingFor: () => undefined,
  })
})
afterAll(() => server.close())

async function connect(name = 'cleveland'): Promise<HolderConnection> {
  return new HolderConnection(server.address, VENUE, await server.credentials('holder', name), 'x')
}

async function codeOf(upload: Promise<unknown>): Promise<string> {
  return upload.then(
    () => 'accepted',
    (error: WireError) => error.code,
  )
}

/** A dialogue on which a test says what it likes. */
async function converse(planDigest: string, name = 'cleveland') {
  const tls = await server.credentials('holder', name)
  const client = new CoordinatorContract(server.address, clientCredentials(tls, VENUE), channelOptions(VENUE))
  const call: ClientDuplexStream<UploadPayloadRequest, UploadPayloadResponse__Output> = client.uploadPayload()
  const answers: UploadPayloadResponse__Output[] = []
  call.on('data', (answer) => void answers.push(answer))
  const ended = new Promise<string>((resolve) => {
    call.on('error', (error: ServiceError) => resolve(error.details.split(':')[0]))
    call.on('end', () => resolve('ended'))
  })
  call.write({ header: { planDigest } })
  const write = (from: number, to: number, of = chunks) => {
    for (const chunk of of.slice(from, to)) call.write({ chunk })
  }
  return { call, answers, ended, write, cut: () => client.close() }
}

describe('an upload', () => {
  it('arrives whole, chunk by chunk, and is confirmed by its digest', async () => {
    const connection = await connect()
    const plan = newPlan()
    const stored = await connection.upload(plan, payloadOf(chunks))
    const digest = payloadDigest(chunks.map((chunk) => digestOf(chunk)))
    expect(stored).toEqual({ digest, bytes: parameters.ciphertextBytes })
    expect(await server.spool.stat(plan, 'cleveland')).toEqual(stored)
    const offset = chunks[0].length * (CHUNKS - 1)
    expect(await server.spool.read(plan, 'cleveland', offset, chunks.at(-1)!.length)).toEqual(chunks.at(-1))
    connection.close()
  })

  it('is acknowledged at each part, and goes on after the last of them when it was cut', async () => {
    const plan = newPlan()
    const first = await converse(plan)
    first.write(0, PART_CHUNKS + 3)
    await until(() => first.answers.some(({ durableChunks }) => durableChunks === PART_CHUNKS))
    expect(first.answers[0].position).toEqual({ chunks: 0, digest: payloadDigest([]) })
    first.call.cancel()
    const given: number[] = []
    const connection = await connect()
    const stored = await connection.upload(
      plan,
      payloadOf(chunks, (index) => void given.push(index)),
    )
    expect(given).toEqual(Array.from({ length: CHUNKS - PART_CHUNKS }, (_, i) => PART_CHUNKS + i))
    expect(await server.spool.stat(plan, 'cleveland')).toEqual(stored)
    connection.close()
    first.cut()
  })

  it('is begun again on another line while the first hangs, which then takes in nothing more', async () => {
    const plan = newPlan()
    const hanging = await converse(plan)
    hanging.write(0, 2)
    await until(() => hanging.answers.length > 0)
    const connection = await connect()
    await connection.upload(plan, payloadOf(chunks))
    expect(await hanging.ended).toBe('connection-lost')
    connection.close()
    hanging.cut()
  })

  it('never continues, nor replaces, bytes that are not its own', async () => {
    const plan = newPlan()
    const others = chunks.map((_, i) => zeroes(i, 200))
    const connection = await connect()
    const first = await converse(plan)
    first.write(0, PART_CHUNKS)
    await until(() => first.answers.length === 2)
    first.call.cancel()
    expect(await codeOf(connection.upload(plan, payloadOf(others)))).toBe('other-ciphertext')
    const stored = await connection.upload(plan, payloadOf(chunks))
    expect(await codeOf(connection.upload(plan, payloadOf(others)))).toBe('other-ciphertext')
    expect(await server.spool.stat(plan, 'cleveland')).toEqual(stored)
    connection.close()
    first.cut()
  })

  it('is refused when it is truncated, too long, of too many or too few chunks, or not canonical', async () => {
    const upload = async (of: readonly Uint8Array[]) => {
      const { call, answers, ended, cut } = await converse(newPlan())
      await until(() => answers.length > 0)
      for (const chunk of of) call.write({ chunk })
      call.end()
      return ended.finally(cut)
    }
    expect(await upload([chunks[0].subarray(1), ...chunks.slice(1)])).toBe('upload-refused')
    expect(await upload([new Uint8Array(chunks[0].length + 1), ...chunks.slice(1)])).toBe('upload-refused')
    expect(await upload([...chunks, chunks[0]])).toBe('upload-refused')
    expect(await upload(chunks.slice(0, -1))).toBe('upload-refused')
    expect(await upload([])).toBe('upload-refused')
    expect(await upload([chunks[0].slice().fill(255), ...chunks.slice(1)])).toBe('residue-not-canonical')
    expect(await upload([new Uint8Array(5 * 1024 * 1024)])).not.toBe('ended')
  })

  it('is refused when none is due to the plan, from this holder', async () => {
    const upload = async (plan: string, name = 'cleveland') => {
      const { ended, cut } = await converse(plan, name)
      return ended.finally(cut)
    }
    expect(await upload(notDue)).toBe('upload-refused')
    expect(await upload(newPlan(), 'hungary')).toBe('upload-refused')
    expect(await upload('nonsense')).toBe('malformed-message')
  })

  it('that stops sending is ended, may go on, and is tried again by the holder as long as it is wanted', async () => {
    const { answers, ended, cut } = await converse(newPlan())
    await until(() => answers.length > 0)
    expect(await ended).toBe('transfer-idle')
    cut()
    const connection = await connect()
    let begun = 0
    const stalling: PayloadSource = {
      ...payloadOf(chunks),
      async *chunksFrom() {
        begun++
        yield chunks[0]
        await new Promise(() => {})
      },
    }
    expect(await codeOf(connection.upload(newPlan(), stalling, AbortSignal.timeout(5000)))).toMatch(
      /transfer-idle|connection-lost/,
    )
    expect(begun).toBeGreaterThan(1)
    connection.close()
  })

  it('waits for a spool that is slow, and holds no more than a part of it meanwhile', async () => {
    const plan = newPlan()
    const proceed = Promise.withResolvers<void>()
    const { open } = server.spool
    let appended = 0
    server.spool.open = async (...args) => {
      const writer = await open(...args)
      const slow = async (chunk: Uint8Array) => {
        appended++
        await proceed.promise
        return writer.append(chunk)
      }
      return new Proxy(writer, { get: (target, key) => (key === 'append' ? slow : bound(target, key)) })
    }
    let given = 0
    const connection = await connect()
    const uploading = connection.upload(
      plan,
      payloadOf(chunks, () => void given++),
    )
    await until(() => appended === 1)
    // As long as a line of 100 MB/s would have needed for all of it, many times over.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    server.spool.open = open
    expect(appended).toBe(1)
    // What the two ends and the line between them hold.
    expect(given).toBeLessThan(2 * PART_CHUNKS)
    proceed.resolve()
    await uploading
    expect(given).toBe(CHUNKS)
    connection.close()
  })
})

function bound(writer: SpoolWriter, key: string | symbol): unknown {
  const value = Reflect.get(writer, key)
  return typeof value === 'function' ? value.bind(writer) : value
}

describe('the limits of an identity', () => {
  it('count its uploads, over all its connections', async () => {
    const dialogues = await Promise.all(Array.from({ length: limits.uploadsPerHolder }, () => converse(newPlan())))
    await until(() => dialogues.every(({ answers }) => answers.length === 1))
    const surplus = await converse(newPlan())
    expect(await surplus.ended).toBe('too-many-uploads')
    // The holder's own client waits for its turn.
    const connection = await connect()
    const uploading = connection.upload(newPlan(), payloadOf(chunks))
    await new Promise((resolve) => setTimeout(resolve, 100))
    for (const { call } of dialogues) call.cancel()
    expect(await uploading).toMatchObject({ bytes: parameters.ciphertextBytes })
    connection.close()
    for (const { cut } of [...dialogues, surplus]) cut()
  })

  it('count the bytes that it sends to a round', async () => {
    const plan = newPlan()
    const perCut = (PART_CHUNKS - 1) * chunks[0].length
    const enough = (2 * parameters.ciphertextBytes + 16 * PART_CHUNKS * chunks[0].length) / perCut
    const ends: string[] = []
    for (let i = 0; i < enough + 1; i++) {
      const { answers, write, ended, cut, call } = await converse(plan)
      await Promise.race([ended, until(() => answers.length > 0)])
      write(0, PART_CHUNKS - 1)
      // One that cannot be: all before it have come when it is refused.
      call.write({ chunk: randomBytes(1) })
      ends.push(await ended)
      cut()
    }
    expect(new Set(ends)).toEqual(new Set(['upload-refused', 'upload-allowance-used']))
    expect(ends.at(-1)).toBe('upload-allowance-used')
    const connection = await connect()
    expect(await codeOf(connection.upload(plan, payloadOf(chunks)))).toBe('upload-allowance-used')
    connection.close()
  })

  it('count its open calls, over all its connections, and nobody else’s', async () => {
    const tls = await server.credentials('holder', 'switzerland')
    const clients = Array.from(
      { length: 4 },
      () => new CoordinatorContract(server.address, clientCredentials(tls, VENUE), {}),
    )
    const attend = (i: number) => {
      const call = clients[i % clients.length].attend()
      let code = ''
      call.on('error', ({ details }: ServiceError) => {
        code = details.split(':')[0]
      })
      call.on('data', () => {})
      return { call, code: () => code }
    }
    const calls = Array.from({ length: limits.callsPerIdentity }, (_, i) => attend(i))
    const other = await connect()
    await other.fetchRegistry(0)
    const refused = attend(1)
    await until(() => refused.code() !== '')
    expect(refused.code()).toBe('too-many-calls')
    expect(calls.map(({ code }) => code())).toEqual(calls.map(() => ''))
    await other.fetchRegistry(0)
    // A call that ends makes room.
    const holder = new HolderConnection(server.address, VENUE, tls, 'x')
    const fetching = holder.fetchRegistry(0)
    calls[0].call.cancel()
    expect(await fetching).toEqual([])
    for (const { call } of calls) call.cancel()
    for (const client of clients) client.close()
    holder.close()
    other.close()
  })
})
