import { digestOf } from '../../src/crypto/digest.ts'
import { payloadDigest } from '../../src/protocol/contribution.ts'
import type { PayloadSource } from '../../src/wire/upload-client.ts'

/** Chunks that are all there as a ciphertext to upload. @param onChunk is called before each chunk that is given out */
export function payloadOf(
  chunks: readonly Uint8Array[],
  onChunk: (index: number) => Promise<void> | void = () => {},
): PayloadSource {
  const digests = chunks.map((chunk) => digestOf(chunk))
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0)
  return {
    whole: async () => ({ digest: payloadDigest(digests), bytes }),
    digestOfFirst: (count) => (count > chunks.length ? undefined : payloadDigest(digests.slice(0, count))),
    async *chunksFrom(first) {
      for (let index = first; index < chunks.length; index++) {
        await onChunk(index)
        yield chunks[index]
      }
    },
  }
}
