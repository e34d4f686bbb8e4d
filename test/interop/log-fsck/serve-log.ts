import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LogError } from '../../../src/log/log-error.ts'
import { parseTilePath } from '../../../src/log/tile-path.ts'
import type { LogReader } from '../../../src/log/tile-reader.ts'

/** The two kinds of resource of C2SP tlog-tiles over HTTP on loopback. */
export async function serveLog(reader: LogReader): Promise<{ url: string; server: Server }> {
  const server = createServer(async ({ url = '' }, response) => {
    const path = url.slice('/log/'.length)
    const body = path === 'checkpoint' ? await reader.readCheckpoint() : await readTile(reader, path)
    const type = path === 'checkpoint' ? 'text/plain; charset=utf-8' : 'application/octet-stream'
    if (body === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-type': type }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/log/`, server }
}

async function readTile(reader: LogReader, path: string): Promise<Uint8Array | undefined> {
  try {
    parseTilePath(path)
  } catch (error) {
    if (error instanceof LogError) return undefined
    throw error
  }
  return reader.readTile(path)
}
