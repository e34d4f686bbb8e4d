/** Uploads that count for nothing: refused before their bytes are read, or not at all. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { HolderConnection } from '../../src/wire/holder-connection.ts'
import { payloadOf } from '../support/payload-source.ts'
import { startTestServer, type TestServer, VENUE } from '../support/wire-fixtures.ts'

const parameters = payloadParameters({ precisionBits: 16, maxContributors: 4, length: 70_000 })
const chunks = Array.from(
  { length: parameters.chunkCount },
  (_, i) => new Uint8Array(chunkGeometry(parameters, i).bytes),
)
const due = 'd'.repeat(64)
const other = 'c'.repeat(64)
let isDue = true
let server: TestServer
beforeAll(async () => {
  server = await startTestServer({
    expectedPayload: (plan) => ((plan === due && isDue) || plan === other ? parameters : undefined),
    contributionsFor: () => undefined,
    openingFor: () => undefined,
  })
})
afterAll(() => server.close())

async function connect(): Promise<HolderConnection> {
  return new HolderConnection(server.address, VENUE, await server.credentials('holder', 'cleveland'), 'x')
}

it('is not asked for a chunk when nothing is due, and when all of it is there', async () => {
  const connection = await connect()
  let given = 0
  const payload = payloadOf(chunks, () => void given++)
  await expect(connection.upload('e'.repeat(64), payload)).rejects.toMatchObject({ code: 'upload-refused' })
  expect(given).toBe(0)
  const stored = await connection.upload(other, payload)
  expect(given).toBe(parameters.chunkCount)
  expect(await connection.upload(other, payload)).toEqual(stored)
  expect(given).toBe(parameters.chunkCount)
  connection.close()
})

it('does not count when its round has ended while it came', async () => {
  const connection = await connect()
  const last = parameters.chunkCount - 1
  const payload = payloadOf(chunks, async (index) => {
    if (index === last) isDue = false
  })
  await expect(connection.upload(due, payload)).rejects.toMatchObject({ code: 'upload-refused' })
  expect(await server.spool.stat(due, 'cleveland')).toBeUndefined()
  isDue = true
  connection.close()
})
