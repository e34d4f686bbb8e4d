import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { isDigest } from '../crypto/digest.ts'
import type { LogSource } from '../log/log-source.ts'
import { parseTilePath, TILE_WIDTH } from '../log/tile-path.ts'
import { listenHttp } from './listen-http.ts'
import type { RunningServer } from './server.ts'

/** What a stranger may take of the server of the log. Readers behind a cache or a proxy need little of it. */
export const logServerLimits = {
  /** Connections at once; further ones are closed. */
  connections: 256,
  /** Bytes of a request's line and headers. */
  headerBytes: 8 * 1024,
  /** Characters of a path; the longest that exists has about 90. */
  pathCharacters: 256,
  /** From a connection's first byte to the end of the headers of its request. */
  headersTimeoutMs: 5_000,
  /** The same to the end of the request; its body, if any, is not read. */
  requestTimeoutMs: 10_000,
  /** A connection without a request in the making. */
  idleTimeoutMs: 10_000,
  /** From the request to its last byte taken by the reader. */
  responseTimeoutMs: 60_000,
  /** Of all responses that are under way; beyond it readers are asked to come again. The largest resource has 16 MiB. */
  responseBytes: 64 * 1024 * 1024,
} as const

/** How often timeouts are looked at. */
const CHECK_INTERVAL_MS = 1_000

/** Takes the place of some of {@link logServerLimits}. */
export type LogServerLimits = { readonly [Name in keyof typeof logServerLimits]: number }

interface Resource {
  readonly body: Uint8Array
  readonly type: string
  readonly cacheControl: string
}

/** Nothing at these paths ever changes (tlog-tiles, APIs); a partial tile is of use until its tile has grown. */
const FOR_EVER = 'public, max-age=31536000, immutable'
const SOON_STALE = 'public, max-age=300, immutable'
const BYTES = 'application/octet-stream'

/**
 * Serves a transparency log over plain HTTP, read-only: `GET /log/checkpoint`, `/log/tile/…` (C2SP tlog-tiles) and
 * `/log/statement/<SHA-256 of a payload>`. Whoever reaches the address reads every logged statement; nobody can change
 * one. What is served proves itself, so TLS may end anywhere before it, and caches may keep it.
 * @param listen `host:port`; port 0 takes a free one
 * @param onFault takes what the source throws; readers learn of it only that it was not their fault
 * @throws WireError `address-invalid`, `port-in-use`
 */
export async function startLogServer(
  listen: string,
  source: LogSource,
  onFault: (error: unknown) => void = () => {},
  limits: LogServerLimits = logServerLimits,
): Promise<RunningServer> {
  const responses = new Responses(source, onFault, limits)
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.idleTimeoutMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    (request, response) => void responses.answer(request, response),
  )
  server.maxConnections = limits.connections
  // Also before the first byte of a request, where Node's other timeouts do not count yet.
  server.setTimeout(limits.idleTimeoutMs + limits.requestTimeoutMs)
  server.on('clientError', refuseMalformed)
  const port = await listenHttp(server, listen)
  return {
    port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

class Responses {
  readonly #source: LogSource
  readonly #onFault: (error: unknown) => void
  readonly #limits: LogServerLimits
  #bytesUnderWay = 0

  constructor(source: LogSource, onFault: (error: unknown) => void, limits: LogServerLimits) {
    this.#source = source
    this.#onFault = onFault
    this.#limits = limits
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A request with a body: it is not read, and nothing after it on this connection is a request.
    if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined) {
      response.setHeader('connection', 'close')
    }
    const { method, url = '' } = request
    if (method !== 'GET' && method !== 'HEAD')
      return refuse(response, 405, 'The log is read with GET.', { allow: 'GET, HEAD' })
    if (url.length > this.#limits.pathCharacters) return refuse(response, 414, 'No path of a log is that long.')
    try {
      const resource = await find(this.#source, url)
      if (resource) this.#send(response, resource, method === 'HEAD')
      else refuse(response, 404, 'The log has nothing there.')
    } catch (error) {
      this.#onFault(error)
      refuse(response, 500, "The log cannot be read now; the coordinator's own log says why.")
    }
  }

  #send(response: ServerResponse, { body, type, cacheControl }: Resource, headOnly: boolean): void {
    if (this.#bytesUnderWay > 0 && this.#bytesUnderWay + body.length > this.#limits.responseBytes) {
      refuse(response, 503, 'Too many readers at once: come again.', { 'retry-after': '1' })
      return
    }
    response.writeHead(200, {
      'content-type': type,
      'content-length': body.length,
      'cache-control': cacheControl,
      'x-content-type-options': 'nosniff',
    })
    if (headOnly) return void response.end()
    this.#bytesUnderWay += body.length
    // A reader that takes a byte a second holds the bytes no longer than this.
    const patience = setTimeout(() => response.destroy(), this.#limits.responseTimeoutMs)
    response.once('close', () => {
      clearTimeout(patience)
      this.#bytesUnderWay -= body.length
    })
    response.end(body)
  }
}

async function find(source: LogSource, url: string): Promise<Resource | undefined> {
  if (url === '/log/checkpoint') {
    const note = await source.readCheckpoint()
    return note === undefined
      ? undefined
      : { body: Buffer.from(note, 'utf8'), type: 'text/plain; charset=utf-8', cacheControl: 'no-cache' }
  }
  if (url.startsWith('/log/statement/')) {
    const payloadSha256 = url.slice('/log/statement/'.length)
    const body = isDigest(payloadSha256) ? await source.readPayload(payloadSha256) : undefined
    return body && { body, type: BYTES, cacheControl: FOR_EVER }
  }
  const path = url.startsWith('/log/tile/') ? url.slice('/log/'.length) : undefined
  const address = path === undefined ? undefined : addressOf(path)
  if (path === undefined || address === undefined) return undefined
  const body = await source.readTile(path)
  return body && { body, type: BYTES, cacheControl: address.width === TILE_WIDTH ? FOR_EVER : SOON_STALE }
}

function addressOf(path: string): { readonly width: number } | undefined {
  try {
    return parseTilePath(path)
  } catch {
    return undefined
  }
}

function refuse(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  const body = Buffer.from(`${text}\n`, 'utf8')
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    ...headers,
  })
  response.end(body)
}

const REASONS: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** What is no HTTP request, or came too slowly: one line, and the connection is gone. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  const reason = REASONS[error.code ?? ''] ?? '400 Bad Request'
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  socket.end(`HTTP/1.1 ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy())
}
