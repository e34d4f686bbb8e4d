import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { IdleWatch } from './idle-watch.ts'
import { limits } from './limits.ts'
import { WireError } from './wire-error.ts'

/** What a gRPC call and a node stream have in common for writing: `false` from `write` asks to wait for `drain`. */
type Sink<T> = Pick<Writable, 'once' | 'on' | 'end'> & { write(message: T): boolean }

/**
 * Writes all messages with the receiver's flow control, then ends the call.
 * @param idleMs how long the receiver may take nothing
 * @throws WireError `connection-lost` when the call breaks meanwhile, `transfer-idle`
 */
export async function writeAll<T>(
  call: Sink<T>,
  messages: Iterable<T> | AsyncIterable<T>,
  idleMs: number = limits.idleMs,
): Promise<void> {
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
    using idle = new IdleWatch(idleMs)
    const signal = AbortSignal.any([broken.signal, idle.signal])
    await once(call as Writable, 'drain', { signal }).catch(() => {
      throw signal.reason
    })
  }
  call.end()
}
