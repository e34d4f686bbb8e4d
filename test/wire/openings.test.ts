/** What a published round was opened from, over real mutual TLS (docs/adr/0011). */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SUM } from '../../src/coordinator/ports.ts'
import { chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { HolderConnection } from '../../src/wire/holder-connection.ts'
import { limits } from '../../src/wire/limits.ts'
import { readAll } from '../support/read-all.ts'
import { startTestServer, type TestServer, VENUE } from '../support/wire-fixtures.ts'

const plan = 'd'.repeat(64)
const keySum = randomBytes(1000)
/** Two pieces of the wire and some. */
const parameters = payloadParameters({ precisionBits: 16, maxContributors: 4, length: 160_000 })
const sum = randomBytes(parameters.ciphertextBytes)
const opening = Buffer.concat([keySum, sum])
let isKept = true
let sentBytes = 0
let server: TestServer
beforeAll(async () => {
  server = await startTestServer(
    {
      expectedPayload: () => undefined,
      contributionsFor: () => undefined,
      openingFor: (planDigest, holder) =>
        isKept && planDigest === plan && holder === 'cleveland' ? { keySum, sumBytes: sum.length } : undefined,
    },
    {
      openingSent: (bytes) => {
        sentBytes += bytes
      },
    },
  )
  const writer = await server.openings.open(plan, SUM, parameters)
  const chunkBytes = chunkGeometry(parameters, 0).bytes
  for (let at = 0; at < sum.length; at += chunkBytes) await writer.append(sum.subarray(at, at + chunkBytes))
  await writer.commit()
})
afterAll(() => server.close())

async function fetch(holder: string, planDigest = plan, offset = 0): Promise<Uint8Array[]> {
  const credentials = await server.credentials('holder', holder)
  const connection = new HolderConnection(server.address, VENUE, credentials, 'x')
  return readAll(connection.fetchOpening(planDigest, offset)).finally(() => connection.close())
}

describe('an opening', () => {
  it('comes to a holder of the round, whole, in pieces of the wire’s size', async () => {
    const pieces = await fetch('cleveland')
    expect(pieces.map(({ length }) => length)).toEqual([
      1000,
      limits.artifactChunkBytes,
      limits.artifactChunkBytes,
      sum.length - 2 * limits.artifactChunkBytes,
    ])
    expect(Buffer.concat(pieces).equals(opening)).toBe(true)
  })

  it('comes from an offset on, which may lie in the key sum, behind it, and at the end', async () => {
    for (const offset of [1, 999, 1000, 1001, opening.length - 1, opening.length]) {
      const fetched = Buffer.concat(await fetch('cleveland', plan, offset))
      expect(fetched.equals(opening.subarray(offset)), `from ${offset}`).toBe(true)
    }
  })

  it('is counted byte for byte as it goes out, the key sum too', async () => {
    for (const offset of [0, 999, 1001]) {
      sentBytes = 0
      await fetch('cleveland', plan, offset)
      expect(sentBytes, `from ${offset}`).toBe(opening.length - offset)
    }
  })

  it('comes to nobody else, of no other plan, and no more when it is not kept', async () => {
    await expect(fetch('hungary')).rejects.toMatchObject({ code: 'not-found' })
    await expect(fetch('cleveland', 'e'.repeat(64))).rejects.toMatchObject({ code: 'not-found' })
    await expect(fetch('cleveland', 'no digest')).rejects.toMatchObject({ code: 'malformed-message' })
    isKept = false
    await expect(fetch('cleveland')).rejects.toMatchObject({ code: 'not-found' })
    isKept = true
  })

  it('may be left by its reader before the end', async () => {
    const credentials = await server.credentials('holder', 'cleveland')
    const connection = new HolderConnection(server.address, VENUE, credentials, 'x')
    for await (const piece of connection.fetchOpening(plan, 0)) {
      expect(piece).toHaveLength(1000)
      break
    }
    expect(Buffer.concat(await readAll(connection.fetchOpening(plan, 0))).equals(opening)).toBe(true)
    connection.close()
  })
})
