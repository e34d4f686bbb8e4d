/** Transfers over a line that is cut, and one that goes silent: they go on where they were (docs/adr/0014). */
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { PART_CHUNKS, SUM } from '../../src/coordinator/ports.ts'
import { digestOf } from '../../src/crypto/digest.ts'
import { chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { channelOptions } from '../../src/wire/channel.ts'
import { CoordinatorContract } from '../../src/wire/contract.ts'
import { clientCredentials } from '../../src/wire/credentials.ts'
import { HolderConnection } from '../../src/wire/holder-connection.ts'
import { type CutProxy, openCutProxy } from '../support/cut-proxy.ts'
import { payloadOf } from '../support/payload-source.ts'
import { startTestServer, type TestServer, VENUE } from '../support/wire-fixtures.ts'

const CHUNKS = 3 * PART_CHUNKS
const form = { precisionBits: 16, maxContributors: 4 }
const { valuesPerChunk } = payloadParameters({ ...form, length: 1 })
const parameters = payloadParameters({ ...form, length: CHUNKS * valuesPerChunk })
const { bytes: chunkBytes } = chunkGeometry(parameters, 0)
const chunks = Array.from({ length: CHUNKS }, (_, i) => new Uint8Array(chunkBytes).fill(i, 0, 1))
const plan = 'd'.repeat(64)
const published = 'c'.repeat(64)
const keySum = new Uint8Array(randomBytes(1000))

let server: TestServer
let proxy: CutProxy
let connection: HolderConnection
beforeAll(async () => {
  server = await startTestServer({
    expectedPayload: (planDigest) => (planDigest === plan ? parameters : undefined),
    contributionsFor: () => undefined,
    openingFor: (planDigest) =>
      planDigest === published ? { keySum, sumBytes: parameters.ciphertextBytes } : undefined,
  })
  const writer = await server.openings.open(published, SUM, parameters)
  for (const chunk of chunks) await writer.append(chunk)
  await writer.commit()
})
afterAll(() => server.close())
beforeEach(async () => {
  proxy = await openCutProxy(server.address)
  const tls = await server.credentials('holder', 'cleveland')
  connection = new HolderConnection(proxy.address, VENUE, tls, 'x', { idleMs: 1000 })
})
afterEach(async () => {
  connection.close()
  await proxy.close()
  await server.spool.discard(plan)
})

describe('over a line that is cut', () => {
  it('an upload arrives once, and sends no more than a part for each cut again', async () => {
    const cutAt = new Set([PART_CHUNKS + 10, 2 * PART_CHUNKS + 20])
    const given: number[] = []
    const payload = payloadOf(chunks, async (index) => {
      given.push(index)
      if (cutAt.delete(index)) proxy.cut()
    })
    const stored = await connection.upload(plan, payload, AbortSignal.timeout(40_000))
    expect(await server.spool.stat(plan, 'cleveland')).toEqual(stored)
    expect(cutAt.size).toBe(0)
    expect(given.length).toBeGreaterThan(CHUNKS)
    // A part at the coordinator, and what the line and the two ends held.
    expect(given.length).toBeLessThan(CHUNKS + 2 * 2 * PART_CHUNKS)
    expect(proxy.bytes).toBeLessThan(1.05 * parameters.ciphertextBytes + 2 * PART_CHUNKS * chunkBytes)
  })

  it('a download gives every byte once, from where it was', async () => {
    const pieces: Uint8Array[] = []
    let [received, cuts] = [0, 0]
    for await (const piece of connection.fetchOpening(published, 0)) {
      pieces.push(piece)
      received += piece.length
      if (received > (cuts + 1) * 5e6 && cuts < 3) {
        cuts++
        proxy.cut()
      }
    }
    expect(cuts).toBe(3)
    expect(digestOf(...pieces)).toBe(digestOf(keySum, ...chunks))
    expect(proxy.bytes).toBeLessThan(2 * parameters.ciphertextBytes)
  })

  it('an artifact comes whole', async () => {
    const bytes = new Uint8Array(randomBytes(20e6))
    const digest = await server.artifacts.put(bytes)
    const fetching = connection.fetchArtifact(digest)
    while (proxy.bytes < 3e6) await new Promise((resolve) => setTimeout(resolve, 1))
    proxy.cut()
    expect(digestOf(await fetching)).toBe(digest)
    expect(proxy.bytes).toBeLessThan(1.5 * bytes.length)
  })
})

describe('over a line that goes silent', () => {
  it('an upload is begun again after the idle deadline, whatever the old line still holds', async () => {
    let isSilent = false
    const payload = payloadOf(chunks, async (index) => {
      if (index !== PART_CHUNKS + 10 || isSilent) return
      isSilent = true
      proxy.silence(true)
      setTimeout(() => proxy.silence(false), 2500)
    })
    const stored = await connection.upload(plan, payload, AbortSignal.timeout(40_000))
    expect(await server.spool.stat(plan, 'cleveland')).toEqual(stored)
  })

  it('a download is begun again after the idle deadline', async () => {
    const pieces: Uint8Array[] = []
    let isSilent = false
    for await (const piece of connection.fetchOpening(published, 0)) {
      pieces.push(piece)
      if (pieces.length !== 10 || isSilent) continue
      isSilent = true
      proxy.silence(true)
      setTimeout(() => proxy.silence(false), 2500)
    }
    expect(digestOf(...pieces)).toBe(digestOf(keySum, ...chunks))
  })
})

describe('an offset', () => {
  it('past the end is refused, and at the end gives nothing', async () => {
    const tls = await server.credentials('holder', 'cleveland')
    const client = new CoordinatorContract(server.address, clientCredentials(tls, VENUE), channelOptions(VENUE))
    const bytes = keySum.length + parameters.ciphertextBytes
    const lengthFrom = async (offset: number) => {
      let length = 0
      for await (const piece of client.fetchOpening({ planDigest: published, offset })) length += piece.bytes.length
      return length
    }
    expect(await lengthFrom(bytes)).toBe(0)
    expect(await lengthFrom(bytes - 1)).toBe(1)
    expect(await lengthFrom(500)).toBe(bytes - 500)
    await expect(lengthFrom(bytes + 1)).rejects.toMatchObject({ details: expect.stringContaining('malformed-message') })
    client.close()
  })
})
