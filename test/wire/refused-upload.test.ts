import { afterAll, beforeAll, expect, it } from 'vitest'
import { chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { HolderConnection } from '../../src/wire/holder-connection.ts'
import { startTestServer, type TestServer, until, VENUE } from '../support/wire-fixtures.ts'

const parameters = payloadParameters({ precisionBits: 16, maxContributors: 4, length: 70_000 })
const due = 'd'.repeat(64)
let isDue = true
let server: TestServer
beforeAll(async () => {
  server = await startTestServer({
    expectedPayload: (plan) => (plan === due && isDue ? parameters : undefined),
    contributionsFor: () => undefined,
    openingFor: () => undefined,
  })
})
afterAll(() => server.close())

async function connect(): Promise<HolderConnection> {
  return new HolderConnection(server.address, VENUE, await server.credentials('holder', 'cleveland'), 'x')
}

it('asks for no more chunks once the coordinator has refused the upload, and lets go of what makes them', async () => {
  const connection = await connect()
  let [given, isLetGo] = [0, false]
  async function* endless() {
    try {
      for (;;) {
        given++
        yield new Uint8Array(200_000)
        await new Promise(setImmediate)
      }
    } finally {
      isLetGo = true
    }
  }
  await expect(connection.upload('e'.repeat(64), endless())).rejects.toMatchObject({ code: 'upload-refused' })
  await until(() => isLetGo)
  // What HTTP/2's windows take in, at most.
  expect(given).toBeLessThan(200)
  connection.close()
})

it('does not count when its round has ended while it came', async () => {
  const connection = await connect()
  async function* chunks() {
    for (let i = 0; i < parameters.chunkCount; i++) yield new Uint8Array(chunkGeometry(parameters, i).bytes)
    isDue = false
  }
  await expect(connection.upload(due, chunks())).rejects.toMatchObject({ code: 'upload-refused' })
  await expect(server.spool.read(due, 'cleveland', 0, 1)).rejects.toMatchObject({ code: 'not-found' })
  isDue = true
  connection.close()
})
