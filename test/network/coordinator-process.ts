/** A coordinator's server in a process of its own: takes in one ciphertext, serves one artifact and one opening. */
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { SUM } from '../../src/coordinator/ports.ts'
import { startTestServer } from '../support/wire-fixtures.ts'
import { artifactOf, keySum, type NetworkCase, say } from './network-case.ts'

const config: NetworkCase & { readonly listen: string } = JSON.parse(process.argv[2])
const { parameters, plan } = config

const sockets = new Set<Socket>()
/** Of connections that are gone. */
const gone = { bytes: 0, sent: 0 }
subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: Socket }
  sockets.add(socket)
  socket.on('close', () => {
    sockets.delete(socket)
    gone.bytes += socket.bytesRead
    gone.sent += socket.bytesWritten
  })
})

const server = await startTestServer(
  {
    expectedPayload: (planDigest) => (planDigest === plan ? parameters : undefined),
    contributionsFor: () => undefined,
    openingFor: (planDigest) => (planDigest === plan ? { keySum, sumBytes: parameters.ciphertextBytes } : undefined),
  },
  config,
)
const artifact = await server.artifacts.put(artifactOf(config))
if (!(await server.openings.stat(plan, SUM))) {
  const writer = await server.openings.open(plan, SUM, parameters)
  const bytes = artifactOf(config)
  for (let at = 0; at < bytes.length; at += config.chunkBytes)
    await writer.append(bytes.subarray(at, at + config.chunkBytes))
  await writer.commit()
}

/** Chunks that became durable, as the writers say. */
let durable = 0
const { open } = server.spool
server.spool.open = async (...args) => {
  const writer = await open(...args)
  say({ resumed: writer.resumed.chunks })
  const { append } = writer
  writer.append = async (chunk) => {
    await append.call(writer, chunk)
    durable = writer.durable
  }
  return writer
}
setInterval(async () => {
  const bytes = [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, gone.bytes)
  const sent = [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, gone.sent)
  const { rss } = process.memoryUsage()
  say({ bytes, sent, durable, rss, stored: await server.spool.stat(plan, 'cleveland') })
}, 100)
say({ listening: server.address, artifact })
