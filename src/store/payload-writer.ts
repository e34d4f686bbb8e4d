import { type BlobStore, PART_CHUNKS, type SpoolWriter } from '../coordinator/ports.ts'
import { type Digest, digestOf } from '../crypto/digest.ts'
import { chunkGeometry, type PayloadParameters } from '../crypto/payload-parameters.ts'
import { type PayloadReference, payloadDigest } from '../protocol/contribution.ts'
import { PartBuilder, type PartHead, readPartHead, readSeal } from './payload-part.ts'
import { StoreError, type StoreErrorCode } from './store-error.ts'

/** Where the blobs of one payload are. */
export interface PayloadPlace {
  /** Prefix of the payload's parts. */
  readonly directory: string
  /** Key of the last part, which makes the payload whole. */
  readonly whole: string
}

/** The key of a part before the last. @param name the payload digest over all chunks up to the part's end */
export function partKey({ directory }: PayloadPlace, index: number, name: Digest): string {
  return `${directory}/${partPrefix(index)}${name}`
}

function partPrefix(index: number): string {
  return `${String(index).padStart(5, '0')}-`
}

/** Writes one payload, part by part. */
export class PayloadWriter implements SpoolWriter {
  readonly place: PayloadPlace
  readonly #blobs: BlobStore
  readonly #parameters: PayloadParameters
  readonly #release: () => void
  /** Of the chunks so far. */
  readonly #digests: Digest[] = []
  /** Names of the parts that are stored. */
  readonly #parts: Digest[] = []
  #resumed: SpoolWriter['resumed'] = { chunks: 0, digest: payloadDigest([]) }
  /** The part that grows. */
  #part: PartBuilder | undefined
  #committed: PayloadReference | undefined
  #refusal: { readonly code: StoreErrorCode; readonly message: string } | undefined
  /** What is being done; never rejects. */
  #work: Promise<unknown> = Promise.resolve()

  /** @param release is told when this writer writes no more */
  constructor(blobs: BlobStore, place: PayloadPlace, parameters: PayloadParameters, release: () => void) {
    this.#blobs = blobs
    this.place = place
    this.#parameters = parameters
    this.#release = release
  }

  get resumed(): SpoolWriter['resumed'] {
    return this.#resumed
  }

  get durable(): number {
    return this.#parts.length * PART_CHUNKS
  }

  /** Finds the parts that an earlier writer has stored. @throws StoreError `conflict` when the payload is whole */
  resume(): Promise<void> {
    return this.#perform(async () => {
      const { directory, whole } = this.place
      const keys = await this.#blobs.list(directory)
      if (keys.includes(whole)) {
        throw new StoreError('conflict', `The payload ${directory} is whole: ask for its digest, upload nothing.`)
      }
      while ((this.#parts.length + 1) * PART_CHUNKS < this.#parameters.chunkCount) {
        const next = await this.#findNextPart(keys)
        if (!next) break
        this.#digests.push(...next.chunks)
        this.#parts.push(next.name)
      }
      this.#resumed = { chunks: this.durable, digest: payloadDigest(this.#digests) }
    })
  }

  /** A part that continues those before it. One that is damaged, or of other bytes, is passed over: it will be written anew. */
  async #findNextPart(keys: readonly string[]) {
    const prefix = `${this.place.directory}/${partPrefix(this.#parts.length)}`
    for (const key of keys.filter((each) => each.startsWith(prefix))) {
      const chunks = await this.#readChunks(key)
      const name = key.slice(prefix.length)
      if (chunks.length === PART_CHUNKS && payloadDigest([...this.#digests, ...chunks]) === name)
        return { name, chunks }
    }
    return undefined
  }

  async #readChunks(key: string): Promise<PartHead['chunks']> {
    try {
      return (await readPartHead(this.#blobs, key)).chunks
    } catch (error) {
      if (error instanceof StoreError && error.code === 'corrupt') return []
      throw error
    }
  }

  append(chunk: Uint8Array): Promise<void> {
    return this.#perform(async () => {
      const index = this.#digests.length
      const expected = index < this.#parameters.chunkCount ? chunkGeometry(this.#parameters, index).bytes : 0
      if (chunk.length !== expected) {
        throw new StoreError('invalid-value', `Chunk ${index} has ${chunk.length} bytes; ${expected} are due.`)
      }
      this.#part ??= this.#beginPart()
      this.#part.append(chunk)
      this.#digests.push(digestOf(chunk))
      const isFull = this.#digests.length === this.durable + PART_CHUNKS
      if (isFull && this.#digests.length < this.#parameters.chunkCount) await this.#storePart()
    })
  }

  #beginPart(): PartBuilder {
    const { chunkCount, ciphertextBytes } = this.#parameters
    const chunks = Math.min(PART_CHUNKS, chunkCount - this.durable)
    const isLast = this.durable + chunks === chunkCount
    const before = this.durable * chunkGeometry(this.#parameters, 0).bytes
    const partBytes = isLast ? ciphertextBytes - before : chunks * chunkGeometry(this.#parameters, 0).bytes
    return new PartBuilder(chunks, partBytes, isLast ? this.#seal(payloadDigest([])) : undefined)
  }

  async #storePart(): Promise<void> {
    const name = payloadDigest(this.#digests)
    const blob = this.#part!.finish(this.#digests.slice(this.durable))
    await this.#blobs.put(partKey(this.place, this.#parts.length, name), blob)
    this.#parts.push(name)
    this.#part = undefined
  }

  #seal(payload: Digest) {
    const { ciphertextBytes } = this.#parameters
    const chunkBytes = chunkGeometry(this.#parameters, 0).bytes
    return { payload, bytes: ciphertextBytes, chunkBytes, parts: this.#parts }
  }

  async commit(): Promise<PayloadReference> {
    if (this.#committed) return this.#committed
    return this.#perform(async () => {
      const { chunkCount, ciphertextBytes } = this.#parameters
      if (this.#digests.length < chunkCount) {
        throw new StoreError('invalid-value', `${this.#digests.length} of ${chunkCount} chunks are here: go on.`)
      }
      const payload = payloadDigest(this.#digests)
      const earlier = await readSeal(this.#blobs, this.place.whole)
      if (earlier && earlier.seal.payload !== payload) {
        throw new StoreError('conflict', `Another payload is whole at ${this.place.directory}: that stays.`)
      }
      if (!earlier) {
        const blob = this.#part!.finish(this.#digests.slice(this.durable), this.#seal(payload))
        await this.#blobs.put(this.place.whole, blob)
      }
      this.#part = undefined
      this.#committed = { digest: payload, bytes: ciphertextBytes }
      this.#release()
      return this.#committed
    })
  }

  async close(): Promise<void> {
    await this.refuse('conflict', 'This upload is closed: open the payload again.')
  }

  /** From now on every call is refused with this; the first reason stays. Resolves when nothing is written any more. */
  async refuse(code: StoreErrorCode, message: string): Promise<void> {
    this.#refusal ??= { code, message }
    this.#release()
    await this.#work
    this.#part = undefined
  }

  /** Does one thing unless an earlier one failed; after a failure only `close` is of use. */
  async #perform<T>(work: () => Promise<T>): Promise<T> {
    if (this.#refusal) throw new StoreError(this.#refusal.code, this.#refusal.message)
    const working = work()
    this.#work = working.catch(() => undefined)
    try {
      return await working
    } catch (error) {
      this.#refusal ??= { code: 'conflict', message: 'This upload has failed: open the payload again.' }
      throw error
    }
  }
}
