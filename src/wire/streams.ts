import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { WireError } from './wire-error.ts'

/** What a gRPC call and a node stream have in common for writing: `false` from `write` asks to wait for `drain`. */
type Sink<T> = Pick<Writable, 'once' | 'on' | 'end'> & { write(message: T): boolean }

/**
 * Writes all messages with the receiver's flow control, then ends the call.
 * @throws WireError `connection-lost` when the call breaks meanwhile
 */
export async function writeAll<T>(call: Sink<T>, messages: Iterable<T> | AsyncIterable<T>): Promise<void> {
  const broken = new AbortController()
  const lost = new WireError('connection-lost', 'The other side left before it had everything.')
  const breakOff = () => broken.abort(lost)
  call.on('error', breakOff)
  call.on('cancelled', breakOff)
  // At a client: the other side has answered, and whatever is written now is never drained.
  call.on('status', breakOff)
  for await (const message of messages) {
    broken.signal.throwIfAborted()
    if (call.write(message)) continue
    await once(call as Writable, 'drain', { signal: broken.signal }).catch(() => {
      throw lost
    })
  }
  call.end()
}
