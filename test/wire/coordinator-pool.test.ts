/** A holder with several coordinators, over real connections: what becomes of a transfer whose coordinator goes away. */
import { afterAll, expect, it } from 'vitest'
import { PART_CHUNKS, SUM } from '../../src/coordinator/ports.ts'
import { chunkGeometry, payloadParameters } from '../../src/crypto/payload-parameters.ts'
import { CoordinatorPool } from '../../src/wire/coordinator-pool.ts'
import { payloadOf } from '../support/payload-source.ts'
import { startTestServer, type TestServer, until, VENUE } from '../support/wire-fixtures.ts'

const CHUNKS = 3 * PART_CHUNKS
const form = { precisionBits: 16, maxContributors: 4 }
const { valuesPerChunk } = payloadParameters({ ...form, length: 1 })
const parameters = payloadParameters({ ...form, length: CHUNKS * valuesPerChunk })
const { bytes: chunkBytes } = chunkGeometry(parameters, 0)
const plan = 'd'.repeat(64)
const keySum = new Uint8Array(1000).fill(7)
const rounds = {
  expectedPayload: () => undefined,
  contributionsFor: () => undefined,
  openingFor: () => ({ keySum, sumBytes: parameters.ciphertextBytes }),
}

const servers: TestServer[] = []
afterAll(() => Promise.all(servers.map((server) => server.close())))

it('gives up the opening of a coordinator that stays away while another is there: the next round waits for it', async () => {
  const first = await startTestServer(rounds)
  const second = await startTestServer(rounds, { authority: first.authority })
  servers.push(second)
  const writer = await first.openings.open(plan, SUM, parameters)
  for (let i = 0; i < CHUNKS; i++) await writer.append(new Uint8Array(chunkBytes))
  await writer.commit()
  const tls = await first.credentials('holder', 'cleveland')
  const pool = new CoordinatorPool([first.address, second.address], VENUE, tls, 'test')
  const stopping = new AbortController()
  const attending = pool.attend(
    async () => ({ ok: false, code: 'holder-failed', reason: 'Nothing is asked here.' }),
    () => ({ onConnected: () => {}, onDisconnected: () => {} }),
    stopping.signal,
  )
  const isAttending = ({ sessions }: TestServer) => sessions.connected().includes('cleveland')
  await until(() => isAttending(first) && isAttending(second))

  const opening = pool.fetchOpening(plan, 0)
  expect((await opening.next()).done).toBe(false)
  await first.close()
  const started = performance.now()
  const rest = async () => {
    for await (const _ of opening);
  }
  await expect(rest()).rejects.toThrow()
  // Far below the ten minutes in which a transfer may stall that nobody waits for.
  expect(performance.now() - started).toBeLessThan(45_000)
  expect(pool.isConnected).toBe(true)
  stopping.abort()
  await attending
  pool.close()
})

it('brings a ciphertext that its coordinator takes no more to the one that has the round now', async () => {
  const small = payloadParameters({ ...form, length: valuesPerChunk })
  const due = { ...rounds, expectedPayload: () => small }
  // The first has lost the round.
  const first = await startTestServer(rounds)
  const second = await startTestServer(due, { authority: first.authority })
  servers.push(first, second)
  const tls = await first.credentials('holder', 'cleveland')
  const pool = new CoordinatorPool([first.address, second.address], VENUE, tls, 'test')
  const stopping = new AbortController()
  const chunks = [new Uint8Array(chunkGeometry(small, 0).bytes)]
  const uploaded: unknown[] = []
  const attending = pool.attend(
    async () => {
      uploaded.push(await pool.upload(plan, payloadOf(chunks), AbortSignal.timeout(20_000)).catch(({ code }) => code))
      return { ok: false, code: 'holder-failed', reason: 'Nothing is made here.' }
    },
    () => ({ onConnected: () => {}, onDisconnected: () => {} }),
    stopping.signal,
  )
  await until(() => [first, second].every(({ sessions }) => sessions.connected().includes('cleveland')))
  const planEnvelope = { payloadType: 'none', payload: new Uint8Array(1), signatures: [] }
  const request = { kind: 'abandon', plan: planEnvelope, abandonment: planEnvelope } as const
  await first.sessions.ask('cleveland', request, AbortSignal.timeout(30_000)).catch(() => undefined)
  await until(() => uploaded.length === 1)
  expect(uploaded).toEqual([await second.spool.stat(plan, 'cleveland')])
  stopping.abort()
  await attending
  pool.close()
})
