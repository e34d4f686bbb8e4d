import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listenHttp } from './listen-http.ts'
import type { RunningServer } from './server.ts'

/** What an operator's tools may ask of a process. */
export interface AdminDesk {
  /** Who this is: what `/healthz` says while the process lives. */
  readonly identity: Readonly<Record<string, string>>
  /** Whether work can be done now, and by which checks. Never rejects. */
  readiness(): Promise<{ readonly ready: boolean; readonly checks: Readonly<Record<string, string>> }>
  /** Text in Prometheus' format. */
  metrics(): Promise<{ readonly text: string; readonly type: string }>
}

/** Few tools ask, and each seldom. */
const CONNECTIONS_MAX = 32
const REQUEST_TIMEOUT_MS = 5_000

/**
 * Serves `GET /healthz`, `/readyz` and `/metrics` over plain HTTP: for the operator's own machine or network, nothing secret and
 * nothing that changes anything.
 * @param listen `host:port`; port 0 takes a free one
 * @throws WireError `address-invalid`, `port-in-use`
 */
export async function startAdminServer(
  listen: string,
  desk: AdminDesk,
  onFault: (error: unknown) => void,
): Promise<RunningServer> {
  const server = createServer(
    { maxHeaderSize: 8 * 1024, headersTimeout: REQUEST_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => void answer(request, response, desk, onFault),
  )
  server.maxConnections = CONNECTIONS_MAX
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

const JSON_TYPE = 'application/json; charset=utf-8'

/** Never rejects. */
async function answer(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  desk: AdminDesk,
  onFault: (error: unknown) => void,
): Promise<void> {
  if (method !== 'GET' && method !== 'HEAD') return send(response, 405, 'text/plain', 'Ask with GET.\n')
  try {
    switch (url) {
      case '/healthz':
        return send(response, 200, JSON_TYPE, `${JSON.stringify({ status: 'ok', ...desk.identity })}\n`)
      case '/readyz': {
        const readiness = await desk.readiness()
        return send(response, readiness.ready ? 200 : 503, JSON_TYPE, `${JSON.stringify(readiness)}\n`)
      }
      case '/metrics': {
        const { text, type } = await desk.metrics()
        return send(response, 200, type, text)
      }
      default:
        send(response, 404, 'text/plain', 'There are /healthz, /readyz and /metrics.\n')
    }
  } catch (error) {
    onFault(error)
    send(response, 500, 'text/plain', 'This cannot be told now; the log of the process says why.\n')
  }
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  const body = Buffer.from(text, 'utf8')
  response.writeHead(status, { 'content-type': type, 'content-length': body.length, 'cache-control': 'no-store' })
  // Node sends no body in answer to HEAD.
  response.end(body)
}
