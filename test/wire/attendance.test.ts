/** The holders' stream under peers that do not keep to the protocol: raw gRPC clients over real mutual TLS. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { statementDigest } from '../../src/crypto/envelope.ts'
import { payloadParameters } from '../../src/crypto/payload-parameters.ts'
import type { PayloadReference } from '../../src/protocol/contribution.ts'
import type { HolderRequest } from '../../src/protocol/holder-messages.ts'
import { accepted } from '../../src/sluice-error.ts'
import { channelOptions } from '../../src/wire/channel.ts'
import { CoordinatorContract } from '../../src/wire/contract.ts'
import { clientCredentials } from '../../src/wire/credentials.ts'
import type { CoordinatorMessage__Output } from '../../src/wire/generated/sluice/v1/CoordinatorMessage.ts'
import type { HolderMessage } from '../../src/wire/generated/sluice/v1/HolderMessage.ts'
import { HolderConnection } from '../../src/wire/holder-connection.ts'
import { PROTOCOL_VERSION } from '../../src/wire/limits.ts'
import { contributeRequest } from '../support/contribute-request.ts'
import { startTestServer, type TestServer, until, VENUE } from '../support/wire-fixtures.ts'

const plan = 'd'.repeat(64)
const hello: HolderMessage = { hello: { protocolVersion: PROTOCOL_VERSION, software: 'raw' } }
const envelope = { payload: new Uint8Array(2), payloadType: 'x', signatures: [] }
const request: HolderRequest = { kind: 'published', planDigest: plan, publication: envelope }
const noted = (requestId: string): HolderMessage => ({ reply: { requestId, noted: {} } })

/** Puts a ciphertext into the spool, as an upload does. */
async function store(planDigest: string, holder: string): Promise<PayloadReference> {
  const parameters = payloadParameters({ precisionBits: 16, maxContributors: 4, length: 1 })
  const writer = await server.spool.open(planDigest, holder, parameters)
  await writer.append(new Uint8Array(parameters.ciphertextBytes))
  return writer.commit()
}

let server: TestServer
beforeAll(async () => {
  server = await startTestServer(
    { expectedPayload: () => undefined, contributionsFor: () => undefined, openingFor: () => undefined },
    { reconnectGraceMs: 20_000 },
  )
})
afterAll(() => server.close())

/** A stream on which a test writes what it likes. */
interface RawStream {
  readonly stream: ClientDuplexStream<HolderMessage, CoordinatorMessage__Output>
  /** Ids of the requests that came. */
  readonly requests: string[]
  /** How the stream ended: the beginning of its status, `code: …`, or `ended`. */
  readonly ended: Promise<string>
  close(): void
}

async function attend(name: string, ...messages: HolderMessage[]): Promise<RawStream> {
  const tls = await server.credentials('holder', name)
  const client = new CoordinatorContract(server.address, clientCredentials(tls, VENUE), channelOptions(VENUE))
  const stream = client.attend()
  const requests: string[] = []
  stream.on('data', (message) => {
    if (message.request) requests.push(message.request.requestId)
  })
  const ended = new Promise<string>((resolve) => {
    stream.on('error', (error: ServiceError) => resolve(error.details.split(':')[0]))
    stream.on('end', () => resolve('ended'))
  })
  for (const message of messages) stream.write(message)
  return {
    stream,
    requests,
    ended,
    close: () => {
      stream.cancel()
      client.close()
    },
  }
}

describe('the holders’ stream', () => {
  const open: RawStream[] = []
  const attending = async (name: string, ...messages: HolderMessage[]) => {
    const raw = await attend(name, ...messages)
    open.push(raw)
    return raw
  }
  let asking: AbortController
  beforeEach(() => {
    asking = new AbortController()
  })
  afterEach(async () => {
    asking.abort()
    for (const raw of open.splice(0)) raw.close()
    await until(() => server.sessions.connected().length === 0)
  })

  it('refuses a holder of another protocol version, and never counts it as connected', async () => {
    const raw = await attending('cleveland', {
      hello: { protocolVersion: `${Number(PROTOCOL_VERSION) + 1}`, software: 'future' },
    })
    expect(await raw.ended).toBe('protocol-version')
    expect(server.sessions.connected()).toEqual([])
  })

  it('begins with a greeting', async () => {
    expect(await (await attending('cleveland', noted('x'))).ended).toBe('malformed-message')
    expect(await (await attending('cleveland', {})).ended).toBe('malformed-message')
  })

  it('takes one greeting: more of them would have everything that waits sent again, each time', async () => {
    const answer = server.sessions.ask('cleveland', request, asking.signal)
    const raw = await attending('cleveland', hello, ...Array.from({ length: 1000 }, () => hello))
    expect(await raw.ended).toBe('malformed-message')
    expect(raw.requests.length).toBeLessThanOrEqual(1)
    asking.abort()
    expect(await answer).toMatchObject({ code: 'deadline-passed' })
  })

  it('drops ten thousand replies that nobody asked for, and hears the one that was asked for', async () => {
    const raw = await attending('cleveland', hello)
    const answer = server.sessions.ask('cleveland', request, asking.signal)
    await until(() => raw.requests.length === 1)
    for (let i = 0; i < 10_000; i++) {
      if (!raw.stream.write(noted(`${i}`))) await once(raw.stream, 'drain')
    }
    raw.stream.write(noted(raw.requests[0]))
    expect(await answer).toEqual(accepted({ kind: 'noted' }))
    // Nobody waits for it any more.
    raw.stream.write(noted(raw.requests[0]))
    const next = server.sessions.ask('cleveland', request, asking.signal)
    await until(() => raw.requests.length === 2)
    raw.stream.write(noted(raw.requests[1]))
    expect(await next).toEqual(accepted({ kind: 'noted' }))
  })

  it('lets no holder answer for another, even under the right id', async () => {
    const asked = await attending('cleveland', hello)
    const meddler = await attending('hungary', hello)
    const [answer, control] = ['cleveland', 'hungary'].map((name) => server.sessions.ask(name, request, asking.signal))
    await until(() => asked.requests.length === 1 && meddler.requests.length === 1)
    meddler.stream.write(noted(asked.requests[0]))
    meddler.stream.write(noted(meddler.requests[0]))
    // The later of the two messages has arrived; so has the earlier one.
    expect(await control).toEqual(accepted({ kind: 'noted' }))
    asked.stream.write({ reply: { requestId: asked.requests[0], refusal: { code: 'mine', reason: 'own answer' } } })
    expect(await answer).toEqual({ ok: false, code: 'mine', reason: 'own answer' })
  })

  it('asks again under the same id when the holder dials again, and on the latest stream only', async () => {
    const first = await attending('cleveland', hello)
    const answer = server.sessions.ask('cleveland', request, asking.signal)
    await until(() => first.requests.length === 1)
    const second = await attending('cleveland', hello)
    await until(() => second.requests.length === 1)
    expect(second.requests).toEqual(first.requests)
    expect(await first.ended).toBe('ended')
    second.stream.write(noted(second.requests[0]))
    expect(await answer).toEqual(accepted({ kind: 'noted' }))
  })

  it('takes a contribution only after its ciphertext, whenever that was stored', async () => {
    const raw = await attending('cleveland', hello)
    const contribution = (requestId: string): HolderMessage => ({
      reply: { requestId, contribution: { contribution: envelope } },
    })
    const ask = async () => {
      const answer = server.sessions.ask('cleveland', contributeRequest(envelope), asking.signal)
      const due = raw.requests.length + 1
      await until(() => raw.requests.length === due)
      raw.stream.write(contribution(raw.requests[due - 1]))
      return answer
    }
    expect(await ask()).toMatchObject({ code: 'payload-mismatch' })
    // Of another plan, or another holder.
    await store('f'.repeat(64), 'cleveland')
    await store(statementDigest(envelope), 'hungary')
    expect(await ask()).toMatchObject({ code: 'payload-mismatch' })
    const uploaded = await store(statementDigest(envelope), 'cleveland')
    expect(await ask()).toMatchObject({ ok: true, value: { uploaded } })
    // Asked again, by a coordinator that has forgotten that it asked.
    expect(await ask()).toMatchObject({ ok: true, value: { uploaded } })
  })

  it('takes no contribution for an answer to anything else, whatever was uploaded', async () => {
    const raw = await attending('cleveland', hello)
    await store(plan, 'cleveland')
    const answer = server.sessions.ask('cleveland', request, asking.signal)
    await until(() => raw.requests.length === 1)
    raw.stream.write({ reply: { requestId: raw.requests[0], contribution: { contribution: envelope } } })
    expect(await answer).toMatchObject({ code: 'payload-mismatch' })
  })
})

describe('a holder that stops', () => {
  it('does not wait for a coordinator that accepts the connection and says nothing', async () => {
    const sockets: Socket[] = []
    const mute = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const { port } = mute.address() as { port: number }
    const tls = await server.credentials('holder', 'cleveland')
    const connection = new HolderConnection(`127.0.0.1:${port}`, VENUE, tls, 'x')
    const stop = new AbortController()
    const quiet = { onConnected: () => {}, onDisconnected: () => {} }
    const attended = connection.attend(async () => accepted({ kind: 'noted' }), quiet, stop.signal)
    await until(() => sockets.length > 0)
    stop.abort()
    await attended
    connection.close()
    for (const socket of sockets) socket.destroy()
    mute.close()
  })
})
