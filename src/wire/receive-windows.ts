import { subscribe } from 'node:diagnostics_channel'
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'

/**
 * What may be on its way to a receiver at once, in bytes: of one transfer, and of all of a connection. HTTP/2's 64 kB would
 * hold a line of 80 ms to 6 Mbit/s; a mebibyte fills one of 100 Mbit/s, and is well below a part.
 */
export const receiveWindow = { transferBytes: 2 ** 20, connectionBytes: 8 * 2 ** 20 } as const

const widened = new WeakSet<ServerHttp2Session>()
let isWatching = false

/**
 * Widens the receive windows of every HTTP/2 connection that this process serves, as it opens. grpc-js has an option for
 * clients only; this is Node's own place to meet a server's sessions.
 */
export function widenReceiveWindows(): void {
  if (isWatching) return
  isWatching = true
  subscribe('http2.server.stream.created', (message) => {
    const { session } = (message as { readonly stream: ServerHttp2Stream }).stream
    if (!session || widened.has(session as ServerHttp2Session)) return
    widened.add(session as ServerHttp2Session)
    session.setLocalWindowSize(receiveWindow.connectionBytes)
    session.settings({ initialWindowSize: receiveWindow.transferBytes })
  })
}
