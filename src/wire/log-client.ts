import { setTimeout as sleep } from 'node:timers/promises'
import { tileBytesMax } from '../log/entry-bundle.ts'
import { type LogSource, PAYLOAD_BYTES_MAX } from '../log/log-source.ts'
import { NOTE_BYTES_MAX, noteFromBytes } from '../log/note.ts'
import { parseTilePath } from '../log/tile-path.ts'
import { WireError } from './wire-error.ts'

export interface LogClientOptions {
  /** For one resource, from the request to its last byte. */
  readonly timeoutMs?: number
  /** How often a resource is asked for that a server or the way to it failed to give. */
  readonly attempts?: number
}

const TIMEOUT_MS = 30_000
const ATTEMPTS = 3
/** Before the second attempt; doubles with each. */
const PAUSE_MS = 200

/**
 * A log over HTTP. Nothing that it gives is believed; no resource takes more memory than its kind can have.
 * @param url where the log's checkpoint and tiles lie: `http://host:port/log`
 * @throws WireError `address-invalid`. Reading: `log-unreachable`, `remote-failure`, `message-too-large`; LogError
 * `malformed-note`, `malformed-tile-path`
 */
export function httpLogSource(url: string, options: LogClientOptions = {}): LogSource {
  const base = URL.canParse(url) ? new URL(url.endsWith('/') ? url : `${url}/`) : undefined
  if (base?.protocol !== 'http:' && base?.protocol !== 'https:') {
    throw new WireError(
      'address-invalid',
      `"${url}" is not the address of a log: write for instance http://host:7480/log.`,
    )
  }
  const read = (path: string, maxBytes: number) => readResource(new URL(path, base), maxBytes, options)
  return {
    async readCheckpoint() {
      const bytes = await read('checkpoint', NOTE_BYTES_MAX)
      return bytes && noteFromBytes(bytes)
    },
    readTile: async (path) => read(path, tileBytesMax(parseTilePath(path))),
    readPayload: (payloadSha256) => read(`statement/${payloadSha256}`, PAYLOAD_BYTES_MAX),
  }
}

async function readResource(
  url: URL,
  maxBytes: number,
  { timeoutMs = TIMEOUT_MS, attempts = ATTEMPTS }: LogClientOptions,
): Promise<Uint8Array | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(url, maxBytes, timeoutMs)
    } catch (fault) {
      const passing = fault instanceof WireError && fault.code === 'log-unreachable'
      if (!passing || attempt >= attempts) throw fault
      await sleep(PAUSE_MS * 2 ** (attempt - 1))
    }
  }
}

/** @returns undefined for a resource that is not there */
async function readOnce(url: URL, maxBytes: number, timeoutMs: number): Promise<Uint8Array | undefined> {
  const stop = new AbortController()
  const timeout = setTimeout(() => stop.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  try {
    const response = await fetch(url, { signal: stop.signal })
    if (response.status === 404 || response.status === 410) return undefined
    if (response.status === 429 || response.status >= 500) throw unreachable(url, `it answers ${response.status}`)
    if (response.status !== 200 || !response.body) {
      throw new WireError(
        'remote-failure',
        `${url} answers ${response.status}: check that this is the address of a log.`,
      )
    }
    return await readBody(url, response.body, maxBytes)
  } catch (cause) {
    if (cause instanceof WireError) throw cause
    throw unreachable(url, describe(cause), cause)
  } finally {
    clearTimeout(timeout)
    // A response that is not read to its end would keep its connection.
    stop.abort()
  }
}

async function readBody(url: URL, body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes > maxBytes) {
      throw new WireError('message-too-large', `${url} has more than ${maxBytes} bytes: this is no resource of a log.`)
    }
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

function unreachable(url: URL, why: string, cause?: unknown): WireError {
  return new WireError(
    'log-unreachable',
    `The log at ${url} does not answer (${why}): check the address, that its server runs, and the firewall.`,
    { cause },
  )
}

/** `fetch` says "fetch failed" and puts the reason into its cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const inner = error.cause instanceof Error ? error.cause : error
  return (inner as NodeJS.ErrnoException).code ?? inner.message
}
