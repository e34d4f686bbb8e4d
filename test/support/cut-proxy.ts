import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A line to a server on loopback that a test can cut. */
export interface CutProxy {
  readonly address: string
  /** Bytes that went through, both ways. */
  readonly bytes: number
  /** Resets every connection that is open. */
  cut(): void
  /** Passes no more bytes, and tells nobody, until it is told otherwise. */
  silence(isSilent: boolean): void
  close(): Promise<void>
}

export async function openCutProxy(target: string): Promise<CutProxy> {
  const [host, port] = target.split(':')
  const sockets = new Set<Socket>()
  let bytes = 0
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.on('data', (data) => {
      bytes += data.length
      if (to.write(data)) return
      from.pause()
      to.once('drain', () => from.resume())
    })
    from.on('error', () => undefined)
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer((socket) => {
    const onward = connect(Number(port), host)
    pass(socket, onward)
    pass(onward, socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    get bytes() {
      return bytes
    },
    cut,
    silence: (isSilent) => {
      for (const socket of sockets) isSilent ? socket.pause() : socket.resume()
    },
    close: async () => {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
