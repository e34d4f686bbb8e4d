/** A proxy in between: passes bytes on, later than they came, and drops all its connections each time it is told to. */
import { connect, createServer, type Socket } from 'node:net'
import { say } from './network-case.ts'

const { listen, target, delayMs }: { listen: string; target: string; delayMs: number } = JSON.parse(process.argv[2])
const [host, port] = listen.split(':')
const [targetHost, targetPort] = target.split(':')

function pass(from: Socket, to: Socket): void {
  from.on('data', (data) => {
    from.pause()
    setTimeout(() => {
      if (to.destroyed) return
      if (to.write(data)) from.resume()
      else to.once('drain', () => from.resume())
    }, delayMs)
  })
  from.on('end', () => to.end())
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
