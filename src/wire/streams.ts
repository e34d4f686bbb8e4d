import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** What a gRPC call and a node stream have in common for writing: `false` from `write` asks to wait for `drain`. */
type Sink<T> = Pick<Writable, 'once' | 'on' | 'end'> & { write(message: T): boolean }

/** Writes all messages with the receiver's flow control, then ends the call. Rejects when the call breaks meanwhile. */
export async function writeAll<T>(call: Sink<T>, messages: Iterable<T> | AsyncIterable<T>): Promise<void> {
  const broken = new AbortController()
  call.on('error', () => broken.abort())
  call.on('cancelled', () => broken.abort())
  for await (const message of messages) {
    broken.signal.throwIfAborted()
    if (!call.write(message)) await once(call as Writable, 'drain', { signal: broken.signal })
  }
  call.end()
}
