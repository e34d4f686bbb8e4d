import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/crypto/digest.ts'
import type { LogSource } from '../../src/log/log-source.ts'
import { httpLogSource } from '../../src/wire/log-client.ts'
import { type LogServerLimits, logServerLimits, startLogServer } from '../../src/wire/log-server.ts'
import type { RunningServer } from '../../src/wire/server.ts'
import { logOfSizes } from '../log/log-fixtures.ts'

const PAYLOAD = Buffer.from('a large payload')
const PAYLOAD_PATH = `/log/statement/${digestOf(PAYLOAD)}`
let source: LogSource
let server: RunningServer
const sockets: Socket[] = []

beforeAll(async () => {
  const { storage } = await logOfSizes(256, 300)
  source = {
    readCheckpoint: () => storage.readCheckpoint(),
    readTile: (path) => storage.readTile(path),
    readPayload: async (payloadSha256) => (payloadSha256 === digestOf(PAYLOAD) ? PAYLOAD : undefined),
  }
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.stop()
})

async function serve(limits: Partial<LogServerLimits> = {}, of = source, onFault?: (error: unknown) => void) {
  server = await startLogServer('127.0.0.1:0', of, onFault, { ...logServerLimits, ...limits })
  return `http://127.0.0.1:${server.port}`
}

/** A connection, and all that comes back over it. */
async function dial(): Promise<{ socket: Socket; received: () => string; closed: Promise<unknown> }> {
  const socket = connect(server.port, '127.0.0.1')
  sockets.push(socket)
  const closed = once(socket, 'close')
  let text = ''
  socket.on('data', (part) => {
    text += part.toString('latin1')
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return { socket, received: () => text, closed }
}

describe('the server of the log', () => {
  it('serves the checkpoint, which may change, and tiles, which may not, each with its type', async () => {
    const base = await serve()
    const shown = async (path: string) => {
      const response = await fetch(base + path)
      const { headers, status } = response
      return [
        status,
        headers.get('content-type'),
        headers.get('cache-control'),
        (await response.arrayBuffer()).byteLength,
      ]
    }
    const note = Buffer.byteLength((await source.readCheckpoint())!)
    const [text, bytes] = ['text/plain; charset=utf-8', 'application/octet-stream']
    expect(await shown('/log/checkpoint')).toEqual([200, text, 'no-cache', note])
    expect(await shown('/log/tile/0/000')).toEqual([200, bytes, 'public, max-age=31536000, immutable', 8192])
    expect(await shown('/log/tile/0/001.p/44')).toEqual([200, bytes, 'public, max-age=300, immutable', 44 * 32])
    const bundle = (await source.readTile('tile/entries/001.p/44'))!
    expect(await shown('/log/tile/entries/001.p/44')).toEqual([
      200,
      bytes,
      'public, max-age=300, immutable',
      bundle.length,
    ])
    expect(await shown(PAYLOAD_PATH)).toEqual([200, bytes, 'public, max-age=31536000, immutable', PAYLOAD.length])
  })

  it('has nothing anywhere else, and asks its source for no path that is not one of tlog-tiles', async () => {
    const asked: string[] = []
    const base = await serve(
      {},
      {
        ...source,
        readTile: (path) => {
          asked.push(path)
          return source.readTile(path)
        },
      },
    )
    const paths = [
      '/',
      '/log',
      '/log/',
      '/checkpoint',
      '/log/checkpoint/',
      '/log/checkpoint?x=1',
      '/log/tile/0/0',
      '/log/tile/0/000.p/256',
      '/log/tile/00/000',
      '/log/tile/0/%2e%2e/000',
      '/log/tile/0/000/../../../etc/passwd',
      '/log/statement/',
      `/log/statement/${'A'.repeat(64)}`,
      `/log/statement/${'0'.repeat(64)}`,
    ]
    for (const path of paths) expect((await fetch(base + path)).status, path).toBe(404)
    expect(asked).toEqual([])
    expect((await fetch(`${base}/log/tile/0/999`)).status).toBe(404)
    expect(asked).toEqual(['tile/0/999'])
    const { socket, received, closed } = await dial()
    socket.write('GET /log/../log/checkpoint HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await closed
    expect(received()).toMatch(/^HTTP\/1.1 404 /)
  })

  it('answers HEAD without a body, and refuses every other method', async () => {
    const base = await serve()
    const head = await fetch(`${base}/log/tile/0/000`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '8192'])
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const response = await fetch(`${base}/log/checkpoint`, { method, body: method === 'POST' ? 'x' : undefined })
      expect([response.status, response.headers.get('allow')], method).toEqual([405, 'GET, HEAD'])
    }
  })

  it('tells a reader nothing of a fault of its own, and tells its operator all', async () => {
    const faults: unknown[] = []
    const fault = new Error('password of the database: hunter2')
    const base = await serve({}, { ...source, readTile: () => Promise.reject(fault) }, (error) => faults.push(error))
    const response = await fetch(`${base}/log/tile/0/000`)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('hunter2')
    expect(faults).toEqual([fault])
    expect((await fetch(`${base}/log/checkpoint`)).status).toBe(200)
  })

  it('is told when its address is none, or taken', async () => {
    await serve()
    const taken = startLogServer(`127.0.0.1:${server.port}`, source)
    await expect(taken).rejects.toMatchObject({ code: 'port-in-use' })
    for (const listen of ['7480', ':7480', 'host', '127.0.0.1:77777']) {
      await expect(startLogServer(listen, source), listen).rejects.toMatchObject({ code: 'address-invalid' })
    }
  })
})

describe('the server of the log, under attack over its socket', () => {
  it('refuses a path that is too long, and a request line beyond all bounds, without reading on', async () => {
    await serve()
    const long = await dial()
    long.socket.write(`GET /log/tile/${'0'.repeat(4000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await long.closed
    expect(long.received()).toMatch(/^HTTP\/1.1 414 /)
    const endless = await dial()
    let sentBytes = 0
    const part = Buffer.alloc(64 * 1024, 'a')
    endless.socket.write('GET /')
    const over = endless.closed.then(() => true)
    while (!(await Promise.race([over, sleep(1).then(() => false)])) && sentBytes < 64 * 2 ** 20) {
      endless.socket.write(part)
      sentBytes += part.length
    }
    expect(endless.socket.destroyed).toBe(true)
    expect(sentBytes).toBeLessThan(64 * 2 ** 20)
  })

  it('ends a connection that sends its headers a byte at a time, or nothing; without the limit it stays', async () => {
    for (const headersTimeoutMs of [200, 60_000]) {
      await serve({ headersTimeoutMs, requestTimeoutMs: headersTimeoutMs, idleTimeoutMs: headersTimeoutMs })
      const loris = await dial()
      const silent = await dial()
      const guarded = headersTimeoutMs < 1000
      const trickle = (async () => {
        loris.socket.write('GET /log/checkpoint HTTP/1.1\r\n')
        for (let i = 0; i < (guarded ? 120 : 20) && !loris.socket.destroyed; i++) {
          loris.socket.write(`X-${i}: y\r\n`)
          await sleep(75)
        }
      })()
      await trickle
      if (guarded) await silent.closed
      expect(loris.socket.destroyed).toBe(guarded)
      expect(silent.socket.destroyed).toBe(guarded)
      if (guarded) expect(loris.received()).toMatch(/^HTTP\/1.1 408 /)
      for (const socket of sockets.splice(0)) socket.destroy()
      await server.stop()
    }
    await serve()
  })

  it('serves others while as many connections as it takes are held, once they time out', async () => {
    const base = await serve({ connections: 3, headersTimeoutMs: 200, requestTimeoutMs: 200, idleTimeoutMs: 200 })
    const held = await Promise.all([dial(), dial(), dial()])
    const refused = await dial()
    await refused.closed
    await Promise.all(held.map(({ closed }) => closed))
    expect((await fetch(`${base}/log/checkpoint`)).status).toBe(200)
  })

  it('drops a reader that does not take its answer, and bounds what all readers together hold', async () => {
    const large = Buffer.alloc(16 * 2 ** 20)
    const base = await serve(
      { responseTimeoutMs: 400, responseBytes: 20 * 2 ** 20 },
      { ...source, readPayload: async () => large },
    )
    const stalled = await dial()
    stalled.socket.pause()
    stalled.socket.write(`GET ${PAYLOAD_PATH} HTTP/1.1\r\nHost: x\r\n\r\n`)
    let status = 200
    while (status === 200) status = (await fetch(base + PAYLOAD_PATH, { method: 'GET' }).then(drain)).status
    expect(status).toBe(503)
    while (status === 503) {
      await sleep(50)
      status = (await fetch(base + PAYLOAD_PATH).then(drain)).status
    }
    expect(status).toBe(200)
  })

  it('does not take the body of a request for another request', async () => {
    await serve()
    const { socket, received, closed } = await dial()
    const smuggled = 'GET /log/tile/0/000 HTTP/1.1\r\nHost: x\r\n\r\n'
    socket.write(`GET /log/checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`)
    await closed
    expect(received().match(/HTTP\/1.1 200/g)).toHaveLength(1)
  })

  it('answers what is not HTTP with one line, and goes on', async () => {
    const base = await serve()
    for (const noise of ['\x16\x03\x01\x02\x00', 'NONSENSE\r\n\r\n', 'GET /log/checkpoint HTTP/9.9\r\n\r\n']) {
      const { socket, received, closed } = await dial()
      socket.write(noise)
      await closed
      expect(received()).toMatch(/^HTTP\/1.1 (400|505) /)
    }
    expect((await fetch(`${base}/log/checkpoint`)).status).toBe(200)
  })
})

async function drain(response: Response): Promise<Response> {
  await response.arrayBuffer()
  return response
}

describe('a client of the log', () => {
  it('reads what the server serves, and finds nothing where nothing is', async () => {
    const base = await serve()
    for (const url of [`${base}/log`, `${base}/log/`]) {
      const client = httpLogSource(url)
      expect(await client.readCheckpoint()).toBe(await source.readCheckpoint())
      expect(await client.readTile('tile/0/000')).toEqual(await source.readTile('tile/0/000'))
      expect(await client.readTile('tile/0/777')).toBeUndefined()
      expect(await client.readPayload(digestOf(PAYLOAD))).toEqual(new Uint8Array(PAYLOAD))
      await expect(client.readTile('../secrets')).rejects.toMatchObject({ code: 'malformed-tile-path' })
    }
  })

  it('takes no more bytes than a resource of its kind can have', async () => {
    const large = new Uint8Array(8192 + 1)
    const base = await serve(
      {},
      { ...source, readTile: async () => large, readCheckpoint: async () => 'x'.repeat(2 ** 20) },
    )
    const client = httpLogSource(`${base}/log`)
    await expect(client.readTile('tile/0/000')).rejects.toMatchObject({ code: 'message-too-large' })
    await expect(client.readCheckpoint()).rejects.toMatchObject({ code: 'message-too-large' })
  })

  it('asks again after a passing fault, and gives up on a log that stays away or never ends its answer', async () => {
    let faults = 2
    const base = await serve(
      {},
      {
        ...source,
        readTile: (path) => (faults-- > 0 ? Promise.reject(new Error('passing')) : source.readTile(path)),
        readPayload: () => new Promise(() => {}),
      },
    )
    expect(await httpLogSource(`${base}/log`).readTile('tile/0/000')).toHaveLength(8192)
    const hanging = httpLogSource(`${base}/log`, { timeoutMs: 100, attempts: 1 }).readPayload('0'.repeat(64))
    await expect(hanging).rejects.toMatchObject({ code: 'log-unreachable', message: expect.stringContaining('100 ms') })
    await server.stop()
    const gone = httpLogSource(`${base}/log`, { attempts: 1 }).readCheckpoint()
    await expect(gone).rejects.toMatchObject({
      code: 'log-unreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    })
    await serve()
  })

  it('dials nothing but HTTP', async () => {
    await serve()
    for (const url of ['ftp://host/log', 'file:///etc', 'nonsense']) {
      expect(() => httpLogSource(url)).toThrow(expect.objectContaining({ code: 'address-invalid' }))
    }
  })
})
