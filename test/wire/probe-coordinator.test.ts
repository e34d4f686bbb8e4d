/** Looking at a coordinator as a member of its venue, without being one more holder. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accepted } from '../../src/sluice-error.ts'
import { HolderConnection } from '../../src/wire/holder-connection.ts'
import { PROTOCOL_VERSION } from '../../src/wire/limits.ts'
import { probeCoordinator } from '../../src/wire/probe-coordinator.ts'
import { startTestServer, type TestServer, until, VENUE } from '../support/wire-fixtures.ts'

let server: TestServer
const noRounds = { expectedPayload: () => undefined, contributionsFor: () => undefined, openingFor: () => undefined }

beforeAll(async () => {
  server = await startTestServer(noRounds)
})
afterAll(() => server.close())

const probe = async (name: string) => probeCoordinator(server.address, VENUE, await server.credentials('holder', name))

describe('a probe', () => {
  it('learns the coordinator’s clock and protocol', async () => {
    const { date, protocolVersion, refusal } = await probe('cleveland')
    expect(refusal).toBeUndefined()
    expect(protocolVersion).toBe(PROTOCOL_VERSION)
    expect(Math.abs(date!.getTime() - Date.now())).toBeLessThan(60_000)
  })

  it('learns why a member is not let in, and the clock all the same', async () => {
    const stranger = await probe('stranger')
    expect(stranger.refusal).toMatchObject({ code: 'not-admitted' })
    expect(stranger.date).toBeInstanceOf(Date)
    server.pending.add('newcomer')
    expect((await probe('newcomer')).refusal).toMatchObject({ code: 'admission-pending' })
  })

  it('leaves the stream of that holder’s node where it is, which a second greeting would not', async () => {
    const tls = await server.credentials('holder', 'hungary')
    const stop = new AbortController()
    let breaks = 0
    const attend = () => {
      const connection = new HolderConnection(server.address, VENUE, tls, 'sluice/test')
      const listener = { onConnected: () => {}, onDisconnected: () => void breaks++ }
      return connection
        .attend(async () => accepted({ kind: 'noted' }), listener, stop.signal)
        .finally(() => connection.close())
    }
    const node = attend()
    await until(() => server.sessions.connected().includes('hungary'))
    expect((await probeCoordinator(server.address, VENUE, tls)).protocolVersion).toBe(PROTOCOL_VERSION)
    expect(server.sessions.connected()).toContain('hungary')
    expect(breaks).toBe(0)
    const second = attend()
    await until(() => breaks > 0)
    stop.abort()
    await Promise.all([node, second])
  })
})
