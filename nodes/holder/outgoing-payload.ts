import { type FileHandle, open } from 'node:fs/promises'
import { type Digest, digestOf } from '../../src/crypto/digest.ts'
import { chunkGeometry, type PayloadParameters } from '../../src/crypto/payload-parameters.ts'
import { type PayloadReference, payloadDigest } from '../../src/protocol/contribution.ts'
import type { PayloadSource } from '../../src/wire/upload-client.ts'
import { HolderError } from './holder-error.ts'

/**
 * One ciphertext in a file of the outbox: written once, chunk by chunk, as it is made, and read as often as it is sent and
 * hashed. In memory are the digests of its chunks and the chunks that are just written or read. A chunk that is not what was
 * written is noticed by its digest.
 */
export class OutgoingPayload implements PayloadSource {
  readonly #file: string
  readonly #parameters: PayloadParameters
  readonly #digests: Digest[]
  readonly #whole = Promise.withResolvers<PayloadReference>()
  #failure: unknown
  /** Resolves when there is one chunk more, or will be none. */
  #grown = Promise.withResolvers<void>()

  /** @param digests of the chunks that the file has: all or none */
  constructor(file: string, parameters: PayloadParameters, digests: readonly Digest[] = []) {
    this.#file = file
    this.#parameters = parameters
    this.#digests = [...digests]
    // Whoever uploads waits for it; when nobody does, its failure is told by `fill`.
    this.#whole.promise.catch(() => undefined)
    if (digests.length > 0) this.#whole.resolve(this.#reference())
  }

  /** Digests of the chunks that are there. */
  get digests(): readonly Digest[] {
    return this.#digests
  }

  /** What is to be written yet. */
  get unwrittenBytes(): number {
    const { chunkCount, ciphertextBytes } = this.#parameters
    const chunks = this.#digests.length
    return chunks === chunkCount ? 0 : ciphertextBytes - chunks * chunkGeometry(this.#parameters, 0).bytes
  }

  /**
   * Writes all chunks, in order. Not synced: a machine that loses its power loses the key with its memory, and what the file
   * then has is noticed by the digests.
   * @throws HolderError `outbox-unwritable`; what the chunks throw. Whoever waits for the payload gets the same.
   */
  async fill(chunks: AsyncIterable<Uint8Array>): Promise<PayloadReference> {
    try {
      await using handle = await open(this.#file, 'w', 0o600).catch(unwritable)
      for await (const chunk of chunks) {
        await writeWhole(handle, chunk).catch(unwritable)
        this.#digests.push(digestOf(chunk))
        this.#notify()
      }
      this.#whole.resolve(this.#reference())
    } catch (error) {
      this.#failure = error
      this.#notify()
      this.#whole.reject(error)
    }
    return this.whole()
  }

  #notify(): void {
    this.#grown.resolve()
    this.#grown = Promise.withResolvers()
  }

  #reference(): PayloadReference {
    return { digest: payloadDigest(this.#digests), bytes: this.#parameters.ciphertextBytes }
  }

  whole(): Promise<PayloadReference> {
    return this.#whole.promise
  }

  digestOfFirst(count: number): Digest | undefined {
    if (count < 0 || count > this.#digests.length) return undefined
    return payloadDigest(this.#digests.slice(0, count))
  }

  async *chunksFrom(first: number): AsyncGenerator<Uint8Array> {
    for (let index = first; index < this.#parameters.chunkCount; index++) {
      while (index >= this.#digests.length) {
        if (this.#failure) throw this.#failure
        await this.#grown.promise
      }
      yield await this.readChunk(index)
    }
  }

  /** @throws HolderError `ciphertext-not-kept` when the chunk is not there as it was written */
  async readChunk(index: number): Promise<Uint8Array> {
    const { bytes } = chunkGeometry(this.#parameters, index)
    const chunk = await readAt(this.#file, index * chunkGeometry(this.#parameters, 0).bytes, bytes)
    if (!chunk || digestOf(chunk) !== this.#digests[index]) {
      throw new HolderError('ciphertext-not-kept', `Chunk ${index} of ${this.#file} is damaged or gone.`)
    }
    return chunk
  }

  /** Whether every chunk is there as it was written. */
  async isSound(): Promise<boolean> {
    if (this.#digests.length !== this.#parameters.chunkCount) return false
    for (let index = 0; index < this.#digests.length; index++) {
      const chunk = await this.readChunk(index).catch(() => undefined)
      if (!chunk) return false
    }
    return true
  }
}

async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten
  }
}

/** Undefined when the file is gone, or ends before. */
async function readAt(file: string, position: number, bytes: number): Promise<Uint8Array | undefined> {
  const buffer = new Uint8Array(bytes)
  try {
    await using handle = await open(file, 'r')
    for (let done = 0; done < bytes; ) {
      const { bytesRead } = await handle.read(buffer, done, bytes - done, position + done)
      if (bytesRead === 0) return undefined
      done += bytesRead
    }
    return buffer
  } catch {
    return undefined
  }
}

function unwritable(cause: unknown): never {
  throw new HolderError('outbox-unwritable', 'The outbox cannot be written: is the disk of the journal full?', {
    cause,
  })
}
