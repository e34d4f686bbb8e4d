import { ProtocolError } from './protocol-error.ts'

/**
 * Cuts a stream of bytes into pieces of given sizes, however it arrives. Holds one piece and what the sender put into one
 * message; reads no further than the last size.
 * @throws ProtocolError `opening-too-short` when the stream ends before
 */
export async function* readExactly(
  stream: AsyncIterable<Uint8Array>,
  sizes: readonly number[],
): AsyncGenerator<Uint8Array, undefined> {
  const source = stream[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array(0)
  try {
    for (const size of sizes) {
      const piece = new Uint8Array(size)
      for (let filled = 0; filled < size; ) {
        if (rest.length === 0) {
          const next = await source.next()
          if (next.done) throw tooShort()
          rest = next.value
        }
        const taken = rest.subarray(0, size - filled)
        piece.set(taken, filled)
        filled += taken.length
        rest = rest.subarray(taken.length)
      }
      yield piece
    }
  } finally {
    await source.return?.()
  }
}

function tooShort(): ProtocolError {
  return new ProtocolError('opening-too-short', 'The coordinator sent less of an opening than the plan gives it.')
}
