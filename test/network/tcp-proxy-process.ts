/** A proxy in between: passes bytes on, later than they came, and drops all its connections each time it is told to. */
import { connect, createServer, type Socket } from 'node:net'
import { say } from './network-case.ts'

const { listen, target, delayMs }: { listen: string; target: string; delayMs: number } = JSON.parse(process.argv[2])
const [host, port] = listen.split(':')
const [targetHost, targetPort] = target.split(':')

/** As much is on its way at once as on a line that is so long and not slower than 400 Mbit/s. */
const ON_ITS_WAY = 50_000 * delayMs

function pass(from: Socket, to: Socket): void {
  let waiting = 0
  from.on('data', (data) => {
    waiting += data.length
    if (waiting > ON_ITS_WAY) from.pause()
    setTimeout(() => {
      waiting -= data.length
      if (to.destroyed) return
      if (to.write(data)) from.resume()
      else to.once('drain', () => from.resume())
    }, delayMs)
  })
  from.on('end', () => setTimeout(() => to.end(), delayMs))
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}

const open = new Set<Socket>()
createServer((socket) => {
  const onward = connect(Number(targetPort), targetHost)
  open.add(socket)
  socket.on('close', () => open.delete(socket))
  pass(socket, onward)
  pass(onward, socket)
}).listen(Number(port), host, () => say({ listening: listen }))
process.on('SIGUSR2', () => {
  for (const socket of open) socket.resetAndDestroy()
  say({ dropped: open.size })
})
