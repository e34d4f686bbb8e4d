import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WireError } from './wire-error.ts'

/**
 * Has an HTTP server listen.
 * @param listen `host:port`; port 0 takes a free one
 * @returns the port
 * @throws WireError `address-invalid`, `port-in-use`
 */
export function listenHttp(server: Server, listen: string): Promise<number> {
  const [, host, port] = /^(\[[0-9a-f:.]+\]|[^:[\]]+):(\d{1,5})$/i.exec(listen) ?? []
  if (!host || Number(port) > 65_535) {
    throw new WireError('address-invalid', `"${listen}" is not host:port: write for instance 127.0.0.1:7480.`)
  }
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'EADDRINUSE'
          ? new WireError('port-in-use', `${listen} is taken by another process: stop it, or listen elsewhere.`, {
              cause,
            })
          : new WireError('address-invalid', `Cannot listen on ${listen}: ${cause.message}`, { cause }),
      )
    })
    server.listen(Number(port), host.replace(/^\[|\]$/g, ''), () => resolve((server.address() as AddressInfo).port))
  })
}
